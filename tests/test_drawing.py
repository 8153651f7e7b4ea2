"""Pictures between being drawn and being shown."""

from __future__ import annotations

import numpy as np
import pytest

from oscbend.drawing import darkened

PICTURE = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)
PICTURE[..., 3] = 255


def test_without_black_it_is_the_picture_itself() -> None:
    assert darkened(PICTURE, 0.0) is PICTURE


def test_all_black_is_nothing_but_black() -> None:
    dark = darkened(PICTURE, 1.0)
    assert dark[..., :3].max() == 0
    assert dark[..., 3].min() == 255


@pytest.mark.parametrize("black", [0.1, 0.5, 0.75, 0.99])
def test_in_between_it_is_as_much_darker(black: float) -> None:
    before = PICTURE.copy()
    dark = darkened(PICTURE, black)
    assert np.array_equal(PICTURE, before)
    assert dark.dtype == np.uint8
    assert np.abs(dark[..., :3] - PICTURE[..., :3] * (1 - black)).max() <= 1.5
    assert dark[..., 3].min() == 255
