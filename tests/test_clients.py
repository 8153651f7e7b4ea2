"""What is remembered of those who play."""

from __future__ import annotations

import pytest

from oscbend.clients import AGREE_S, PINGS, REMEMBERED, SILENT_S, SUBSCRIBERS, Clients, Clock, Recent
from oscbend.errors import BadValue
from oscbend.server.tcp import Line

HERE, ALSO_HERE = ("127.0.0.1", 7000), ("127.0.0.1", 7001)
THERE, ELSEWHERE = ("192.168.1.5", 7000), ("192.168.1.6", 7000)


# -- clocks ------------------------------------------------------------------------------------------


def test_a_clock_is_behind_by_what_its_quickest_ping_says() -> None:
    clock = Clock()
    for way_s in (0.030, 0.002, 0.100):
        clock.heard(sent_s=1000.0, came_s=1005.0 + way_s)
    assert clock.behind_s == pytest.approx(5.002)


def test_a_clock_that_is_ahead_is_behind_by_less_than_nothing() -> None:
    clock = Clock()
    clock.heard(sent_s=1010.0, came_s=1000.001)
    assert clock.behind_s == pytest.approx(-9.999)


def test_clocks_that_agree_are_left_alone() -> None:
    clock = Clock()
    assert clock.behind_s == 0.0
    clock.heard(sent_s=1000.0, came_s=1000.0 + 0.9 * AGREE_S)
    assert clock.behind_s == 0.0


def test_a_clock_that_was_set_is_followed() -> None:
    clock = Clock()
    clock.heard(sent_s=1000.0, came_s=1001.0)
    for _ in range(PINGS):
        clock.heard(sent_s=1000.0, came_s=1003.0)
    assert clock.behind_s == 3.0


def test_a_clock_belongs_to_a_machine_and_our_own_is_never_shifted() -> None:
    clients = Clients()
    assert clients.behind_s(THERE) == 0.0
    clients.clock(THERE).heard(0.0, 3.0)
    clients.clock(HERE).heard(0.0, 3.0)
    assert clients.behind_s((THERE[0], 9999)) == 3.0
    assert clients.behind_s(ELSEWHERE) == 0.0
    assert clients.behind_s(HERE) == 0.0


# -- what a client has said --------------------------------------------------------------------------


def test_time_tags_are_as_the_client_says_or_its_machine_or_the_server() -> None:
    clients = Clients("ignore")
    assert clients.timetags_of(THERE) == "ignore"
    clients.set_timetags(THERE, "schedule")
    assert clients.timetags_of(THERE) == "schedule"
    assert clients.timetags_of((THERE[0], 1)) == "ignore"
    clients.set_timetags(ELSEWHERE, "schedule", whole_machine=True)
    assert clients.timetags_of((ELSEWHERE[0], 1)) == "schedule"


def test_silence_is_a_clients_own() -> None:
    clients = Clients()
    clients.set_silenced(HERE, True)
    assert clients.silenced(HERE)
    assert not clients.silenced(ALSO_HERE)
    clients.set_silenced(HERE, False)
    assert not clients.silenced(HERE)


def test_of_strangers_little_is_remembered() -> None:
    clients = Clients()
    clients.set_timetags(HERE, "ignore")
    for n in range(3 * REMEMBERED):
        clients.set_timetags(("10.0.0.1", n), "ignore")
        clients.set_silenced(("10.0.0.1", n), True)
        clients.clock((f"10.0.{n // 256}.{n % 256}", 1)).heard(0.0, 1.0)
        assert clients.timetags_of(HERE) == "ignore", "what is used is not forgotten"
    kept = clients._timetags, clients._silenced, clients._clocks
    assert [len(k) for k in kept] == [REMEMBERED] * 3


def test_what_was_used_longest_ago_goes_first() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert [recent.get(k) for k in "abc"] == [1, None, 3]


# -- where one is told -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "port", "host", "to"),
    [
        (HERE, 0, "", HERE),
        (HERE, 7400, "", ("127.0.0.1", 7400)),
        (HERE, 7400, "localhost", ("127.0.0.1", 7400)),
        (HERE, 0, "192.168.1.5", ("192.168.1.5", 7000)),
        (HERE, 7400, "192.168.1.5", ("192.168.1.5", 7400)),
        (THERE, 7400, "", ("192.168.1.5", 7400)),
        (THERE, 7400, "192.168.1.5", ("192.168.1.5", 7400)),
        (("::1", 7000, 0, 0), 7400, "", ("::1", 7400, 0, 0)),
    ],
)
def test_one_is_told_where_one_asks(sender: object, port: int, host: str, to: object) -> None:
    assert Clients().target(sender, port, host) == to  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["192.168.1.6", "127.0.0.1", "8.8.8.8", "255.255.255.255", "224.0.0.1"])
