"""Values on their way to the device and pictures on their way back, without waiting for either.

Both go through memory that the device reads and writes by itself (pinned), two places of each in turn, so
that one frame is copied while the next is made. Nothing is written over while a copy still reads it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from oscbend.frame import Rendered

PLACES = 2


class Mark(Protocol):
    """A point in what the device was given to do; a CUDA event is one."""

    def query(self) -> bool:
        """True if the device is past it."""

    def synchronize(self) -> None:
        """Waits until the device is past it."""


class Lane(Protocol):
    """Copies that the device does by itself, after what it was given before."""

    def pinned(self, size: int, dtype: torch.dtype) -> Tensor:
        """Memory here that the device can reach: [size]."""

    def upload(self, there: Tensor, here: Tensor) -> Mark:
        """Begins to copy to the device, in the order of what is computed there."""

    def download(self, here: Tensor, there: Tensor) -> Mark:
        """Begins to copy from the device what has been computed so far; what follows does not wait."""


class CudaLane:
    """Copies of an NVIDIA card: in among the computing, out on a stream of their own.

    Args:
        device: the card.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._out = torch.cuda.Stream(device)

    def pinned(self, size: int, dtype: torch.dtype) -> Tensor:
        """Memory here that the card can reach."""
        return torch.empty(size, dtype=dtype, pin_memory=True)

    def upload(self, there: Tensor, here: Tensor) -> Mark:
        """Begins to copy to the card."""
        there.copy_(here, non_blocking=True)
        return torch.cuda.current_stream(self.device).record_event(torch.cuda.Event(blocking=True))

    def download(self, here: Tensor, there: Tensor) -> Mark:
        """Begins to copy from the card."""
        self._out.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self._out):
            here.copy_(there, non_blocking=True)
        return self._out.record_event(torch.cuda.Event(blocking=True))


@functools.cache
def lane_of(device: torch.device) -> Lane | None:
    """How a device is reached; None where it is the processor itself, or cannot copy by itself."""
    return CudaLane(device) if device.type == "cuda" else None


class Buffer:
    """A flat array here and its twin on the device (the same memory, where that is the CPU), cut into parts.

    Args:
        shapes: of the parts, in the order in which they will be asked for.
        device: where the twin is.
        lane: how it is reached; None copies and waits.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]], device: torch.device, lane: Lane | None) -> None:
        sizes = [math.prod(shape) for shape in shapes]
        self.host = np.zeros(sum(sizes), np.float32)
        shared = lane is None and device.type == "cpu"
        self.there = torch.from_numpy(self.host) if shared else torch.zeros(len(self.host), device=device)
        self._shared = shared
        self._slots = None if lane is None else Slots(self.there, lane)
        cuts = zip(np.split(self.host, np.cumsum(sizes)[:-1]), self.there.split(sizes), shapes, strict=True)
        self._parts = iter([(here.reshape(shape), there.view(shape)) for here, there, shape in cuts])

    def part(self) -> tuple[np.ndarray, Tensor]:
        """The next part, to be written here and read there."""
        return next(self._parts)

    def send(self) -> None:
        """Copies everything to the device in one go; what is here may be changed at once."""
        if self._slots is not None:
            self._slots.send(self.host)
        elif not self._shared:
            self.there.copy_(torch.from_numpy(self.host))


class Slots:
    """Numbers on their way to the device.

    Args:
        there: where they go, flat.
        lane: how.
    """

    def __init__(self, there: Tensor, lane: Lane) -> None:
        self.there = there
        self.lane = lane
        self._places = [lane.pinned(there.numel(), there.dtype) for _ in range(PLACES)]
        self._marks: list[Mark | None] = [None] * PLACES
        self._turn = 0

    def send(self, numbers: np.ndarray) -> None:
        """Begins to copy; the numbers may be changed at once."""
        turn, self._turn = self._turn, (self._turn + 1) % PLACES
        mark = self._marks[turn]
        if mark is not None:
            mark.synchronize()
        self._places[turn].numpy()[:] = numbers
        self._marks[turn] = self.lane.upload(self.there, self._places[turn])


class Ring:
    """Pictures on their way back.

    Args:
        lane: how.
    """

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self._places: list[_Place | None] = [None] * PLACES
        self._turn = 0

    def send(self, pictures: Tensor, finite: Tensor) -> Landing:
        """Begins to copy a frame; what it is copied from may be written again by what is computed next.

        Args:
            pictures: uint8 [B, H, W, 4].
            finite: bool [B].
        """
        turn, self._turn = self._turn, (self._turn + 1) % PLACES
        place = self._places[turn]
        if place is not None and place.landing is not None:
            place.landing.result()
        size = pictures.numel() + finite.numel()
        if place is None or place.here.numel() != size:
            place = self._places[turn] = _Place(self.lane.pinned(size, torch.uint8), pictures.new_empty(size))
        for part, whole in zip(place.there.split([pictures.numel(), finite.numel()]), (pictures, finite)):
            part.copy_(whole.flatten())
        mark = self.lane.download(place.here, place.there)
        place.landing = Landing(place, mark, pictures.shape)
        return place.landing


class Landing:
    """A frame on its way back from the device.

    Args:
        place: where it lands.
        mark: passed when it has landed.
        shape: of its pictures.
    """

    def __init__(self, place: _Place, mark: Mark, shape: Sequence[int]) -> None:
        self._place = place
        self._mark = mark
        self._shape = tuple(shape)
        self._rendered: Rendered | None = None

    def ready(self) -> bool:
        """True if it has landed."""
        return self._rendered is not None or self._mark.query()

    def result(self) -> Rendered:
        """Waits until it has landed."""
        if self._rendered is None:
            self._mark.synchronize()
            pictures, finite = np.split(self._place.here.numpy(), [math.prod(self._shape)])
            self._rendered = Rendered(pictures.reshape(self._shape).copy(), finite.astype(bool))
            self._place.landing = None
        return self._rendered


class _Place:
    """One of the places where frames land.

    Args:
        here: pinned, uint8.
        there: on the device, the same size.
    """

    def __init__(self, here: Tensor, there: Tensor) -> None:
        self.here = here
        self.there = there
        self.landing: Landing | None = None
