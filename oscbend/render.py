"""A score, or an audio file turned into one, to the pictures of a film."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from oscbend.audio import Sound, analyze_sound, read, to_score
from oscbend.errors import OscbendError
from oscbend.features import Buses
from oscbend.frame import Frame
from oscbend.loop import Loop
from oscbend.modulation import SPECTRUM_BUS, Modulation, Shot
from oscbend.osc import Bundle, Message, TimeTag
from oscbend.rate import Rate, rational
from oscbend.schedule import EARLY_S, Schedule
from oscbend.score import Score
from oscbend.stage import Stage
from oscbend.state import STAGE_LAG_S, State
from oscbend.words import bend_words
from oscbend.worker import InPlace


@dataclass(frozen=True)
class Film:
    """What a film is made from, besides its music.

    Args:
        prompt: what is seen; `prompt2`, if given, is what it has become at the end.
        negative, guidance: classifier-free guidance.
        bends: one line each, as in `oscbend.words`.
        model, width, height, steps, sampler, seed: as in the commands of these names.
        noise: `walk` goes once round in the film; the others as in `/noise/mode`.
        fps: frames per second.
        smooth: (attack, release) of every feature, in seconds; (0, 0) takes them as they are.
        feedback, strength, init: image-to-image.
    """

    prompt: str
    prompt2: str = ""
    negative: str = ""
    guidance: float = 1.0
    bends: Sequence[str] = ()
    model: str = "tiny"
    width: int = 256
    height: int = 256
    steps: int | tuple[int, ...] = 4
    sampler: str = "ddim"
    seed: float = 46
    noise: str = "walk"
    fps: Rate = 20
    smooth: tuple[float, float] = (0.0, 0.0)
    feedback: bool = False
    strength: float = 0.5
    init: str = ""


def compose(film: Film, audio: str | Path) -> Score:
    """The score of a film: all it needs to be rendered again, without the audio file.

    Features are worked out per frame and scaled from the song's own minimum and maximum (vectors: each
    component by itself).

    Raises:
        BadAudio: the file cannot be read, or is empty.
        BadMessage: an unknown operator, parameter or feature, or a wrong value.
    """
    words = [bend_words(text, str(n)) for n, text in enumerate(film.bends, 1)]
    features = list(dict.fromkeys(f for w in words for f in w.features))
    samples, rate = read(audio)
    sound = Sound(samples, rate, film.fps)
    if film.noise == SPECTRUM_BUS and SPECTRUM_BUS not in features:
        features.append(SPECTRUM_BUS)
    frames = len(sound.borders) - 1
    curves: dict[str, np.ndarray] = {}
    ranges: list[Message] = []
    for name, curve in analyze_sound(sound, features).items() if features else ():
        lo, hi = (curve.min(axis=0), curve.max(axis=0))
        if curve.ndim > 1 and name != SPECTRUM_BUS:
            curve = (curve - lo) / np.where(hi > lo, hi - lo, 1)
            lo, hi = 0.0, 1.0
        curves[name] = curve
        ranges += heard(name, film, float(np.min(lo)), float(np.max(hi)))
    exact = rational(film.fps)
    score = to_score(curves, film.fps) if curves else Score([Bundle(_tag(frames / exact), ())])
    once = [Message("/noise/speed", (float(exact / frames),))] if film.noise == "walk" else []
    head = [*opening(film), *once, *ranges, *(m for w in words for m in w.messages)]
    bundles = [Bundle(_tag(Fraction(0)), tuple(head)), *score]
    if film.prompt2:
        bundles += [Bundle(_tag(i / exact), _fade(i, frames)) for i in range(frames)]
    return Score.from_bytes(Score(bundles).to_bytes())  # as exact as a file, so that both give the same film


def heard(name: str, film: Film, lo: float, hi: float) -> list[Message]:
    """How a film hears one feature: over the song's own range, smoothed as the film says."""
    return [
        Message(f"/feature/{name}/range", (lo, hi if hi > lo else lo + 1.0)),
        Message(f"/feature/{name}/smooth", film.smooth),
    ]


def opening(film: Film) -> list[Message]:
    """The messages that a score begins with, before its bends."""
    steps: tuple[Any, ...] = film.steps if isinstance(film.steps, tuple) else (film.steps,)
    messages = [
        Message("/model", (film.model,)),
        Message("/size", (film.width, film.height)),
        Message("/fps", (float(rational(film.fps)),)),
        Message("/steps", steps),
        Message("/sampler", (film.sampler,)),
        Message("/seed", (film.seed,)),
        Message("/noise/mode", (film.noise,)),
        Message("/prompt", (film.prompt,)),
    ]
    if film.prompt2:
        messages.append(Message("/prompt/2", (film.prompt2,)))
    if film.negative:
        messages.append(Message("/prompt/negative", (film.negative,)))
    if film.guidance != 1.0:
        messages.append(Message("/guidance", (film.guidance,)))
    if film.init:
        messages.append(Message("/init", (film.init,)))
    if film.feedback:
        messages.append(Message("/feedback", (1,)))
    if film.init or film.feedback:
        messages.append(Message("/strength", (film.strength,)))
    return messages