def test_nobody_has_others_told(host: str) -> None:
    with pytest.raises(BadValue, match="ask for itself"):
        Clients().target(THERE, 7400, host)


@pytest.mark.parametrize("host", ["8.8.8.8", "224.0.0.1"])
def test_not_even_this_machine_has_the_whole_world_told(host: str) -> None:
    with pytest.raises(BadValue, match="ask for itself"):
        Clients(allow=lambda address: address.startswith("192.168.")).target(HERE, 7400, host)


def test_names_are_not_looked_up_and_ports_are_checked() -> None:
    with pytest.raises(BadValue, match="numeric"):
        Clients().target(HERE, 7400, "stage.local")
    with pytest.raises(BadValue, match="port"):
        Clients().target(HERE, 70000)


def test_over_a_connection_one_is_told_the_same_way() -> None:
    line = Line("127.0.0.1", 7000)
    assert Clients().target(line) is line
    with pytest.raises(BadValue, match="connection"):
        Clients().target(line, 7400)


# -- subscribers -------------------------------------------------------------------------------------


def test_asking_twice_is_asking_once() -> None:
    clients = Clients()
    first = clients.subscribe(HERE, HERE, 0.0)
    assert clients.subscribe(HERE, HERE, 1.0) is first
    assert clients.subscribe(ALSO_HERE, HERE, 1.0) is first
    assert (first.owner, len(clients.subscribers)) == (ALSO_HERE, 1)
    assert clients.asked_by(HERE) == []


def test_numbers_are_the_ones_wanted_if_nobody_has_them() -> None:
    clients = Clients()
    assert clients.subscribe(HERE, HERE, 0.0).id == 0
    assert clients.subscribe(ALSO_HERE, ALSO_HERE, 0.0, 7).id == 7
    assert clients.subscribe(THERE, THERE, 0.0, 7).id == 1
    assert clients.subscribe(THERE, THERE, 0.0).id == 1
    assert clients.subscribe(THERE, THERE, 0.0, 3).id == 3


def test_there_is_room_for_so_many_until_one_has_been_silent_for_long() -> None:
    clients = Clients()
    for n in range(SUBSCRIBERS):
        clients.subscribe(("10.0.0.1", n), ("10.0.0.1", n), 0.0)
    clients.heard(("10.0.0.1", 0), SILENT_S / 2)
    with pytest.raises(BadValue, match="makes room"):
        clients.subscribe(HERE, HERE, SILENT_S / 2)
    clients.subscribe(HERE, HERE, SILENT_S)
    left = {s.owner for s in clients.subscribers}
    assert ("10.0.0.1", 1) not in left
    assert {HERE, ("10.0.0.1", 0)} <= left
    assert len(left) == SUBSCRIBERS


def test_a_client_is_answered_where_it_sends_from_and_where_it_asked() -> None:
    clients = Clients()
    assert clients.places(HERE) == [HERE]
    clients.subscribe(HERE, ("127.0.0.1", 7400), 0.0)
    assert clients.places(HERE) == [HERE, ("127.0.0.1", 7400)]
    assert clients.places(ALSO_HERE) == [ALSO_HERE, ("127.0.0.1", 7400)], "another sender of the same patch"
    assert clients.places(THERE) == [THERE]
    clients.subscribe(ALSO_HERE, clients.target(ALSO_HERE), 0.0)
    assert clients.places(ALSO_HERE) == [ALSO_HERE], "it has asked for itself"
    clients.subscribe(HERE, HERE, 0.0)
    assert clients.places(HERE) == [HERE, ("127.0.0.1", 7400)]


def test_a_connection_that_has_gone_is_told_nothing_more() -> None:
    clients = Clients()
    line = Line("127.0.0.1", 7000)
    clients.subscribe(line, line, 0.0)
    clients.subscribe(HERE, HERE, 0.0)
    clients.gone(line)
    assert [s.owner for s in clients.subscribers] == [HERE]
    assert clients.places(line) == [line]
