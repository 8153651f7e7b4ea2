"""Frames over real sockets on the loopback."""

import sys
import time

import numpy as np
import pytest
import zmq

from oscbend.errors import BadPacket, BadValue, MissingLibrary, OscbendError
from oscbend.frame import Frame
from oscbend.sinks.header import REPEATED, unpack
from oscbend.sinks.zmq import Receiver, ZmqSink, check_address

FREE = "tcp://127.0.0.1:0"
WAIT_S = 10.0


def frame(number: int, side: int = 8) -> Frame:
    return Frame(number, 0.0, np.full((side, side + 1, 4), number % 256, np.uint8))


@pytest.fixture
def sink():
    with ZmqSink(FREE) as sink:
        yield sink


def joined(sink: ZmqSink) -> Receiver:
    """A receiver that has surely joined: it got frame 0."""
    receiver = Receiver(sink.address)
    sink.put(frame(0))
    got = receiver.receive(WAIT_S)
    assert got is not None
    assert got.number == 0
    return receiver


def test_a_picture_arrives_as_it_was(sink):
    with joined(sink) as receiver:
        picture = np.random.default_rng(1).integers(0, 256, (48, 33, 4), np.uint8)
        before_ns = time.time_ns()
        sink.put(Frame(5, 0.0, picture))
        got = receiver.receive(WAIT_S)
    assert got is not None
    assert (got.number, got.missed) == (5, 4)
    assert np.array_equal(got.picture, picture)
    assert before_ns <= got.time_ns <= got.received_ns
    assert got.age_ms >= 0


def test_a_late_reader_gets_the_last_frame(sink):
    sink.put(frame(41))
    sink.put(frame(42))
    for _ in range(2):
        with Receiver(sink.address) as receiver:
            got = receiver.receive(WAIT_S)
            assert got is not None
            assert got.number == 42


def test_the_frame_for_a_late_reader_is_marked_and_others_see_it_once(sink):
    with joined(sink) as first:
        plain = zmq.Context.instance().socket(zmq.SUB)
        plain.subscribe(b"")
        plain.connect(sink.address)
        assert plain.poll(WAIT_S * 1000)
        header, _ = unpack(plain.recv())
        plain.close(0)
        assert header.flags == REPEATED
        assert first.receive(0.1) is None


def test_messages_have_one_part(sink):
    plain = zmq.Context.instance().socket(zmq.SUB)
    plain.subscribe(b"OSCB")
    plain.connect(sink.address)
    sink.put(frame(1))
    assert plain.poll(WAIT_S * 1000)
    assert len(plain.recv_multipart()) == 1
    plain.close(0)


def test_a_slow_reader_gets_the_newest_and_counts_what_it_missed(sink):
    with joined(sink) as receiver, joined(sink) as quick:
        for number in range(1, 51):
            sink.put(frame(number))
            got = quick.receive(WAIT_S)  # keeps pace, so every frame is sent
            assert got is not None
            assert got.number == number
        deadline_s = time.monotonic() + WAIT_S
        numbers, missed = [], 0
        while not numbers or numbers[-1] != 50:
            assert time.monotonic() < deadline_s
            got = receiver.receive(1.0)
            if got is not None:
                numbers.append(got.number)
                missed += got.missed
        assert len(numbers) <= 3
        assert missed + len(numbers) == 50


def test_a_reader_that_never_reads_holds_up_nothing(sink):
    stalled = zmq.Context.instance().socket(zmq.SUB)
    stalled.setsockopt(zmq.RCVHWM, 1)
    stalled.subscribe(b"")
    stalled.connect(sink.address)
    with joined(sink) as receiver:
        for number in range(1, 101):
            sink.put(frame(number, side=256))
            got = receiver.receive(WAIT_S)
            assert got is not None
            assert got.number == number
    assert sink.stats.shown == 101
    assert sink.stats.dropped == 0
    stalled.close(0)


def test_nothing_comes_in_time(sink):
    with Receiver(sink.address) as receiver:
        assert receiver.receive(0.05) is None
        assert receiver.receive(0.0) is None


def test_what_is_no_picture_is_refused_and_the_next_call_goes_on():
    other = zmq.Context.instance().socket(zmq.XPUB)
    port = other.bind_to_random_port("tcp://127.0.0.1")
    with Receiver(f"tcp://127.0.0.1:{port}") as receiver:
        assert other.poll(WAIT_S * 1000)
        other.send(b"hello")
        with pytest.raises(BadPacket):
            receiver.receive(WAIT_S)
        assert receiver.receive(0.01) is None
    other.close(0)


def test_an_address_in_use_is_said_in_one_line(sink):
    with pytest.raises(OscbendError, match=r"is in use: .* Choose another port") as caught:
        ZmqSink(sink.address).open()
    assert "\n" not in str(caught.value)


def test_a_closed_sink_frees_its_address():
    sink = ZmqSink(FREE)
    with sink:
        pass
    with sink:
        assert sink.stats.open


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:57132", "tcp://127.1.2.3:1", "tcp://localhost:*", "tcp://[::1]:5", "ipc://x"]
)
def test_addresses_on_this_machine(address):
    assert check_address(address) == address


@pytest.mark.parametrize(
    "address", ["tcp://*:57132", "tcp://0.0.0.0:57132", "tcp://192.168.1.2:5", "tcp://x:5"]
)
def test_other_machines_are_refused(address):
    with pytest.raises(BadValue, match="other machines"):
        ZmqSink(address)


@pytest.mark.parametrize(
    "address", ["", "57132", "udp://127.0.0.1:5", "tcp://127.0.0.1", "tcp://127.0.0.1:x", "ipc://"]
)
def test_no_addresses(address):
    with pytest.raises(BadValue, match="no ZeroMQ address"):
        ZmqSink(address)


def test_a_port_out_of_range_and_a_receiver_without_address():
    with pytest.raises(BadValue, match="65535"):
        ZmqSink("tcp://127.0.0.1:65536")
    with pytest.raises(BadValue, match="no ZeroMQ address"):
        Receiver("nowhere")


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "zmq", None)
    with pytest.raises(MissingLibrary, match="pip install pyzmq"):
        ZmqSink(FREE)
    with pytest.raises(MissingLibrary, match="pip install pyzmq"):
        Receiver(FREE)
