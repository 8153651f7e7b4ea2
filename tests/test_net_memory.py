from __future__ import annotations

import pytest
import torch

from oscbend.errors import OutOfMemory
from oscbend.net.memory import room_for


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"),
    ],
)
def test_a_full_memory_is_told_in_one_line(error: RuntimeError) -> None:
    with pytest.raises(OutOfMemory, match=r"^not enough memory for a picture$"), room_for("a picture"):
        raise error


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), room_for("a picture"):
        raise RuntimeError("shapes cannot be multiplied")
