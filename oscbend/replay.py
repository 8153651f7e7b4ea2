"""A recorded show, drawn again frame by frame as it was played."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from oscbend.commands import Job, Show
from oscbend.commands.telling import MASTER, PLACE, blank, made, told
from oscbend.errors import BadMessage, BadScore
from oscbend.features import Buses
from oscbend.frame import Frame
from oscbend.loop import Loop
from oscbend.modulation import Modulation
from oscbend.osc import Message
from oscbend.scenes import Said
from oscbend.schedule import Due, Schedule
from oscbend.stage import Stage
from oscbend.state import State
from oscbend.takes import Take
from oscbend.worker import Ended, done


class Held:
    """Does each job at once, and gives it back when it took effect in the show that was recorded."""

    def __init__(self) -> None:
        self.submitted = 0
        self._done: deque[Ended] = deque()
        self._free = 0

    def submit(self, job: Job) -> None:
        """Does the job; what nobody is told of is not waited for."""
        self.submitted += 1
        self._done.append(done(job))

    def release(self) -> None:
        """Lets the oldest one go."""
        self._free += 1

    def ended(self) -> list[Ended]:
        """Those that may go, and have not gone yet."""
        found = []
        while self._done and (self._free or _passes(self._done[0])):
            ended = self._done.popleft()
            self._free -= not _passes(ended)
            found.append(ended)
        return found

    def close(self) -> None:
        """Nothing is left to do."""


def _passes(ended: Ended) -> bool:
    return ended.job.quiet or ended.job.aside


class _AsPlayed(Loop):
    """A loop in which jobs end where they ended."""

    worker: Held

    def release(self, time_s: float) -> None:
        """The oldest job takes effect."""
        self.worker.release()
        self._take_ended(time_s)

    def begin(self, take: Take) -> None:
        """Goes on from what the show was at the beginning of the recording."""
        memory = take.memory
        self._picture, self._black, self._prepared = memory.picture, memory.black, memory.held

    def _carry_out(self, due: Due) -> None:
        if due.messages == (_JOB,):
            self.release(due.time_s)
        else:
            super()._carry_out(due)


_JOB = Message("/job took effect")


class _Reel:
    """A sink that keeps every frame until it is fetched."""

    def __init__(self) -> None:
        self.frames: deque[Frame] = deque()

    def put(self, frame: Frame) -> None:
        """Keeps a frame."""
        self.frames.append(frame)


def replayed(
    take: Take,
    stage: Stage,
    *,
    steps: int | tuple[int, ...] | None = None,
    size: tuple[int, int] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[Frame]:
    """The frames of a recorded show: to the bit what was shown, if the stage is set up alike.

    Args:
        take: the recording.
        stage: the model that draws.
        steps, size: in place of what was played.
        say: is told what could not be done, one line each.

    Raises:
        BadScore: what it remembers of its beginning cannot be.
    """
    memory = take.memory
    modulation = Modulation(Buses(), steps, size)
    try:
        fetch(memory.state, stage, say)
        modulation.recall(memory.modulation)
        modulation.buses.recall(deepcopy(memory.buses))
    except (BadMessage, KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadScore(f"the recording cannot begin: {error}") from error
    schedule = Schedule(horizon_s=None)
    loop = _AsPlayed(stage, Held(), memory.state, schedule, modulation=modulation, say=say)
    loop.begin(take)
    reel = _Reel()
    loop.sinks.append(reel)
    for time_s, acts in take.frames:
        for act in acts:
            schedule.put(act.time_s, (_JOB if act.message is None else act.message,))
        loop.step(time_s)
        while reel.frames:
            yield reel.frames.popleft()
    loop.land()
    yield from reel.frames


def fetch(state: State, stage: Stage, say: Callable[[str], None]) -> None:
    """Makes all that a state needs: prompts, pictures, masks, vectors, the model; checks all that it says.

    Raises:
        BadMessage: something that cannot be.
    """
    for side in (state,) if state.fade is None else (state, state.fade.start):
        show: Any = Show(side, Modulation(Buses()), stage)
        said = [Said(address, address, args) for address, args in told(show, (MASTER, PLACE))]
        for note in made(said, blank(replace(side, model=state.model)), stage, state.texts).notes:
            say(note)
    stage.encode("", state.texts)
