"""A show without a network, frame by frame, and what others see of it."""

from __future__ import annotations

from typing import Any

from fakes import FakeStage

from oscbend.loop import Loop
from oscbend.osc import Message
from oscbend.schedule import Schedule
from oscbend.snapshot import Snapshot
from oscbend.state import State
from oscbend.worker import InPlace


class Watched:
    """A loop, and the snapshots it hands over."""

    def __init__(self) -> None:
        self.seen: list[Snapshot] = []
        self.schedule = Schedule()
        self.replies: list[Any] = []
        state = State(width=64, height=64, steps=4)
        stage: Any = FakeStage()
        self.loop = Loop(stage, InPlace(), state, self.schedule, answer=self.replies.append)
        self.loop.observers.append(self.seen.append)
        self.now_s = 0.0

    def __call__(self, *messages: tuple[Any, ...]) -> Snapshot:
        """One frame, before which these messages come."""
        self.now_s += 0.05
        self.schedule.put(self.now_s, tuple(Message(a, args) for a, *args in messages))
        self.loop.step(self.now_s)
        return self.seen[-1]

    def asked(self, address: str) -> tuple[Any, ...]:
        """What `/get` answers in the next frame."""
        self.replies.clear()
        self(("/get", address))
        return tuple(self.replies[-1].args)
