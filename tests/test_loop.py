"""One step of the show."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from fakes import DelayedStage, FakeStage, LateStage

from oscbend import commands
from oscbend.commands import Job, Reply
from oscbend.frame import Frame, Rendered, Structure, Values
from oscbend.loop import JOBS, Loop
from oscbend.osc import Bundle, Message, TimeTag, encode, encode_message
from oscbend.schedule import Came, Schedule
from oscbend.sinks.null import NullSink
from oscbend.state import State
from oscbend.worker import Beside, InPlace, done


class Show:
    """A loop with a stage that needs no network, and what came out of it."""

    def __init__(self, worker: Any = None, stage: FakeStage | None = None, **state: Any) -> None:
        self.stage = stage or FakeStage()
        self.schedule = Schedule()
        self.replies: list[Reply] = []
        self.said: list[str] = []
        self.worker = worker or InPlace()
        self.loop = Loop(
            self.stage,  # type: ignore[arg-type]
            self.worker,
            State(**{"width": 64, "height": 64, "steps": 4, **state}),
            self.schedule,
            answer=self.replies.append,
            say=self.said.append,
        )
        self.now_s = 0.0

    def __call__(self, *messages: tuple[Any, ...]) -> Frame:
        """One frame, before which these messages come, as one bundle."""
        self.now_s += 0.05
        self.schedule.put(self.now_s, tuple(Message(a, args) for a, *args in messages), ("host", 1))
        return self.loop.step(self.now_s)

    def told(self, address: str) -> list[tuple[Any, ...]]:
        return [r.args for r in self.replies if r.address == address]


def red(frame: Frame) -> int:
    return int(frame.picture[0, 0, 0])


def test_a_bundle_is_applied_whole_to_one_frame() -> None:
    show = Show()
    assert red(show()) == 0
    frame = show(("/bend/1", "add", "latent.0"), ("/bend/1/r", 1.5), ("/bend/1/mix", 0.5))
    assert red(frame) == 150
    assert frame.picture[0, 0, 1] == 127


def test_frames_are_numbered_and_go_to_all_sinks() -> None:
    show = Show()
    with NullSink() as one, NullSink("two") as two:
        show.loop.sinks += [one, two]
        frames = [show() for _ in range(3)]
    assert [f.number for f in frames] == [0, 1, 2]
    assert one.last is not None
    assert two.last is not None
    assert one.last.number == two.last.number == 2


def test_a_wrong_message_is_answered_and_the_rest_of_its_bundle_is_done() -> None:
    show = Show()
    frame = show(("/bend/1", "add", "latent.0"), ("/bend/1/q", 1.0), ("/bend/1/r", 1.0))
    assert red(frame) == 100
    address, text = show.told("/fail")[0]
    assert address == "/bend/1/q"
    assert "parameter of add" in text


def test_failures_are_told_once_a_second() -> None:
    show = Show()
    for _ in range(30):
        show(("/nowhere",))
    assert 1 <= len(show.told("/fail")) <= 2


def test_a_job_ends_with_done() -> None:
    show = Show()
    show(("/prompt", "starry", "night"))
    assert show.told("/done") == [("/prompt",)]
    assert show.loop.state.prompts[1] == "starry night"


def test_a_failed_job_leaves_everything_as_it_was() -> None:
    show = Show()
    before = show.loop.state
    show(("/model", "nowhere"))
    assert show.told("/fail") == [("/model", "nowhere: no such folder")]
    assert show.loop.state == before


def test_frames_go_on_while_a_job_is_done() -> None:
    worker = Beside()
    show = Show(worker)
    gate = threading.Event()
    encode = show.stage.encode
    show.stage.encode = lambda *texts: (gate.wait(10), encode(*texts))[1]  # type: ignore[method-assign]
    show(("/prompt", "slow"), ("/sync", 1))
    for _ in range(3):
        show()
    assert show.loop.state.prompts[1] != "slow"
    assert not show.told("/synced")
    gate.set()
    worker.close()
    worker._thread.join(10)
    show()
    assert show.loop.state.prompts[1] == "slow"
    assert show.told("/synced") == [(1,)]


def test_sync_without_jobs_is_answered_at_once() -> None:
    show = Show()
    show(("/sync", 42))
    assert show.told("/synced") == [(42,)]


def test_freeze_holds_the_picture_and_still_hears() -> None:
    show = Show()
    first = show(("/bend/1", "add", "latent.0"), ("/bend/1/r", 1.0))
    held = show(("/freeze", 1), ("/bend/1/r", 2.0))
    assert np.array_equal(first.picture, held.picture)
    assert held.number == first.number + 1
    assert red(show(("/freeze", 0))) == 200


def test_a_picture_that_is_not_finite_is_not_shown() -> None:
    show = Show()
    good = show(("/bend/1", "add", "latent.0"), ("/bend/1/r", 1.0))
    show.stage.spoilt = True
    bad = show(("/bend/1/r", 2.0))
    assert np.array_equal(bad.picture, good.picture)
    assert show.stage.blamed == ["the picture is not finite"]
    show()
    assert len(show.stage.blamed) == 1, "one search for each structure"


def test_a_network_that_throws_does_not_stop_the_show() -> None:
    show = Show()
    good = show(("/bend/1", "add", "latent.0"), ("/bend/1/r", 1.0))
    show.stage.broken = True
    assert np.array_equal(show().picture, good.picture)
    assert "out of memory" in show.stage.blamed[0]
    show.stage.broken = False
    assert red(show(("/bend/1/r", 2.0))) == 200


def test_before_the_first_good_picture_there_is_a_dark_one() -> None:
    show = Show()
    show.stage.broken = True
    picture = show().picture
    assert picture.shape == (64, 64, 4)
    assert picture[..., :3].max() == 0
    assert picture[..., 3].min() == 255


def test_feedback_starts_from_the_last_picture() -> None:
    show = Show()
    show(("/feedback", 1))
    structure, values = show.stage.drawn[-1]
    assert structure.start == 0, "there is no last picture yet"
    assert values.init is None
    show()
    structure, values = show.stage.drawn[-1]
    assert structure.start == 2
    assert values.init is not None


def test_a_dormant_bend_is_reported_once_and_wakes_again() -> None:
    show = Show()
    show(("/bend/1", "add", "latent.3"))
    show(("/steps", 2))
    show()
    assert sum("dormant" in line for line in show.said) == 1
    show(("/steps", 4))
    assert show.stage.drawn[-1][0].bends


def test_status_counts() -> None:
    show = Show()
    for _ in range(5):
        show()
    fps, mean_ms, worst_ms, queued, late, dropped, bad, number, model, behind, ahead_s = show.loop.status()
    assert fps == pytest.approx(20.0)
    assert mean_ms == worst_ms == 0.0
    assert (queued, late, dropped, bad, number, model, behind, ahead_s) == (0, 0, 0, 0, 5, "tiny", 0, 0.0)


def test_quit_ends_the_show() -> None:
    show = Show()
    show(("/quit",))
    assert show.loop.over


def test_a_feature_is_heard_at_its_own_time() -> None:
    show = Show()
    show(("/bend/1", "add", "latent.0"), ("/feature/rms/range", 0, 1), ("/bend/1/r/map", "rms", 0, 2))
    show.schedule.put(show.now_s + 0.01, (Message("/feature/rms", (0.0,)),))
    show.schedule.put(show.now_s + 0.02, (Message("/feature/rms", (1.0,)),))
    frame = show()
    assert red(frame) == int(200 * (1 - np.exp(-0.01 / 0.01)))


def moving(fps: int, *messages: tuple[float, str, Any]) -> dict[float, float]:
    """A parameter over time, drawn at a frame rate; messages are (time, address, arguments)."""
    show = Show(lag=0.1)
    sent = [(0.0, "/bend/1", ("add", "latent.0")), (0.0, "/bend/1/r", (0.5,)), *messages]
    for time_s, address, args in sent:
        show.schedule.put(time_s, (Message(address, args),))
    found = {}
    for n in range(fps + 1):
        show.loop.step(n / fps)
        found[round(n / fps, 6)] = float(show.stage.drawn[-1][1].params[0]["r"][0])
    return found


@pytest.mark.parametrize(
    "messages",
    [
        [(0.013, "/bend/1/r/to", (2.0, 0.5)), (0.317, "/bend/1/r", (1.0,)), (0.331, "/bend/1/r", (1.5,))],
        [(0.1, "/bend/1/r/to", (2.0, 0.6)), (0.23, "/pause", (1,)), (0.48, "/pause", (0,))],
        [(0.1, "/pause", (1,)), (0.15, "/bend/1/r", (1.0,)), (0.48, "/pause", (0,))],
    ],
)
def test_what_moves_is_the_same_at_any_frame_rate(messages: list[tuple[float, str, Any]]) -> None:
    slow, fast = moving(20, *messages), moving(80, *messages)
    assert len(set(slow.values())) > 2 or messages[0][1] == "/pause"
    assert [fast[t] for t in slow] == pytest.approx(list(slow.values()), abs=1e-6)


def test_a_glide_begins_at_the_time_of_its_message() -> None:
    found = moving(20, (0.025, "/bend/1/r/to", (1.5, 0.5)))
    assert found[0.0] == 0.5
    assert found[0.05] == pytest.approx(0.55)
    assert found[0.5] == pytest.approx(1.45)
    assert found[0.55] == 1.5


def test_a_film_to_start_from_stands_while_the_show_is_paused() -> None:
    show = Show(noise="hold", init="film.mp4")
    times: list[float] = []
    show.stage.init = lambda state, last, now_s: times.append(now_s)  # type: ignore[method-assign]
    show()
    show(("/pause", 1))
    show()
    show(("/pause", 0))
    assert times == pytest.approx([0.05, 0.1, 0.1, 0.1])


def test_black_acts_on_what_is_shown_and_not_on_what_is_drawn() -> None:
    show = Show(noise="hold")
    assert red(show(("/bend/1", "add", "latent.0"), ("/bend/1/r", 2.0))) == 200
    drawn = len(show.stage.drawn)
    half = show(("/black", 0.5))
    assert red(half) == 100
    assert show().picture is half.picture, "nothing is made dark twice"
    dark = show(("/black", 1))
    assert dark.picture[..., :3].max() == 0
    assert dark.picture[..., 3].min() == 255
    assert len(show.stage.drawn) == drawn
    assert red(show(("/black", 0))) == 200


def test_a_picture_that_is_held_fades_too() -> None:
    show = Show()
    show(("/bend/1", "add", "latent.0"), ("/bend/1/r", 2.0))
    show(("/freeze", 1), ("/black", 1, 0.1))
    assert red(show()) == 100
    assert red(show()) == 0
    show.stage.broken = True
    assert red(show(("/freeze", 0), ("/black", 0))) == 200, "the last good picture is kept as it was drawn"


def test_feedback_starts_from_what_was_drawn_however_dark_it_was_shown() -> None:
    show = Show()
    show(("/feedback", 1), ("/bend/1", "add", "latent.0"), ("/bend/1/r", 2.0), ("/black", 1))
    show()
    init = show.stage.drawn[-1][1].init
    assert init is not None
    assert init[0, 0, 0, 0] == 200


def test_a_frame_on_its_way_is_as_dark_as_when_it_was_begun() -> None:
    show = Carded()
    show(("/bend/1/r", 2.0), ("/black", 0.5))
    show(("/bend/1/r", 1.6), ("/black", 0))
    show.loop.land()
    assert show.reds == [100, 100, 160]


def test_whatever_goes_wrong_in_a_job_becomes_one_line() -> None:
    def work() -> Any:
        raise KeyError("a\nb")

    ended = done(Job("/x", work))
    assert ended.change is None
    assert ended.error == "KeyError: 'a\\nb'"


class Still(Show):
    """A show in which nothing moves by itself."""

    def __init__(self, **state: Any) -> None:
        super().__init__(noise="hold", **state)
        self(("/bend/1", "add", "latent.0"), ("/bend/1/r", 1.0))

    def drawn_by(self, *messages: tuple[Any, ...]) -> int:
        """How many pictures are drawn for three frames, the first of which hears the messages."""
        before = len(self.stage.drawn)
        self(*messages)
        self()
        self()
        return len(self.stage.drawn) - before


def test_where_nothing_changes_the_frame_is_published_again_and_not_drawn() -> None:
    show = Still()
    with NullSink() as sink:
        show.loop.sinks.append(sink)
        frames = [show() for _ in range(3)]
    assert len(show.stage.drawn) == 1
    assert [f.number for f in frames] == [1, 2, 3]
    assert [f.time_s for f in frames] == pytest.approx([0.1, 0.15, 0.2])
    assert all(red(f) == 100 for f in frames)
    assert sink.last is not None
    assert sink.last.number == 3


@pytest.mark.parametrize(
    "message",
    [
        ("/bend/1/r", 1.5),
        ("/bend/1/mix", 0.5),
        ("/bend/1/site", "latent.1"),
        ("/bend/1/select", "rows 0 0.5"),
        ("/bend/1/free",),
        ("/wet", 0.5),
        ("/limit", 2),
        ("/prompt", "another"),
        ("/seed", 7.5),
        ("/guidance", 4.0),
        ("/steps", 2),
        ("/size", 128, 64),
        ("/noise/angle", 0.25),
    ],
)
def test_what_changes_is_drawn_once(message: tuple[Any, ...]) -> None:
    assert Still().drawn_by(("/noise/mode", "walk"), ("/noise/speed", 0.0), message) == 1


@pytest.mark.parametrize(
    "message", [("/bend/1/r", 1.0), ("/feature/rms", 0.3), ("/bend/2/r", 1.0), ("/sync", 1), ("/fps", 20)]
)
def test_a_message_that_changes_no_picture_draws_none(message: tuple[Any, ...]) -> None:
    assert Still().drawn_by(message) == 0


@pytest.mark.parametrize("noise", ["wander", "walk", "fresh"])
def test_noise_that_wanders_is_drawn_in_every_frame(noise: str) -> None:
    assert Still().drawn_by(("/noise/mode", noise)) == 3


@pytest.mark.parametrize(("mode", "count"), [("moving", 3), ("fixed", 1)])
def test_a_texture_that_moves_is_drawn_in_every_frame(mode: str, count: int) -> None:
    armed = ("/bend/2", "noise", "latent.0"), ("/bend/2/mode", mode)
    assert Still().drawn_by(*armed) == count
    assert Still().drawn_by(*armed, ("/pause", 1)) == 1


def test_feedback_is_drawn_until_the_picture_stays() -> None:
    show = Show(noise="hold", feedback=True)
    drawn = []

    def halved(structure: Structure, values: Values) -> Rendered:
        drawn.append(values)
        first = np.full((1, 64, 64, 4), 5, np.uint8)
        return Rendered(first if values.init is None else values.init // 2, np.ones(1, bool))

    show.stage.render = halved  # type: ignore[method-assign]
    assert [red(show()) for _ in range(8)] == [5, 2, 1, 0, 0, 0, 0, 0]
    assert len(drawn) == 5


def test_a_film_to_start_from_is_drawn_as_it_moves_on() -> None:
    show = Show(noise="hold", init="film.mp4")
    levels = iter([1, 1, 2, 2, 2, 3])
    show.stage.init = lambda *_: np.full((1, 64, 64, 3), next(levels), np.uint8)  # type: ignore[method-assign]
    for _ in range(6):
        show()
    assert [int(v.init[0, 0, 0, 0]) for _, v in show.stage.drawn if v.init is not None] == [1, 2, 3]


def test_a_mask_that_is_read_anew_is_drawn() -> None:
    show = Still()
    show(("/bend/1/select", "mask spot.png"))
    assert show.drawn_by(("/bend/1/select", "mask spot.png")) == 1


def test_a_frame_that_failed_is_tried_again() -> None:
    show = Still()
    show.stage.broken = True
    assert red(show(("/bend/1/r", 2.0))) == 100
    show.stage.broken = False
    assert red(show()) == 200
    show.stage.spoilt = True
    assert show.drawn_by(("/bend/1/r", 0.5)) == 3
    show.stage.spoilt = False
    assert red(show()) == 50


def test_what_was_shown_before_a_failure_is_not_taken_for_what_is_asked_for_after_it() -> None:
    show = Still()
    show.stage.broken = True
    show(("/bend/1/r", 2.0))
    show.stage.broken = False
    assert show.drawn_by(("/bend/1/r", 1.0)) == 1


def test_a_picture_that_was_held_goes_on_without_being_drawn() -> None:
    show = Still()
    assert show.drawn_by(("/freeze", 1)) == 0
    assert show.drawn_by(("/freeze", 0)) == 0
    assert show.drawn_by(("/freeze", 1), ("/bend/1/r", 2.0)) == 0
    assert show.drawn_by(("/freeze", 0)) == 1


class Carded(Show):
    """A show whose stage draws beside; the bend's parameter tells the frames apart."""

    def __init__(self, **state: Any) -> None:
        self.card = DelayedStage()
        super().__init__(stage=self.card, **state)
        self.sink = Kept()
        self.loop.sinks.append(self.sink)
        self(("/bend/1", "add", "latent.0"), ("/bend/1/r", 1.0))

    @property
    def reds(self) -> list[int]:
        return [red(f) for f in self.sink.frames]


