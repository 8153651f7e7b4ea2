"""Frames into a stand-in for Max that reads them by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from fakes import FakeStage
from hypothesis import given, settings
from hypothesis import strategies as st
from jitnet import Max, matrix
from recorded import Show

from oscbend.errors import BadValue, OscbendError
from oscbend.frame import Frame
from oscbend.sinks import jitter, make_sink
from oscbend.sinks.jitter import JitterSink, pack
from oscbend.sinks.outs import Outs

WAIT_S = 15.0


def frame(number: int, side: int = 8) -> Frame:
    return Frame(number, number / 10, np.full((side, side + 1, 4), number % 256, np.uint8))


def until(true: Callable[[], Any]) -> None:
    end_s = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jitter, "RETRY_S", 0.05)


@pytest.fixture
def host() -> Iterator[Max]:
    host = Max()
    yield host
    host.quit()
    assert not host.wrong


class Tape:
    """Bytes that are read like a socket."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def recv(self, count: int) -> bytes:
        part, self.data = self.data[:count], self.data[count:]
        return part


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1e6), st.integers(0, 2**32 - 1))
def test_every_byte_is_where_max_wants_it(width: int, height: int, time_s: float, seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    tape: Any = Tape(pack(Frame(1, time_s, picture)))
    got = matrix(tape)
    assert not tape.data
    assert (got.width, got.height, got.time_ms) == (width, height, time_s * 1000)
    for y in range(height):
        for x in range(width):
            red, green, blue, alpha = (int(v) for v in picture[y, x])
            assert got.cell(x, y) == (alpha, red, green, blue)


def test_what_is_no_picture_of_four_planes_is_refused() -> None:
    for picture in (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 4), np.float32)):
        with pytest.raises(BadValue, match=r"\[H, W, 4\]"):
            pack(Frame(0, 0.0, picture))


def test_frames_arrive_in_order_and_answers_are_thrown_away(host: Max) -> None:
    with JitterSink(host.port) as sink:
        for number in range(50):
            sink.put(frame(number))
            until(lambda n=number: len(host.got) == n + 1)
        assert sink.stats.shown == 50
        assert sink.stats.error == ""
    assert [got.data[0] for got in host.got] == list(range(50))
    assert host.connections == 1


def test_a_slow_receiver_gets_fewer_whole_frames_and_the_newest(host: Max) -> None:
    side = 512
    with JitterSink(host.port) as sink:
        sink.put(frame(0, side))
        until(lambda: len(host.got) == 1)
        host.go.clear()
        for number in range(1, 200):
            sink.put(frame(number, side))
            time.sleep(0.001)
        until(lambda: sink.stats.dropped > 0)
        host.go.set()
        until(lambda: host.got[-1].data[0] == 199)
        assert len(host.got) < 100
    for got in host.got:
        assert got.data == got.data[:1] * (side * (side + 1) * 4)
    numbers = [got.data[0] for got in host.got]
    assert numbers == sorted(set(numbers))


def test_one_that_comes_late_gets_the_last_frame(host: Max) -> None:
    host.quit()
    with JitterSink(host.port) as sink:
        sink.put(frame(7))
        until(lambda: sink.stats.dropped == 1)
        assert sink.stats.shown == sink.stats.failures == 0
        assert f"[jit.net.recv @port {host.port}] at 127.0.0.1: " in sink.stats.error
        late = Max(host.port)
        until(lambda: late.got)
        assert sink.stats.error == ""
        late.quit()
    assert late.got[0].data[0] == 7


def test_one_that_vanishes_is_found_again(host: Max) -> None:
    with JitterSink(host.port) as sink:
        sink.put(frame(1))
        until(lambda: host.got)
        host.quit()
        until(lambda: sink.stats.error)  # without a frame to be sent
        sink.put(frame(2))
        again = Max(host.port)
        sink.put(frame(3))
        until(lambda: again.got and again.got[-1].data[0] == 3)
        assert sink.stats.open
        again.quit()
        assert not again.wrong


def test_one_that_vanishes_in_the_middle_of_a_frame(host: Max) -> None:
    host.go.clear()
    with JitterSink(host.port) as sink:
        for number in range(4):
            sink.put(frame(number, 1024))
            time.sleep(0.02)
        host.quit()
        again = Max(host.port)
        until(lambda: again.got and again.got[-1].data[0] == 3)
        again.quit()
        assert not again.wrong


def test_one_that_takes_nothing_does_not_hold_up_the_end() -> None:
    host = Max()
    host.go.clear()
    sink = JitterSink(host.port).open()
    for number in range(4):
        sink.put(frame(number, 1024))
        time.sleep(0.02)
    began_s = time.monotonic()
    sink.close()
    assert time.monotonic() - began_s < sink.close_s
    assert not sink.stats.open
    assert not sink.stats.error
    host.quit()


def test_where_it_connects_to() -> None:
    made = make_sink("jitter", 7475, host="192.168.1.7")
    assert isinstance(made, JitterSink)
    assert (made.host, made.port) == ("192.168.1.7", 7475)
    named = make_sink("jitter", 7475, "10.0.0.2", host="192.168.1.7")
    assert isinstance(named, JitterSink)
    assert named.host == "10.0.0.2"
    with pytest.raises(BadValue, match="port"):
        make_sink("jitter", 0)


def test_a_host_that_does_not_exist_is_one_line() -> None:
    with pytest.raises(OscbendError, match=r"there is no host 'nowhere\.invalid'"):
        JitterSink(7474, "nowhere.invalid").open()


def test_it_opens_over_osc(host: Max, tmp_path) -> None:
    show = Show(FakeStage(), tmp_path)
    outs = Outs(tmp_path, show.loop.sinks)
    show.loop.outs = outs
    show.step(("/out/max", "jitter", host.port), count=2)
    assert ("/done", "/out/max", "jitter", host.port) in show.answers
    show.step(count=2)
    until(lambda: host.got)
    assert (host.got[0].width, host.got[0].height) == (64, 64)
    outs.close()
