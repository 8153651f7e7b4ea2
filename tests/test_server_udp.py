"""The door for datagrams, on loopback, with python-osc on the other side."""

import socket
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_message import OscMessage
from pythonosc.udp_client import SimpleUDPClient

from oscbend.errors import OscbendError
from oscbend.osc import Message, decode
from oscbend.server import mmsg
from oscbend.server.replies import REPLY_MAX, encode_reply, split_reply
from oscbend.server.udp import PAUSE_S, TOGETHER, UdpDoor


@pytest.fixture(params=["together", "one by one"])
def door(request, monkeypatch):
    if request.param == "one by one":
        monkeypatch.setattr(mmsg, "receiver", lambda opened, most: None)
    with UdpDoor(port=0) as opened:
        yield opened


@pytest.fixture
def host():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        opened.settimeout(5)
        yield opened


def drained(door, count, timeout_s=5.0):
    came = []
    end = time.monotonic() + timeout_s
    while len(came) < count and time.monotonic() < end:
        came += arrived(door)
        time.sleep(0.001)
    return came


def arrived(door):
    """(datagram, sender, time) of all that has come."""
    return [(*one, arrivals.time_s) for arrivals in door.inbox.drain() for one in arrivals.datagrams]


def test_what_python_osc_sends_arrives_in_order(door):
    before = time.monotonic()
    sender = SimpleUDPClient("127.0.0.1", door.port)
    for number in range(50):
        sender.send_message("/n", [number, 0.5, "orb"])
    came = drained(door, 50)
    assert [decode(data) for data, _, _ in came] == [Message("/n", (n, 0.5, "orb")) for n in range(50)]
    times = [time_s for _, _, time_s in came]
    assert times == sorted(times)
    assert before <= times[0] <= times[-1] <= time.monotonic()
    assert (door.inbox.received, door.inbox.dropped) == (50, 0)


def test_nothing_waits_at_first(door):
    assert door.inbox.drain() == []
    assert door.port > 0


def test_the_longest_datagram_arrives_whole(door, host):
    host.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**17)
    data = bytes(range(256)) * 255 + bytes(227)
    host.sendto(data, ("127.0.0.1", door.port))
    assert [came for came, _, _ in drained(door, 1)] == [data]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux gives many at once")