class Kept:
    """A sink that keeps all frames."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def put(self, frame: Frame) -> None:
        self.frames.append(frame)


def test_the_next_frame_is_begun_before_the_last_one_is_waited_for() -> None:
    show = Carded()
    show(("/bend/1/r", 2.0))
    show(("/bend/1/r", 0.5))
    show(("/bend/1/r", 0.2))
    assert show.card.log == [
        "begin 1", "wait 1", "begin 2", "begin 3", "wait 2", "begin 4", "wait 3",
    ]  # fmt: skip
    assert show.reds == [100, 200, 50]
    assert [f.time_s for f in show.sink.frames] == pytest.approx([0.05, 0.1, 0.15])
    assert [f.number for f in show.sink.frames] == [0, 1, 2]


def test_a_frame_that_is_ready_is_shown_at_once() -> None:
    show = Carded()
    show(("/bend/1/r", 2.0))
    assert show.loop.flying
    show.loop.land(wait=False)
    assert show.reds == [100], "not yet ready"
    show.card.done = 2
    show.loop.land(wait=False)
    assert show.reds == [100, 200]
    assert not show.loop.flying


def test_feedback_waits_for_the_picture_that_it_starts_from() -> None:
    show = Carded()
    show(("/bend/1/r", 2.0))
    show(("/feedback", 1), ("/bend/1/r", 0.5))
    assert show.reds == [100, 200, 50]
    assert not show.loop.flying
    init = show.stage.drawn[-1][1].init
    assert init is not None
    assert init[0, 0, 0, 0] == 200


def test_what_is_on_its_way_is_shown_before_the_picture_is_held() -> None:
    show = Carded()
    show(("/bend/1/r", 2.0))
    show(("/freeze", 1))
    show()
    assert show.reds == [100, 200, 200, 200]


def test_a_frame_on_its_way_that_fails_leaves_the_last_good_picture() -> None:
    show = Carded()
    show.card.fails_later = True
    show(("/bend/1/r", 2.0))
    show.card.fails_later = False
    show(("/bend/1/r", 0.5))
    show.loop.land()
    assert show.reds == [100, 100, 50]
    assert show.stage.blamed == ["RuntimeError: the card fell over"]
    assert show.loop.failed == 1


def test_a_frame_on_its_way_that_is_not_finite_is_not_shown() -> None:
    show = Carded()
    show.stage.spoilt = True
    show(("/bend/1/r", 2.0))
    show.stage.spoilt = False
    show(("/bend/1/r", 0.5))
    show.loop.land()
    assert show.reds == [100, 100, 50]
    assert show.stage.blamed == ["the picture is not finite"]


def test_a_frame_like_the_one_on_its_way_is_not_drawn() -> None:
    show = Carded(noise="hold")
    show(("/bend/1/r", 2.0))
    for _ in range(3):
        show()
    show.loop.land()
    assert show.card.begun == 2
    assert show.reds == [100, 200, 200, 200, 200]


@pytest.mark.parametrize("kind", [Show, Carded])
def test_a_size_without_room_is_put_back_and_answered(kind: type[Show]) -> None:
    show = kind()
    show(("/bend/1", "add", "latent.0"), ("/bend/1/r", 1.0))
    show.stage.room = 64 * 64
    show(("/bend/1/r", 2.0), ("/size", 1024, 512), ("/steps", 3))
    show(("/bend/1/r", 1.5))
    show.loop.land()
    assert show.told("/fail") == [
        ("/size", "1024 512: not enough memory for pictures of 1024 x 512; 64 64 stays")
    ]
    assert [r.to for r in show.replies if r.address == "/fail"] == [("host", 1)]
    assert (show.loop.state.width, show.loop.state.height) == (64, 64)
    assert show.loop.state.steps == 3, "nothing else is lost"
    assert show.loop.frame is not None
    assert red(show.loop.frame) == 150
    assert show.stage.blamed == []
    assert show.loop.failed == 1


@pytest.mark.parametrize("kind", [Show, Carded])
def test_a_model_without_room_is_put_back_and_answered(kind: type[Show]) -> None:
    show = kind()
    show(("/bend/1", "add", "latent.0"), ("/bend/1/r", 1.0))
    show.stage.too_large = {"other"}
    show(("/model", "other"))
    show(("/bend/1/r", 1.5))
    show.loop.land()
    assert show.told("/done") == [("/model", "other")]
    assert show.told("/fail") == [("/model", "other: not enough memory for this model's frames; tiny stays")]
    assert show.loop.state.model == "tiny"
    assert show.loop.frame is not None
    assert red(show.loop.frame) == 150


def test_a_size_that_is_slow_to_get_ready_comes_when_it_is() -> None:
    worker = Beside()
    show = Show(worker)
    show.stage.prepares = True
    gate, prepare = threading.Event(), show.stage.prepare_size
    show.stage.prepare_size = lambda state: (gate.wait(10), prepare(state))[1]  # type: ignore[method-assign]
    show(("/size", 128, 64))
    show(("/size", 64, 128))
    assert show().picture.shape == (64, 64, 4), "frames go on at the old size"
    gate.set()
    worker.close()
    worker._thread.join(10)
    assert show().picture.shape == (128, 64, 4), "the last one asked for is the last one to come"
    assert show.stage.prepared == [(128, 64), (64, 128)]
    assert show.told("/done") == [("/size", 128, 64), ("/size", 64, 128)]


def test_a_slow_size_of_a_film_acts_on_its_own_frame() -> None:
    show = Show()
    show.stage.prepares = True
    assert show(("/size", 128, 64)).picture.shape == (64, 128, 4)


def test_a_slow_size_without_room_changes_nothing() -> None:
    show = Show()
    show.stage.prepares = True
    show.stage.room = 64 * 64
    show(("/size", 128, 64))
    assert show.told("/fail") == [("/size", "not enough memory for pictures of 128 x 64")]
    assert (show.loop.state.width, show.loop.state.height) == (64, 64)


def test_a_frame_without_room_at_the_size_that_was_drawn_is_only_told() -> None:
    show = Show()
    show(("/bend/1", "add", "latent.0"), ("/bend/1/r", 1.0))
    show.stage.room = 0
    assert red(show(("/bend/1/r", 2.0))) == 100
    assert show.told("/fail") == [
        ("/frame", "not enough memory for pictures of 64 x 64; the last good one stays")
    ]
    assert show.loop.state.width == 64
    show.stage.room = 10**9
    assert red(show()) == 200


def test_until_a_frame_arrives_the_last_picture_stays() -> None:
    show = Show(stage=LateStage(2))
    show(("/bend/1", "add", "latent.0"), ("/bend/1/r", 1.0))
    frames = [show(("/bend/1/r", r)) for r in (2.0, 0.5, 0.2)]
    assert [red(frame) for frame in frames] == [0, 100, 200]
    assert [frame.number for frame in frames] == [1, 2, 3]
    assert show.loop.failed == 0


def test_the_bend_of_the_frame_that_fails_is_blamed_not_that_of_the_newest() -> None:
    stage = LateStage(1)
    stage.spoils = {"multiply"}
    show = Show(stage=stage)
    show(("/bend/1", "add", "latent.0"), ("/bend/1/r", 1.0))
    show(("/bend/1/op", "multiply"))
    assert red(show(("/bend/1/op", "add"))) == 100
    assert stage.blamed == ["broken"]
    assert stage.blamed_for[0].bends[0].op == "multiply"
    assert show.loop.failed == 1


def test_it_is_said_and_told_how_late_pictures_come() -> None:
    show = Show(stage=LateStage(3))
    show()
    show()
    assert show.said == ["stream batch: pictures come 3 frames late"]
    assert show.loop.status()[-2] == 3
    show.stage.behind = 1
    show()
    assert show.said[1:] == ["stream batch: pictures come 1 frame late"]


def test_feedback_is_refused_where_frames_overlap() -> None:
    show = Show(stage=LateStage(1))
    show(("/feedback", 1))
    assert show.told("/fail") == [("/feedback", "not with --stream-batch")]
    assert not show.loop.state.feedback
    show(("/feedback", 0))
    assert len(show.told("/fail")) == 1


# -- what is told ------------------------------------------------------------------------------------


def came(show: Show, data: bytes, sender: Any = ("host", 1), ago_s: float = 0.0) -> None:
    """A packet that arrives now, tagged relative to a Unix time that is the loop's own clock."""
    show.schedule.put_datagrams([(data, sender)], Came(show.now_s - ago_s, 1e9 + show.now_s, 1e9), bool)


