"""Recordings: what is in the file, that it survives, and that what was played is drawn again to the bit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import DelayedStage, FakeStage
from recorded import Show, Slow
from servers import playing, serving

from oscbend.engine import Engine
from oscbend.errors import BadScore
from oscbend.net import load
from oscbend.osc import Message
from oscbend.render import frames
from oscbend.replay import replayed
from oscbend.scenes import Scenes
from oscbend.score import Score
from oscbend.server.client import Client
from oscbend.stage import Stage
from oscbend.state import STAGE_LAG_S, State
from oscbend.takes import is_take, plain, take_of
from oscbend.worker import InPlace

FIRST = (
    ("/feature/rms", 0.31), ("/bend/1", "add", "latent.1"), ("/bend/1/r/map", "rms", 0, 2),
    ("/prompt", "a red orb"), ("/noise/speed", 0.3), ("/guidance/to", 2.0, 3.0, "sin"),
    ("/prompt/morph", "starry night", 4.0),
)  # fmt: skip
THEN: list[tuple[tuple[Any, ...], ...]] = [
    (("/feature/rms", 0.77), ("/feature/rms", 0.12), ("/trig/kick", 0.9)),
    (("/bend/2", "rotate", "unet.mid.res.0", 0.7), ("/bend/2/angle/to", 1.1, 0.4)),
    (("/bend/1/r/mod/1", "kick", 0.3),),
    (("/prompt/2", "a forest"), ("/prompt/2/weight", 0.37), ("/get", "/seed"), ("/nonsense", 1)),
    (("/scene/save", "verse"), ("/steps", 3), ("/bend/*/mix", 0.83), ("/feature/bands", 0.1, 0.5, 0.9)),
    (("/scene/morph", "verse", 0.5), ("/seed", 12.3), ("/limit", 3.0)),
    (("/freeze", 1), ("/black", 0.5, 0.2)),
    (("/freeze", 0), ("/pause", 1)),
    (("/pause", 0), ("/feedback", 1), ("/strength", 0.6)),
    (("/scene/save", "verse"), ("/wet/map", "rms"), ("/feature/rms", 0.9)),
    (("/scene/load", "verse"), ("/panic",), ("/wet", 0.8)),
]  # fmt: skip


def play(show: Show, each: int = 2) -> list[np.ndarray]:
    """Plays, recording from somewhere in the middle on; the pictures that were shown while it recorded."""
    show.step(*FIRST, count=4)
    show.step(("/record/start", "evening"), count=7)
    before = _first_recorded(show)
    for messages in THEN:
        show.step(*messages, count=each)
    show.step(("/record/stop",))
    show.step(count=20)
    return [frame.picture for frame in show.kept.frames[before:]]


def _first_recorded(show: Show) -> int:
    """The number of the first frame that is in the recording."""
    assert show.loop.tape.on
    return show.loop.number - show.loop.tape._frames


@pytest.fixture(scope="module")
def tiny() -> Stage:
    return Stage(Engine(load.load("tiny", device="cpu")))


def equal(drawn: list[np.ndarray], shown: list[np.ndarray]) -> bool:
    return len(drawn) > 10 and all(np.array_equal(a, b) for a, b in zip(drawn, shown))


@pytest.mark.parametrize("worker", [InPlace, Slow])
def test_a_show_drawn_again_as_played_is_the_same_to_the_bit(
    worker: Any, tiny: Stage, tmp_path: Path
) -> None:
    shown = play(Show(tiny, tmp_path, worker()))
    take = take_of(Score.read(tmp_path / "evening.osc"))
    assert len({picture.tobytes() for picture in shown[:20]}) > 12
    for _ in range(2):
        tiny.scenes = Scenes(tmp_path).in_memory(take.scenes)
        drawn = [frame.picture for frame in replayed(take, tiny)]
        assert len(drawn) == len(take.frames) >= 20
        assert equal(drawn, shown)


def drawn_again(stage: Any, root: Path) -> dict[float, np.ndarray]:
    """The frames of a recording, by time."""
    take = take_of(Score.read(root / "evening.osc"))
    stage.scenes = Scenes(root).in_memory(take.scenes)
    return {frame.time_s: frame.picture for frame in replayed(take, stage)}


def test_a_show_on_a_card_that_draws_beside_is_drawn_again_alike(tmp_path: Path) -> None:
    show = Show(DelayedStage(), tmp_path)
    play(show)
    shown = {frame.time_s: frame.picture for frame in show.kept.frames}
    drawn = drawn_again(DelayedStage(), tmp_path)
    assert len(drawn) > 15
    assert all(np.array_equal(picture, shown[time_s]) for time_s, picture in drawn.items())


def test_a_show_over_the_network_is_drawn_again_to_the_bit(tiny: Stage, tmp_path: Path) -> None:
    tiny.root, tiny.scenes = tmp_path, Scenes(tmp_path)
    begin = State(width=64, height=64, steps=2, lag=STAGE_LAG_S, fps=25)
    with (
        playing(tiny, begin) as (server, kept),  # type: ignore[arg-type]
        Client("127.0.0.1", server.doors.port) as client,
    ):
        for message in FIRST:
            client.send(*message)
        client.sync(60.0)
        client.ask("/record/start", "evening", reply="/done", timeout_s=60.0)
        until(lambda: server.loop.tape.on)
        for messages in THEN:
            for message in messages:
                client.send(*message)
                time.sleep(0.01)
            client.sync(60.0)
            time.sleep(0.1)
        client.ask("/record/stop", reply="/done", timeout_s=60.0)
        shown = {frame.time_s: frame.picture for frame in kept.frames}
    drawn = drawn_again(tiny, tmp_path)
    assert len({picture.tobytes() for picture in drawn.values()}) > 10
    assert all(np.array_equal(picture, shown[time_s]) for time_s, picture in drawn.items())


def until(what: Any) -> None:
    for _ in range(6000):
        if what():
            return
        time.sleep(0.01)
    raise AssertionError("it never was")


def test_times_of_frames_are_those_that_were_shown(tmp_path: Path) -> None:
    show = Show(FakeStage(), tmp_path)
    play(show)
    take = take_of(Score.read(tmp_path / "evening.osc"))
    shown = [frame.time_s for frame in show.kept.frames]
    times_s = [time_s for time_s, _ in take.frames]
    assert times_s == shown[shown.index(times_s[0]) :][: len(times_s)]


def test_the_first_bundle_is_the_state_at_the_beginning(tmp_path: Path) -> None:
    play(Show(FakeStage(), tmp_path, sampler="euler"))
    first = next(iter(Score.read(tmp_path / "evening.osc")))
    told = {m.address: m.args for m in first.elements if isinstance(m, Message)}
    assert told["/model"] == ("tiny",)
    assert told["/size"] == (64, 64)
    assert told["/sampler"] == ("euler",)
    assert told["/bend/1"] == ("add", "latent.1")
    assert told["/bend/1/r/map"] == ("rms", 0.0, 2.0, "lin")
    assert told["/prompt/1"] == ("starry night",)


def test_only_what_acts_is_written_down(tmp_path: Path) -> None:
    play(Show(FakeStage(), tmp_path))
    later = [m.address for b in list(plain(Score.read(tmp_path / "evening.osc")))[1:] for m in b.elements]
    assert "/bend/*/mix" in later
    assert "/trig/kick" in later
    assert later.count("/feature/rms") == 3
    assert not {"/get", "/nonsense", "/record/start", "/record/stop"} & set(later)


def test_at_a_constant_rate_the_same_control_values_are_seen(tmp_path: Path) -> None:
    stage = FakeStage()
    show = Show(stage, tmp_path, InPlace(), lag=0.0)
    show.step(("/feature/rms/range", 0, 1), ("/feature/rms/smooth", 0, 0), ("/bend/1", "add", "latent.1"))
    show.step(("/record/start", "evening"), count=4)
    show.step(("/bend/1/r/map", "rms", 0, 2))
    for n in range(20):
        show.step(("/feature/rms", n / 20), count=5)
    show.step(("/record/stop",))
    live = {tuple(p.reshape(-1, 4)[0]) for p in (f.picture for f in show.kept.frames)}
    score = Score.read(tmp_path / "evening.osc")
    stage.scenes = stage.scenes.in_memory()
    drawn = list(frames(plain(score), stage, State(), fps=50, strict=False))  # type: ignore[arg-type]
    assert len(drawn) == pytest.approx(score.duration_s * 50, abs=1)
    assert {tuple(p.reshape(-1, 4)[0]) for p in drawn} - {(0, 0, 10, 255)} <= live


def test_no_file_is_replaced_and_the_answers_say_which_it_is(tmp_path: Path) -> None:
    show = Show(FakeStage(), tmp_path)
    for _ in range(2):
        show.step(("/record/start", "evening"), count=3)
        show.step(("/record/stop",), count=2)
    assert ("/done", "/record/start", "evening-2.osc") in show.answers
    assert ("/done", "/record/stop", "evening-2.osc") in show.answers
    assert {p.name for p in tmp_path.iterdir()} == {"evening.osc", "evening-2.osc"}


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([("/record/start", "a"), ("/record/start", "b")], "a.osc is being recorded"),
        ([("/record/start", "../a")], "outside"),
    ],
)
def test_what_cannot_be_recorded_is_answered(messages: list[Any], told: str, tmp_path: Path) -> None:
    show = Show(FakeStage(), tmp_path)
    for message in messages:
        show.step(message, count=2)
    assert any(told in str(answer[-1]) for answer in show.answers if answer[0] == "/fail")


def test_what_is_not_recorded_can_be_stopped(tmp_path: Path) -> None:
    show = Show(FakeStage(), tmp_path)
    show.step(("/record/stop",), count=2)
    assert [answer[:2] for answer in show.answers] == [("/warn", "/record/stop"), ("/done", "/record/stop")]


def test_it_begins_when_earlier_jobs_have_ended(tmp_path: Path) -> None:
    show = Show(FakeStage(), tmp_path, Slow())
    show.step(("/prompt", "one"), ("/prompt", "two"), ("/record/start", "evening"), count=4)
    assert not show.loop.tape.on
    show.step(count=12)
    assert show.loop.tape.on
    show.step(("/record/stop",), count=6)
    first = next(iter(Score.read(tmp_path / "evening.osc")))
    assert Message("/prompt/1", ("two",)) in first.elements


def test_a_disk_that_fails_is_told_and_the_show_goes_on(tmp_path: Path) -> None:
    show = Show(FakeStage(), tmp_path)
    show.step(("/record/start", "evening"), count=3)
    assert show.loop.tape._writer is not None
    show.loop.tape._writer._file.close()
    for _ in range(100):
        show.step(("/seed", 3))
        time.sleep(0.005)
        if not show.loop.state.recording:
            break
    assert any(answer[:2] == ("/fail", "/record") for answer in show.answers)
    assert show.loop.state.recording == ""
    show.step(("/record/start", "again"), count=3)
    assert show.loop.tape.on
    show.loop.tape.close(show.now_s)


@contextmanager
def killed_after(seconds: float, root: Path) -> Iterator[float]:
    """A server that records and is killed; how long it recorded."""
    with serving("--root", str(root), "--steps", "1") as served, Client(served.host, served.port) as client:
        client.send("/record/start", "evening")
        client.sync(10.0)
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds:
            client.send("/feature/rms", elapsed)
            time.sleep(0.02)
        served.process.kill()
        served.process.wait(10)
        yield time.monotonic() - began


def test_a_server_that_is_killed_loses_at_most_the_last_second(tmp_path: Path) -> None:
    with killed_after(2.5, tmp_path) as lasted_s:
        torn: list[str] = []
        score = Score.read(tmp_path / "evening.osc", torn.append)
    assert score.duration_s > lasted_s - 1.5
    assert max(m.args[0] for b in score for m in b.elements if m.address == "/feature/rms") > lasted_s - 1.5  # type: ignore[union-attr]
    assert take_of(score).frames


def test_a_torn_end_is_told_and_left_out(tmp_path: Path) -> None:
    play(Show(FakeStage(), tmp_path))
    path = tmp_path / "evening.osc"
    whole = Score.read(path)
    path.write_bytes(path.read_bytes()[:-7])
    torn: list[str] = []
    assert len(Score.read(path, torn.append)) == len(whole) - 1
    assert "breaks off" in torn[0] or "short" in torn[0]


def test_a_score_that_was_not_recorded_cannot_be_drawn_as_played() -> None:
    score = Score()
    score.add(1.0, Message("/seed", (3.0,)))
    assert not is_take(score)
    with pytest.raises(BadScore, match="as-played"):
        take_of(score)


@pytest.mark.parametrize("spoil", ["part", "garbage", "picture"])
def test_a_memory_that_is_spoilt_is_refused(spoil: str, tmp_path: Path) -> None:
    play(Show(FakeStage(), tmp_path))
    score = Score()
    for bundle in Score.read(tmp_path / "evening.osc"):
        for m in bundle.elements:
            assert isinstance(m, Message)
            if m.address == "/played/memory" and spoil != "picture":
                m = Message(m.address, (0, 2, m.args[2]) if spoil == "part" else (0, 1, m.args[2][:-9]))
            elif m.address == "/played/picture" and spoil == "picture":
                m = Message(m.address, (63, 64, m.args[2]))
            score.add(bundle.time.seconds, m)
    with pytest.raises(BadScore):
        take_of(score)
