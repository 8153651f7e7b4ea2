"""Operators that mix or treat apart the channels: rotations, reflections, matrices, norms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from oscbend.bends.common import DAFX, JAES, OPERATORS, column, constant, sent, wide, wide_column, widened
from oscbend.bends.contract import contract, turn_pairs
from oscbend.errors import BadValue
from oscbend.table import Arg

PLANES = {"r1": (1, 2, 1), "r2": (0, 2, -1), "r3": (0, 3, -1), "r4": (0, 1, 1)}
"""The paper's planes R1 to R4: two channels, and the sign of the sine in [c −s; s c]."""

SIX = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
"""All planes of four channels, in the order in which their rotations are multiplied."""

FREEU_SOURCE = "Si et al.: FreeU (2023), equation 4"


def plane_channels(plane: str) -> tuple[int, int, int]:
    """The two channels of a plane, and the sign of its sine.

    Raises:
        BadValue: neither `r1` to `r4` nor two different channels such as `0,2`.
    """
    if plane in PLANES:
        return PLANES[plane]
    words = plane.replace(",", " ").split()
    if len(words) != 2 or not all(w.isdecimal() for w in words) or int(words[0]) == int(words[1]):
        raise BadValue(f"plane must be r1, r2, r3, r4, pairs or two channels such as 0,2; got {plane!r}")
    return int(words[0]), int(words[1]), 1


def channels_needed(options: Mapping[str, Any]) -> int:
    """How many channels a site must have for an operator with these static options.

    Raises:
        BadValue: the options name no plane.
    """
    if "plane" in options:
        return 2 if options["plane"] == "pairs" else max(plane_channels(options["plane"])[:2]) + 1
    return options.get("channel", 0) + 1


def _turns(channels: int, angle: np.ndarray, plane: str = "r1") -> tuple[int | None, np.ndarray]:
    """A rotation by angles [B, 1] as matrices [B, n, n] on a range of channels, or on every pair."""
    c, s = np.cos(angle), np.sin(angle)
    if plane == "pairs":
        return None, np.concatenate((c, -s, s, c), 1).reshape(-1, 2, 2)
    i, j, sign = plane_channels(plane)
    first, size = min(i, j), abs(i - j) + 1
    matrix = np.zeros((len(angle), size, size))
    matrix[:, range(size), range(size)] = 1
    i, j, s = i - first, j - first, sign * s
    matrix[:, i, i] = matrix[:, j, j] = c[:, 0]
    matrix[:, i, j], matrix[:, j, i] = -s[:, 0], s[:, 0]
    return first, matrix


@OPERATORS.declare(
    "rotate",
    Arg(
        "angle",
        default=0.0,
        live=True,
        lo=-1e5,
        hi=1e5,
        musical=(0, 6.283185307179586),
        neutral=0.0,
        unit="rad",
        help="how far channels turn into each other",
    ),
    Arg(
        "plane",
        type="s",
        default="r1",
        help="r1 r2 r3 r4 of the paper, two channels such as 0,2, or pairs: all neighbours at once",
    ),
    tags=("channel",),
    source=f"{DAFX}, R1 to R4",
    linear=_turns,
)
def rotate(x: Tensor, angle: Tensor, plane: str = "r1") -> Tensor:
    """Turns channels into each other, like turning a wheel of colours.

    Two channels (i, j) become (c·x_i − s·x_j, s·x_i + c·x_j). r1 is (1, 2) and r4 is (0, 1); r2 = (0, 2)
    and r3 = (0, 3) turn the other way. `pairs` turns (0, 1), (2, 3) … at once; of an odd number of channels
    the last stays. For x [B, C, H, W] and angle [B] in radians.
    """
    angle = wide_column(angle, x)
    c, s = angle.cos(), angle.sin()
    if plane == "pairs":
        return turn_pairs(x, c, s)
    i, j, sign = plane_channels(plane)
    s, first, second = sign * s, x[:, i : i + 1], x[:, j : j + 1]
    y = x.clone()
    y[:, i : i + 1] = first * c - second * s
    y[:, j : j + 1] = first * s + second * c
    return y


