"""Frames over plain TCP, read with nothing but a socket."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from fakes import FakeStage
from recorded import Show

from oscbend.errors import BadValue, OscbendError
from oscbend.frame import Frame
from oscbend.sinks import make_sink
from oscbend.sinks.outs import Outs
from oscbend.sinks.tcp import MOST, TcpSink

WAIT_S = 10.0


def frame(number: int, side: int = 8) -> Frame:
    return Frame(number, number / 30, np.full((side, side + 1, 4), number % 256, np.uint8))


@dataclass(frozen=True)
class Got:
    """A frame as a host reads it, by the table in the manual."""

    number: int
    time_ns: int
    width: int
    height: int
    flags: int
    pixels: bytes


class Host:
    """A host that has a socket and nothing else."""

    def __init__(self, port: int, take: int = 0) -> None:
        self.socket = socket.socket()
        if take:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, take)
        self.socket.settimeout(WAIT_S)
        self.socket.connect(("127.0.0.1", port))

    def read(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            part = self.socket.recv(count - len(found))
            if not part:
                raise EOFError(f"{len(found)} of {count} bytes")
            found += part
        return found

    def frame(self) -> Got:
        head = self.read(64)
        assert head[:4] == b"OSCB"
        assert struct.unpack("<HH", head[4:8]) == (1, 64)
        number, time_ns, width, height = struct.unpack("<QQII", head[8:32])
        channels, kind, codec, flags = head[32:36]
        assert (channels, kind, codec, head[36:]) == (4, 0, 0, bytes(28))
        return Got(number, time_ns, width, height, flags, self.read(width * height * channels))

    def until(self, number: int) -> list[Got]:
        """All frames up to one."""
        found = [self.frame()]
        while found[-1].number != number:
            found.append(self.frame())
        return found


@pytest.fixture
def sink() -> Iterator[TcpSink]:
    with TcpSink(0) as sink:
        yield sink


@pytest.fixture
def host(sink: TcpSink) -> Iterator[Callable[..., Host]]:
    """Hosts that are surely let in: they have got the last frame."""
    hosts: list[Host] = []

    def joined(take: int = 0) -> Host:
        hosts.append(Host(sink.address[1], take))
        hosts[-1].frame()
        return hosts[-1]

    sink.put(frame(0))
    yield joined
    for one in hosts:
        one.socket.close()


def test_a_picture_arrives_byte_for_byte(sink: TcpSink, host: Callable[..., Host]) -> None:
    one = host()
    picture = np.random.default_rng(1).integers(0, 256, (48, 33, 4), np.uint8)
    before_ns = time.time_ns()
    sink.put(Frame(5, 0.0, picture))
    got = one.frame()
    assert (got.number, got.width, got.height, got.flags) == (5, 33, 48, 0)
    assert got.pixels == picture.tobytes()
    assert before_ns <= got.time_ns <= time.time_ns()


def test_a_late_reader_gets_the_last_frame_marked_as_repeated(sink: TcpSink) -> None:
    for number in (41, 42):
        sink.put(frame(number))
        while sink.stats.shown < number - 40:
            time.sleep(0.001)
        late = Host(sink.address[1])
        got = late.frame()
        assert (got.number, got.flags) == (number, 1)
        late.socket.close()


def test_several_readers_get_the_same(sink: TcpSink, host: Callable[..., Host]) -> None:
    hosts = [host() for _ in range(4)]
    for number in range(1, 6):
        sink.put(frame(number))
        assert {one.frame().pixels for one in hosts} == {frame(number).picture.tobytes()}


def test_a_slow_reader_gets_fewer_whole_frames_and_the_newest(
    sink: TcpSink, host: Callable[..., Host]
) -> None:
    slow, quick = host(take=4096), host()
    side = 512
    for number in range(1, 31):
        sink.put(frame(number, side))
        assert quick.frame().number == number  # keeps pace, so every frame is offered to both
    numbers = []
    for got in slow.until(30):
        assert got.pixels == bytes([got.number]) * (side * (side + 1) * 4)
        numbers.append(got.number)
    assert numbers == sorted(set(numbers))
    assert len(numbers) <= 3
    assert sink.stats.dropped == 0


def test_one_that_never_reads_holds_up_neither_the_others_nor_the_end(
    sink: TcpSink, host: Callable[..., Host]
) -> None:
    host(take=4096)
    other = host()
    for number in range(1, 40):
        sink.put(frame(number, 256))
        assert other.frame().number == number
    began_s = time.monotonic()
    sink.close()
    assert time.monotonic() - began_s < sink.close_s
    assert not sink.stats.error


def test_one_that_vanishes_is_let_go_and_makes_room(sink: TcpSink, host: Callable[..., Host]) -> None:
    gone = [host() for _ in range(MOST)]
    with pytest.raises((EOFError, ConnectionError)):
        host()
    assert "turned away" in sink.stats.error
    for one in gone:
        one.socket.close()
    end_s = time.monotonic() + WAIT_S
    while True:
        assert time.monotonic() < end_s
        sink.put(frame(7))
        try:
            new = host()
            break
        except (EOFError, ConnectionError):
            time.sleep(0.02)
    sink.put(frame(8))
    assert new.until(8)


def test_the_frame_that_waits_is_sent_before_the_end(sink: TcpSink, host: Callable[..., Host]) -> None:
    one = host()
    sink.put(frame(9, 512))
    sink.ask_to_close()
    assert one.until(9)[-1].pixels == frame(9, 512).picture.tobytes()
    with pytest.raises(EOFError):
        one.read(1)


def test_a_port_in_use_is_one_line(sink: TcpSink) -> None:
    with pytest.raises(OscbendError, match=r"port \d+: .*Choose another port") as caught:
        TcpSink(sink.address[1]).open()
    assert "\n" not in str(caught.value)
    sink.close()
    with TcpSink(sink.address[1]) as again:
        assert again.address == sink.address


def test_where_it_listens() -> None:
    assert TcpSink().address == ("127.0.0.1", 57133)
    assert TcpSink(5, "localhost").address == ("127.0.0.1", 5)
    made = make_sink("tcp", 6, host="192.168.1.7")  # the sender's host is not where frames are offered
    assert isinstance(made, TcpSink)
    assert made.address == ("127.0.0.1", 6)
    for wrong in ("wall", "", "*"):
        with pytest.raises(BadValue, match=r"0\.0\.0\.0 for all"):
            TcpSink(5, wrong)
    with pytest.raises(BadValue, match="port 65536"):
        TcpSink(65536)


def test_readers_from_the_internet_are_turned_away(sink: TcpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    sink._let_in(ours, "8.8.8.8")
    assert theirs.recv(1) == b""
    assert "8.8.8.8 is not of a private network" in sink.stats.error
    theirs.close()


def test_it_opens_over_osc(tmp_path) -> None:
    show = Show(FakeStage(), tmp_path)
    outs = Outs(tmp_path, show.loop.sinks)
    show.loop.outs = outs
    show.step(("/out/wall", "tcp", 0), count=2)
    (opened,) = (s for s in show.loop.sinks if isinstance(s, TcpSink))
    one = Host(opened.address[1])
    show.step(count=2)
    assert one.frame().width == 64
    one.socket.close()
    outs.close()
