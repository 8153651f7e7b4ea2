"""The mailbox: the newest frame, no waiting, and failures that stop nothing."""

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from oscbend.errors import BadValue, OscbendError, UnknownName
from oscbend.frame import Frame
from oscbend.sinks import KINDS, Sink, make_sink, open_sink
from oscbend.sinks.base import one_line
from oscbend.sinks.null import NullSink
from oscbend.table import Arg

PICTURE = np.full((4, 6, 4), 255, np.uint8)


def frame(number: int) -> Frame:
    return Frame(number, number / 30, PICTURE)


def wait_until(true: Callable[[], bool], timeout_s: float = 10.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.002)


class Gate(Sink):
    """Stands still in every frame until it is let go."""

    kind = "gate"
    patience = 3

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go = threading.Semaphore(0), threading.Semaphore(0)
        self.seen: list[int] = []
        self.threads: set[int] = set()

    def begin(self) -> None:
        self.threads.add(threading.get_ident())

    def show(self, frame: Frame) -> None:
        self.threads.add(threading.get_ident())
        self.entered.release()
        self.go.acquire()
        self.seen.append(frame.number)

    def end(self) -> None:
        self.threads.add(threading.get_ident())


class Failing(Sink):
    """Fails on odd frames, or on all."""

    kind = "failing"
    patience = 3

    def __init__(self, every: int = 2) -> None:
        super().__init__()
        self.every, self.ended = every, False

    def show(self, frame: Frame) -> None:
        if frame.number % self.every:
            raise RuntimeError(f"no texture\nfor frame {frame.number}")

    def end(self) -> None:
        self.ended = True


def test_a_frame_is_shown():
    with NullSink() as sink:
        sink.put(frame(3))
        wait_until(lambda: sink.stats.shown == 1)
        assert sink.last is not None
        assert sink.last.number == 3
        assert sink.last.picture is PICTURE
        assert sink.stats.age_ms > 0
    assert not sink.stats.open


def test_a_slow_sink_gets_the_newest_frame_and_slows_nobody():
    with Gate() as sink:
        sink.put(frame(0))
        assert sink.entered.acquire(timeout=10)
        for number in range(1, 100):
            sink.put(frame(number))  # returns although the sink stands still
        assert sink.stats.dropped == 98
        sink.go.release(2)
        wait_until(lambda: sink.stats.shown == 2)
        assert sink.seen == [0, 99]


def test_a_stalled_sink_slows_no_other():
    with Gate() as stalled, NullSink() as other:
        for number in range(20):
            stalled.put(frame(number))
            other.put(frame(number))
            wait_until(lambda n=number: other.stats.shown == n + 1)
        assert other.stats.dropped == 0
        stalled.go.release(20)


def test_begin_show_and_end_run_on_one_thread():
    sink = Gate()
    with sink:
        sink.go.release()
        sink.put(frame(0))
    assert len(sink.threads) == 1
    assert threading.get_ident() not in sink.threads


def test_the_frame_that_waits_is_shown_before_closing():
    sink = NullSink().open()
    sink.put(frame(1))
    sink.close()
    assert sink.last is not None
    sink.put(frame(2))
    assert sink.last.number == 1
    assert sink.stats.dropped == 1


def test_a_hanging_sink_is_left_behind():
    sink = Gate().open()
    sink.put(frame(0))
    assert sink.entered.acquire(timeout=10)
    sink.close(timeout_s=0.01)
    assert "hangs" in sink.stats.error
    with pytest.raises(OscbendError, match="still closing"):
        sink.open()
    sink.go.release()


def test_a_failure_is_remembered_in_one_line_and_the_sink_goes_on():
    with Failing() as sink:
        sink.put(frame(1))
        wait_until(lambda: sink.stats.failures == 1)
        assert sink.stats.error == "RuntimeError: no texture for frame 1"
        sink.put(frame(2))
        wait_until(lambda: sink.stats.shown == 1)
        assert sink.stats.open


def test_a_sink_that_only_fails_closes_itself():
    sink = Failing(every=10**9).open()
    for number in range(1, 4):
        sink.put(frame(number))
        wait_until(lambda n=number: sink.stats.failures == n)
    wait_until(lambda: sink.ended)
    stats = sink.stats
    assert not stats.open
    assert stats.error.startswith("closed after 3 failures in a row: RuntimeError")
    sink.put(frame(9))
    assert sink.stats.dropped == 1


def test_a_sink_can_be_opened_again():
    sink = NullSink()
    for number in range(2):
        with sink:
            sink.put(frame(number))
        assert sink.stats.shown == number + 1


class Refusing(Sink):
    kind = "refusing"

    def __init__(self, error: Exception) -> None:
        super().__init__("wall")
        self.error = error

    def begin(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "line"),
    [(OscbendError("the port is taken"), "the port is taken"), (KeyError("x"), "output wall: KeyError: 'x'")],
)
def test_open_raises_what_begin_raised(error, line):
    with pytest.raises(OscbendError) as caught:
        Refusing(error).open()
    assert str(caught.value) == line


def test_the_rate_is_measured():
    with NullSink() as sink:
        for number in range(5):
            sink.put(frame(number))
            wait_until(lambda n=number: sink.stats.shown == n + 1)
        assert sink.stats.fps > 0


def test_kinds_have_help_and_open_by_name():
    assert {"null", "zmq", "video"} <= set(KINDS)
    assert all(row.help for row in KINDS.values())
    sink = open_sink("null", name="wall")
    assert (sink.name, sink.kind, sink.stats.open) == ("wall", "null", True)
    sink.close()


def test_targets_are_parsed_in_order(monkeypatch):
    made = []

    class Made(NullSink):
        def __init__(self, port: int, path: str, name: str = "") -> None:
            super().__init__(name)
            made.append((port, path))

    monkeypatch.setitem(KINDS.rows, "made", None)
    del KINDS.rows["made"]
    KINDS.declare("made", Arg("port", "i", lo=1, clip=False, help="a port"), Arg("path", "s", default="a b"))(
        Made
    )
    make_sink("made", 7)
    make_sink("made", "8", "my", "film.mp4")
    assert made == [(7, "a b"), (8, "my film.mp4")]
    with pytest.raises(BadValue, match="needs port: a port"):
        make_sink("made")
    with pytest.raises(BadValue, match="outside"):
        make_sink("made", 0)


def test_wrong_kinds_and_targets_are_refused():
    with pytest.raises(UnknownName, match="nearest: null"):
        make_sink("nul")
    with pytest.raises(BadValue, match="at most"):
        make_sink("null", 1)


def test_errors_become_one_line():
    assert one_line(ValueError("a\n  b")) == "ValueError: a b"
    assert one_line(ValueError()) == "ValueError"
    assert one_line(OscbendError("say\nthis")) == "say this"
