"""What goes out by itself."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pytest

from oscbend.clients import Clients
from oscbend.commands import Change
from oscbend.frame import Frame
from oscbend.osc import Message, decode, encode_message
from oscbend.server import feed as feeding
from oscbend.server.feed import A_FRAME, PENDING, Feed
from oscbend.server.tcp import Line
from oscbend.state import State

A, B, C = ("127.0.0.1", 1), ("127.0.0.1", 2), ("127.0.0.1", 3)


class Told:
    """A feed, and what it has sent to whom."""

    def __init__(self) -> None:
        self.clients = Clients()
        self.said: list[str] = []
        self.deaf: set[Hashable] = set()
        self.sent: list[tuple[Hashable, Message]] = []
        self.feed = Feed(self.clients, self.send, self.said.append, self.refusals)

    def send(self, packet: bytes, to: Hashable) -> bool:
        message = decode(packet)
        assert isinstance(message, Message)
        self.sent.append((to, message))
        return True

    def refusals(self) -> list[Hashable]:
        return [to for to, _ in self.sent if to in self.deaf]

    def attend(self, *times_s: float) -> None:
        for now_s in times_s:
            self.feed.attend(now_s, lambda: encode_message("/status.reply"))

    def change(self, address: str, *args: Any, by: Any = A) -> None:
        self.feed.changed(State(), [Change(address, args, by)])

    def notify(self, owner: Hashable, to: Hashable = None) -> None:
        self.clients.subscribe(owner, to or owner, 0.0).changes = True

    def frame(self, number: int) -> None:
        self.feed.put(Frame(number, number / 20, np.zeros((1, 1, 4), np.uint8)))


def test_changes_are_told_to_all_who_asked_but_the_one_who_made_them() -> None:
    told = Told()
    told.notify(A)
    told.notify(B)
    told.clients.subscribe(C, C, 0.0).every = 1
    told.change("/seed", 3.5)
    assert told.sent == [(B, Message("/seed", (3.5,)))]


def test_one_who_is_told_elsewhere_is_the_same_one() -> None:
    told = Told()
    told.notify(A, ("127.0.0.1", 7400))
    told.change("/seed", 3.5, by=A)
    told.change("/seed", 3.5, by=("127.0.0.1", 7400))
    assert told.sent == []
    told.change("/seed", 3.5, by=B)
    assert told.sent == [(("127.0.0.1", 7400), Message("/seed", (3.5,)))]


def test_what_nobody_in_particular_has_changed_is_told_to_all() -> None:
    told = Told()
    told.notify(A)
    told.change("/size", 64, 64, by=None)
    assert [to for to, _ in told.sent] == [A]


def test_many_changes_are_told_over_several_frames_in_turn_and_in_order() -> None:
    told = Told()
    told.notify(B)
    told.notify(C)
    told.feed.changed(State(), [Change(f"/{n}", (n,), A) for n in range(A_FRAME)])
    assert len(told.sent) == A_FRAME
    counts = [sum(to == who for to, _ in told.sent) for who in (B, C)]
    assert abs(counts[0] - counts[1]) <= 1
    told.frame(0)
    assert len(told.sent) == 2 * A_FRAME
    for who in (B, C):
        assert [m.args[0] for to, m in told.sent if to == who] == list(range(A_FRAME))
    told.frame(1)
    assert len(told.sent) == 2 * A_FRAME


def test_what_waits_is_told_with_its_newest_value_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "A_FRAME", 0)
    told = Told()
    told.notify(B)
    told.change("/seed", 1.0)
    told.change("/seed", 2.0)
    for n in range(PENDING + 10):
        told.change(f"/{n}", n)
    assert len(told.clients.subscribers[0].pending) == PENDING
    assert told.feed.lost == 11
    monkeypatch.setattr(feeding, "A_FRAME", 1)
    told.frame(0)
    assert told.sent == [(B, Message("/10", (10,)))]


def test_frames_are_told_as_often_as_asked() -> None:
    told = Told()
    told.clients.subscribe(B, B, 0.0).every = 3
    told.notify(A)
    for number in range(7):
        told.frame(number)
    assert [(to, m.address, m.args[0]) for to, m in told.sent] == [(B, "/frame", n) for n in (0, 3, 6)]
    assert told.sent[1][1].args[1] == pytest.approx(0.15)


def test_one_who_is_silent_and_cannot_be_reached_lapses() -> None:
    told = Told()
    for who in (A, B, C):
        told.notify(who)
    told.deaf = {A, B}
    for now_s in np.arange(0.0, 40.0, 0.5).tolist():
        told.clients.heard(A, now_s)
        told.attend(now_s)
    assert [s.owner for s in told.clients.subscribers] == [A, C]
    assert {to for to, _ in told.sent} == {B, C}, "one who is heard gets no sign of life"
    assert told.said == ["nobody listens any more at 127.0.0.1:2: told nothing more"]


def test_one_who_was_refused_once_only_stays() -> None:
    told = Told()
    told.notify(B)
    for now_s in range(0, 100, 5):
        told.deaf = {B} if now_s % 10 == 0 else set()
        told.attend(now_s)
        told.sent.clear()
    assert len(told.clients.subscribers) == 1


def test_where_the_system_tells_nothing_one_lapses_after_an_hour() -> None:
    told = Told()
    told.feed.refusals = None
    line = Line("127.0.0.1", 4)
    told.notify(A)
    told.notify(line)
    told.attend(3590.0)
    assert len(told.clients.subscribers) == 2
    told.attend(3610.0)
    assert [s.to for s in told.clients.subscribers] == [line], "a connection tells itself that it has gone"
