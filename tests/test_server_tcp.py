"""The door for connections, on loopback: many of them, slow ones, and ones that vanish."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pythonosc.slip import encode as slip_encode
from pythonosc.tcp_client import SimpleTCPClient

from oscbend.errors import OscbendError
from oscbend.osc import Message, decode, encode_message
from oscbend.server import tcp
from oscbend.server.framing import PACKET_MAX, Framing
from oscbend.server.inbox import Inbox
from oscbend.server.tcp import Line, TcpDoor

WAIT_S = 10.0


@pytest.fixture
def door() -> Iterator[TcpDoor]:
    with TcpDoor(port=0) as opened:
        yield opened


def joined(door: TcpDoor) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", door.port), WAIT_S)
    made.settimeout(WAIT_S)
    return made


def until(true: Callable[[], Any]) -> None:
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.001)


def came(door: TcpDoor, count: int) -> list[tuple[bytes, Line]]:
    found: list[Any] = []
    until(lambda: found.extend(d for a in door.inbox.drain() for d in a.datagrams) or len(found) >= count)
    return found


def sized(packet: bytes) -> bytes:
    return struct.pack(">i", len(packet)) + packet


def heard(host: socket.socket, framing: Framing, count: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < count:
        data = host.recv(2**16)
        assert data, "closed"
        found += framing.feed(data)
    return found


@pytest.mark.parametrize("wrap", [sized, slip_encode])
def test_packets_come_in_order_and_answers_go_back_the_same_way(
    door: TcpDoor, wrap: Callable[[bytes], bytes]
) -> None:
    packets = [encode_message("/n", (n, "orb")) for n in range(50)]
    with joined(door) as host:
        host.sendall(b"".join(map(wrap, packets)))
        found = came(door, 50)
        assert [data for data, _ in found] == packets
        (line,) = {sender for _, sender in found}
        assert (line.host, line.port) == host.getsockname()
        answers = [encode_message("/done", (n,)) for n in range(3)]
        assert all(line.send(answer) for answer in answers)
        assert heard(host, Framing(), 3) == answers


@pytest.mark.parametrize("mode", ["1.0", "1.1"])
def test_python_osc_speaks_both_framings_with_it(door: TcpDoor, mode: str) -> None:
    with SimpleTCPClient("127.0.0.1", door.port, mode=mode) as theirs:
        theirs.send_message("/prompt", ["starry night", 1])
        ((data, line),) = came(door, 1)
        assert decode(data) == Message("/prompt", ("starry night", 1))
        line.send(encode_message("/done", ("/prompt",)))
        answer = next(iter(theirs.get_messages(WAIT_S)))
        assert (answer.address, answer.params) == ("/done", ["/prompt"])


def test_many_may_speak_at_once(door: TcpDoor) -> None:
    hosts = [joined(door) for _ in range(40)]
    for n, host in enumerate(hosts):
        host.sendall(sized(encode_message("/n", (n,))))
    found = came(door, 40)
    assert {decode(data).args[0] for data, _ in found} == set(range(40))  # type: ignore[union-attr]
    for data, line in found:
        line.send(data)
    for n, host in enumerate(hosts):
        assert heard(host, Framing(), 1) == [encode_message("/n", (n,))]
        host.close()
    until(lambda: len(door.gone()) == 40 or not door._sockets)


def test_one_that_sends_byte_by_byte_holds_up_nobody(door: TcpDoor) -> None:
    with joined(door) as slow, joined(door) as quick:
        slow.sendall(sized(encode_message("/slow"))[:7])
        quick.sendall(sized(encode_message("/quick")))
        assert [data for data, _ in came(door, 1)] == [encode_message("/quick")]
        slow.sendall(sized(encode_message("/slow"))[7:])
        assert [data for data, _ in came(door, 1)] == [encode_message("/slow")]


def test_one_that_takes_no_answers_loses_them_and_is_closed(
    door: TcpDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "STUCK_S", 0.1)
    with joined(door) as deaf, joined(door) as other:
        deaf.sendall(sized(encode_message("/a")))
        ((_, line),) = came(door, 1)
        answer = encode_message("/long", ("x" * 60000,))
        lost = 0

        def closed() -> bool:
            nonlocal lost
            lost += not line.send(answer)
            return not line.open

        until(closed)
        assert lost > 0
        assert door.gone() == [line]
        assert not line.send(answer)
        other.sendall(sized(encode_message("/b")))
        assert len(came(door, 1)) == 1, "the others are heard"


def test_one_that_vanishes_is_told_as_gone(door: TcpDoor) -> None:
    host = joined(door)
    host.sendall(sized(encode_message("/a")) + b"\0\0")
    ((_, line),) = came(door, 1)
    host.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    host.close()
    until(lambda: not line.open)
    assert door.gone() == [line]
    assert door.gone() == []
    assert not line.send(b"/late\0\0\0")


def test_what_was_sent_before_hanging_up_is_heard(door: TcpDoor) -> None:
    with joined(door) as host:
        host.sendall(sized(encode_message("/a")) * 3)
    assert len(came(door, 3)) == 3


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n\r\n", struct.pack(">i", PACKET_MAX + 4)])
def test_one_that_sends_no_osc_is_told_so_counted_and_closed(door: TcpDoor, junk: bytes) -> None:
    with joined(door) as host:
        host.sendall(junk)
        (answer,) = heard(host, Framing(), 1)
        assert decode(answer).address == "/fail"  # type: ignore[union-attr]
        assert host.recv(10) == b""
    assert [data for data, _ in came(door, 1)] == [b""], "an empty packet, which decoding counts as bad"


def test_more_than_so_many_are_refused_but_one_long_silent_goes(
    door: TcpDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "LINES", 3)
    hosts = [joined(door) for _ in range(3)]
    until(lambda: len(door._sockets) == 3)
    with joined(door) as fourth:
        assert fourth.recv(10) == b""
    assert door.refused == 1
    monkeypatch.setattr(tcp, "IDLE_S", 0.0)
    with joined(door) as fifth:
        fifth.sendall(sized(encode_message("/fifth")))
        assert len(came(door, 1)) == 1
    assert hosts[0].recv(10) == b"", "the one that has been silent longest"
    for host in hosts:
        host.close()


def test_a_stranger_is_not_let_in() -> None:
    with TcpDoor(port=0, allow=lambda address: False) as door, joined(door) as host:
        assert host.recv(10) == b""
        assert door.refused == 1


def test_a_flood_is_held_back_and_nothing_of_it_is_lost(door: TcpDoor) -> None:
    door.inbox = Inbox(200)
    packets = 3000
    with joined(door) as host:
        flood = threading.Thread(
            target=host.sendall, args=(sized(encode_message("/n", ("x" * 2000,))) * packets,), daemon=True
        )
        flood.start()
        until(lambda: door.inbox.crowded)
        found = came(door, packets)
        flood.join(WAIT_S)
    assert len(found) == packets
    assert door.inbox.dropped == 0


def test_closing_ends_the_thread_and_the_connections() -> None:
    door = TcpDoor(port=0)
    with joined(door) as host:
        until(lambda: door._sockets)
        door.close()
        assert not door._thread.is_alive()
        assert host.recv(10) == b""
    door.close()
    with TcpDoor(port=door.port) as again:
        assert again.port == door.port


def test_a_port_in_use_is_one_clear_line(door: TcpDoor) -> None:
    with pytest.raises(OscbendError, match=rf"TCP port {door.port}: it is in use.*--port"):
        TcpDoor(port=door.port)
