"""What a frame has changed is told as the messages that change it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from fakes import FakeStage
from hypothesis import given, settings
from hypothesis import strategies as st

from oscbend.commands import Change, Show, addresses, find, perform
from oscbend.commands.changes import differences
from oscbend.controls import find_control
from oscbend.errors import BadMessage
from oscbend.features import Buses
from oscbend.loop import Loop
from oscbend.modulation import Modulation
from oscbend.osc import Message
from oscbend.schedule import Schedule
from oscbend.state import CORNERS, Bend, Map, State
from oscbend.worker import InPlace

ARMED = State(width=64, height=64, steps=4).with_bend(Bend("1", "rotate", "latent.0"))
ARMED = ARMED.with_map("/bend/1/mix", Map("rms"))
A, B = ("127.0.0.1", 1), ("127.0.0.1", 2)


class Watched:
    """A loop, and what its watcher was told of the last frame."""

    def __init__(self) -> None:
        self.schedule = Schedule()
        self.loop = Loop(FakeStage(), InPlace(), ARMED, self.schedule)  # type: ignore[arg-type]
        self.told: list[Change] = []
        self.times = 0
        self.loop.changes.watchers.append(self.watch)
        self.now_s = 0.0

    def watch(self, state: State, changes: Any) -> None:
        assert state is self.loop.state
        self.told = list(changes)
        self.times += 1

    def __call__(self, *messages: tuple[Any, ...], by: Any = A) -> dict[str, tuple[Any, ...]]:
        self.told = []
        self.put(*messages, by=by)
        self.now_s += 0.05
        self.loop.step(self.now_s)
        return {c.address: c.args for c in self.told}

    def put(self, *messages: tuple[Any, ...], by: Any = A) -> None:
        self.schedule.put(self.now_s, tuple(Message(a, args) for a, *args in messages), by)

    @property
    def who(self) -> dict[str, Any]:
        return {c.address: c.sender for c in self.told}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (("/seed", 3.5), {"/seed": (3.5,)}),
        (("/seed", 3), {"/seed": (3.0,)}),
        (("/fps", 12), {"/fps": (12.0,)}),
        (("/size", 128, 64), {"/size": (128, 64)}),
        (("/freeze", 1), {"/freeze": (1,)}),
        (("/prompt/2", "a", "tree"), {"/prompt/2": ("a tree",)}),
        (("/bend/1/x", 0.0), {"/bend/1/angle": (0.0,)}),
        (("/bend/1/plane", "0,1"), {"/bend/1/plane": ("0,1",)}),
        (("/bend/1/window", 0.25, 0.5), {"/bend/1/window": (0.25, 0.5)}),
        (("/bend/*/on", 0), {"/bend/1/on": (0,)}),
        (("/bend/1/free",), {"/bend/1/free": ()}),
        (("/bend/1/angle/map", "rms", 0, 2), {"/bend/1/angle/map": ("rms", 0.0, 2.0, "lin")}),
        (("/bend/1/angle/map", "rms", "exp"), {}),
        (("/bend/1/angle/to", 2, 3, "sin"), {"/bend/1/angle": (2.0,)}),
        (("/bend/1/angle/lag", 0.5), {"/bend/1/angle/lag": (0.5,)}),
        (("/bend/1/angle/mod/2", "rms", 0.5), {"/bend/1/angle/mod/2": ("rms", 0.5, "lin")}),
        (("/bend/1/angle/mod/2",), {}),
        (("/lag", 0.5), {"/lag": (0.5,)}),
        (("/bend/1/mix/unmap",), {"/bend/1/mix": (1.0,), "/bend/1/mix/unmap": ()}),
        (("/feature/rms/range", "hold"), {"/feature/rms/range": ("hold",)}),
        (("/feature/rms", 0.5), {}),
        (("/get", "/seed"), {}),
        (("/nowhere", 1), {}),
    ],
)
def test_a_message_is_told_as_what_it_has_set(message: tuple[Any, ...], told: dict[str, Any]) -> None:
    assert Watched()(message) == told


def test_a_new_bend_is_told_with_all_that_it_has() -> None:
    told = Watched()(("/bend/2", "rotate", "latent.1"))
    assert told["/bend/2"] == ("rotate", "latent.1")
    assert told["/bend/2/select"] == ("all",)
    assert told["/bend/2/on"] == (1,)


def test_an_address_is_told_once_a_frame_with_its_last_value() -> None:
    watched = Watched()
    watched(*[("/bend/1/angle", n / 10) for n in range(20)])
    assert watched.told == [Change("/bend/1/angle", (1.9,), A)]


def test_what_is_set_to_what_it_was_is_not_told() -> None:
    watched = Watched()
    watched(("/seed", 3.0), ("/fps", 12))
    assert watched(("/seed", 3.0), ("/fps", 12), ("/bend/1", "rotate", "latent.0")) == {}
    assert watched.times == 1


def test_a_control_that_is_set_lets_go_of_its_feature() -> None:
    watched = Watched()
    watched(("/bend/1/angle/map", "rms", 0, 2))
    assert watched(("/bend/1/angle", 1.0)) == {"/bend/1/angle": (1.0,), "/bend/1/angle/unmap": ()}
    assert watched.who == {"/bend/1/angle": A, "/bend/1/angle/unmap": A}


def test_each_change_tells_who_made_it() -> None:
    watched = Watched()
    watched.put(("/bend/1/angle", 1.0), ("/fps", 12), by=B)
    watched(("/seed", 2.0), ("/steps", 3))
    assert watched.who == {"/bend/1/angle": B, "/fps": B, "/seed": A, "/steps": A}


def test_a_pattern_is_its_senders_unless_others_sent_as_well() -> None:
    watched = Watched()
    watched(("/bend/*/on", 0))
    assert watched.who == {"/bend/1/on": A}
    watched.put(("/fps", 12), by=B)
    watched(("/bend/*/on", 1))
    assert watched.who == {"/bend/1/on": None, "/fps": B}


def test_what_a_job_has_changed_is_told_as_its_senders() -> None:
    watched = Watched()
    watched(("/prompt", "a tree"))
    assert watched.who["/prompt"] == A


def test_where_nobody_watches_nothing_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched()
    watched.loop.changes.watchers.clear()
    monkeypatch.setattr("oscbend.commands.changes.differences", None)
    watched(("/seed", 2.0))
    assert watched.told == []


sent = st.sampled_from(
    [
        ("/seed", 1.5),
        ("/guidance", 3.0),
        ("/steps", 3),
        ("/steps", 0, 2, 4),
        ("/size", 128, 64),
        ("/feedback", 1),
        ("/noise/mode", "hold"),
        ("/prompt", "a tree"),
        ("/prompt/2", "a mesh"),
        ("/prompt/2/weight", 0.5),
        ("/prompt/blend", "lerp"),
        ("/bend/1/angle", 0.5),
        ("/bend/1/mix", 0.5),
        ("/bend/1/plane", "0,1"),
        ("/bend/1/op", "add"),
        ("/bend/1/on", 0),
        ("/bend/1/free",),
        ("/bend/2", "add", "latent.1"),
        ("/bend/2/r", 0.5),
        ("/bend/2/select", "rows 0.1 0.5"),
        ("/bend/*/branch", "cond"),
        ("/bend/1/mix/map", "rms"),
        ("/bend/2/r/map", "rms.3", -1, 1, "sin"),
        ("/bend/2/r/unmap",),
        ("/seed/map", "flux", 0, 9),
        ("/seed/to", 7, 2),
        ("/lag", 0.5),
        ("/prompt/xy", 0.5, 0.25),
        ("/prompt/morph", "a lake", 2),
        ("/bend/1/mix/lag", 0.25),
        ("/bend/1/mix/mod/2", "rms", 0.5),
        ("/bend/2/r/mod/1", "rms", 0.5, "sin"),
        ("/bend/2/r/mod/1",),
        ("/feature/rms/range", 0, 1),
        ("/feature/rms/smooth", 0.5, 0.5, 3),
        ("/feature/flux/hold", "max"),
    ]
)


def played(state: State, messages: list[tuple[Any, ...]]) -> State:
    """The state after some messages; those that are refused change nothing."""
    show = Show(state, Modulation(Buses()), FakeStage())
    for address, *args in messages:
        try:
            perform(show, Message(address, tuple(args)))
        except BadMessage:
            continue
        while show.jobs:
            show.state = show.jobs.pop(0).work()[0](show.state)
    return show.state


def readings(show: Show) -> dict[str, tuple[Any, ...]]:
    """What `/get` tells of every address, but of what moves, of live values and lags that nobody set,
    and of other ways to say what has an address of its own."""
    found = {}
    for address in (*addresses(show), "/bend/1/plane", "/prompt/1", "/prompt/2"):
        row, captured = find(address)
        moving = show.state.maps.keys() | show.state.mods.keys() | show.state.glides.keys()
        if row.read is None or "view" in row.tags or address in moving:
            continue
        if row.name == "{any}/lag" and captured["any"] not in show.state.lags:
            continue
        if find_control(show.state, address, show.stage) is None or address in show.state.live:
            with suppress(BadMessage):
                found[address] = row.read(show, **captured)
    return {address: args for address, args in found.items() if args != ("",) or "/m" not in address}


@settings(deadline=None)
@given(st.lists(sent, max_size=10), st.lists(sent, max_size=10))
def test_every_reading_that_differs_is_told_once_and_no_other(before: Any, after: Any) -> None:
    first = played(ARMED, before)
    second = played(first, after)
    shows = [Show(s, Modulation(Buses()), FakeStage()) for s in (first, second)]
    listed = list(differences(*shows))
    told = dict(listed)
    assert len(told) == len(listed)
    derived = CORNERS if first.by_xy or second.by_xy else frozenset()
    old, new = ({a: v for a, v in readings(show).items() if a not in derived} for show in shows)
    gone = {a for a in told if a.endswith(("/free", "/unmap"))}
    assert {a: v for a, v in new.items() if old.get(a) != v}.items() <= told.items()
    assert all(new.get(a, v) == v and old.get(a) != v for a, v in told.items() if a not in gone)
    freed = {b.id for b in first.bends} - {b.id for b in second.bends}
    assert {a for a in gone if a.endswith("/free")} == {f"/bend/{id}/free" for id in freed}
