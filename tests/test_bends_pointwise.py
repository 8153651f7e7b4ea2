"""Pointwise operators against their formulas."""

import numpy as np
import pytest
import torch
from bends_cases import compare, draw, on_dtypes, on_shapes

from oscbend.bends import apply
from oscbend.errors import BadValue

R = [0.75, -1.5, 2.0]
POSITIVE = [0.75, 1.5, 2.0]

FORMULAS = [
    ("add", lambda x, r: x + r, {"r": R}),
    ("multiply", lambda x, r: x * r, {"r": R}),
    ("threshold", lambda x, r: np.where(x >= r, 1.0, 0.0), {"r": [0.0, -1.5, 0.75]}),
    ("gate", lambda x, r: np.where(np.abs(x) >= r, x, 0.0), {"r": POSITIVE}),
    ("soft_threshold", lambda x, r: np.sign(x) * np.maximum(np.abs(x) - r, 0), {"r": POSITIVE}),
    ("invert", lambda x, r: 1 / r - x, {"r": [0.25, 2.0, 64.0]}),
    ("negate", lambda x: -x, {}),
    ("ablate", lambda x: 0 * x, {}),
    ("power", lambda x, r: np.sign(x) * np.abs(x) ** r, {"r": [0.25, 2.0, 3.5]}),
    ("log", lambda x, r: np.log(np.abs(x) + 1e-6) / np.log(r), {"r": [1.25, 2.0, 10.0]}),
    ("abs", np.abs, {}),
    (
        "clamp",
        lambda x, lo, hi: np.minimum(np.maximum(x, lo), hi),
        {"lo": [-0.5, 0.25, 2], "hi": [0.5, 1, 1]},
    ),
]


@on_dtypes
@on_shapes
@pytest.mark.parametrize(("name", "formula", "values"), FORMULAS, ids=[f[0] for f in FORMULAS])
def test_formula(name, formula, values, shape, dtype):
    compare(name, formula, shape, dtype, **values)


@on_dtypes
@on_shapes
def test_rescale_fills_the_range_of_each_sample(shape, dtype):
    def formula(x, lo, hi):
        span = x.max() - x.min()
        return lo + (x - x.min()) / (span or 1) * (hi - lo)

    compare("rescale", formula, shape, dtype, lo=[-1.0, 0.0, 2.0], hi=[1.0, 4.0, -2.0])


def test_soft_threshold_is_zero_at_zero_and_not_nan():
    x = torch.tensor([0.0, -0.0, 1e-30, -3.0, 3.0]).reshape(1, 1, 1, 5)
    assert apply("soft_threshold", x, r=0.0).flatten().tolist() == x.flatten().tolist()
    assert apply("soft_threshold", x, r=1.0).flatten().tolist() == [0.0, 0.0, 0.0, -2.0, 2.0]


@pytest.mark.parametrize("r", [0.0, -1.0, 1e-9])
def test_invert_refuses_what_would_divide_by_zero(r):
    with pytest.raises(BadValue, match=r"0\.01…1000"):
        apply("invert", draw((1, 4, 2, 2)), r=r)


def test_log_keeps_away_from_base_one():
    x = draw((1, 4, 2, 2))
    assert torch.equal(apply("log", x, r=1.0), apply("log", x, r=1.05))


def test_log_and_power_are_finite_at_zero():
    x = torch.zeros(1, 4, 2, 2)
    assert torch.isfinite(apply("log", x)).all()
    assert torch.equal(apply("power", x, r=0.2), x)


def test_rescale_of_a_constant_is_lo():
    assert apply("rescale", torch.full((1, 2, 2, 2), 3.0), lo=-2.0, hi=5.0).unique().tolist() == [-2.0]
