"""One step of the show: due bundles -> commands -> state -> engine -> sinks. The clock is an argument."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from oscbend import bends
from oscbend.commands import Reply, Show, perform
from oscbend.errors import BadMessage, one_line
from oscbend.features import Buses
from oscbend.frame import Frame, Structure, Values, alike
from oscbend.modulation import Modulation, Shot, collate
from oscbend.osc import Message
from oscbend.schedule import Schedule
from oscbend.stage import Stage
from oscbend.state import State
from oscbend.worker import Worker

Answer = Callable[[Reply], None]

COMPLAIN_EVERY_S = 1.0
COMPLAINTS = 1024


class Sink(Protocol):
    """Where frames go."""

    def put(self, frame: Frame) -> None:
        """Takes a frame; never waits."""


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What was drawn last, and from what.

    Args:
        structure, values: that it was drawn from.
        epoch: of the stage.
        ticking: True if the frame numbers count.
        pictures: uint8 [H, W, 4] each.
    """

    structure: Structure
    values: Values
    epoch: int
    ticking: bool
    pictures: list[np.ndarray]

    def serves(self, structure: Structure, values: Values, epoch: int) -> bool:
        """True if drawing would give the same pictures again."""
        return (
            epoch == self.epoch
            and structure == self.structure
            and alike(values, self.values, ticking=self.ticking)
        )


