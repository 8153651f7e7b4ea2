"""At its neutral value an operator gives back its input, at every site of a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from oscbend.bends import OPERATORS, check
from oscbend.errors import BadValue
from oscbend.frame import Armed, Structure, Values

SIDE, STEPS = 64, 2
NEUTRAL = sorted(name for name, row in OPERATORS.items() if any(a.neutral is not None for a in row.live))


def values(params: list[dict[str, np.ndarray]]) -> Values:
    return Values(
        prompts=((("an orb", 1.0),),),
        negative=("",),
        noise=(((46, 1.0),),),
        guidance=np.ones(1, np.float32),
        params=tuple(params),
        weights=np.ones((len(params), STEPS + 1, 1, 1), np.float32),
    )


@pytest.mark.parametrize("name", NEUTRAL)
def test_neutral_at_every_site(name: str, engine_of: Callable[[str], Any]) -> None:
    engine = engine_of("tiny")
    row = OPERATORS[name]
    neutral = {a.name: a.neutral if a.neutral is not None else a.default for a in row.live}
    param = {
        n: np.asarray(v, np.float32).reshape((1,) if np.ndim(v) == 0 else (1, -1)) for n, v in neutral.items()
    }
    static = (("a", "night"), ("b", "day")) if "steer" in row.tags else ()
    sites = []
    for site in engine.sites(SIDE, SIDE, STEPS):
        try:
            check(name, dict(static), site.shape)
        except BadValue:
            continue
        sites.append(site.name)
    assert {"latent.0", "latent.end", "image"} <= set(sites) or row.tags & {"four", "square"}
    bare = Structure("tiny", SIDE, SIDE, steps=STEPS)
    bent = Structure("tiny", SIDE, SIDE, steps=STEPS, bends=tuple(Armed(s, name, s, static) for s in sites))
    plain = engine.render(bare, values([])).pictures
    neutral_picture = engine.render(bent, values([param] * len(sites))).pictures
    assert np.array_equal(plain, neutral_picture)


def test_every_operator_without_a_neutral_value_says_so() -> None:
    without = {name for name in OPERATORS if name not in NEUTRAL}
    assert {"invert", "threshold", "negate", "ablate", "log", "hadamard", "expm", "reflect"} <= without
    assert {"add", "multiply", "gate", "rotate", "matrix", "noise", "bump", "steer"} <= set(NEUTRAL)
