"""A whole server and several clients, over real sockets; the stage paints flat colours."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fakes import FakeStage
from pythonosc.tcp_client import SimpleTCPClient
from servers import Kept, playing
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from oscbend.osc import Bundle, Message, TimeTag, decode, encode, encode_message
from oscbend.server.client import Client
from oscbend.server.serve import Manners, Server

WAIT_S = 10.0


@pytest.fixture
def show() -> Iterator[tuple[Server, Kept]]:
    with playing() as made:
        yield made


def joined(server: Server) -> Client:
    return Client(server.doors.host, server.doors.port)


def received(client: Client, address: str) -> tuple[Any, ...]:
    """The next message at an address; others are passed over."""
    end = time.monotonic() + WAIT_S
    while (message := client.receive(end - time.monotonic())) is not None:
        if message.address == address:
            return message.args
    raise AssertionError(f"no {address} came")


def test_a_change_is_told_to_the_other_clients_and_not_to_the_one_who_made_it(
    show: tuple[Server, Kept],
) -> None:
    with joined(show[0]) as one, joined(show[0]) as other:
        for client in (one, other):
            assert client.ask("/notify", 1, reply="/done").args[0] == "/notify"
        one.send("/seed", 3.5)
        assert received(other, "/seed") == (3.5,)
        other.send("/seed", 4.5)
        assert received(one, "/seed") == (4.5,), "and not 3.5, which it sent itself"
        other.ask("/notify", 0, reply="/done")
        one.send("/seed", 5.5)
        one.sync(WAIT_S)
        assert other.receive(0.1) is None


def test_answers_and_changes_go_to_the_port_that_was_asked_for(show: tuple[Server, Kept]) -> None:
    with (
        joined(show[0]) as one,
        joined(show[0]) as other,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear,
    ):
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(WAIT_S)
        one.send("/notify", 1, 5, ear.getsockname()[1])
        one.sync(WAIT_S)
        other.send("/seed", 3.5)
        other.sync(WAIT_S)
        one.send("/version")
        heard = [ear.recv(2000).split(b"\0")[0] for _ in range(5)]
        assert heard == [b"/done", b"/synced", b"/seed", b"/synced", b"/version.reply"]


def test_frames_are_told_to_those_who_ask(show: tuple[Server, Kept]) -> None:
    with joined(show[0]) as client:
        client.send("/frame", 2)
        first, second = received(client, "/frame"), received(client, "/frame")
        assert first[0] % 2 == 0
        assert second[0] == first[0] + 2
        assert second[1] > first[1]


def test_a_client_with_a_connection_is_a_client_like_any_other(show: tuple[Server, Kept]) -> None:
    server = show[0]
    with joined(server) as other, SimpleTCPClient(server.doors.host, server.doors.port, mode="1.1") as tcp:
        tcp.send_message("/notify", 1)
        inbox = tcp.get_messages(WAIT_S)
        assert next(inbox).params[0] == "/notify"
        other.send("/seed", 3.5)
        assert (lambda m: (m.address, m.params))(next(inbox)) == ("/seed", [3.5])
        assert len(server.clients.subscribers) == 1
    until(lambda: server.clients.subscribers == [])


def test_a_client_at_a_websocket_is_a_client_until_it_goes(show: tuple[Server, Kept]) -> None:
    server = show[0]
    with joined(server) as other, connect(f"ws://127.0.0.1:{server.web.port}/") as socket:
        socket.send(encode_message("/notify", (1,)))
        assert decode(bytes(socket.recv(WAIT_S))).address == "/done"  # type: ignore[union-attr, arg-type]
        other.send("/seed", 3.5)
        assert decode(bytes(socket.recv(WAIT_S))) == Message("/seed", (3.5,))  # type: ignore[arg-type]
        assert len(server.clients.subscribers) == 1
    until(lambda: server.clients.subscribers == [])


def test_a_tag_acts_on_the_first_frame_that_is_seen_at_or_after_it() -> None:
    stage = FakeStage()
    render = stage.render

    def slow(*args: Any) -> Any:
        time.sleep(0.02)
        return render(*args)

    stage.render = slow  # type: ignore[method-assign]
    with playing(stage) as (server, kept), joined(server) as client:
        client.bundle([("/bend/1", "add", "latent.0"), ("/bend/1/r", 1.0), ("/noise/mode", "fresh")])
        client.sync(WAIT_S)
        while server.pace.render_s < 0.01:
            client.sync(WAIT_S)
        ahead_s = client.ask("/status", reply="/status.reply").args[10]
        assert ahead_s == pytest.approx(server.pace.ahead_s(0.03), abs=0.05)
        assert ahead_s > 0.05
        unix_s = time.time() + ahead_s + 0.3
        client.bundle([("/bend/1/r", 2.0)], time=unix_s)
        tag_s = unix_s - (time.time() - (time.monotonic() - server._began_s))
        end = time.monotonic() + WAIT_S
        while int(kept.frames[-1].picture[0, 0, 0]) < 200 and time.monotonic() < end:
            time.sleep(0.001)
        changed = next(n for n, f in enumerate(kept.frames) if f.picture[0, 0, 0] == 200)
        before, first = kept.frames[changed - 1].time_s, kept.frames[changed].time_s
        assert before < tag_s + 0.002, "the frame before was to be seen earlier"
        assert first >= tag_s - 0.002, "this one is to be seen at the time, or after it"
        assert server.schedule.late == 0


def test_a_late_bundle_is_done_and_told_or_dropped_and_told() -> None:
    for policy, seed in (("run", (3.0,)), ("drop", (46.0,))):
        with playing(manners=Manners(late=policy)) as (server, _), joined(server) as client:
            client.bundle([("/seed", 3.0)], time=time.time() - 1.0)
            (late_s,) = received(client, "/late")
            assert 1.0 < late_s < 5.0
            assert client.ask("/get", "/seed", reply="/seed").args == seed


def test_a_ping_is_answered_with_the_servers_clock(show: tuple[Server, Kept]) -> None:
    with joined(show[0]) as client:
        before = time.time()
        id, seconds, micros, held_s, behind_s = client.ask("/ping", 7, reply="/pong").args
        came = seconds + micros * 1e-6
        assert id == 7
        assert before - 0.01 < came < came + held_s < time.time() + 0.01
        assert behind_s == 0.0


def test_a_bad_packet_is_answered_once(show: tuple[Server, Kept]) -> None:
    with joined(show[0]) as client:
        for _ in range(50):
            client.send_packet(bytes.fromhex("2362756e646c65000000000000000001fffffffc"))
        client.sync(WAIT_S)
        assert received(client, "/fail")[0] == "/packet"
        assert client.ask("/status", reply="/status.reply").args[6] == 50


def test_a_flood_of_questions_is_answered_in_part_and_others_are_answered(show: tuple[Server, Kept]) -> None:
    with joined(show[0]) as flood, joined(show[0]) as quiet:
        packet = encode(Bundle(TimeTag(1), (Message("/version"),) * 1000))
        for _ in range(10):
            flood.send_packet(packet)
        quiet.sync(WAIT_S)
        assert show[0].budget._left.get(("127.0.0.1", flood.local_port))[0] < 6000  # type: ignore[index]


def test_one_who_no_longer_listens_is_told_nothing_more(
    show: tuple[Server, Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oscbend.server.feed.PROBE_EVERY_S", 0.05)
    monkeypatch.setattr("oscbend.server.feed.PROBE_AFTER_S", 0.1)
    server = show[0]
    with joined(server) as gone, joined(server) as stays:
        for client in (gone, stays):
            client.ask("/notify", 1, reply="/done")
        left = ("127.0.0.1", stays.local_port)
        gone.close()
        end = time.monotonic() + WAIT_S
        while len(server.clients.subscribers) > 1 and time.monotonic() < end:
            time.sleep(0.01)
        assert [s.to for s in server.clients.subscribers] == [left]
        assert received(stays, "/status.reply"), "a sign of life"


def test_quit_is_heard_from_this_machine(show: tuple[Server, Kept]) -> None:
    with joined(show[0]) as client:
        assert client.ask("/quit", reply="/done").args == ("/quit",)
        end = time.monotonic() + WAIT_S
        while not show[0].loop.over and time.monotonic() < end:
            time.sleep(0.001)
        assert show[0].loop.over


def test_on_the_network_it_says_where_it_is_and_who_is_heard(capsys: pytest.CaptureFixture[str]) -> None:
    with playing(host="0.0.0.0", allow=("192.0.2.0/24",)) as (server, kept), joined(server) as client:
        client.sync(WAIT_S)
        assert "this machine only" not in capsys.readouterr().out
        until(lambda: "heard are 192.0.2.0/24; all others are not" in kept.said)
        assert server.clients.allow("192.0.2.7")
        assert not server.clients.allow("192.168.0.7"), "the list is not added to the private networks"


def test_from_networks_that_are_not_on_the_list_nothing_is_heard_at_any_door(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("oscbend.server.serve.LOOPBACK", ())
    with playing(allow=("192.0.2.0/24",)) as (server, _), joined(server) as client:
        client.send("/seed", 3.5)
        until(lambda: server.doors.refused == 1)
        with socket.create_connection((server.doors.host, server.doors.port)) as line:
            line.settimeout(WAIT_S)
            assert line.recv(1) == b"", "hung up"
        assert server.doors.refused == 2
        with pytest.raises(InvalidStatus, match="403"):
            connect(f"ws://127.0.0.1:{server.web.port}/")
        assert "/seed" not in server.loop.state.live


@pytest.mark.skipif(not shutil.which("oscsend"), reason="needs liblo-tools")
@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_liblo_plays_it(show: tuple[Server, Kept], kind: str) -> None:
    server = show[0]
    words = ["oscsend", f"osc.{kind}://127.0.0.1:{server.doors.port}/", "/seed", "f", "3.5"]
    subprocess.run(words, check=True, timeout=WAIT_S)
    with joined(server) as client:
        until(lambda: client.ask("/get", "/seed", reply="/seed").args == (3.5,))


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
