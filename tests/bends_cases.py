"""What the tests of the operators share: shapes, precisions, and one table of tolerances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from oscbend.bends import OPERATORS, apply

TOLERANCE = {torch.float64: 1e-6, torch.float32: 3e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}
"""Largest error, relative to the largest magnitude in the expected tensor (or to 1)."""

SHAPES = [(3, 4, 8, 8), (2, 3, 5, 7), (1, 12, 6, 4), (2, 1, 1, 1), (2, 2, 7, 1)]

on_dtypes = pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda d: str(d).removeprefix("torch."))
on_shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)

NEEDS = {"steer": lambda x: torch.ones(x.shape[:2]).to(x)}
"""Fields that `apply` cannot draw by itself."""


def draw(shape: tuple[int, ...], dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    """N(0, 1) with zeros in it, because operators have stumbled over them."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x.view(-1)[::7] = 0.0
    return x.to(dtype)


def close(got: torch.Tensor, expected: np.ndarray, dtype: torch.dtype) -> None:
    """Asserts that `got` has the precision `dtype` and the expected content."""
    assert got.dtype == dtype
    assert tuple(got.shape) == expected.shape
    error = np.abs(got.double().numpy() - expected).max()
    assert error <= TOLERANCE[dtype] * max(1.0, np.abs(expected).max())


def compare(
    name: str,
    formula: Callable[..., np.ndarray],
    shape: tuple[int, ...],
    dtype: torch.dtype,
    static: dict[str, Any] | None = None,
    field: torch.Tensor | None = None,
    **values: list[Any],
) -> None:
    """Compares an operator with a float64 formula of one sample [C, H, W].

    Each sample has its own parameters: the first B of the given values, which must be exact in every
    precision that is tested.
    """
    x = draw(shape, dtype)
    params = {n: np.array(v[: shape[0]], np.float64) for n, v in values.items()}
    samples = x.double().numpy()
    expected = [formula(samples[b], **{n: v[b] for n, v in params.items()}) for b in range(shape[0])]
    given = {n: torch.from_numpy(v) for n, v in params.items()}
    got = apply(name, x, field=field, **given, **(static or {}))
    close(got, np.stack(expected), dtype)
    last = x.contiguous(memory_format=torch.channels_last)
    close(apply(name, last, field=field, **given, **(static or {})), np.stack(expected), dtype)
    assert torch.equal(x, draw(shape, dtype)), "the input was written to"
    assert torch.equal(last, x), "the input was written to"


def statics(name: str) -> list[dict[str, Any]]:
    """The static options worth testing for an operator, taken from its row."""
    options: list[dict[str, Any]] = [{}]
    for arg in OPERATORS[name].static:
        options += [{arg.name: choice} for choice in arg.choices]
    options += {"rotate": [{"plane": "pairs"}, {"plane": "0,2"}], "hadamard": [{"orthonormal": 1}]}.get(
        name, []
    )
    return options + ([{"k": 4}] if "morphology" in OPERATORS[name].tags else [])
