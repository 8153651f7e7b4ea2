"""One step of the show: due bundles -> commands -> state -> engine -> sinks. The clock is an argument."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from oscbend.commands import Changes, Job, Reply, Show, perform
from oscbend.commands.direct import Direct
from oscbend.commands.house import NoOutputs, Outputs
from oscbend.commands.out import CAPTURE, without_out
from oscbend.commands.scene import left_of
from oscbend.complaints import Complaints
from oscbend.drawing import Drawing, Failed, darkened
from oscbend.errors import BadMessage, BadValue, OutOfMemory, one_line
from oscbend.fades import touched
from oscbend.features import Buses
from oscbend.frame import Frame, Structure, Values
from oscbend.modulation import Modulation, Shot, collate
from oscbend.osc import Message
from oscbend.pattern import is_pattern
from oscbend.schedule import Due, Schedule
from oscbend.snapshot import Camera, Snapshot
from oscbend.stage import Stage
from oscbend.state import State
from oscbend.tape import ASIDE, Tape, memory_of
from oscbend.worker import Worker

Answer = Callable[[Reply], None]

BLAMED = 1024
JOBS = 64
"""How many jobs wait at most; and how many times as many `/sync` wait for them."""


class Sink(Protocol):
    """Where frames go."""

    def put(self, frame: Frame) -> None:
        """Takes a frame; never waits."""


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
        self.outs: Outputs = NoOutputs()
        self.gone: Callable[[], Iterable[tuple[str, str]]] = tuple
        """Tells which outputs have closed by themselves, and why."""
        self.clients = schedule.clients
        self.dump = schedule.dump
        self.modulation = modulation or Modulation(Buses())
        self.sinks = list(sinks)
        self.answer = answer
        self.say = say
        self.observers: list[Callable[[Snapshot], None]] = []
        """Are shown the state of every frame before it is drawn; they take it and never wait."""
        self.frame: Frame | None = None
        self.drawn_s: float | None = None
        """For when the newest frame was meant that had to be drawn."""
        self.number = 0
        self._picture: np.ndarray | None = None
        self._dark: tuple[np.ndarray, float, np.ndarray] | None = None
        self._black = 0.0
        self.failed = 0
        self.wrong = 0
        """How many messages could not be carried out."""
        self.over = False
        self.bad_packets: Callable[[], int] = lambda: schedule.bad
        self.dropped_packets: Callable[[], int] = lambda: schedule.dropped
        self.ahead_s: Callable[[], float] = lambda: 0.0
        """How far ahead a bundle has to come, so that its frame has not been begun."""
        self.unix_s: Callable[[], float] = time.time
        self.complaints = Complaints(
            lambda reply: self.answer(reply), lambda line: self.say(line), self.clients
        )
        self.changes = Changes(state)
        self.tape = Tape()
        self._direct = Direct(self.modulation)
        self._camera = Camera(stage, self.modulation)
        self._ended = 0
        self._prepared = False
        self._feedback = False
        self._flying: Drawing | None = None
        self._newest: Drawing | None = None
        self._drawable: Structure | None = None
        self._asked: dict[str, Hashable | None] = {}
        self._syncs: deque[tuple[int, int, Hashable | None]] = deque()
        self._blamed: set[Structure] = set()
        self._dormant: tuple[str, ...] = ()
        self._behind = 0
        self._times_s: deque[float] = deque(maxlen=120)
        self._shown_s: deque[float] = deque(maxlen=120)

    def step(self, now_s: float, took_s: float | None = None) -> Frame:
        """Draws the frame of `now_s`, and shows it if it is ready.

        A graphics card draws beside: then the frame before this one is shown, and this one by the next step,
        or by `land` once it is ready.

        Args:
            now_s: when it is shown, seconds on the clock of the loop; must not go back.
            took_s: how long the last step took, for `/status`.

        Returns:
            The newest frame that was shown.
        """
        if took_s is not None:
            self._times_s.append(took_s)
        if self.tape.waits and self._ended == self.worker.submitted:
            self._begin_recording(now_s)
        if self.tape.on:
            now_s = self.tape.exact(now_s)
        try:
            shot = self.prepare(now_s)
        except Exception as error:  # a defect must not end the show
            shot = None
            if self.complaints.may(None, now_s):
                text = f"this is a defect of oscbend, the picture stands: {one_line(error)}"
                self._complain("/fail", "/frame", text, now_s, None)
        if shot is None:
            self.land()
            return self.publish(self.held(), now_s)
        self.send([shot], [now_s])
        if self.frame is None or self._feedback:
            self.land()
        return self.frame or self.publish(self.held(), now_s)

    @property
    def flying(self) -> bool:
        """True if a frame has been begun and not been shown."""
        return self._flying is not None

    def send(self, shots: Sequence[Shot], times_s: Sequence[float], batch: int | None = None) -> None:
        """Begins frames that share a structure, and shows those that were begun before.

        Where nothing has changed since, these are the same pictures again, and nothing is drawn.

        Args:
            shots: 1..batch of them.
            times_s: when each is shown.
            batch: B; by itself as many as there are.
        """
        structure, values = collate(shots, batch or len(shots))
        blacks = tuple(shot.black for shot in shots)
        newest, epoch = self._newest, self.stage.epoch
        if newest is not None and newest.serves(structure, values, epoch):
            drawing = replace(newest, times_s=tuple(times_s), blacks=blacks, fresh=False)
        else:
            try:
                pending = self.stage.submit(structure, values)
            except Exception as error:  # whatever a network throws, the show goes on with the picture it had
                pending = Failed(error)
            drawing = Drawing(structure, values, epoch, pending, tuple(times_s), blacks)
        before, self._flying, self._newest = self._flying, drawing, drawing
        if before is not None:
            self._finish(before)
        self.land(wait=False)

    def land(self, *, wait: bool = True) -> None:
        """Shows the frames that are on their way, if there are any.

        Args:
            wait: False only if they are ready.
        """
        drawing = self._flying
        if drawing is not None and (wait or drawing.pending.ready()):
            self._flying = None
            self._finish(drawing)

    def prepare(self, now_s: float) -> Shot | None:
        """Carries out what is due, and tells what the frame needs; None if the picture is held."""
        self._take_ended(now_s)
        for due in self.schedule.due(now_s):
            if self.tape.on:
                due = replace(due, time_s=self.tape.moment(due.time_s, now_s))
            self._carry_out(due)
        if self.tape.on:
            self.tape.moment(now_s)
        self.state = self._direct.settled(self.state)
        self._tell_notices(now_s)
        self.changes.tell(self.state, self.modulation, self.stage)
        self._answer_syncs()
        self._note_frame(now_s)
        self._note_gone(now_s)
        shot = self.modulation.shot(self.state, now_s, self.stage)
        played = shot.played or self.state
        self._feedback = played.feedback
        if played.feedback:
            self.land()
        self._black = shot.black
        self._report_dormant(shot)
        if self.observers:
            snapshot = self.snapshot(now_s)
            for observe in self.observers:
                observe(snapshot)
        if self.state.freeze and self._prepared:
            return None
        self._prepared = True
        init = self.stage.init(played, self._picture, self.modulation.show_s)
        if init is None:
            return replace(shot, structure=replace(shot.structure, start=0))
        return replace(shot, values=replace(shot.values, init=init))

    def snapshot(self, now_s: float) -> Snapshot:
        """The show as it stands, for other threads to read; made on the thread that draws."""
        return self._camera.take(self.state, now_s, self.status())

    def _finish(self, drawing: Drawing) -> None:
        """Shows frames; where one failed, the last good picture."""
        structure, values, count = drawing.structure, drawing.values, len(drawing.times_s)
        pictures, finite = [self.held(structure)] * count, [False] * count
        try:
            drawn = drawing.pending.result()
        except OutOfMemory as error:
            self._put_back(structure, str(error), drawing.times_s[0])
        except Exception as error:  # whatever a network throws, as in send
            self._blame(structure, values, one_line(error))
        else:
            structure, values = drawn.of or (structure, values)
            if len(drawn.pictures):
                self._drawable = structure
                pictures, finite = list(drawn.pictures), drawn.finite[:count].tolist()
            elif not drawn.error:
                finite = [True] * count
            if not all(finite):
                self._blame(structure, values, drawn.error or "the picture is not finite")
        if not all(finite):
            self.failed += finite.count(False)
            self._newest = None
        for picture, good, time_s, black in zip(pictures, finite, drawing.times_s, drawing.blacks):
            self.publish(picture if good else self.held(structure), time_s, black)
        if drawing.fresh:
            self.drawn_s = drawing.times_s[-1]
        self._report_behind()

    def publish(self, picture: np.ndarray, now_s: float, black: float | None = None) -> Frame:
        """Gives a picture to all sinks.

        Args:
            picture: as drawn.
            now_s: when it is shown.
            black: how dark, 0..1; None as dark as the state says now.
        """
        self._shown_s.append(now_s)
        self._picture = picture
        self.frame = Frame(
            self.number, now_s, self._darkened(picture, self._black if black is None else black)
        )
        self.number += 1
        for sink in self.sinks:
            sink.put(self.frame)
        return self.frame

    def held(self, structure: Structure | None = None) -> np.ndarray:
        """The last good picture, before any fade; before there is one, a dark one."""
        if self._picture is not None:
            return self._picture
        height = structure.height if structure else self.state.height
        width = structure.width if structure else self.state.width
        dark = np.zeros((height, width, 4), np.uint8)
        dark[..., 3] = 255
        return dark

    def _darkened(self, picture: np.ndarray, black: float) -> np.ndarray:
        """A picture as dark as it is shown; one that stands is not made dark anew."""
        if self._dark is None or self._dark[1] != black or not _one(self._dark[0], picture):
            self._dark = picture, black, darkened(picture, black)
        return self._dark[2]

    def status(self) -> tuple[float | int | str, ...]:
        """What `/status.reply` says."""
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
            self.bad_packets() + self.wrong,
            self.number,
            self.state.model,
            self.stage.behind,
            self.ahead_s(),
        )

    def clear(self, sender: Hashable | None = None) -> int:
        """Forgets what waits for its time, of one sender or of all; tells how many bundles it was."""
        return self.schedule.clear(sender)

    def hush(self, on: bool) -> None:
        """Tells nothing (or all) of what goes wrong in the rest of the bundle."""
        self.complaints.hush = on

    def _carry_out(self, due: Due) -> None:
        """Carries out messages that act together."""
        self.clients.heard(due.sender, due.time_s)
        self.modulation.advance(self.state, due.time_s)
        for message in due.messages:
            if self._direct.take(self.state, message, due.time_s):
                self.changes.set_by(message.address, due.sender)
                if self.tape.on:
                    self.tape.heard(message)
            else:
                self._perform(message, due)
                if not due.together:
                    self.complaints.hush = None
        self.complaints.hush = None

    def _perform(self, message: Message, due: Due) -> None:
        self.state = self._direct.settled(self.state)
        time_s, sender = due.time_s, due.sender
        show = Show(
            self.state, self.modulation, self.stage, time_s, sender, due.local, due.came_s, house=self
        )
        try:
            perform(show, message)
            self._check_room(show.jobs, len(show.syncs))
        except BadMessage as error:
            self.wrong += 1
            if self.complaints.may(sender, time_s):
                self._complain("/fail", message.address, str(error), time_s, sender)
            return
        except Exception as error:  # a defect in one command must not end the show
            text = f"this is a defect of oscbend: {one_line(error)}"
            self._complain("/fail", message.address, text, time_s, sender)
            return
        if self.tape.on and _acts(message, show, self.state):
            self.tape.heard(message)
        if show.state is not self.state:
            self._note_change(show.state, sender)
            self.changes.heard(message.address, sender)
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
            if self.tape.on and not job.quiet and not job.aside:
                self.tape.job()
            if ended.change is None:
                self._complain("/fail", job.address, ended.error, now_s, job.to)
                continue
            try:
                state = touched(self.state, ended.change(self.state))
            except Exception as error:  # a defect in one job must not lose the others
                text = f"this is a defect of oscbend: {one_line(error)}"
                self._complain("/fail", job.address, text, now_s, job.to)
                continue
            self._note_change(state, job.to)
            self.changes.heard(job.address, job.to)
            self.state = state
            for note in ended.notes:
                self._complain("/warn", job.address, note, now_s, job.to)
            for reply in job.replies:
                self.answer(reply)
            if not job.quiet:
                self.answer(Reply("/done", (job.address, *job.args), job.to))

    def _answer_syncs(self) -> None:
        while self._syncs and self._syncs[0][0] <= self._ended:
            _, id, to = self._syncs.popleft()
            self.answer(Reply("/synced", (id,), to))

    def record(self, path: Path, name: str) -> None:
        """Opens a file in which the show is recorded, as soon as no job is at work."""
        self.tape.open(path, name)

    def stop_recording(self, time_s: float) -> Callable[[], None]:
        """Ends the recording; gives what waits until it is written."""
        return self.tape.stop(time_s).close

    def _begin_recording(self, now_s: float) -> None:
        self.land()
        began_s = self.tape.moment(now_s)
        self.stage.scenes.heard = self.tape.scene
        show = Show(self.state, self.modulation, self.stage)
        show.state = left_of(show, self.state)
        memory = memory_of(self.state, self.modulation, began_s, self._black, self._prepared, self._picture)
        self.tape.begin(show, memory)

    def _note_gone(self, now_s: float) -> None:
        """Tells which outputs have closed by themselves."""
        for name, why in self.gone():
            if name == CAPTURE:
                self._complain("/fail", "/capture", f"{self.state.capturing} broke off: {why}", now_s, None)
                self.state = replace(self.state, capturing="")
            else:
                self._complain("/fail", f"/out/{name}", why, now_s, None)
                self.state = without_out(self.state, name)

    def _note_frame(self, now_s: float) -> None:
        """Writes down that a frame is drawn now; tells if the recording has broken off."""
        if self.tape.on:
            self.tape.frame()
        if self.tape.error:
            self._complain("/fail", "/record", self.tape.error, now_s, None)
            self.tape.error = ""
            self.state = replace(self.state, recording="")

    def _check_room(self, jobs: Sequence[Job], syncs: int) -> None:
        waiting = self.worker.submitted - self._ended
        if jobs and waiting + len(jobs) > JOBS:
            raise BadValue(f"{waiting} jobs wait already; wait for /synced before sending more")
        if syncs and len(self._syncs) + syncs > JOBS * JOBS:
            raise BadValue(f"{len(self._syncs)} /sync wait already; wait for their answers")

    def _complain(self, kind: str, address: str, text: str, now_s: float, to: Hashable | None) -> None:
        self.complaints.tell(kind, address, text, now_s, to)

    def _tell_notices(self, now_s: float) -> None:
        """Tells what the schedule has noticed in what came."""
        for line in self.dump.lines():
            self.say(line)
        for to, address, args in self.schedule.notices():
            if not self.complaints.may(to, now_s):
                continue
            if address == "/late":
                self.complaints.late(float(args[0]), now_s, to)
            else:
                self._complain(address, str(args[0]), str(args[1]), now_s, to)

    def _note_change(self, state: State, sender: Hashable | None) -> None:
        """Remembers who asked for another model or size, to answer if there is no room for it."""
        if state.model != self.state.model:
            self._asked["/model"] = sender
        if (state.width, state.height) != (self.state.width, self.state.height):
            self._asked["/size"] = sender

    def _put_back(self, structure: Structure, what: str, now_s: float) -> None:
        """Goes back to the model or the size of the last picture, where the new one has no room."""
        good, state = self._drawable, self.state
        if good is not None and structure.model == state.model != good.model:
            self.state = replace(state, model=good.model)
            text = f"{state.model}: {what}; {good.model} stays"
            self._complain("/fail", "/model", text, now_s, self._asked.get("/model"))
            return
        size = (structure.width, structure.height)
        if good is not None and size == (state.width, state.height) != (good.width, good.height):
            self.state = replace(state, width=good.width, height=good.height)
            text = f"{state.width} {state.height}: {what}; {good.width} {good.height} stays"
            self._complain("/fail", "/size", text, now_s, self._asked.get("/size"))
            return
        self._complain("/fail", "/frame", f"{what}; the last good one stays", now_s, None)

    def _report_behind(self) -> None:
        if self.stage.behind != self._behind:
            self._behind = self.stage.behind
            self.say(f"stream batch: pictures come {self._behind} frame{'s'[: self._behind != 1]} late")

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
        if len(self._blamed) >= BLAMED:
            self._blamed.clear()
        self._blamed.add(structure)
        self.worker.submit(self.stage.blame_job(structure, values, what))


def _acts(message: Message, show: Show, before: State) -> bool:
    """True if a message did something that a score must say."""
    if message.address.startswith(ASIDE):
        return False
    acts = show.state is not before or any(not job.aside for job in show.jobs)
    return acts or message.address.startswith(("/feature/", "/trig/")) or is_pattern(message.address)


def _one(a: np.ndarray, b: np.ndarray) -> bool:
    """True if two pictures are the same memory."""
    return a.shape == b.shape and a.ctypes.data == b.ctypes.data