def test_a_bad_packet_is_answered_once_a_second_and_counted_each_time() -> None:
    show = Show()
    for _ in range(10):
        came(show, b"abc")
        show()
    assert show.told("/fail") == [("/packet", "a packet of 3 bytes: OSC packets are multiples of 4")]
    assert show.loop.status()[6] == 10


def test_a_flood_of_bad_packets_from_everywhere_is_answered_to_few() -> None:
    show = Show()
    for n in range(1000):
        came(show, b"abc", ("10.0.0.1", n))
    show()
    assert 1 <= len(show.told("/fail")) <= 50
    assert show.loop.status()[6] == 1000


def test_a_late_bundle_is_answered_once_a_second_with_the_seconds() -> None:
    show = Show()
    for _ in range(10):
        show()
        came(show, encode(Bundle(TimeTag.from_unix(1e9 + show.now_s - 0.25), (Message("/seed", (1.0,)),))))
    show()
    ((late_s,),) = show.told("/late")
    assert late_s == pytest.approx(0.25, abs=0.01)
    assert show.loop.status()[4] == 10
    assert show.loop.state.live["/seed"] == 1.0


def test_one_client_cannot_use_up_what_is_told_to_the_others() -> None:
    show = Show()
    show.now_s += 0.05
    wrong = tuple(Message(f"/nowhere/{n}") for n in range(100))
    show.schedule.put(show.now_s, wrong, ("host", 1))
    show.schedule.put(show.now_s, (Message("/nowhere"),), ("host", 2))
    show()
    to = [r.to for r in show.replies if r.address == "/fail"]
    assert to.count(("host", 1)) == 10
    assert to.count(("host", 2)) == 1


