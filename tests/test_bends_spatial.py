"""Spatial operators against sampling written out, and against kornia."""

import math

import kornia.geometry.transform as K
import numpy as np
import pytest
import scipy.linalg
import torch
from bends_cases import close, compare, draw, on_dtypes, on_shapes

from oscbend.bends import NoiseBank, apply
from oscbend.errors import BadValue


def reflected(place, size):
    """A coordinate folded back between the centres of the first and the last cell."""
    if size == 1:
        return 0.0
    place = abs(place) % (2 * (size - 1))
    return 2 * (size - 1) - place if place > size - 1 else place


def sampled(x, source):
    """x [C, H, W] read at source(column, row), bilinear, one cell at a time."""
    _, height, width = x.shape
    y = np.empty_like(x)
    for row in range(height):
        for column in range(width):
            u, v = source(column, row)
            u, v = reflected(u, width), reflected(v, height)
            left, top = min(int(u), max(width - 2, 0)), min(int(v), max(height - 2, 0))
            right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
            a, b = u - left, v - top
            upper = (1 - a) * x[:, top, left] + a * x[:, top, right]
            lower = (1 - a) * x[:, bottom, left] + a * x[:, bottom, right]
            y[:, row, column] = (1 - b) * upper + b * lower
    return y


def around_the_middle(x, change):
    height, width = x.shape[1:]
    mx, my = (width - 1) / 2, (height - 1) / 2

    def source(column, row):
        u, v = change(column - mx, row - my)
        return u + mx, v + my

    return sampled(x, source)


@on_dtypes
@on_shapes
def test_turn(shape, dtype):
    def formula(x, degrees):
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        # The content turns counter-clockwise on a screen whose rows go down: sources turn clockwise.
        return around_the_middle(x, lambda u, v: (c * u - s * v, s * u + c * v))

    compare("turn", formula, shape, dtype, degrees=[30.0, -75.0, 200.0])


@on_dtypes
@on_shapes
def test_zoom(shape, dtype):
    compare(
        "zoom",
        lambda x, factor: around_the_middle(x, lambda u, v: (u / factor, v / factor)),
        shape,
        dtype,
        factor=[2.0, 0.375, 1.25],
    )


@on_dtypes
@on_shapes
def test_shift(shape, dtype):
    def formula(x, dx, dy):
        _, height, width = x.shape
        return sampled(x, lambda column, row: (column - dx * width, row - dy * height))

    compare("shift", formula, shape, dtype, dx=[0.25, -0.5, 3.0], dy=[-0.125, 0.25, 0.5])


@pytest.mark.parametrize("degrees", [90.0, -90.0, 30.0])
def test_turn_equals_kornia(degrees):
    x = draw((1, 2, 9, 6))
    theirs = K.rotate(x, torch.tensor([degrees]), padding_mode="reflection", align_corners=True)
    torch.testing.assert_close(apply("turn", x, degrees=degrees), theirs, rtol=1e-4, atol=1e-4)


def test_a_quarter_turn_is_counter_clockwise():
    x = draw((1, 2, 6, 6), torch.float64)
    torch.testing.assert_close(apply("turn", x, degrees=90.0), x.rot90(1, (2, 3)))


def test_zoom_equals_kornia():
    x = draw((1, 2, 9, 6))
    theirs = K.scale(x, torch.tensor([[1.5, 1.5]]), padding_mode="reflection", align_corners=True)
    torch.testing.assert_close(apply("zoom", x, factor=1.5), theirs, rtol=1e-4, atol=1e-4)


def test_shift_moves_right_and_down():
    x = torch.zeros(1, 1, 4, 4)
    x[0, 0, 1, 1] = 1.0
    y = apply("shift", x, dx=0.25, dy=0.5)
    torch.testing.assert_close(y[0, 0, 3, 2], torch.tensor(1.0))


@pytest.mark.parametrize(("axis", "dims"), [("horizontal", [3]), ("vertical", [2]), ("both", [2, 3])])
def test_flip(axis, dims):
    x = draw((2, 3, 4, 5))
    assert torch.equal(apply("flip", x, axis=axis), torch.flip(x, dims))


