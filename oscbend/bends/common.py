"""What all operators share: their table, and how parameters meet tensors of any precision."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from oscbend.table import Table

OPERATORS = Table("operator")
"""Every operator by name; filled by the modules of this package."""

DAFX = "Dzwonczyk, Cella, Ban: Network Bending of Diffusion Models (DAFx 2024)"
JAES = "Dzwonczyk, Cella, Ban: network bending of diffusion models (JAES 2025)"
BROAD = "Broad, Leymarie, Grierson: Network Bending (2021)"


def wide(dtype: torch.dtype) -> torch.dtype:
    """The precision in which sums and transcendental functions are computed: at least float32."""
    return torch.promote_types(dtype, torch.float32)


def column(r: Tensor, x: Tensor) -> Tensor:
    """A parameter [B] as [B, 1, 1, 1] in the precision of `x`."""
    return r.to(x.dtype)[:, None, None, None]


def columns(r: Tensor, x: Tensor) -> Tensor:
    """A parameter [B] as `column`, on a processor once for every channel: [B, C, 1, 1].

    Where the channels of a cell lie side by side, functions of three tensors are four times as fast with it.
    """
    r = column(r, x)
    return r.expand(-1, x.shape[1], -1, -1).contiguous() if x.device.type == "cpu" else r


def wide_column(r: Tensor, x: Tensor) -> Tensor:
    """A parameter [B] as [B, 1, 1, 1] in at least float32, for what half precision would spoil."""
    return r.to(wide(x.dtype))[:, None, None, None]


def widened(call: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Decorator: computes an operator in float32 (or wider) and gives back the precision of `x`."""

    @functools.wraps(call)
    def in_wide(x: Tensor, *args: object, **kwargs: object) -> Tensor:
        return call(x.to(wide(x.dtype)), *args, **kwargs).to(x.dtype)

    return in_wide


def constant(build: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: makes a tensor once for each size, device and precision, and keeps it.

    The first call copies to the device, so a graph is captured only after a run that warms up. Made outside
    of inference mode, or gradients could never flow through it.
    """
    return functools.cache(torch.inference_mode(mode=False)(build))


def sent(x: Tensor, device: torch.device | str) -> Tensor:
    """A tensor from here on a device, without waiting for what the device still computes."""
    if torch.device(device).type != "cuda" or x.device.type != "cpu":
        return x.to(device)
    return x.pin_memory().to(device, non_blocking=True)


def seeded(*words: object) -> torch.Generator:
    """A CPU generator whose draws depend on nothing but the words.

    Distinct purposes get distinct streams: noise of seed 7 is not the latent's noise of seed 7.
    """
    digest = hashlib.blake2b(" ".join(map(str, words)).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)
