"""Recording what a device is given to do, to have it done again at the cost of one call.

What is recorded reads and writes fixed memory. Everything on one tape shares a pool of it, so the memory of
what one recording needs in between serves the next; recordings of a tape run one after the other, never two
at once. A tape and its pool live as long as what was recorded on it.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

WARM_UPS = 3
"""Runs before a recording: libraries load, choose their algorithms and take their workspaces."""

Work = Callable[[], tuple[Tensor, ...]]
"""Reads tensors that stay where they are, and makes new ones from them; touches nothing else."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """What was recorded.

    Args:
        outputs: tensors that stay where they are; undefined until the first replay.
        replay: fills them anew.
    """

    outputs: tuple[Tensor, ...]
    replay: Callable[[], object]


class Tape(Protocol):
    """Records."""

    def warm_up(self, work: Callable[[], object]) -> None:
        """Does what is going to be recorded, so that the recording meets nothing for the first time."""

    def record(self, work: Work) -> Recorded:
        """Records without doing."""


class CudaTape:
    """CUDA graphs.

    Recorded on a stream of its own, so that the show goes on meanwhile; replayed on whichever is current.

    Args:
        device: the card.
        choose: True if cuDNN may time its algorithms in the first run, and take the fastest: not for films.
    """

    _idle: ClassVar[deque[torch.cuda.Stream]] = deque()

    def __init__(self, device: torch.device, *, choose: bool) -> None:
        self.choose = choose
        self._stream = self._idle.popleft() if self._idle else torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    def __del__(self) -> None:
        # A stream has a workspace, which its graphs use: nobody else gets it while they live.
        self._idle.append(self._stream)

    def warm_up(self, work: Callable[[], object]) -> None:
        """Does the work a few times; gives the memory for it back."""
        self._stream.wait_stream(torch.cuda.current_stream(self._stream.device))
        with torch.cuda.stream(self._stream), _choosing(self.choose):
            for _ in range(WARM_UPS):
                work()
        self._stream.synchronize()
        torch.cuda.empty_cache()

    def record(self, work: Work) -> Recorded:
        """Records the work as a graph."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(self._stream), _choosing(self.choose):
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                outputs = work()
            except BaseException:
                with contextlib.suppress(RuntimeError):
                    graph.capture_end()
                raise
            graph.capture_end()
        return Recorded(outputs, graph.replay)


class ReplayTape:
    """Stands in for CUDA graphs where there is no card: replays do the work again, into the same tensors."""

    def warm_up(self, work: Callable[[], object]) -> None:
        """Does the work."""
        work()

    def record(self, work: Work) -> Recorded:
        """Keeps the work, and what it makes as the tensors that stay; leaves nonsense in them."""
        outputs = work()
        for output in outputs:
            output.fill_(torch.nan if output.is_floating_point() else 1)

        def replay() -> None:
            for output, made in zip(outputs, work(), strict=True):
                output.copy_(made)

        return Recorded(outputs, replay)


@contextlib.contextmanager
def _choosing(choose: bool) -> Iterator[None]:
    """Lets cuDNN time its algorithms meanwhile."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = choose
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
