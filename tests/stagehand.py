"""Sends messages to a show without a network, and does its jobs at once."""

from __future__ import annotations

from typing import Any

from fakes import FakeHouse, FakeStage

from oscbend.commands import Show, perform
from oscbend.fades import touched
from oscbend.features import Buses
from oscbend.modulation import Modulation
from oscbend.osc import Message
from oscbend.state import State


class Stagehand:
    """A show with a fake stage, and whoever plays it."""

    def __init__(self) -> None:
        self.stage = FakeStage()
        self.house = FakeHouse()
        me = ("127.0.0.1", 7000)
        self.show = Show(State(steps=4), Modulation(Buses()), self.stage, sender=me, house=self.house)

    def __call__(self, address: str, *args: Any) -> State:
        perform(self.show, Message(address, args))
        while self.show.jobs:
            job = self.show.jobs.pop(0)
            change, notes = job.work()
            self.show.notes += notes
            self.show.replies += job.replies
            self.show.state = touched(self.show.state, change(self.show.state))
        return self.show.state

    def at(self, now_s: float, address: str) -> float:
        """The value of a control at a time."""
        self.show.modulation.advance(self.show.state, now_s)
        return float(self.asks("/get", address)[0][1])

    def asks(self, address: str, *args: Any) -> list[tuple[Any, ...]]:
        """What a message is answered."""
        self.show.replies.clear()
        self(address, *args)
        return [(r.address, *r.args) for r in self.show.replies]