@constant
def _rotation_parts(device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """What a rotation matrix of each of the six planes holds besides, with the cosine and with the sine."""
    still = torch.eye(4, dtype=dtype).repeat(6, 1, 1)
    cosine, sine = torch.zeros_like(still), torch.zeros_like(still)
    for number, (i, j) in enumerate(SIX):
        still[number, i, i] = still[number, j, j] = 0
        cosine[number, i, i] = cosine[number, j, j] = 1
        sine[number, i, j], sine[number, j, i] = -1, 1
    return sent(still, device), sent(cosine, device), sent(sine, device)


def _six_turns(angles: Tensor) -> Tensor:
    """The product of the rotations in all six planes by angles [B, 6]: [B, 4, 4]."""
    still, cosine, sine = _rotation_parts(angles.device, angles.dtype)
    angles = angles[:, :, None, None]
    r01, r02, r03, r12, r13, r23 = (still + angles.cos() * cosine + angles.sin() * sine).unbind(1)
    return r01 @ r02 @ r03 @ r12 @ r13 @ r23


@OPERATORS.declare(
    "rotate6",
    Arg(
        "angles",
        default=(0.0,) * 6,
        live=True,
        size=6,
        lo=-1e5,
        hi=1e5,
        musical=(0, 6.283185307179586),
        neutral=(0.0,) * 6,
        unit="rad",
        help="of the planes 01, 02, 03, 12, 13, 23",
    ),
    tags=("channel", "four"),
    source=f"{JAES}, R6",
    linear=lambda channels, angles: (None, _six_turns(torch.from_numpy(angles)).numpy()),
)
@widened
def rotate6(x: Tensor, angles: Tensor) -> Tensor:
    """Turns groups of four channels in all their six planes at once.

    R(0,1)·R(0,2)·R(0,3)·R(1,2)·R(1,3)·R(2,3)·x, each rotation [c −s; s c], on each group of four channels,
    for x [B, C, H, W] and angles [B, 6] in radians.
    """
    return contract(_six_turns(angles.to(x.dtype)), x)


IDENTITY = tuple(float(i % 5 == 0) for i in range(16))


@OPERATORS.declare(
    "matrix",
    Arg(
        "m",
        default=IDENTITY,
        live=True,
        size=16,
        lo=-100,
        hi=100,
        musical=(-2, 2),
        inside=(-2, 2),
        neutral=IDENTITY,
        help="16 numbers, row by row",
    ),
    tags=("channel", "four"),
    source=f"{JAES}, tensor contraction",
    linear=lambda channels, m: (None, m.reshape(-1, 4, 4)),
)
@widened
def matrix(x: Tensor, m: Tensor) -> Tensor:
    """Mixes every four channels by a table of sixteen amounts.

    y_i = Σ m_ij·x_j on each group of four channels, for x [B, C, H, W] and m [B, 16], row by row.
    """
    return contract(m.to(x.dtype).reshape(-1, 4, 4), x)


@OPERATORS.declare(
    "reflect",
    Arg("channel", type="i", default=0, lo=0, hi=1e5, clip=False, help="which channel, from 0"),
    tags=("channel",),
    source=DAFX,
    affine=lambda channels, channel=0: (np.where(np.arange(channels) == channel, -1.0, 1.0), 0.0),
)
def reflect(x: Tensor, channel: int = 0) -> Tensor:
    """Turns one channel upside down.

    That channel × −1, for x [B, C, H, W].
    """
    y = x.clone()
    y[:, channel].neg_()
    return y


@constant
def _sylvester(channels: int, orthonormal: int, device: torch.device | str, dtype: torch.dtype) -> Tensor:
    """Sylvester's matrix of ±1 [1, n, n], divided by √n if orthonormal; n as large as `hadamard` says."""
    size = channels & -channels
    h = torch.ones(1, 1, dtype=torch.float64)
    while len(h) < size:
        h = torch.cat((torch.cat((h, h), 1), torch.cat((h, -h), 1)))
    return sent((h / size**0.5 if orthonormal else h).to(dtype), device)[None]


@OPERATORS.declare(
    "hadamard",
    Arg("orthonormal", type="b", default=0, help="1 keeps the energy; 0 gives the paper's gain √n"),
    tags=("channel",),
    source=DAFX,
    linear=lambda channels, orthonormal=0: (
        None,
        _sylvester(channels, orthonormal, "cpu", torch.float64).numpy(),
    ),
)
@widened
def hadamard(x: Tensor, orthonormal: int = 0) -> Tensor:
    """Mixes all channels with each other as sums and differences.

    H·x over blocks of n channels, n the largest power of two that divides C, H Sylvester's matrix of ±1
    (gain √n) or H/√n, for x [B, C, H, W].
    """
    return contract(_sylvester(x.shape[1], orthonormal, x.device, x.dtype), x)


MEANS = {"channels": (1,), "rows": (2,), "columns": (3,), "all": (1, 2, 3)}


@OPERATORS.declare(
    "center",
    Arg("dim", type="s", default="all", choices=tuple(MEANS), help="what the mean is taken over"),
    tags=("channel",),
    source=f"{DAFX}, normalisation after erosion or dilation",
)
def center(x: Tensor, dim: str = "all") -> Tensor:
    """Takes the average away, so that activations swing around zero.

    x − mean over the channels, the rows, the columns or all elements of each sample, for x [B, C, H, W].
    """
    return x - x.mean(MEANS[dim], keepdim=True, dtype=wide(x.dtype)).to(x.dtype)


@OPERATORS.declare(
    "normalize",
    Arg(
        "mode",
        type="s",
        default="peak",
        choices=("peak", "norm"),
        help="peak: by the strongest activation; norm: by the length over the channels of each cell",
    ),
    tags=("channel",),
    source=DAFX,
)
@widened
def normalize(x: Tensor, mode: str = "peak") -> Tensor:
    """Scales activations to a common strength.

    `peak`: x / max abs(x) of each sample. `norm`: x / √Σ x² over the channels of each cell. Where that is 0,
    x stays. For x [B, C, H, W].
    """
    if mode == "peak":
        size = x.abs().amax((1, 2, 3), keepdim=True)
    else:
        size = x.square().sum(1, keepdim=True).sqrt()
    return x / torch.where(size > 0, size, 1)


@OPERATORS.declare(
    "freeu_backbone",
    Arg(
        "b",
        default=1.0,
        live=True,
        lo=-100,
        hi=100,
        musical=(0, 3),
        inside=(0.5, 2),
        neutral=1.0,
        help="gain of the first half of the channels",
    ),
    tags=("channel",),
    source=FREEU_SOURCE,
    affine=lambda channels, b: (np.where(np.arange(channels) < channels // 2, b, 1.0), 0.0),
)
def freeu_backbone(x: Tensor, b: Tensor) -> Tensor:
    """Strengthens the first half of the channels, which carries shapes rather than texture.

    The first C // 2 channels × b, for x [B, C, H, W] and b [B]. FreeU's other half is `fourier` on `skip.N`.
    """
    y = x.clone()
    y[:, : x.shape[1] // 2].mul_(column(b, x))
    return y


@OPERATORS.declare(
    "steer",
    Arg(
        "amount",
        default=0.0,
        live=True,
        lo=-100,
        hi=100,
        musical=(-3, 3),
        inside=(-3, 3),
        neutral=0.0,
        help="how far to go from prompt a towards prompt b",
    ),
    Arg("a", type="s", default="", help="the prompt to come from"),
    Arg("b", type="s", default="", help="the prompt to go to"),
    tags=("channel", "steer"),
    source="Kwon et al.: Diffusion Models already have a Semantic Latent Space (2022)",
)
def steer(x: Tensor, amount: Tensor, a: str = "", b: str = "", *, field: Tensor) -> Tensor:
    """Pushes the network from the meaning of one prompt towards that of another.

    x + amount·field, for x [B, C, H, W], amount [B] and field [B, C]: the mean activation for prompt b minus
    that for prompt a, at this site and step, made by a job.
    """
    return x + field.to(x.dtype)[:, :, None, None] * column(amount, x)
