"""What a person types about a model, as `load` takes it."""

from __future__ import annotations

import torch

from oscbend.errors import BadValue, UnknownName

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def precision(text: str) -> torch.dtype:
    """`fp16` -> torch.float16.

    Raises:
        UnknownName: no such precision.
    """
    if text not in PRECISIONS:
        raise UnknownName("precision", text, PRECISIONS)
    return PRECISIONS[text]


def lora(text: str) -> tuple[str, float]:
    """`FILE` or `FILE:SCALE` -> (file, scale).

    Raises:
        BadValue: the scale is no number.
    """
    file, colon, scale = text.rpartition(":")
    if not colon or len(file) < 2:  # one letter before the colon is a Windows drive
        return text, 1.0
    try:
        return file, float(scale)
    except ValueError:
        raise BadValue(f"--lora {text!r}: write FILE or FILE:SCALE, as in style.safetensors:0.8") from None
