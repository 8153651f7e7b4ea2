"""Films as files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from fakes import FakeStage
from recorded import Show

from oscbend import film as filming
from oscbend.errors import BadAudio, BadScore, BadValue
from oscbend.film import Job, make
from oscbend.osc import Message
from oscbend.score import Score
from oscbend.takes import take_of


@pytest.fixture
def song(tmp_path: Path) -> Path:
    t = np.arange(8000) / 8000
    soundfile.write(tmp_path / "song.wav", np.sin(2 * np.pi * 440 * t) * t, 8000)
    return tmp_path / "song.wav"


class Stage(FakeStage):
    def setting(self) -> dict[str, Any]:
        return {"device": "none"}


def made(tmp_path: Path, source: Path, name: str = "film.mp4", **options: Any) -> Path:
    rest = {"prompt": "an orb", "bends": ("add latent.2 r=rms:0:2",)}
    job = Job(source, tmp_path / name, **{"size": (64, 64), "rest": rest, **options})
    result = make(job, lambda model: Stage(), say=print, show_progress=False)  # type: ignore[arg-type, return-value]
    assert result.whole
    return result.path


def reds(path: Path) -> list[int]:
    with av.open(str(path)) as film:
        return [int(f.to_ndarray(format="rgb24")[..., 0].mean()) for f in film.decode(video=0)]


def test_a_film_has_picture_and_sound_of_one_length(tmp_path: Path, song: Path) -> None:
    path = made(tmp_path, song)
    with av.open(str(path)) as film:
        assert film.streams.video[0].codec_context.name == "h264"
        assert film.streams.audio[0].codec_context.name == "aac"
    assert len(reds(path)) == 20


def test_the_saved_score_gives_the_same_film(tmp_path: Path, song: Path) -> None:
    first = made(tmp_path, song, save_score=tmp_path / "film.osc")
    again = made(tmp_path, tmp_path / "film.osc", "again.mp4", size=None, audio=song)
    assert reds(first) == reds(again)
    assert first.read_bytes() == again.read_bytes()


def test_a_score_without_sound_is_a_silent_film(tmp_path: Path) -> None:
    score = Score()
    score.add(0, Message("/size", (64, 64)), Message("/fps", (10,)))
    score.add(1.0)
    score.write(tmp_path / "s.osc")
    path = made(tmp_path, tmp_path / "s.osc", size=None)
    with av.open(str(path)) as film:
        assert not film.streams.audio
    assert len(reds(path)) == 10


def test_the_film_tells_how_it_was_made(tmp_path: Path, song: Path) -> None:
    with av.open(str(made(tmp_path, song, batch=2))) as film:
        manifest = json.loads(film.metadata["comment"])
    assert manifest["batch"] == 2
    assert manifest["device"] == "none"
    assert {"oscbend", "torch", "diffusers", "fps", "model"} <= set(manifest)


def test_breaking_off_leaves_the_frames_so_far(
    tmp_path: Path, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = filming.frames

    def broken(*args: Any, **options: Any) -> Iterator[np.ndarray]:
        for n, picture in enumerate(real(*args, **options)):
            if n == 7:
                raise KeyboardInterrupt
            yield picture

    monkeypatch.setattr(filming, "frames", broken)
    job = Job(song, tmp_path / "film.mp4", size=(64, 64), rest={"prompt": "an orb"})
    result = make(job, lambda model: Stage(), say=print, show_progress=False)  # type: ignore[arg-type, return-value]
    assert not result.whole
    assert len(reds(result.path)) == result.frames == 7
    assert "broken off" in str(result)


def test_the_progress_bar_lets_every_picture_through() -> None:
    pictures = [np.zeros((2, 2, 4), np.uint8)] * 3
    assert len(list(filming.progress(iter(pictures), 3))) == 3


def test_what_cannot_be_filmed_is_said_before_anything_is_written(tmp_path: Path, song: Path) -> None:
    with pytest.raises(BadAudio):
        made(tmp_path, tmp_path / "missing.wav")
    with pytest.raises(BadValue, match="mp4"):
        made(tmp_path, song, "film.avi")
    score = Score()
    score.add(0, Message("/fps", (10,)))
    score.write(tmp_path / "s.osc")
    with pytest.raises(BadScore, match="last bundle"):
        made(tmp_path, tmp_path / "s.osc")
    assert not list(tmp_path.glob("*.mp4"))


def test_a_recording_as_played_has_every_frame_at_its_time(tmp_path: Path) -> None:
    show = Show(Stage(), tmp_path)
    show.step(("/bend/1", "add", "latent.1"), count=2)
    show.step(("/record/start", "evening"), count=3)
    for n in range(10):
        show.step(("/bend/1/r", n / 5), count=2)
    show.step(("/record/stop",))
    take = take_of(Score.read(tmp_path / "evening.osc"))
    path = made(tmp_path, tmp_path / "evening.osc", size=None, rest={}, as_played=True, crf=0.0)
    with av.open(str(path)) as film:
        decoded = [(float(f.pts * f.time_base), f.to_ndarray(format="rgb24")) for f in film.decode(video=0)]
    times_s = [time_s - take.memory.began_s for time_s, _ in take.frames]
    assert [time_s for time_s, _ in decoded] == pytest.approx(times_s, abs=1e-4)
    shown = {frame.time_s: frame.picture for frame in show.kept.frames}
    for (_, picture), (time_s, _) in zip(decoded, take.frames, strict=True):
        assert abs(int(picture[0, 0, 0]) - int(shown[time_s][0, 0, 0])) <= 6


def test_a_recording_makes_a_film_of_another_size_at_a_constant_rate(tmp_path: Path) -> None:
    show = Show(Stage(), tmp_path)
    show.step(("/record/start", "evening"), count=30)
    show.step(("/record/stop",), count=2)
    seconds = Score.read(tmp_path / "evening.osc").duration_s
    path = made(tmp_path, tmp_path / "evening.osc", size=(128, 96), steps=8, rest={}, fps=25)
    with av.open(str(path)) as film:
        video = film.streams.video[0]
        assert (video.width, video.height) == (128, 96)
        assert sum(1 for _ in film.decode(video=0)) == pytest.approx(seconds * 25, abs=1)


def test_what_was_not_recorded_cannot_be_as_played(tmp_path: Path, song: Path) -> None:
    made(tmp_path, song, save_score=tmp_path / "film.osc")
    with pytest.raises(BadScore, match="as-played"):
        made(tmp_path, tmp_path / "film.osc", "again.mp4", size=None, as_played=True)