def picture_score(film: Film) -> Score:
    """The score of a single picture."""
    words = [bend_words(text, str(n)) for n, text in enumerate(film.bends, 1)]
    driven = [f for w in words for f in w.features]
    if driven:
        raise OscbendError(f"a single picture hears no music: {driven[0]} can drive nothing here")
    head = (*opening(replace(film, noise="hold")), *(m for w in words for m in w.messages))
    return Score([Bundle(_tag(Fraction(0)), head)])


def opened(film: Film, stage: Stage, say: Callable[[str], None] = lambda line: None) -> State:
    """The state that a live show begins with; everything slow is done before this returns.

    Raises:
        OscbendError: a setting that cannot be.
    """
    words = [bend_words(text, str(n)) for n, text in enumerate(film.bends, 1)]
    schedule = Schedule()
    schedule.put(0.0, (*opening(film), *(m for w in words for m in w.messages)))
    loop = _Strict(stage, InPlace(), State(model=film.model, lag=STAGE_LAG_S), schedule, say=say)
    loop.prepare(0.0)
    loop.check()
    return loop.state


class _Strict(Loop):
    """A loop that collects what is refused at its opening, to be raised as one error."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.opening = True
        self.refused: list[str] = []

    def _complain(self, kind: str, address: str, text: str, now_s: float, to: Hashable | None) -> None:
        if kind == "/fail" and self.opening:
            self.refused.append(f"{address}: {text}")
        else:
            super()._complain(kind, address, text, now_s, to)

    def check(self) -> None:
        """Raises OscbendError if anything was refused; from now on, what is refused is only said."""
        self.opening = False
        if self.refused:
            raise OscbendError("; ".join(self.refused))


class _Filming(_Strict):
    """A loop that begins frames by the batch, where neighbours share a structure."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting: list[tuple[Shot, float]] = []
        self._batch = 1

    def take(self, shot: Shot | None, now_s: float, batch: int) -> None:
        """Draws a frame, now or with the ones that follow.

        Args:
            shot: what it needs; None holds the picture.
            now_s: when it is shown.
            batch: B; with feedback it is 1.
        """
        if shot is None:
            self.land()
            self.publish(self.held(), now_s)
            return
        if self._waiting and self._waiting[-1][0].structure != shot.structure:
            self._begin()
        self._batch = 1 if self.state.feedback else batch
        self._waiting.append((shot, now_s))
        if len(self._waiting) == self._batch:
            self._begin()

    def land(self, *, wait: bool = True) -> None:
        """Shows the frames that are on their way; if it waits, also those that were not begun."""
        if wait:
            self._begin()
        super().land(wait=wait)

    def _begin(self) -> None:
        if self._waiting:
            shots, times_s = zip(*self._waiting)
            self._waiting.clear()
            self.send(shots, times_s, self._batch)


class _Reel:
    """A sink that keeps every picture until it is fetched."""

    def __init__(self, pictures: deque[np.ndarray]) -> None:
        self.pictures = pictures

    def put(self, frame: Frame) -> None:
        """Keeps a picture."""
        self.pictures.append(frame.picture)


def _fade(i: int, frames: int) -> tuple[Message, Message]:
    share = i / max(1, frames - 1)
    return Message("/prompt/1/weight", (1.0 - share,)), Message("/prompt/2/weight", (share,))


def _tag(time_s: Fraction) -> TimeTag:
    return TimeTag.from_seconds(float(time_s))


def said(score: Score, address: str) -> tuple[Any, ...] | None:
    """What a score says at its beginning about an address; None if nothing."""
    for bundle in score:
        if bundle.time.seconds > 0:
            break
        for message in bundle.elements:
            if isinstance(message, Message) and message.address == address:
                return message.args
    return None


def frame_count(score: Score, fps: Rate) -> int:
    """How many frames a score has: those that begin before its last bundle, at least one."""
    return max(1, ceil((score.duration_s - EARLY_S) * rational(fps)))


def frames(
    score: Score,
    stage: Stage,
    state: State,
    *,
    fps: Rate,
    batch: int = 1,
    steps: int | tuple[int, ...] | None = None,
    size: tuple[int, int] | None = None,
    strict: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[np.ndarray]:
    """The pictures of a film, one after the other, uint8 [H, W, 4].

    Args:
        score: what happens.
        stage: the model that draws.
        state: what it begins with, before the score's first bundle.
        fps: frames per second.
        batch: B, frames drawn in one call where neighbours share a structure; with feedback it is 1.
        steps, size: in place of the score's; bends move to the same fraction of the schedule.
        strict: False plays on although something at the score's beginning is refused.
        say: is told what could not be done, one line each.

    Raises:
        OscbendError: something at the score's beginning is refused, or the first picture cannot be drawn.
    """
    exact = rational(fps)
    schedule = Schedule(horizon_s=None)
    schedule.put_score(score)
    modulation = Modulation(Buses(), steps, size)
    loop = _Filming(stage, InPlace(), state, schedule, modulation=modulation, say=say)
    loop.opening = strict
    shown: deque[np.ndarray] = deque()
    loop.sinks.append(_Reel(shown))
    count = frame_count(score, fps)
    for i in range(count):
        now_s = float(i / exact)
        shot = loop.prepare(now_s)
        if strict and i == 0:
            loop.check()
        loop.take(shot, now_s, batch)
        if i == count - 1:
            loop.land()
        if loop.number == len(shown) and shown and loop.failed:
            raise OscbendError("the first picture could not be drawn; see the lines above")
        while shown:
            yield shown.popleft()
