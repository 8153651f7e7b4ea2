"""The device's memory: what to say when it is full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from oscbend.errors import OutOfMemory

SIGNS = ("out of memory", "can't allocate memory", "not enough memory")
"""How torch says on a Mac, on Linux and on Windows that memory is full, where it has no error for that."""


@contextmanager
def room_for(what: str) -> Iterator[None]:
    """Turns what torch raises when memory is full into one line.

    Args:
        what: was to be made.

    Raises:
        OutOfMemory: it is full.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_full(error):
            raise
        raise OutOfMemory(f"not enough memory for {what}") from error


def is_full(error: RuntimeError) -> bool:
    """True if an error says that memory is full."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or any(sign in text for sign in SIGNS)