class Loop:
    """The show as it goes on.

    Args:
        stage: the model that draws.
        worker: where jobs are done.
        state: what it begins with.
        schedule: what is to happen when.
        modulation: features, and what moves by itself.
        sinks: where frames go.
        answer: sends a reply.
        say: tells whoever runs the show one line.
    """

    def __init__(
        self,
        stage: Stage,
        worker: Worker,
        state: State,
        schedule: Schedule,
        *,
        modulation: Modulation | None = None,
        sinks: Iterable[Sink] = (),
        answer: Answer = lambda reply: None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.stage = stage
        self.worker = worker
        self.state = state
        self.schedule = schedule
        self.modulation = modulation or Modulation(Buses())
        self.sinks = list(sinks)
        self.answer = answer
        self.say = say
        self.frame: Frame | None = None
        self.number = 0
        self.failed = 0
        self.over = False
        self.bad_packets: Callable[[], int] = lambda: schedule.bad
        self.dropped_packets: Callable[[], int] = lambda: schedule.dropped
        self._ended = 0
        self._prepared = False
        self._drawn: _Drawn | None = None
        self._syncs: deque[tuple[int, int, Hashable | None]] = deque()
        self._complained: dict[tuple[Hashable, str], float] = {}
        self._blamed: set[Structure] = set()
        self._dormant: tuple[str, ...] = ()
        self._times_s: deque[float] = deque(maxlen=120)
        self._shown_s: deque[float] = deque(maxlen=120)

    def step(self, now_s: float, took_s: float | None = None) -> Frame:
        """Shows the frame of `now_s`.

        Args:
            now_s: seconds on the clock of the show; must not go back.
            took_s: how long the last step took, for `/status`.
        """
        if took_s is not None:
            self._times_s.append(took_s)
        self._shown_s.append(now_s)
        shot = self.prepare(now_s)
        picture = self.draw([shot])[0] if shot is not None else self.held()
        return self.publish(picture, now_s)

    def prepare(self, now_s: float) -> Shot | None:
        """Carries out what is due, and tells what the frame needs; None if the picture is held."""
        self._take_ended(now_s)
        for due in self.schedule.due(now_s):
            for message in due.messages:
                self._perform(message, due.time_s, due.sender, due.local)
        self._answer_syncs()
        shot = self.modulation.shot(self.state, now_s, self.stage)
        self._report_dormant(shot)
        if self.state.freeze and self._prepared:
            return None
        self._prepared = True
        init = self.stage.init(self.state, None if self.frame is None else self.frame.picture, now_s)
        if init is None:
            return replace(shot, structure=replace(shot.structure, start=0))
        return replace(shot, values=replace(shot.values, init=init))

    def draw(self, shots: Sequence[Shot], batch: int | None = None) -> list[np.ndarray]:
        """Pictures of frames that share a structure, uint8 [H, W, 4]; the last good one where one failed.

        Where nothing has changed since the last call, its pictures are given again, and nothing is drawn.
        """
        structure, values = collate(shots, batch or len(shots))
        epoch = self.stage.epoch
        if self._drawn is not None and self._drawn.serves(structure, values, epoch):
            return self._drawn.pictures[: len(shots)]
        self._drawn = None
        try:
            drawn = self.stage.render(structure, values)
        except Exception as error:  # whatever a network throws, the show goes on with the picture it had
            self.failed += len(shots)
            self._blame(structure, values, one_line(error))
            return [self.held(structure)] * len(shots)
        pictures = []
        last = self.held(structure)
        for picture, finite in zip(drawn.pictures[: len(shots)], drawn.finite):
            if finite:
                last = picture
            else:
                self.failed += 1
            pictures.append(last)
        if not all(drawn.finite[: len(shots)]):
            self._blame(structure, values, "the picture is not finite")
        elif len(shots) == structure.batch:
            self._drawn = _Drawn(structure, values, epoch, _ticking(structure), pictures)
        return pictures

    def publish(self, picture: np.ndarray, now_s: float) -> Frame:
        """Gives a picture to all sinks."""
        self.frame = Frame(self.number, now_s, picture)
        self.number += 1
        for sink in self.sinks:
            sink.put(self.frame)
        return self.frame

    def held(self, structure: Structure | None = None) -> np.ndarray:
        """The last good picture; before there is one, a dark one."""
        if self.frame is not None:
            return self.frame.picture
        height = structure.height if structure else self.state.height
        width = structure.width if structure else self.state.width
        dark = np.zeros((height, width, 4), np.uint8)
        dark[..., 3] = 255
        return dark

    def status(self) -> tuple[float | int | str, ...]:
        """fps, frame ms mean and worst, queued, late, dropped, bad packets, frame number, model."""
        shown = self._shown_s
        span = shown[-1] - shown[0] if len(shown) > 1 else 0.0
        fps = (len(shown) - 1) / span if span > 0 else 0.0
        times = self._times_s or (0.0,)
        return (
            float(fps),
            1000.0 * sum(times) / len(times),
            1000.0 * max(times),
            len(self.schedule),
            self.schedule.late,
            self.dropped_packets(),
            self.bad_packets(),
            self.number,
            self.state.model,
        )

    def _perform(self, message: Message, time_s: float, sender: Hashable | None, local: bool) -> None:
        show = Show(self.state, self.modulation, self.stage, time_s, sender, local, self.status)
        try:
            perform(show, message)
        except BadMessage as error:
            self._complain("/fail", message.address, str(error), time_s, sender)
            return
        self.state = show.state
        for note in show.notes:
            self._complain("/warn", message.address, note, time_s, sender)
        for job in show.jobs:
            self.worker.submit(job)
        for id, to in show.syncs:
            self._syncs.append((self.worker.submitted, id, to))
        for reply in show.replies:
            self.answer(reply)
        self.over = self.over or show.over
        if show.jobs:
            self._take_ended(time_s)

    def _take_ended(self, now_s: float) -> None:
        for ended in self.worker.ended():
            self._ended += 1
            job = ended.job
            if ended.change is None:
                self._complain("/fail", job.address, ended.error, now_s, job.to)
                continue
            self.state = ended.change(self.state)
            for note in ended.notes:
                self._complain("/warn", job.address, note, now_s, job.to)
            if not job.quiet:
                self.answer(Reply("/done", (job.address, *job.args), job.to))

    def _answer_syncs(self) -> None:
        while self._syncs and self._syncs[0][0] <= self._ended:
            _, id, to = self._syncs.popleft()
            self.answer(Reply("/synced", (id,), to))

    def _complain(self, kind: str, address: str, text: str, now_s: float, to: Hashable | None) -> None:
        """Answers once a second at most for each sender and address, so that a wrong patch floods nobody."""
        key = (to, address)
        last = self._complained.get(key)
        if last is not None and 0 <= now_s - last < COMPLAIN_EVERY_S:
            return
        if len(self._complained) >= COMPLAINTS:
            self._complained.clear()
        self._complained[key] = now_s
        self.say(f"{address}: {text}" if not text.startswith(address) else text)
        self.answer(Reply(kind, (address, text), to))

    def _report_dormant(self, shot: Shot) -> None:
        if shot.dormant != self._dormant:
            for id in set(shot.dormant) - set(self._dormant):
                bend = self.state.bend(id)
                self.say(
                    f"bend {id} lies dormant: {self.state.model} has no site {bend.site if bend else ''} now"
                )
            self._dormant = shot.dormant

    def _blame(self, structure: Structure, values: Values, what: str) -> None:
        """Says which bend it was, once for each structure; the search is a job of its own."""
        if structure in self._blamed:
            return
        if len(self._blamed) >= COMPLAINTS:
            self._blamed.clear()
        self._blamed.add(structure)
        self.worker.submit(self.stage.blame_job(structure, values, what))


def _ticking(structure: Structure) -> bool:
    """True if something in the structure moves with the number of the frame."""
    for armed in structure.bends:
        row = bends.OPERATORS[armed.op]
        if "noise" in row.tags and dict(armed.static).get("mode", row.arg("mode").default) == "moving":
            return True
    return False
