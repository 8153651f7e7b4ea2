"""A show in this process that is recorded."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from servers import Kept

from oscbend.commands import Job
from oscbend.loop import Loop
from oscbend.osc import Message
from oscbend.scenes import Scenes
from oscbend.schedule import Schedule
from oscbend.state import STAGE_LAG_S, State
from oscbend.worker import Ended, InPlace, done


class Slow:
    """Does jobs when it is told to, as a thread beside would sooner or later."""

    def __init__(self) -> None:
        self.submitted = 0
        self.waiting: list[Job] = []
        self.patience = 0

    def submit(self, job: Job) -> None:
        self.submitted += 1
        self.waiting.append(job)

    def ended(self) -> list[Ended]:
        if not self.waiting or self.patience > 0:
            self.patience -= 1
            return []
        self.patience = 2
        return [done(self.waiting.pop(0))]

    def close(self) -> None:
        pass


class Show:
    """A show in this process that is recorded."""

    def __init__(self, stage: Any, root: Path, worker: Any = None, **state: Any) -> None:
        self.answers: list[tuple[Any, ...]] = []
        stage.root = root
        stage.scenes = Scenes(root)
        self.schedule = Schedule()
        begin = State(**{"width": 64, "height": 64, "steps": 2, "lag": STAGE_LAG_S, **state})
        self.loop = Loop(
            stage, worker or InPlace(), begin, self.schedule,
            answer=lambda reply: self.answers.append((reply.address, *reply.args)),
        )  # fmt: skip
        self.kept = Kept()
        self.loop.sinks.append(self.kept)
        self.random = random.Random(7)
        self.now_s = 3.1

    def step(self, *messages: tuple[Any, ...], count: int = 1) -> None:
        """Plays messages, each at its own time, and draws frames."""
        times_s = sorted(self.now_s + self.random.random() / 40 for _ in messages)
        for time_s, (address, *args) in zip(times_s, messages):
            self.schedule.put(time_s, (Message(address, tuple(args)),))
        for _ in range(count):
            self.now_s += 1 / 30 + self.random.random() / 500
            self.loop.step(self.now_s)
