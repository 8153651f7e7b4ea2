"""What a client says of itself."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pytest
from fakes import FakeHouse, FakeStage

from oscbend.commands import Show, perform
from oscbend.errors import BadMessage
from oscbend.features import Buses
from oscbend.modulation import Modulation
from oscbend.osc import Message, TimeTag
from oscbend.state import State

HERE, THERE = ("127.0.0.1", 7000), ("192.168.1.5", 7000)
CAME_S = 1_800_000_000.25


class Session:
    """Clients, each of whom may send messages to one house."""

    def __init__(self) -> None:
        self.house = FakeHouse()
        self.house.now_s = CAME_S + 0.02

    def __call__(self, sender: Hashable, address: str, *args: Any) -> list[tuple[Any, ...]]:
        show = Show(State(), Modulation(Buses()), FakeStage(), 5.0, sender, came_s=CAME_S, house=self.house)
        perform(show, Message(address, args))
        assert all(reply.to == sender for reply in show.replies)
        return [(r.address, *r.args) for r in show.replies]


@pytest.fixture
def session() -> Session:
    return Session()


def told(session: Session) -> list[tuple[Hashable, bool, int]]:
    return [(s.to, s.changes, s.every) for s in session.house.clients.subscribers]


def test_notify_tells_the_sender_or_a_port_of_its_choice(session: Session) -> None:
    assert session(HERE, "/notify", 1) == [("/done", "/notify", 0, 64)]
    assert session(THERE, "/notify", 1, 5, 7400) == [("/done", "/notify", 5, 64)]
    assert told(session) == [(HERE, True, 0), (("192.168.1.5", 7400), True, 0)]


def test_notify_twice_is_notify_once_and_0_ends_it(session: Session) -> None:
    for _ in range(3):
        assert session(HERE, "/notify", 1, -1, 7400) == [("/done", "/notify", 0, 64)]
    assert len(told(session)) == 1
    session(HERE, "/notify", 0)
    assert len(told(session)) == 1, "that is another port"
    session(HERE, "/notify", 0, -1, 7400)
    assert told(session) == []


def test_another_machine_is_told_only_if_this_one_asks(session: Session) -> None:
    session(HERE, "/notify", 1, -1, 7400, "192.168.1.5")
    assert told(session) == [(("192.168.1.5", 7400), True, 0)]
    with pytest.raises(BadMessage, match="ask for itself"):
        session(THERE, "/notify", 1, -1, 7400, "192.168.1.6")


def test_frames_are_told_to_those_who_ask(session: Session) -> None:
    session(HERE, "/frame")
    assert told(session) == [(HERE, False, 1)]
    session(HERE, "/frame", 30)
    assert told(session) == [(HERE, False, 30)]
    session(HERE, "/frame", 0)
    assert told(session) == []


def test_frames_are_told_where_changes_are(session: Session) -> None:
    session(HERE, "/notify", 1, -1, 7400)
    session(HERE, "/frame", 2)
    assert told(session) == [(("127.0.0.1", 7400), True, 2)]
    session(HERE, "/frame", 0)
    assert told(session) == [(("127.0.0.1", 7400), True, 0)]


def test_a_score_subscribes_nobody(session: Session) -> None:
    assert session(None, "/notify", 1) == session(None, "/frame", 1) == []
    assert told(session) == []


def test_time_tags_of_one_or_of_all_on_a_machine(session: Session) -> None:
    session(THERE, "/timetags", "ignore")
    clients = session.house.clients
    assert clients.timetags_of(THERE) == "ignore"
    assert clients.timetags_of((THERE[0], 1)) == "schedule"
    session(THERE, "/timetags", "ignore", "all")
    assert clients.timetags_of((THERE[0], 1)) == "ignore"
    with pytest.raises(BadMessage):
        session(THERE, "/timetags", "never")


def test_clear_sched_clears_the_senders_own_or_all(session: Session) -> None:
    assert session(HERE, "/clearSched") == [("/done", "/clearSched", 3)]
    session(HERE, "/clearSched", "all")
    assert session.house.cleared == [HERE, None]


def test_ping_tells_when_it_came_and_how_long_it_was_held(session: Session) -> None:
    ((address, id, seconds, micros, held_s, behind_s),) = session(HERE, "/ping", 7)
    assert (address, id, seconds, micros, behind_s) == ("/pong", 7, 1_800_000_000, 250_000, 0.0)
    assert held_s == pytest.approx(0.02, abs=1e-6)


@pytest.mark.parametrize(
    "sent",
    [
        (TimeTag.from_unix(CAME_S - 3.5),),
        (1_799_999_996, 750_000),
        (1_799_999_996.75,),
    ],
)
def test_a_ping_that_tells_when_it_was_sent_tells_how_its_clock_goes(
    session: Session, sent: tuple[Any, ...]
) -> None:
    assert session(THERE, "/ping", 1, *sent)[0][-1] == pytest.approx(3.5, abs=1e-5)
    assert session.house.clients.behind_s(THERE) == pytest.approx(3.5, abs=1e-5)
    session(HERE, "/ping", 1, *sent)
    assert session.house.clients.behind_s(HERE) == 0.0, "this machine has one clock"


@pytest.mark.parametrize("sent", [(5,), (1_800_000_000, 0, 0), ("now",)])
def test_a_ping_that_tells_no_time_is_refused(session: Session, sent: tuple[Any, ...]) -> None:
    with pytest.raises(BadMessage):
        session(THERE, "/ping", 1, *sent)


def test_dump_and_error_set_what_is_said(session: Session) -> None:
    session(HERE, "/dumpOSC", 3)
    assert session.house.dump.mode == 3
    session(HERE, "/error", 0)
    assert session.house.clients.silenced(HERE)
    session(HERE, "/error", 1)
    assert not session.house.clients.silenced(HERE)
    session(HERE, "/error", -1)
    session(HERE, "/error", -2)
    assert session.house.hushed == [True, False]
    for wrong in (("/dumpOSC", 4), ("/error", 2)):
        with pytest.raises(BadMessage):
            session(HERE, *wrong)