@pytest.mark.parametrize(("family", "here"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_what_is_taken_together_is_what_is_taken_one_by_one(family, here):
    with socket.socket(family, socket.SOCK_DGRAM) as opened:
        opened.setblocking(False)
        try:
            opened.bind((here, 0))
        except OSError:
            pytest.skip("this machine has no such address")
        take = mmsg.receiver(opened, 8)
        assert take() == []
        with socket.socket(family, socket.SOCK_DGRAM) as one, socket.socket(family, socket.SOCK_DGRAM) as two:
            for sender in (one, two):
                sender.bind((here, 0))
            sent = [(bytes([n]) * n * n, sender) for n in range(10) for sender in (one, one, two)]
            for data, sender in sent:
                sender.sendto(data, opened.getsockname())
            expected = [(data, sender.getsockname()) for data, sender in sent]
            came = [take() for _ in range(5)]
    assert [one for taken in came for one in taken] == expected
    assert [len(taken) for taken in came] == [8, 8, 8, 6, 0]


def test_a_flood_is_taken_many_at_a_time():
    with UdpDoor(port=0) as door, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
        wakes = []
        take = door._take
        door._take = lambda: wakes.append(take()) or wakes[-1]
        end = time.monotonic() + 0.3
        sent = 0
        while time.monotonic() < end:
            host.sendto(b"/on\0,\0\0\0", ("127.0.0.1", door.port))
            sent += 1
            time.sleep(0.00002)
        came = drained(door, sent)
    assert len(came) == sent
    assert len(wakes) < 0.5 / PAUSE_S
    assert max(wakes) <= TOGETHER


def test_a_reply_comes_from_the_port_that_was_asked(door, host):
    host.sendto(b"/ping\0\0\0", ("127.0.0.1", door.port))
    ((_, sender, _),) = drained(door, 1)
    assert sender == host.getsockname()
    args = (1, 0.5, "orb", 2**40, True, None, (2.5,), float("inf"))
    assert door.send(encode_reply("/pong", args), sender)
    data, sender = host.recvfrom(65507)
    assert sender == ("127.0.0.1", door.port)
    theirs = OscMessage(data)
    assert theirs.params == [1, 0.5, "orb", 2.0**40, 1, "", 2.5, float("inf")]
    assert decode(data).tags == "ifsfisff"


def test_a_reply_that_cannot_go_out_is_counted(door):
    assert not door.send(encode_reply("/pong"), ("127.0.0.1", 99999))
    assert not door.send(encode_reply("/pong"), ("no such host", 57000))
    assert door.unsent == 2


def test_a_stranger_is_not_heard(host):
    with UdpDoor(port=0, allow=lambda address: address != "127.0.0.1") as door:
        host.sendto(b"/on\0,\0\0\0", ("127.0.0.1", door.port))
        end = time.monotonic() + 5
        while not door.refused and time.monotonic() < end:
            time.sleep(0.001)
        assert (door.refused, arrived(door)) == (1, [])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_the_system_tells_who_could_not_be_reached(door, host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        place = gone.getsockname()
    found = []
    end = time.monotonic() + 5
    while not found and time.monotonic() < end:
        assert door.send(b"/a\0\0,\0\0\0", place)
        assert door.send(b"/b\0\0,\0\0\0", host.getsockname()), "others get theirs"
        assert host.recv(100) == b"/b\0\0,\0\0\0"
        time.sleep(0.01)
        found += door.refusals()
    assert set(found) == {place}
    before = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - before < 0.1, "and is at rest again"


def test_an_error_on_receiving_does_not_end_the_thread(door, host):
    """As on Windows, where a reply to nobody makes the next receive fail."""
    if door._receive_all != door._one_by_one:
        pytest.skip("this system does not do that")

    class Upset:
        """The door's socket, failing once."""

        def __init__(self, real):
            self.real, self.failed = real, threading.Event()

        def __getattr__(self, name):
            return getattr(self.real, name)

        def recvfrom(self, size):
            if not self.failed.is_set():
                self.failed.set()
                raise ConnectionResetError("nobody was there")
            return self.real.recvfrom(size)

    real = door._socket
    door._socket = Upset(real)
    try:
        host.sendto(b"/on\0,\0\0\0", ("127.0.0.1", door.port))
        assert len(drained(door, 1)) == 1
        assert door._socket.failed.is_set()
    finally:
        door._socket = real


def test_closing_ends_the_thread_at_once():
    door = UdpDoor(port=0)
    start = time.monotonic()
    door.close()
    assert time.monotonic() - start < 1
    assert not door._thread.is_alive()
    assert not door.send(encode_reply("/late"), ("127.0.0.1", 9))
    door.close()
    with UdpDoor(port=door.port) as again:
        assert again.port == door.port


def test_an_idle_door_uses_no_processor(door):
    before = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - before < 0.1


def test_a_port_in_use_is_one_clear_line(door):
    with pytest.raises(OscbendError, match=rf"UDP port {door.port}: it is in use.*--port") as caught:
        UdpDoor(port=door.port)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host"])
def test_an_address_that_is_not_ours_is_refused(host):
    with pytest.raises(OscbendError, match="address"):
        UdpDoor(host=host, port=0)


# -- replies -----------------------------------------------------------------------------------------

atoms = st.recursive(
    st.one_of(
        st.integers(), st.floats(), st.text(max_size=300), st.booleans(), st.none(), st.binary(max_size=9)
    ),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=6,
)


@given(st.lists(atoms, max_size=40))
def test_a_reply_holds_only_what_every_host_reads(args):
    data = encode_reply("/status.reply", args)
    assert len(data) <= REPLY_MAX
    assert set(decode(data).tags) <= set("ifs")
    assert OscMessage(data).address == "/status.reply"


def test_a_long_string_is_cut_between_characters():
    data = encode_reply("/done", ("é" * 1000, 7))
    assert len(data) == REPLY_MAX
    (text,) = decode(data).args
    assert text == "é" * (len(text) - 1) + "…"


def test_long_lists_are_cut():
    args = decode(encode_reply("/list", range(1000))).args
    assert args == tuple(range(len(args)))
    assert len(encode_reply("/list", range(len(args)))) > REPLY_MAX - 8


@given(st.lists(st.text("abcé", max_size=40), max_size=200), st.integers(1, 3))
def test_a_list_is_split_so_that_nothing_is_cut(names, together):
    replies = split_reply("/list.reply", names, head=("ops",), together=together)
    back = []
    for args in replies:
        assert decode(encode_reply("/list.reply", args)).args == args
        assert args[0] == "ops"
        back += args[1:]
    assert back == names
    assert all((len(args) - 1) % together == 0 for args in replies[:-1])


def test_an_empty_list_is_answered_too():
    assert split_reply("/list.reply", [], head=("ops",)) == [("ops",)]