def test_a_client_may_want_to_hear_nothing_of_what_went_wrong() -> None:
    show = Show()
    show(("/error", 0))
    show(("/nowhere",))
    came(show, b"abc")
    show()
    assert show.told("/fail") == []
    assert show.said == []
    show(("/error", 1))
    show(("/nowhere",))
    assert len(show.told("/fail")) == 1


def test_messages_that_are_wrong_are_counted_however_many_are_told() -> None:
    show = Show()
    show(*[(f"/wrong/{n}",) for n in range(100)])
    assert len(show.told("/fail")) == 10
    assert show.loop.status()[6] == 100


def test_silence_may_be_for_the_rest_of_a_bundle() -> None:
    show = Show()
    show(("/wrong/1",), ("/error", -1), ("/wrong/2",), ("/error", -2), ("/wrong/3",))
    assert [args[0] for args in show.told("/fail")] == ["/wrong/1", "/wrong/3"]
    show(("/error", 0), ("/error", -2), ("/wrong/4",))
    show(("/wrong/5",))
    assert [args[0] for args in show.told("/fail")] == ["/wrong/1", "/wrong/3", "/wrong/4"]


def test_silence_for_a_bundle_says_nothing_of_messages_by_themselves() -> None:
    show = Show()
    came(show, encode_message("/error", (-1,)))
    came(show, encode_message("/wrong"))
    show()
    assert len(show.told("/fail")) == 1


