"""Where slow work is done: beside the show on stage, in its place when filming."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from oscbend.commands import Job
from oscbend.errors import one_line
from oscbend.state import State
from oscbend.turns import Turns


@dataclass(frozen=True)
class Ended:
    """A job that has ended: the change that it makes, or why it makes none."""

    job: Job
    change: Callable[[State], State] | None
    notes: Sequence[str] = ()
    error: str = ""


class Worker(Protocol):
    """Takes jobs, and gives them back when they have ended, in order."""

    submitted: int

    def submit(self, job: Job) -> None:
        """Takes a job."""

    def ended(self) -> list[Ended]:
        """The jobs that have ended since the last call."""

    def close(self) -> None:
        """Takes no more jobs."""


def done(job: Job) -> Ended:
    """Does a job; whatever goes wrong in it becomes one line."""
    try:
        change, notes = job.work()
    except Exception as error:  # a job may fail in any library; the show must not
        return Ended(job, None, error=one_line(error))
    return Ended(job, change, notes)


class InPlace:
    """Does each job at once: the same score gives the same film."""

    def __init__(self) -> None:
        self.submitted = 0
        self._ended: list[Ended] = []

    def submit(self, job: Job) -> None:
        """Does the job."""
        self.submitted += 1
        self._ended.append(done(job))

    def ended(self) -> list[Ended]:
        """The jobs done since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        """Nothing is left to do."""


class Beside:
    """Does jobs one after the other on a thread of its own, in turns with the frames.

    Args:
        begin: is called on that thread first.
    """

    def __init__(self, begin: Callable[[], None] = lambda: None) -> None:
        self.submitted = 0
        self.turns = Turns()
        self._begin = begin
        self._open = 0
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._ended: deque[Ended] = deque()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queues the job."""
        self.submitted += 1
        self._open += 1
        self._jobs.put(job)

    @property
    def busy(self) -> bool:
        """True if jobs have been submitted whose end nobody has been told of."""
        return self._open > 0

    def ended(self) -> list[Ended]:
        """The jobs that have ended since the last call."""
        found = []
        while self._ended:
            found.append(self._ended.popleft())
        self._open -= len(found)
        return found

    def close(self) -> None:
        """Ends the thread after the jobs that it has."""
        self._jobs.put(None)

    def _run(self) -> None:
        self._begin()
        self.turns.join()
        while (job := self._jobs.get()) is not None:
            self._ended.append(done(job))