@on_dtypes
@on_shapes
def test_bump(shape, dtype):
    def formula(x, r, sigma):
        _, height, width = x.shape
        u = np.linspace(-5, 5, width) if width > 1 else np.zeros(1)
        v = np.linspace(-5, 5, height)[:, None] if height > 1 else np.zeros((1, 1))
        return x + r * np.exp(-(u**2 + v**2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)

    compare("bump", formula, shape, dtype, r=[10.0, -20.0, 5.0], sigma=[1.5, 0.5, 4.0])


def test_bump_has_volume_r():
    y = apply("bump", torch.zeros(1, 1, 201, 101, dtype=torch.float64), r=7.0, sigma=1.0)
    assert math.isclose(float(y.sum()) * 0.05 * 0.1, 7.0, rel_tol=1e-4)


@on_dtypes
@on_shapes
def test_noise_adds_a_field(shape, dtype):
    field = draw(shape, dtype, seed=3)
    fields = iter(field.double().numpy())
    compare("noise", lambda x, r: x + r * next(fields), shape, dtype, field=field, r=[1.5, 0.25, 3.0])


def test_noise_follows_its_seed_and_nothing_else():
    x = torch.zeros(2, 4, 6, 5)
    torch.manual_seed(1)
    first = apply("noise", x, r=1.0, seed=3)
    torch.manual_seed(2)
    assert torch.equal(apply("noise", x, r=1.0, seed=3), first)
    assert torch.equal(first[0], first[1])
    assert not torch.equal(apply("noise", x, r=1.0, seed=4), first)
    moving = apply("noise", x, r=1.0, seed=3, mode="moving")
    assert not torch.equal(moving[0], moving[1])


def test_bank_gives_standard_normal_fields_unlike_the_latents():
    shape = (4, 64, 64)
    field = NoiseBank().field(7, shape, np.zeros(1, np.int64))
    assert abs(float(field.mean())) < 0.03
    assert abs(float(field.std()) - 1) < 0.03
    latent = torch.randn((1, *shape), generator=torch.Generator().manual_seed(7))
    assert abs(float((field * latent).mean())) < 0.03


def test_moving_noise_depends_on_the_tick_of_each_sample():
    bank = NoiseBank()
    shape = (2, 8, 6)
    ticks = np.array([0, 5, 8, 16, 805], np.int64)
    batch = bank.field(1, shape, ticks, "moving")
    assert batch.shape == (5, *shape)
    for tick, field in zip(ticks, batch):
        assert torch.equal(NoiseBank().field(1, shape, np.array([tick]), "moving")[0], field)
        turn = tick // 8
        dy, dx = int(turn * 0.6180339887498949 % 1 * 8), int(turn * 0.41421356237309515 % 1 * 6)
        assert torch.equal(
            field, bank.field(1, shape, np.array([tick % 8]), "moving")[0].roll((dy, dx), (1, 2))
        )
    assert len({tuple(f.flatten().tolist()) for f in batch}) == 5
    assert torch.equal(bank.field(1, shape, ticks, "fixed")[4], batch[0])


def test_bank_draws_once_and_forgets_the_oldest(monkeypatch):
    drawn = []
    randn = torch.randn
    monkeypatch.setattr(torch, "randn", lambda *a, **k: drawn.append(1) or randn(*a, **k))
    bank = NoiseBank(kept=2)
    bank.prepare(0, (1, 4, 2, 2), "moving")
    assert len(drawn) == 8
    for tick in range(20):
        bank.field(0, (4, 2, 2), np.array([tick]), "moving")
    assert len(drawn) == 8
    bank.prepare(1, (4, 2, 2))
    bank.prepare(2, (4, 2, 2))
    assert len(drawn) == 10
    bank.prepare(0, (4, 2, 2))
    assert len(drawn) == 11


def test_bank_keeps_the_same_fields_in_any_precision():
    full, half = (NoiseBank(dtype=d).field(0, (4, 3, 3), np.zeros(1)) for d in (torch.float32, torch.float16))
    assert half.dtype == torch.float16
    assert torch.equal(full.half(), half)


@pytest.mark.parametrize("mode", ["fixed", "moving"])
def test_bank_keeps_the_same_fields_in_any_layout(mode):
    shape, ticks = (4, 3, 5), np.array([3, 17])
    last = NoiseBank(memory_format=torch.channels_last).field(0, shape, ticks, mode)
    assert torch.equal(last, NoiseBank().field(0, shape, ticks, mode))
    assert last[0].permute(1, 2, 0).is_contiguous()


@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("size", [1, 8, 32])
def test_expm_equals_scipy(size, scale):
    x = draw((2, 3, size, size), torch.float64) * scale
    close(apply("expm", x), np.stack([[scipy.linalg.expm(m) for m in s] for s in x.numpy()]), torch.float64)


@on_dtypes
def test_expm_is_the_series(dtype):
    def formula(x):
        total, term = np.zeros_like(x), np.broadcast_to(np.eye(x.shape[-1]), x.shape)
        for n in range(1, 80):
            total, term = total + term, term @ x / n
        return total

    compare("expm", formula, (2, 3, 4, 4), dtype)


def test_expm_saturates_in_half_precision():
    y = apply("expm", torch.full((1, 1, 8, 8), 3.0, dtype=torch.float16))
    assert torch.isfinite(y).all()


def test_expm_needs_a_square_site():
    with pytest.raises(BadValue, match="square site; this one is 3 high and 4 wide"):
        apply("expm", draw((1, 4, 3, 4)))