def test_what_comes_in_is_written_out_for_whoever_asked() -> None:
    show = Show()
    show(("/dumpOSC", 1))
    came(show, encode_message("/seed", (1.5,)))
    show()
    assert show.said == ["host:1 /seed 1.5"]
    show(("/dumpOSC", 0))
    came(show, encode_message("/seed", (1.5,)))
    show()
    assert len(show.said) == 1


def test_a_defect_in_a_command_is_told_and_the_show_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    show = Show()

    def broken(what: commands.Show, message: Message) -> None:
        if message.address == "/version":
            raise ZeroDivisionError("oh")
        commands.perform(what, message)

    monkeypatch.setattr("oscbend.loop.perform", broken)
    show(("/version",), ("/seed", 3.0))
    assert show.told("/fail") == [("/version", "this is a defect of oscbend: ZeroDivisionError: oh")]
    assert show.loop.state.live["/seed"] == 3.0


def test_only_so_many_jobs_wait() -> None:
    worker = Beside()
    gate = threading.Event()
    show = Show(worker)
    encode_text = show.stage.encode
    show.stage.encode = lambda *args: (gate.wait(10), encode_text(*args))[1]  # type: ignore[method-assign]
    for n in range(JOBS + 5):
        show((f"/prompt/{n % 8 + 1}", f"text {n}"))
    assert worker.submitted == JOBS
    assert "jobs wait" in show.told("/fail")[0][1]
    show(*[("/sync", n) for n in range(JOBS * JOBS + 5)])
    assert len(show.loop._syncs) == JOBS * JOBS
    gate.set()
    worker.close()
    worker._thread.join(10)


