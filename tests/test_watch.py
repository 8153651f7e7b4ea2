"""Watching a renderer from outside, over real sockets."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import zmq
from PIL import Image

from oscbend.errors import BadValue, OscbendError
from oscbend.frame import Frame
from oscbend.sinks.watch import Summary, watch
from oscbend.sinks.zmq import ZmqSink


@pytest.fixture
def show() -> Iterator[ZmqSink]:
    """A sink that shows one frame every 10 ms; frame n is grey n."""
    over = threading.Event()
    with ZmqSink("tcp://127.0.0.1:0") as sink:

        def play() -> None:
            number = 0
            while not over.wait(0.01):
                sink.put(Frame(number, 0.0, np.full((16, 24, 4), number % 256, np.uint8)))
                number += 1

        player = threading.Thread(target=play)
        player.start()
        yield sink
        over.set()
        player.join()


def test_frames_become_png_files(show, tmp_path):
    lines: list[str] = []
    seen = watch(show.address, frames=5, folder=tmp_path / "out", say=lines.append, timeout_s=20)
    assert seen.received == 5
    assert seen.files == sorted((tmp_path / "out").iterdir())
    for path in seen.files:
        number = int(path.stem.removeprefix("frame_"))
        assert path.name == f"frame_{number:06d}.png"
        picture = np.asarray(Image.open(path))
        assert picture.shape == (16, 24, 4)
        assert (picture == number % 256).all()
    assert lines[-1] == seen.line
    assert "24 x 16" in seen.line
    assert "5 frames" in seen.line
    assert "age" in seen.line


def test_the_rate_is_measured(show):
    seen = watch(show.address, frames=10, say=lambda line: None, timeout_s=20)
    assert seen.fps > 0
    assert seen.files == []


def test_one_line_on_the_terminal(show, capsys):
    watch(show.address, frames=3, timeout_s=20)
    assert "3 frames" in capsys.readouterr().out


def test_nobody_there():
    with pytest.raises(
        OscbendError, match=r"no frames from tcp://127.0.0.1:9 .* is `oscbend serve` running"
    ) as e:
        watch("tcp://127.0.0.1:9", say=print, timeout_s=0.1)
    assert "\n" not in str(e.value)


def test_a_show_that_ends_early():
    lines: list[str] = []
    with ZmqSink("tcp://127.0.0.1:0") as sink:
        sink.put(Frame(4, 0.0, np.zeros((4, 4, 4), np.uint8)))
        seen = watch(sink.address, frames=2, say=lines.append, timeout_s=2)
    assert seen.received == 1
    assert "so this is all" in lines[-1]


def test_ctrl_c_gives_the_summary(show):
    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    assert watch(show.address, say=interrupt, timeout_s=20).received >= 1


def test_what_is_no_picture_is_counted():
    other = zmq.Context.instance().socket(zmq.XPUB)
    port = other.bind_to_random_port("tcp://127.0.0.1")
    answer = threading.Thread(target=lambda: other.poll(10_000) and other.send(b"hello"))
    answer.start()
    with pytest.raises(OscbendError, match="1 messages were no pictures"):
        watch(f"tcp://127.0.0.1:{port}", say=print, timeout_s=1.0)
    answer.join()
    other.close(0)


def test_no_frames_at_all_make_no_sense():
    with pytest.raises(BadValue):
        watch(frames=0)


def test_the_line_leaves_out_what_is_not_known():
    assert Summary(bad=2).line == "0 x 0 · 0.0 fps · 0 frames · 0 missed · 2 bad messages"
