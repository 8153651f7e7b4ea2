"""Spectral operators against convolutions and transforms written out, and against kornia."""

import kornia.filters
import numpy as np
import pytest
import torch
from bends_cases import SHAPES, compare, draw, on_dtypes, on_shapes

from oscbend.bends import apply


def blurred(x, sigma, radius):
    """x [C, H, W] convolved with a Gaussian along rows and columns, borders reflected."""
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-(offsets**2) / (2 * sigma**2)) if sigma else (offsets == 0) * 1.0
    weights = weights / weights.sum()
    for axis in (1, 2):
        pads = [(radius, radius) if a == axis else (0, 0) for a in range(3)]
        padded = np.pad(x, pads, mode="reflect")
        size = x.shape[axis]
        x = sum(w * np.take(padded, range(o, o + size), axis) for o, w in enumerate(weights))
    return x


@on_dtypes
@on_shapes
def test_sobel(shape, dtype):
    def formula(x):
        _, height, width = x.shape
        p = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge")
        gx, gy = np.zeros_like(x), np.zeros_like(x)
        for i in range(3):
            for j in range(3):
                part = p[:, i : i + height, j : j + width]
                gx += [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]][i][j] / 8 * part
                gy += [[-1, -2, -1], [0, 0, 0], [1, 2, 1]][i][j] / 8 * part
        return np.sqrt(gx**2 + gy**2 + 1e-6)

    compare("sobel", formula, shape, dtype)


@on_dtypes
@pytest.mark.parametrize(
    "shape", [(3, 2, 30, 27), (2, 3, 5, 7), (3, 1, 2, 1), (2, 4, 13, 13), (3, 2, 48, 53)], ids=str
)
def test_blur(shape, dtype):
    compare("blur", lambda x, sigma: blurred(x, sigma, 12), shape, dtype, sigma=[1.5, 4.0, 0.25])


@on_dtypes
@pytest.mark.parametrize("shape", [*SHAPES, (3, 2, 48, 53)], ids=str)
def test_sharpen(shape, dtype):
    compare(
        "sharpen",
        lambda x, amount: x + amount * (x - blurred(x, 1.0, 2)),
        shape,
        dtype,
        amount=[1.5, -0.5, 4.0],
    )


@on_dtypes
@pytest.mark.parametrize("shape", [*SHAPES, (3, 2, 48, 53)], ids=str)
def test_fourier(shape, dtype):
    def formula(x, low, high, cutoff):
        _, height, width = x.shape
        fy = 2 * np.fft.fftfreq(height)[:, None]
        fx = 2 * np.fft.fftfreq(width)
        f = np.sqrt(fx**2 + fy**2)
        gain = low + (high - low) * f**4 / (f**4 + cutoff**4)
        return np.fft.ifft2(np.fft.fft2(x) * gain).real

    compare(
        "fourier", formula, shape, dtype, low=[0.5, 1.0, 2.0], high=[1.5, -0.25, 0.0], cutoff=[0.25, 0.5, 1.0]
    )


def test_sobel_equals_kornia():
    x = draw((2, 3, 6, 9))
    torch.testing.assert_close(apply("sobel", x), kornia.filters.sobel(x))


def test_blur_equals_kornia():
    x = draw((2, 3, 15, 20))
    sigma = torch.tensor([[0.7, 0.7], [3.0, 3.0]])
    theirs = kornia.filters.gaussian_blur2d(x, 25, sigma)
    torch.testing.assert_close(apply("blur", x, sigma=sigma[:, 0]), theirs)


def test_sharpen_equals_kornia():
    x = draw((2, 3, 6, 9))
    torch.testing.assert_close(apply("sharpen", x, amount=1.0), kornia.filters.unsharp_mask(x, 5, (1.0, 1.0)))


def test_blur_keeps_the_level_of_a_constant():
    x = torch.full((1, 2, 9, 4), 3.0)
    torch.testing.assert_close(apply("blur", x, sigma=4.0), x)


def test_low_gain_alone_scales_the_mean():
    x = draw((1, 2, 8, 8), torch.float64) + 1
    y = apply("fourier", x, low=0.5, high=1.0)
    torch.testing.assert_close(y.mean((2, 3)), 0.5 * x.mean((2, 3)))
