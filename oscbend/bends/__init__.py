"""Operators that bend activations: pure functions of x [B, C, H, W] and parameters [B] or [B, n].

They keep shape, precision and device; they copy nothing to the CPU, draw nothing at random, and never
branch on the content of a tensor. `OPERATORS` holds them by name, `apply` is how people call them, `run` how
the engine does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from oscbend.bends import channel, morphology, pointwise, spatial, spectral
from oscbend.bends import select as selection
from oscbend.bends.bank import NoiseBank
from oscbend.bends.common import OPERATORS, wide
from oscbend.errors import BadValue
from oscbend.frame import Armed
from oscbend.table import Arg, Row

__all__ = [
    "OPERATORS",
    "NoiseBank",
    "apply",
    "channel",
    "check",
    "morphology",
    "pointwise",
    "run",
    "selection",
    "spatial",
    "spectral",
    "ticking",
]

MIX = Arg("mix", default=1.0, live=True, lo=0, hi=1, musical=(0, 1), neutral=0.0, help="how much of it")

PRECISIONS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def run(
    row: Row,
    x: Tensor,
    params: Mapping[str, Tensor],
    weight: Tensor,
    mask: Tensor | None = None,
    static: Mapping[str, Any] | None = None,
    field: Tensor | None = None,
) -> Tensor:
    """Bends x by one operator: the hot path, which checks nothing.

    Where the weight or the mask is 0, elements come through bit-identical, whatever the operator made of
    them. Never writes into `x`.

    Args:
        row: the operator.
        x: [B, C, H, W].
        params: every live parameter, [B] or [B, n], on the device of x.
        weight: [B], how much acts on each sample.
        mask: broadcastable to [1, C, H, W], how much acts on each element; None for all.
        static: the operator's static options, where they differ from their defaults.
        field: what operators tagged `noise` ([B, C, H, W]) and `steer` ([B, C]) need besides.
    """
    extra = {} if field is None else {"field": field}
    y = row.call(x, **params, **(static or {}), **extra)
    w = weight.to(x.dtype)[:, None, None, None]
    if mask is not None:
        w = w * mask.to(x.dtype)
    return torch.where(w == 0, x, torch.lerp(x, y, w))


def check(name: str, static: Mapping[str, Any], shape: Sequence[int] | None = None) -> None:
    """Refuses an operator that cannot act on a tensor of some shape, before any frame meets it.

    Args:
        name: of the operator.
        static: its static options; those left out have their defaults.
        shape: of the tensor at the site, ending in (C, H, W); None checks the options alone.

    Raises:
        UnknownName: no such operator or option.
        BadValue: an option makes no sense, or the operator cannot act there, and why.
    """
    row = OPERATORS[name]
    for option in static:
        row.arg(option)
    options = {arg.name: arg.parse([static.get(arg.name, arg.default)]) for arg in row.static}
    needed = channel.channels_needed(options)
    if shape is None:
        return
    channels, height, width = shape[-3:]
    if "square" in row.tags and height != width:
        raise BadValue(f"{name} needs a square site; this one is {height} high and {width} wide")
    if "four" in row.tags and channels % 4:
        raise BadValue(f"{name} turns groups of 4 channels; this site has {channels}")
    if needed > channels:
        raise BadValue(f"{name} needs channel {needed - 1}; this site has {channels}, from 0")


def ticking(armed: Iterable[Armed]) -> bool:
    """True if any of the bends moves by itself, with the number of the frame."""
    for bend in armed:
        row = OPERATORS[bend.op]
        if "noise" in row.tags and dict(bend.static).get("mode", row.arg("mode").default) == "moving":
            return True
    return False


def apply(
    name: str,
    x: Tensor,
    *,
    mix: float | Sequence[float] | Tensor = 1.0,
    select: str = "all",
    seed: int = 0,
    field: Tensor | None = None,
    pictures: Mapping[str, Any] | None = None,
    **parameters: Any,
) -> Tensor:
    """Bends a tensor by one operator, named as in OSC messages.

    Args:
        name: of the operator; `oscbend ops` lists them.
        x: [B, C, H, W], any floating precision, any device.
        mix: 0…1, how much of the bent tensor; one number or one per sample.
        select: which elements: `all`, `channels 0-15`, `rows 0.45 0.55` …
        seed: of the operator `noise`.
        field: noise [B, C, H, W] in place of the one drawn from `seed`; the direction [B, C] of `steer`.
        pictures: float arrays [h, w] of 0…1 by name, for `select="mask NAME"`.
        parameters: the operator's own, by name: for live ones a number or one per sample ([B]; [n] or
            [B, n] where it takes n numbers). Those left out have their defaults.

    Returns:
        A new tensor like x.

    Raises:
        UnknownName: no such operator, parameter, selection or picture.
        BadValue: a value of the wrong type or out of range, or a tensor that the operator cannot act on.

    >>> latent = torch.tensor([1.0, -2.0, 0.5, 0.0]).reshape(1, 4, 1, 1)
    >>> apply("soft_threshold", latent, r=0.75).flatten().tolist()
    [0.25, -1.25, 0.0, 0.0]
    >>> apply("negate", latent, select="channels 1", mix=0.5).flatten().tolist()
    [1.0, 0.0, 0.5, 0.0]
    """
    row = OPERATORS[name]
    if x.dim() != 4:
        raise BadValue(f"x must be [B, C, H, W], got {list(x.shape)}; for a single sample x[None]")
    if x.dtype not in PRECISIONS:
        raise BadValue(f"x must be floating point, got {x.dtype}")
    if "noise" in row.tags:
        parameters.setdefault("seed", seed)
    for given in parameters:
        row.arg(given)
    static = {a.name: a.parse([parameters.get(a.name, a.default)]) for a in row.static}
    check(name, static, x.shape)
    live = {a.name: _values(a, parameters.get(a.name, a.default), x) for a in row.live}
    if "noise" in row.tags and field is None:
        bank = NoiseBank(x.device, x.dtype)
        field = bank.field(int(str(static["seed"])), x.shape, np.arange(len(x)), str(static["mode"]))
    if "steer" in row.tags and field is None:
        raise BadValue("steer needs field=, the direction [B, C] in which it pushes")
    mask = selection.parse(select).mask(x.shape, x.device, x.dtype, pictures)
    return run(row, x, live, _values(MIX, mix, x), mask, static, field)


def _values(arg: Arg, given: Any, x: Tensor) -> Tensor:
    """A live parameter, one number or one per sample, checked, as a tensor [B] or [B, n]."""
    if given is None:
        raise BadValue(f"{arg.name} must be given")
    array = torch.as_tensor(given).detach().cpu() if isinstance(given, Tensor) else np.asarray(given)
    flat = array.reshape(-1).tolist()
    count, batch = arg.size, len(x)
    if len(flat) == count:
        flat = flat * batch
    if len(flat) != count * batch:
        wants = "a number" if count == 1 else f"{count} numbers"
        raise BadValue(f"{arg.name} takes {wants}, or {batch} times that; got {len(flat)}")
    rows = [arg.parse(flat[i : i + count]) for i in range(0, len(flat), count)]
    return torch.tensor(rows, dtype=wide(x.dtype), device=x.device)
