"""Dilation and erosion against loops, and against kornia."""

import kornia.morphology
import numpy as np
import pytest
import torch
from bends_cases import compare, draw, on_dtypes, on_shapes

from oscbend.bends import apply


def extreme(x, k, before, pick):
    """The extreme of each k × k window, clipped at the borders, one window at a time."""
    y = np.empty_like(x)
    for channel, i, j in np.ndindex(x.shape):
        rows = slice(max(i - before, 0), i + k - before)
        columns = slice(max(j - before, 0), j + k - before)
        y[channel, i, j] = pick(x[channel, rows, columns])
    return y


def dilated(x, k):
    return extreme(x, k, k - 1 - k // 2, np.max)


def eroded(x, k):
    return extreme(x, k, k // 2, np.min)


@on_dtypes
@on_shapes
@pytest.mark.parametrize("k", [1, 2, 3, 4, 9])
def test_windows(k, shape, dtype):
    compare("dilate", lambda x: dilated(x, k), shape, dtype, {"k": k})
    compare("erode", lambda x: eroded(x, k), shape, dtype, {"k": k})
    compare("gradient", lambda x: dilated(x, k) - eroded(x, k), shape, dtype, {"k": k})


@pytest.mark.parametrize("k", [3, 5, 9])
@pytest.mark.parametrize("name", ["dilate", "erode", "gradient"])
def test_odd_windows_equal_kornias(name, k):
    x = draw((2, 3, 12, 10))
    theirs = {
        "dilate": kornia.morphology.dilation,
        "erode": kornia.morphology.erosion,
        "gradient": kornia.morphology.gradient,
    }[name]
    torch.testing.assert_close(apply(name, x, k=k), theirs(x, torch.ones(k, k)), rtol=0, atol=0)


@pytest.mark.parametrize("k", [2, 4])
def test_even_windows_lie_as_in_kornia_from_0_9(k):
    if tuple(int(n) for n in kornia.__version__.split(".")[:2]) < (0, 9):
        pytest.skip("before 0.9 kornia's dilation did not mirror its window")
    x = draw((2, 3, 12, 10))
    assert torch.equal(apply("dilate", x, k=k), kornia.morphology.dilation(x, torch.ones(k, k)))
    assert torch.equal(apply("erode", x, k=k), kornia.morphology.erosion(x, torch.ones(k, k)))


def test_erosion_is_dilation_seen_upside_down():
    x = draw((1, 2, 6, 5))
    mirrored = apply("dilate", -x.flip(2, 3), k=4).flip(2, 3)
    assert torch.equal(apply("erode", x, k=4), -mirrored)


def test_the_outside_does_not_count():
    x = torch.full((1, 1, 3, 3), -5.0)
    assert torch.equal(apply("dilate", x, k=9), x)
    assert torch.equal(apply("erode", -x, k=9), -x)


def test_dilation_with_normalisation_of_the_paper_has_mean_zero():
    y = apply("center", apply("dilate", draw((2, 4, 8, 8)), k=5))
    torch.testing.assert_close(y.mean((1, 2, 3)), torch.zeros(2), rtol=0, atol=1e-6)