def test_what_waits_for_its_time_is_forgotten_when_asked() -> None:
    show = Show()
    show()
    came(show, encode(Bundle(TimeTag.from_unix(1e9 + 5.0), (Message("/seed", (9.0,)),))))
    show(("/clearSched",))
    assert show.told("/done") == [("/clearSched", 1)]
    show.now_s = 6.0
    show()
    assert "/seed" not in show.loop.state.live


def test_only_what_had_to_be_drawn_is_measured() -> None:
    show = Show(noise="hold")
    show()
    assert show.loop.drawn_s == show.now_s
    show.loop.drawn_s = None
    show()
    assert show.loop.drawn_s is None, "the same picture again"
    show(("/seed", 5.0))
    assert show.loop.drawn_s == show.now_s


def test_what_goes_wrong_before_a_frame_is_told_and_the_picture_stands() -> None:
    show = Show()
    before = show(("/bend/1", "add", "latent.0"), ("/bend/1/r", 1.0))
    start, show.stage.start = show.stage.start, lambda state: 1 // 0  # type: ignore[method-assign]
    after = show(("/bend/1/r", -1.0))
    assert after.number > before.number
    assert np.array_equal(after.picture, before.picture)
    assert [args[0] for args in show.told("/fail")] == ["/frame"]
    show.stage.start = start  # type: ignore[method-assign]
    assert not np.array_equal(show().picture, before.picture), "and it goes on"


