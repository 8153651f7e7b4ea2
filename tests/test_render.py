"""Films: an audio file as a score, a score as pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fakes import DelayedStage, FakeStage

from oscbend.audio import analyze
from oscbend.errors import BadAudio, BadValue, OscbendError, UnknownName
from oscbend.osc import Message
from oscbend.render import Film, compose, frame_count, frames, opened, picture_score, said
from oscbend.score import Score
from oscbend.state import State

RATE = 8000


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Half a second of silence, half a second of a loud tone, half a second of a soft one."""
    t = np.arange(RATE // 2) / RATE
    tone = np.sin(2 * np.pi * 440 * t)
    soundfile.write(tmp_path / "song.wav", np.concatenate([0 * t, 0.8 * tone, 0.2 * tone]), RATE)
    return tmp_path / "song.wav"


def film(**changes: Any) -> Film:
    return Film(**{"prompt": "an orb", "width": 64, "height": 64, "fps": 20, **changes})


def shown(score: Score, stage: FakeStage | None = None, **options: Any) -> list[np.ndarray]:
    options = {"fps": 20, **options}
    return list(frames(score, stage or FakeStage(), State(), **options))  # type: ignore[arg-type]


def test_a_feature_goes_from_the_range_given_to_its_end(song: Path) -> None:
    score = compose(film(bends=["add latent.2 r=rms:0:2"]), song)
    red = [int(f[0, 0, 0]) for f in shown(score)]
    rms = analyze(song, 20, ["rms"])["rms"]
    wanted = 2 * (rms - rms.min()) / (rms.max() - rms.min())
    assert red == pytest.approx(np.clip(wanted * 100, 0, 255).astype(int), abs=1)


def test_the_score_alone_gives_the_same_frames(song: Path, tmp_path: Path) -> None:
    score = compose(
        film(bends=["add latent.2 r=rms:0:2", "rotate latent.1 angle=flux"], prompt2="waves"), song
    )
    score.write(tmp_path / "film.osc")
    again = Score.read(tmp_path / "film.osc")
    assert again == score, "what is drawn from memory is as exact as what is drawn from a file"
    assert all(np.array_equal(a, b) for a, b in zip(shown(score), shown(again), strict=True))


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_a_batch_changes_nothing_but_the_speed(song: Path, batch: int) -> None:
    score = compose(film(bends=["add latent.2 r=rms:0:2"]), song)
    stage = FakeStage()
    drawn = shown(score, stage, batch=batch)
    assert len(drawn) == 30
    assert all(np.array_equal(a, b) for a, b in zip(drawn, shown(score)))
    assert {s.batch for s, _ in stage.drawn} == {batch}, "partial batches are padded"


def busy_score() -> Score:
    """A film in which structure, feedback and freezing change."""
    score = Score()
    head = Message("/size", (64, 64)), Message("/bend/1", ("add", "latent.0")), Message("/bend/1/r", (1.0,))
    score.add(0, *head)
    for i in range(1, 30):
        score.add(i / 20, Message("/bend/1/r", (i / 20,)))
    score.add(0.2, Message("/bend/2", ("negate", "latent.0")))
    score.add(0.5, Message("/feedback", (1,)))
    score.add(0.7, Message("/feedback", (0,)))
    score.add(0.9, Message("/freeze", (1,)))
    score.add(1.1, Message("/freeze", (0,)))
    score.add(1.5)
    return score


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_drawing_beside_changes_nothing_but_the_speed(batch: int) -> None:
    card = DelayedStage()
    drawn, plain = shown(busy_score(), card, batch=batch), shown(busy_score(), batch=1)
    assert len(drawn) == 30
    assert all(np.array_equal(a, b) for a, b in zip(drawn, plain, strict=True))
    assert len({int(p[0, 0, 0]) for p in plain}) > 15
    assert card.log[:3] == ["begin 1", "begin 2", "wait 1"]


@pytest.mark.parametrize("batch", [1, 4])
def test_feedback_that_begins_within_a_film_starts_from_the_frame_before(batch: int) -> None:
    stage = DelayedStage()
    drawn = shown(busy_score(), stage, batch=batch)
    (first, *_) = [v for s, v in stage.drawn if v.init is not None]
    assert np.array_equal(first.init[0], drawn[9])


def test_a_change_of_structure_ends_a_batch() -> None:
    score = Score()
    score.add(
        0, Message("/size", (64, 64)), Message("/bend/1", ("add", "latent.0")), Message("/bend/1/r", (1.0,))
    )
    score.add(0.25, Message("/bend/2", ("negate", "latent.0")))
    score.add(0.5)
    stage = FakeStage()
    assert len(shown(score, stage, batch=4)) == 10
    assert [len(s.bends) for s, _ in stage.drawn] == [1, 1, 2, 2]


def test_two_prompts_are_blended_over_the_film(song: Path) -> None:
    stage = FakeStage()
    shown(compose(film(prompt2="waves"), song), stage)
    shares = [dict(v.prompts[0]).get("waves", 0.0) for _, v in stage.drawn]
    assert shares == pytest.approx(np.linspace(0, 1, 30), abs=1e-6)


def test_the_noise_walks_once_round(song: Path) -> None:
    stage = FakeStage()
    shown(compose(film(noise="walk", seed=46), song), stage)
    angles = [
        np.arctan2(*reversed([dict(v.noise[0]).get(s, 0.0) for s in (46, 46 + 1_000_003)]))
        for _, v in stage.drawn
    ]
    assert np.unwrap(angles) == pytest.approx(2 * np.pi * np.arange(30) / 30, abs=1e-4)


def test_the_spectrum_drives_the_noise(song: Path) -> None:
    stage = FakeStage()
    shown(compose(film(noise="spectrum"), song), stage)
    assert len(stage.drawn[0][1].noise[0]) > 20


def test_other_steps_move_the_bends(song: Path) -> None:
    stage = FakeStage()
    shown(compose(film(bends=["add latent.2 r=1"], steps=4), song), stage, steps=8)
    assert {(s.steps, s.bends[0].site) for s, _ in stage.drawn} == {(8, "latent.4")}


def test_vectors_are_scaled_by_component(song: Path) -> None:
    score = compose(film(bends=["rotate6 latent.1 angles=bands:0:1"]), song)
    assert said(score, "/feature/bands/range") == (0.0, 1.0)


def test_a_film_has_the_length_of_its_sound(song: Path) -> None:
    for fps, count in ((20, 30), (25, 38), ("24000/1001", 36)):
        assert frame_count(compose(film(fps=fps), song), fps) == count


def test_what_the_score_begins_with_can_be_asked(song: Path) -> None:
    score = compose(film(steps=(0, 16, 32), model="tiny"), song)
    assert said(score, "/steps") == (0, 16, 32)
    assert said(score, "/size") == (64, 64)
    assert said(score, "/nothing") is None


def test_feedback_draws_one_frame_at_a_time(song: Path) -> None:
    stage = FakeStage()
    shown(compose(film(feedback=True), song), stage, batch=8)
    assert {s.batch for s, _ in stage.drawn} == {1}
    assert stage.drawn[0][1].init is None
    assert all(v.init is not None for _, v in stage.drawn[1:])


def test_freeze_holds_frames_in_a_film() -> None:
    score = Score()
    score.add(
        0, Message("/size", (64, 64)), Message("/bend/1", ("add", "latent.0")), Message("/bend/1/r", (1.0,))
    )
    score.add(0.1, Message("/freeze", (1,)), Message("/bend/1/r", (2.0,)))
    score.add(0.2, Message("/freeze", (0,)))
    score.add(0.3)
    assert [int(f[0, 0, 0]) for f in shown(score, batch=4)] == [100, 100, 100, 100, 200, 200]


@pytest.mark.parametrize(
    ("bend", "error"),
    [
        ("rotat latent.2", UnknownName),
        ("rotate latent.2 angle=loudness:0:1", UnknownName),
        ("add latent.2 r=inf", BadValue),
    ],
)
def test_a_wrong_bend_is_refused(song: Path, bend: str, error: type[Exception]) -> None:
    with pytest.raises(OscbendError):
        shown(compose(film(bends=[bend]), song))


def test_a_wrong_site_is_refused_before_the_first_frame(song: Path) -> None:
    with pytest.raises(OscbendError, match=r"unet\.mid\.attn"):
        shown(compose(film(bends=["add unet.mid.atn r=1"]), song))


def test_a_foreign_score_plays_on_after_a_message_that_is_none_of_ours() -> None:
    score = Score()
    score.add(0, Message("/s_new", ("default",)), Message("/size", (64, 64)))
    score.add(0.2)
    told: list[str] = []
    assert len(shown(score, strict=False, say=told.append)) == 4
    assert "/s_new" in told[0]


def test_a_network_that_fails_at_once_is_an_error() -> None:
    stage = FakeStage()
    stage.broken = True
    score = Score()
    score.add(1)
    with pytest.raises(OscbendError, match="first picture"):
        shown(score, stage)


def test_a_single_picture_hears_no_music() -> None:
    with pytest.raises(OscbendError, match="rms can drive nothing"):
        picture_score(film(bends=["add latent.2 r=rms"]))


def test_a_show_opens_with_its_settings_or_not_at_all() -> None:
    state = opened(film(bends=["add latent.1 r=2"], guidance=3.0), FakeStage())  # type: ignore[arg-type]
    assert state.prompts == {1: "an orb"}
    assert state.live["/bend/1/r"] == 2.0
    with pytest.raises(OscbendError, match="sampler"):
        opened(film(sampler="ddpm"), FakeStage())  # type: ignore[arg-type]


def test_silence_and_a_missing_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE), RATE)
    score = compose(film(bends=["add latent.2 r=rms:0:2"]), tmp_path / "silence.wav")
    assert {int(f[0, 0, 0]) for f in shown(score)} == {0}
    with pytest.raises(BadAudio):
        compose(film(), tmp_path / "none.wav")


def test_a_film_is_the_same_twice_on_a_real_network(engine_of: Callable[[str], Any], song: Path) -> None:
    from oscbend.stage import Stage

    bends = ["rotate latent.2 angle=rms:0:6.283", "add unet.mid.attn r=rms:0:1"]
    score = compose(film(bends=bends, model="random"), song)
    first, second = (
        list(frames(score, Stage(engine_of("tiny"), "random"), State(model="random"), fps=20, batch=4))
        for _ in range(2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert len({f.tobytes() for f in first}) > 20
