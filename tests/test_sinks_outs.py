"""Outputs that come and go while the show goes on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from fakes import FakeStage
from recorded import Show

from oscbend.errors import OscbendError
from oscbend.sinks.film import FilmWriter
from oscbend.sinks.null import NullSink
from oscbend.sinks.outs import Outs
from oscbend.sinks.zmq import ZmqSink
from oscbend.state import Out


@pytest.fixture
def show(tmp_path: Path) -> Any:
    show = Show(FakeStage(), tmp_path)
    outs = Outs(tmp_path, show.loop.sinks)
    show.loop.outs, show.loop.gone = outs, outs.gone
    yield show
    outs.close()


def sink(show: Show, index: int = -1) -> Any:
    return show.loop.sinks[index]


def until(what: Any, show: Show) -> None:
    """Draws frames until something is so."""
    for _ in range(300):
        if what():
            return
        show.step()
        time.sleep(0.01)
    raise AssertionError("it never was")


def test_an_output_gets_frames_from_when_it_is_opened_until_it_is_freed(show: Show) -> None:
    show.step(("/out/max", "null"), count=2)
    opened = sink(show)
    assert isinstance(opened, NullSink)
    assert ("/done", "/out/max", "null") in show.answers
    until(lambda: opened.last is not None, show)
    show.step(("/out/max/free",), count=2)
    assert opened not in show.loop.sinks
    assert not opened.stats.open
    assert ("/done", "/out/max/free") in show.answers
    assert not show.loop.state.outs


def test_the_same_words_again_change_nothing_and_others_open_another(show: Show) -> None:
    show.step(("/out/max", "null"), count=2)
    first = sink(show)
    show.step(("/out/max", "null"), count=2)
    assert sink(show) is first
    show.step(("/out/max", "zmq", "tcp://127.0.0.1:*"), count=2)
    assert isinstance(sink(show), ZmqSink)
    assert first not in show.loop.sinks
    assert not first.stats.open


def test_pictures_are_shown_as_the_host_wants_them(show: Show) -> None:
    show.step(("/bend/1", "add", "image"), ("/bend/1/r", 2.0), ("/out/max", "null"), count=2)
    show.step(("/out/max/size", 32, 16), ("/out/max/swap", 1), ("/out/max/flip", 1), count=2)
    until(lambda: sink(show).last is not None and sink(show).last.picture.shape == (16, 32, 4), show)
    drawn, seen = show.kept.frames[-1].picture[0, 0], sink(show).last.picture[0, 0]
    assert tuple(seen) == tuple(drawn[[2, 1, 0, 3]])
    show.step(("/get", "/out/max/size"), ("/out/max/size", 0, 0), ("/get", "/out/max/size"))
    assert [a for a in show.answers if a[0] == "/out/max/size"] == [
        ("/out/max/size", 32, 16),
        ("/out/max/size", 0, 0),
    ]


def test_its_look_is_kept_when_it_is_opened_elsewhere(show: Show) -> None:
    show.step(("/out/max", "null"), ("/out/max/flip", 1), count=2)
    show.step(("/out/max", "zmq", "tcp://127.0.0.1:*"), count=2)
    assert sink(show).look.flip
    assert show.loop.state.outs["max"].flip


def test_black_is_see_through_where_a_host_wants_it_so(show: Show) -> None:
    show.step(("/out/max", "null"), ("/out/max/alpha", "luma"), count=2)
    until(lambda: sink(show).last is not None and sink(show).last.picture[0, 0, 3] < 255, show)
    show.step(("/get", "/out/max/alpha"), ("/out/max/alpha", "none"))
    assert ("/out/max/alpha", "luma") in show.answers
    assert any(a[0] == "/fail" and "unknown alpha 'none'" in a[2] for a in show.answers)
    assert show.kept.frames[-1].picture[0, 0, 3] == 255


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (("/out/max", "nul"), "null"),
        (("/out/max", "video"), "path"),
        (("/out/max", "video", "../film.mp4"), "outside"),
        (("/out/max", "video", "film.txt"), ".mp4"),
        (("/out/max", "null", "too", "much"), "at most"),
        (("/out/other/flip", 1), "other"),
        (("/out/other/free",), "other"),
    ],
)
def test_what_cannot_be_is_one_clear_line_and_the_show_goes_on(message: Any, told: str, show: Show) -> None:
    show.step(message, count=2)
    (fail,) = [answer for answer in show.answers if answer[0] == "/fail"]
    assert told in fail[2]
    assert "\n" not in fail[2]
    assert not show.loop.state.outs
    before = show.loop.number
    show.step(count=2)
    assert show.loop.number == before + 2


def test_a_port_in_use_leaves_the_output_that_was_there(show: Show) -> None:
    with ZmqSink("tcp://127.0.0.1:*") as other:
        show.step(("/out/max", "null"), count=2)
        show.step(("/out/max", "zmq", other.address), count=2)
        assert any(a[0] == "/fail" and "in use" in a[2] for a in show.answers)
    first = sink(show)
    assert isinstance(first, NullSink)
    assert show.loop.state.outs["max"].kind == "null"
    shown = first.stats.shown
    until(lambda: first.stats.shown > shown, show)


def test_outputs_are_bounded(show: Show) -> None:
    for n in range(17):
        show.step((f"/out/{n}", "null"))
    show.step(count=2)
    assert len(show.loop.state.outs) == 16
    assert any("16 outputs" in str(a[-1]) for a in show.answers)
    show.step(("/out/*/free",), count=2)
    assert not show.loop.state.outs
    assert show.loop.sinks == [show.kept]


class TestCapture:
    def test_the_frames_that_are_shown_become_a_film(self, show: Show, tmp_path: Path) -> None:
        (tmp_path / "evening.mp4").write_bytes(b"of yesterday")
        show.step(("/capture/start", "evening"), count=2)
        assert ("/done", "/capture/start", "evening-2.mp4") in show.answers
        for _ in range(12):
            show.step()
            time.sleep(0.02)
        show.step(("/capture/stop",), count=2)
        assert ("/done", "/capture/stop", "evening-2.mp4") in show.answers
        with av.open(str(tmp_path / "evening-2.mp4")) as film:
            assert sum(1 for _ in film.decode(video=0)) >= 6
        assert (tmp_path / "evening.mp4").read_bytes() == b"of yesterday"

    def test_a_full_disk_is_told_and_the_show_goes_on(
        self, show: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(self: FilmWriter, picture: np.ndarray, index: int | None = None) -> None:
            raise OscbendError("cannot write evening.mp4: No space left on device")

        monkeypatch.setattr(FilmWriter, "write", full)
        show.step(("/capture/start", "evening"), count=2)
        until(lambda: show.loop.state.capturing == "", show)
        (fail,) = [answer for answer in show.answers if answer[0] == "/fail"]
        assert fail[1] == "/capture"
        assert "No space left" in fail[2]
        show.step(count=3)
        assert show.loop.sinks == [show.kept]

    def test_one_at_a_time(self, show: Show) -> None:
        show.step(("/capture/start", "a"), count=2)
        show.step(("/capture/start", "b"), count=2)
        assert any("a.mp4 is being written" in str(a[-1]) for a in show.answers)
        show.step(("/capture/stop",), count=2)
        show.step(("/capture/stop",), count=2)
        assert ("/warn", "/capture/stop", "nothing is being captured") in show.answers


def test_outputs_are_no_part_of_a_recording(show: Show, tmp_path: Path) -> None:
    show.step(("/record/start", "evening"), count=3)
    show.step(("/out/max", "null"), ("/out/max/flip", 1), ("/capture/start", "film"), count=3)
    show.step(("/record/stop",), count=2)
    assert b"/out/max" not in (tmp_path / "evening.osc").read_bytes()


def test_a_scene_that_is_asked_to_opens_its_outputs(show: Show, tmp_path: Path) -> None:
    show.step(("/out/max", "null"), ("/out/max/flip", 1), ("/out/td", "zmq", "tcp://127.0.0.1:*"), count=2)
    show.step(("/scene/save", "look"), ("/scene/save/all", "hall"), count=2)
    before = show.loop.state.outs
    assert "[out]" not in (tmp_path / "scenes" / "look.toml").read_text()
    assert '[out]\nmax = "null"\n"max/flip" = 1\n' in (tmp_path / "scenes" / "hall.toml").read_text()
    show.step(("/scene/load", "hall"), count=2)
    same = sink(show)
    assert isinstance(same, ZmqSink)
    show.step(("/out/*/free",), ("/scene/load", "look"), count=2)
    assert not show.loop.state.outs
    show.step(("/scene/load", "hall"), count=2)
    assert show.loop.state.outs == before
    assert sink(show, -2).look.flip
    assert sink(show) is not same
    shown = sink(show, -2).stats.shown
    until(lambda: sink(show, -2).stats.shown > shown, show)


def test_an_output_of_a_scene_that_cannot_be_opened_is_told(show: Show) -> None:
    show.loop.stage.scenes.write("bad", "version = 1\nseed = 9\n[out]\nmax = 'nul'\n")
    show.step(("/scene/load", "bad"), count=2)
    assert show.loop.state.live["/seed"] == 9.0
    assert not show.loop.state.outs
    assert any(a[0] == "/warn" and "null" in a[2] for a in show.answers)


def test_a_pattern_reaches_the_outputs_that_there_are_now(show: Show) -> None:
    show.step(("/out/a", "null"), count=2)
    show.step(("/out/*/flip", 1), count=2)
    show.step(("/out/b", "null"), ("/out/a/free",), count=2)
    show.step(("/out/*/swap", 1), count=2)
    assert not [answer for answer in show.answers if answer[0] == "/fail"]
    assert show.loop.state.outs["b"].swap


def test_an_output_that_is_opened_twice_before_a_frame_is_the_second_one(tmp_path: Path) -> None:
    shown: list[Any] = []
    outs = Outs(tmp_path, shown)
    outs.open("a", Out("null"))
    first = outs._opened["a"]
    outs.open("a", Out("null"))
    outs.take("a")
    outs.take("a")
    assert not first.stats.open
    assert [sink.stats.open for sink in shown] == [True]
    outs.close()
