"""When two frames ask for the same picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from drawing import structure, values

from oscbend.frame import Values, alike

BENT = structure(("add", "unet.in"), ("rotate", "latent.0"), batch=2)


def made(**changes: Any) -> Values:
    init = np.zeros((2, 64, 64, 3), np.uint8)
    return replace(values(BENT, ({"r": 0.5}, {"angle": np.nan}), init=init), **changes)


def test_equal_numbers_are_alike_even_where_they_are_none() -> None:
    assert alike(made(), made())


@pytest.mark.parametrize(
    "changes",
    [
        {"prompts": ((("an orb", 1.0),),) * 2},
        {"negative": ("mist", "")},
        {"noise": (((3, 1.0),),) * 2},
        {"guidance": np.full(2, 4, np.float32)},
        {"guidance": np.full(2, 3, np.float64)},
        {"weights": np.zeros((2, 4, 1, 2), np.float32)},
        {"params": ({"r": np.full(2, 0.5, np.float32)}, {"angle": np.ones(2, np.float32)})},
        {"params": ({"r": np.full(2, 0.5, np.float32)}, {"turn": np.full(2, np.nan, np.float32)})},
        {"params": ({"r": np.full(2, 0.5, np.float32)},)},
        {"init": None},
        {"init": np.zeros((2, 64, 64, 4), np.uint8)},
    ],
)
def test_any_difference_counts(changes: dict[str, Any]) -> None:
    assert not alike(made(), made(**changes))
    assert not alike(made(**changes), made())


@pytest.mark.parametrize("row", [0, 31, 63])
def test_a_picture_to_start_from_counts_to_its_last_byte(row: int) -> None:
    other = made()
    assert other.init is not None
    other.init[1, row, 63, 2] = 1
    assert not alike(made(), other)


def test_frame_numbers_count_where_noise_moves() -> None:
    later = replace(made(), ticks=np.array([7, 8]))
    assert not alike(made(), later)
    assert alike(made(), later, ticking=False)
