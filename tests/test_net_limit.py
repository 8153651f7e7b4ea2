"""How strong bends may make activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from drawing import structure, values
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from oscbend.engine import Engine
from oscbend.net.limit import limited
from oscbend.net.plan import Plan

X = torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(1))


def rms(x: torch.Tensor) -> torch.Tensor:
    return x.float().square().mean(dim=(1, 2, 3)).sqrt()


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(1, 20))
@settings(deadline=None)
def test_no_sample_gets_stronger_than_the_limit(gain: float, offset: float, k: float) -> None:
    y = limited(lambda x: gain * x + offset, torch.full((3,), k), X)
    assert (rms(y) <= k * rms(X) * 1.0001).all()
    free = gain * X + offset
    assume(rms(free).min() > 1e-3)
    weak = rms(free) <= k * rms(X) * 0.9999
    assert torch.equal(y[weak], free[weak])
    torch.testing.assert_close(y / rms(y)[:, None, None, None], free / rms(free)[:, None, None, None])


def test_each_sample_has_its_own_limit() -> None:
    y = limited(lambda x: 10 * x, torch.tensor([0.0, 2.0, 20.0]), X)
    torch.testing.assert_close(y, torch.tensor([10.0, 2.0, 10.0])[:, None, None, None] * X)


def test_what_is_not_bent_is_not_touched() -> None:
    assert limited(lambda x: x, torch.ones(3), X) is X
    assert torch.equal(limited(lambda x: x.clone(), torch.ones(3), X), X)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_it_holds_in_half_precision_where_squares_overflow(dtype: torch.dtype) -> None:
    x = (50 * X).to(dtype)
    y = limited(lambda x: 200 * x, torch.full((3,), 3.0), x)
    assert y.dtype == dtype
    assert (rms(y) / rms(x)).tolist() == pytest.approx([3.0] * 3, rel=0.01)


def test_silence_stays_silent_and_nothing_is_divided_by_it() -> None:
    still = torch.zeros(1, 4, 5, 6)
    assert torch.equal(limited(lambda x: 5 * x, torch.ones(1), still), still)
    assert torch.equal(limited(lambda x: x + 5, torch.ones(1), still), still)
    assert torch.equal(limited(lambda x: 0 * x, torch.ones(1), X[:1]), still)


SITES = (
    ("latent.1", 1),
    ("text", 2),
    ("time", 2),
    ("unet.mid.attn", 2),
    ("skip.0", 2),
    ("vae.in", 1),
    ("image", 1),
)


@pytest.mark.parametrize(("site", "branches"), SITES)
@pytest.mark.parametrize("guided", [False, True])
def test_the_limit_holds_for_the_whole_chain_of_a_site(
    engine_of: Callable[[str], Engine], site: str, branches: int, guided: bool
) -> None:
    engine = engine_of("tiny")
    s = structure(("add", site), ("multiply", site), batch=2, guided=guided)
    plan = Plan(s, engine.model, {})
    step = 1 if branches == 2 or site == "latent.1" else s.step_count
    rows = 2 * (branches if guided else 1)
    shape = next(p.shape for p in engine.sites(64, 64, 3) if p.name == site)
    x = torch.randn(rows, *shape, generator=torch.Generator().manual_seed(2))

    def bent(limit: Any) -> torch.Tensor:
        plan.load(values(s, ({"r": 4.0}, {"r": 6.0}), limit=np.asarray(limit, np.float32)))
        return plan.at[step][site](x)

    free = bent([0.0])
    torch.testing.assert_close(free, 6 * (x + 4))
    found = rms(bent([2.0, 0.0])) / rms(x)
    for row in range(rows):
        assert float(found[row]) == pytest.approx(
            2.0 if row % 2 == 0 else float(rms(free)[row] / rms(x)[row]), rel=1e-4
        )
    assert torch.equal(bent([0.0, 0.0]), free)


def test_a_limit_tames_a_picture_that_was_not_finite(engine_of: Callable[[str], Engine]) -> None:
    engine = engine_of("tiny")
    s = structure(("multiply", "unet.mid.attn"), ("multiply", "latent.2"))
    wild = ({"r": 1e30}, {"r": 1e30})
    assert not engine.render(s, values(s, wild)).finite.all()
    assert engine.render(s, values(s, wild, limit=np.full(1, 2.0, np.float32))).finite.all()


def test_a_limit_changes_nothing_where_nothing_is_bent(engine_of: Callable[[str], Engine]) -> None:
    engine = engine_of("tiny")
    s = structure(("multiply", "unet.mid.attn"))
    plain = engine.render(s, values(s, ({"r": 9.0},), weight=0.0)).pictures
    kept = engine.render(s, values(s, ({"r": 9.0},), weight=0.0, limit=np.ones(1, np.float32))).pictures
    assert np.array_equal(plain, kept)
