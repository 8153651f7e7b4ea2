"""What a device may do on its own account: faster and freely in a show, the same every time in a film."""

from __future__ import annotations

import torch


def settle(device: torch.device, *, live: bool) -> None:
    """Sets what torch lets an NVIDIA card do, for the whole program; other devices have no choice.

    Args:
        device: of the model.
        live: True lets products of float32 be rounded to TF32, as tensor cores take them; False has every
            convolution computed in the same way each time. Recordings choose their algorithms by themselves.
    """
    if device.type != "cuda":
        return
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = not live
    torch.backends.cudnn.allow_tf32 = live
    torch.backends.cuda.matmul.allow_tf32 = live