def test_what_is_asked_of_prompts_while_they_are_encoded_is_not_lost() -> None:
    worker = Beside()
    show = Show(worker)
    gate, encode = threading.Event(), show.stage.encode
    show.stage.encode = lambda *texts: (gate.wait(10), encode(*texts))[1]  # type: ignore[method-assign]
    show(("/feature/rms", 0.5))
    show(
        ("/prompt", "night"),
        ("/prompt/2", "storm"),
        ("/prompt/2/weight/map", "rms", 0.0, 2.0),
        ("/prompt/3/weight", 0.5),
    )
    assert show.told("/fail") == []
    gate.set()
    worker.close()
    worker._thread.join(10)
    show()
    state = show.loop.state
    assert state.prompts == {1: "night", 2: "storm", 3: ""}
    assert "/prompt/2/weight" in state.maps
    assert state.live["/prompt/3/weight"] == 0.5


def test_a_defect_in_one_job_loses_no_other() -> None:
    show = Show()
    show.stage.encode = lambda *texts: []  # type: ignore[method-assign]
    show.loop.worker.submit(Job("/broken", lambda: (lambda state: 1 // 0, [])))  # type: ignore[arg-type,return-value]
    show(("/prompt", "night"), ("/sync", 3))
    assert show.loop.state.prompts == {1: "night"}
    assert show.told("/synced") == [(3,)]
    assert show.told("/fail")[0][0] == "/broken"


def test_both_prompts_of_a_steering_bend_may_change_at_once() -> None:
    worker = Beside()
    show = Show(worker)
    show(("/bend/1", "steer", "unet.mid.attn"), ("/bend/1/a", "night"), ("/bend/1/b", "day"), ("/sync", 1))
    gate, prepare = threading.Event(), show.stage.prepare
    show.stage.prepare = lambda state: (gate.wait(10), prepare(state))[1]  # type: ignore[method-assign]
    show(("/bend/1/a", "river"), ("/bend/1/b", "storm"))
    gate.set()
    worker.close()
    worker._thread.join(10)
    show()
    (bend,) = show.loop.state.bends
    assert (bend.static["a"], bend.static["b"]) == ("river", "storm")
