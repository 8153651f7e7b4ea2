"""A plan that has drawn other frames before draws the next one as a new plan would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from drawing import structure, values
from torch import Tensor

from oscbend.engine import Engine
from oscbend.errors import BadValue
from oscbend.net import mapped
from oscbend.net.plan import Plan

SITE = "unet.mid.attn"
STRUCTURE = structure(("rotate", SITE), ("multiply", SITE), ("clamp", SITE), ("add", SITE), batch=2)
PARAMS: tuple[dict[str, Any], ...] = (
    {"angle": np.float32([0.5, 1.0])},
    {"r": np.float32([2.0, 2.0])},
    {"lo": np.float32([-1.0, -1.0]), "hi": np.float32([1.0, 2.0])},
    {"r": np.float32([0.1, 0.2])},
)
VALUES = replace(values(STRUCTURE, ({},) * 4), params=PARAMS)


def weights(*of_bends: float) -> np.ndarray:
    made = np.ones_like(VALUES.weights)
    made[:] = np.float32(of_bends)[:, None, None, None]
    return made


def bent(plan: Plan, x: Tensor) -> list[Tensor]:
    return [here[SITE](x) for here in plan.at if SITE in here]


FRAMES = {
    "the same": VALUES,
    "another angle": replace(VALUES, params=({"angle": np.float32([0.5, 3.0])}, *PARAMS[1:])),
    "another ceiling": replace(VALUES, params=(*PARAMS[:2], {"lo": -1.0, "hi": 0.5}, PARAMS[3])),
    "a parameter left out": replace(VALUES, params=({}, *PARAMS[1:])),
    "less of one": replace(VALUES, weights=weights(1, 0.5, 1, 1)),
    "none of two": replace(VALUES, weights=weights(0, 0, 1, 1)),
    "nothing": replace(VALUES, weights=weights(0, 0, 0, 0)),
    "a limit": replace(VALUES, limit=np.float32([1.0, 0.0])),
    "a limit and less": replace(VALUES, limit=np.float32([1.0, 2.0]), weights=weights(1, 1, 0.3, 1)),
}


@pytest.mark.parametrize("before", FRAMES)
@pytest.mark.parametrize("after", FRAMES)
def test_a_frame_is_drawn_as_by_a_new_plan(
    engine_of: Callable[[str], Engine], before: str, after: str
) -> None:
    model = engine_of("tiny").model
    used, new = Plan(STRUCTURE, model, {}), Plan(STRUCTURE, model, {})
    x = torch.randn(2, *used.bent[0].site.shape, generator=torch.Generator().manual_seed(1))
    used.load(FRAMES[before])
    used.load(FRAMES[after])
    new.load(FRAMES[after])
    got, expected = bent(used, x), bent(new, x)
    assert len(got) == len(expected) == (0 if after == "nothing" else STRUCTURE.step_count)
    assert all(torch.equal(a, b) for a, b in zip(got, expected))


def test_a_frame_that_failed_leaves_nothing_behind(engine_of: Callable[[str], Engine]) -> None:
    model = engine_of("tiny").model
    used, new = Plan(STRUCTURE, model, {}), Plan(STRUCTURE, model, {})
    x = torch.randn(2, *used.bent[0].site.shape, generator=torch.Generator().manual_seed(1))
    used.load(FRAMES["less of one"])
    with pytest.raises(BadValue, match="weights must be"):
        used.load(replace(VALUES, weights=VALUES.weights[:2]))
    with pytest.raises(ValueError):
        used.load(replace(FRAMES["another angle"], params=(*PARAMS[:3], {"r": np.ones((3, 7))})))
    used.load(VALUES)
    new.load(VALUES)
    assert all(torch.equal(a, b) for a, b in zip(bent(used, x), bent(new, x), strict=True))


def test_a_map_is_worked_out_again_only_when_something_has_changed(
    engine_of: Callable[[str], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    composed = mapped.composed

    def counted(forms: Any, *more: Any) -> Any:
        made.append(len(forms))
        return composed(forms, *more)

    monkeypatch.setattr(mapped, "composed", counted)
    plan = Plan(STRUCTURE, engine_of("tiny").model, {})
    for name, again in (
        ("the same", [2, 1]),
        ("the same", []),
        ("another ceiling", []),
        ("another angle", [2]),
        ("the same", [2]),
        ("less of one", [2, 1]),
    ):
        made.clear()
        plan.load(FRAMES[name])
        assert made == again, name
