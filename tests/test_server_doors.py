"""Both doors behind one port number."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import time

import pytest

from oscbend.errors import OscbendError
from oscbend.osc import Message, decode, encode_message
from oscbend.peers import host_of, is_local
from oscbend.server.doors import Doors
from oscbend.server.inbox import Arrivals, Inbox

WAIT_S = 10.0


def came(doors: Doors, count: int) -> list[tuple[bytes, object]]:
    found: list[tuple[bytes, object]] = []
    end = time.monotonic() + WAIT_S
    while len(found) < count and time.monotonic() < end:
        found += [d for a in doors.drain() for d in a.datagrams]
        time.sleep(0.001)
    return found


def test_udp_and_tcp_share_a_number_and_each_is_answered_its_own_way() -> None:
    doors = Doors(port=0)
    try:
        place = (doors.host, doors.port)
        with (
            socket.create_connection(place, WAIT_S) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            udp.settimeout(WAIT_S)
            udp.sendto(encode_message("/udp"), place)
            tcp.sendall(struct.pack(">i", 12) + encode_message("/tcp"))
            for data, sender in came(doors, 2):
                assert is_local(sender)
                assert host_of(sender) == "127.0.0.1"
                message = decode(data)
                assert isinstance(message, Message)
                assert doors.reply("/done", (message.address,), sender)
            assert decode(udp.recv(1000)) == Message("/done", ("/udp",))
            assert decode(tcp.recv(1000)[4:]) == Message("/done", ("/tcp",))
    finally:
        doors.close()


def test_what_came_first_is_given_first() -> None:
    doors = Doors(port=0, inbox=Inbox())
    try:
        for time_s, inbox in ((1.0, doors.tcp.inbox), (2.0, doors.udp.inbox), (3.0, doors.tcp.inbox)):
            inbox.put(Arrivals(time_s, [(b"", None)]))
        assert [a.time_s for a in doors.drain()] == [1.0, 2.0, 3.0]
    finally:
        doors.close()


def test_a_port_that_is_taken_for_connections_is_taken_for_both() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OscbendError, match="TCP port"):
            Doors(port=port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free_again:
            free_again.bind(("127.0.0.1", port))


def test_nobody_is_answered_who_cannot_be() -> None:
    doors = Doors(port=0)
    try:
        assert not doors.reply("/done", (), None)
        assert not doors.reply("/done", (), "somebody")
    finally:
        doors.close()


@pytest.mark.skipif(not shutil.which("oscsend"), reason="needs liblo-tools")
def test_liblo_sends_over_both() -> None:
    doors = Doors(port=0)
    try:
        for kind in ("udp", "tcp"):
            words = ["oscsend", f"osc.{kind}://127.0.0.1:{doors.port}/", "/x", "isf", "3", "an orb", "0.5"]
            subprocess.run(words, check=True, timeout=WAIT_S)
        assert [decode(data) for data, _ in came(doors, 2)] == [Message("/x", (3, "an orb", 0.5))] * 2
    finally:
        doors.close()
