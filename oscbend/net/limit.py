"""A limit to how strong bends make activations."""

from __future__ import annotations

import torch
from torch import Tensor

from oscbend.net.walk import Bend


def limited(bend: Bend, k: Tensor, x: Tensor) -> Tensor:
    """x bent, each sample scaled down to at most k times the RMS that it had; x itself if nothing is bent.

    Args:
        bend: all that stands at the site.
        k: [B], float32, at least 1; 0 for no limit.
        x: [B, C, H, W], not written to.
    """
    y = bend(x)
    if y is x:
        return x
    most = k * _norm(x)
    made = _norm(y)
    over = (k > 0) & (made > most)
    scale = torch.where(over, most / made, 1.0)
    return y * scale.to(y.dtype)[:, None, None, None]


def _norm(x: Tensor) -> Tensor:
    """Of every sample, [B], float32."""
    return torch.linalg.vector_norm(x, dim=(1, 2, 3), dtype=torch.float32)
