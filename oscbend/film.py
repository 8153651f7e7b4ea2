"""Making a film: which score, which sound, how fast, and the file that comes out."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import oscbend
from oscbend.errors import BadScore, BadValue
from oscbend.rate import Rate, rational
from oscbend.render import Film, compose, frame_count, frames, said
from oscbend.replay import replayed
from oscbend.score import Score
from oscbend.sinks.film import FilmWriter, film_path
from oscbend.stage import Stage
from oscbend.state import State
from oscbend.takes import Take, plain, scenes_of, take_of

SCORE_SUFFIXES = (".osc", ".score")
MOMENTS = 12_800
"""Moments in a second at which a frame of a film as played may stand."""

T = TypeVar("T")
LIBRARIES = ("torch", "diffusers", "transformers", "numpy", "av")


@dataclass(frozen=True)
class Job:
    """A film to be made.

    Args:
        source: an audio file, or a score.
        output: the film.
        batch: frames drawn in one call.
        audio: sound for a score's film; an audio source is its own.
        save_score: where to keep the score; None does not.
        as_played: True draws the very frames that were shown when the score was recorded, each at its time.
        crf: quality of the film; see `FilmWriter`.
        model, fps, size, steps: in place of what a score says; None for that, or for the usual ones.
        rest: the other fields of `Film`, for an audio source.
    """

    source: Path
    output: Path
    batch: int = 1
    audio: Path | None = None
    save_score: Path | None = None
    crf: float = 17.0
    model: str | None = None
    fps: Rate | None = None
    size: tuple[int, int] | None = None
    steps: int | tuple[int, ...] | None = None
    as_played: bool = False
    rest: Mapping[str, Any] = field(default_factory=lambda: {"prompt": "a floating orb"})


@dataclass(frozen=True)
class Made:
    """A film that was made.

    Args:
        path: of the film.
        frames: in it.
        seconds: it took to draw and write them.
        whole: False if it was broken off and holds only the frames so far.
    """

    path: Path
    frames: int
    seconds: float
    whole: bool = True

    def __str__(self) -> str:
        rate = self.frames / self.seconds if self.seconds > 0 else 0.0
        broken = "" if self.whole else ", broken off"
        return f"{self.path}: {self.frames} frames in {self.seconds:.1f} s, {rate:.1f} frames/s{broken}"


def make(
    job: Job, load: Callable[[str], Stage], *, say: Callable[[str], None], show_progress: bool = True
) -> Made:
    """Makes a film; Ctrl-C ends it with the frames so far.

    Args:
        job: what to make.
        load: loads a model by name.
        say: is told one line about whatever could not be done.
        show_progress: frames, frames per second and time left, on stderr.

    Raises:
        OscbendError: it cannot be made, and why.
    """
    film_path(job.output)
    score, sound, played = _score(job, say)
    fps = rational(job.fps or _first(score, "/fps", 20.0))
    model = job.model or str(_first(score, "/model", "tiny"))
    size = job.size or size_of(score)
    if job.save_score is not None:
        score.write(job.save_score)
    stage = load(model)
    stage.scenes = stage.scenes.in_memory(scenes_of(score))
    if job.as_played:
        return _as_played(job, take_of(score), stage, (model, sound), say, show_progress)
    score = plain(score)
    count = frame_count(score, fps)
    drawn = frames(
        score,
        stage,
        State(model=model),
        fps=fps,
        batch=job.batch,
        steps=job.steps if played else None,
        size=size,
        strict=not played,
        say=say,
    )
    began = time.perf_counter()
    whole = True
    manifest = manifest_of(job, model, float(fps), stage)
    with FilmWriter(job.output, fps, size, audio=sound, crf=job.crf, scale=True, note=manifest) as film:
        try:
            with stage.compiling():
                for picture in progress(drawn, count) if show_progress else drawn:
                    film.write(picture)
        except KeyboardInterrupt:
            whole = False
    return Made(job.output, film.frames, time.perf_counter() - began, whole)


def _score(job: Job, say: Callable[[str], None]) -> tuple[Score, Path | None, bool]:
    """The score, the file with the sound, and whether the score came from a file."""
    if job.source.suffix.lower() in SCORE_SUFFIXES:
        score = Score.read(job.source, say)
        if score.duration_s <= 0:
            raise BadScore(
                f"{job.source}: everything happens at 0 s; a last bundle must say when the film ends"
            )
        return score, job.audio, True
    width, height = job.size or (256, 256)
    film = Film(
        model=job.model or "tiny",
        width=width,
        height=height,
        steps=job.steps or 4,
        fps=job.fps or 20,
        **job.rest,
    )
    return compose(film, job.source), job.audio or job.source, False


def _as_played(
    job: Job,
    take: Take,
    stage: Stage,
    heads: tuple[str, Path | None],
    say: Callable[[str], None],
    show_progress: bool,
) -> Made:
    """Makes a film of the frames that were shown, each at its time."""
    model, sound = heads
    fps = rational(job.fps or take.memory.state.fps)
    size = job.size or (take.memory.state.width, take.memory.state.height)
    drawn = replayed(take, stage, steps=job.steps, size=job.size, say=say)
    pictures = ((frame.picture, frame.time_s - take.memory.began_s) for frame in drawn)
    began = time.perf_counter()
    whole = True
    manifest = manifest_of(job, model, float(fps), stage)
    with FilmWriter(
        job.output, fps, size, audio=sound, crf=job.crf, scale=True, note=manifest, grid=MOMENTS
    ) as film:
        last = -1
        try:
            with stage.compiling():
                for picture, time_s in progress(pictures, len(take.frames)) if show_progress else pictures:
                    last = max(last + 1, round(time_s * MOMENTS))
                    film.write(picture, last)
        except KeyboardInterrupt:
            whole = False
    return Made(job.output, film.frames, time.perf_counter() - began, whole)


def _first(score: Score, address: str, otherwise: Any) -> Any:
    args = said(score, address)
    return args[0] if args else otherwise


def size_of(score: Score) -> tuple[int, int]:
    """(width, height) that a score begins with.

    Raises:
        BadValue: it says something else.
    """
    args = said(score, "/size")
    if args is None or len(args) != 2:
        return 256, 256
    try:
        return int(args[0]), int(args[1])
    except (TypeError, ValueError):
        raise BadValue(f"the score's /size {args} is no size") from None


def manifest_of(job: Job, model: str, fps: float, stage: Stage) -> str:
    """What decides the bytes of a film, as JSON: kept in the film itself."""
    from importlib.metadata import version

    return json.dumps(
        {
            "oscbend": oscbend.__version__,
            "model": model,
            "fps": fps,
            "batch": job.batch,
            "machine": platform.machine(),
            **stage.setting(),
            **{name: version(name) for name in LIBRARIES},
        },
        sort_keys=True,
    )


def progress(drawn: Iterator[T], count: int) -> Iterator[T]:
    """The same pictures, with a bar on stderr: frames, frames per second, time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("filming"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    began = time.perf_counter()
    with bar:
        task = bar.add_task("film", total=count, rate="")
        for n, picture in enumerate(drawn, 1):
            yield picture
            bar.update(task, completed=n, rate=f"{n / (time.perf_counter() - began):.1f} frames/s")
