"""Pictures and films to start from, and pictures as masks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from PIL import Image, UnidentifiedImageError

from oscbend.errors import BadValue

MAX_FRAMES = 600
MAX_SIDE = 1024


@dataclass(frozen=True, eq=False)
class Moving:
    """A picture, or a film that goes round.

    Args:
        frames: uint8 RGB, [H, W, 3] each.
        times_s: when each of them begins; the last one lasts as long as the one before.
    """

    frames: tuple[np.ndarray, ...]
    times_s: tuple[float, ...] = (0.0,)
    _fitted: dict[tuple[int, tuple[int, int]], np.ndarray] = field(default_factory=dict)

    def at(self, now_s: float, size: tuple[int, int]) -> np.ndarray:
        """The frame of `now_s`, uint8 [height, width, 3], cropped to the middle and scaled to `size`.

        The same array as long as the same frame is asked for, not to be written into.
        """
        place = 0
        if len(self.frames) > 1:
            length = self.times_s[-1] + (self.times_s[-1] - self.times_s[-2])
            place = max(0, int(np.searchsorted(self.times_s, now_s % length, side="right")) - 1)
        key = place, size
        found = self._fitted.get(key)
        if found is None:
            found = fitted(self.frames[place], size)
            self._fitted.clear()
            self._fitted[key] = found
        return found

    @property
    def grey(self) -> np.ndarray:
        """The first frame's brightness, float32 [H, W] in 0..1: a soft mask."""
        return (self.frames[0] @ np.array([0.2126, 0.7152, 0.0722])).astype(np.float32) / 255


def fitted(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture cropped to the middle and scaled to (width, height), uint8 [height, width, 3]."""
    width, height = size
    rows, cols = frame.shape[:2]
    if (cols, rows) == (width, height):
        return frame
    scale = max(width / cols, height / rows)
    take_w, take_h = width / scale, height / scale
    left, top = (cols - take_w) / 2, (rows - take_h) / 2
    box = (left, top, left + take_w, top + take_h)
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS, box=box))


def read(path: Path) -> Moving:
    """A picture or film from a file; of a film, the first 600 frames at most.

    Raises:
        BadValue: missing, or neither picture nor film.
    """
    if not path.is_file():
        raise BadValue(f"there is no file {path.name}")
    try:
        with Image.open(path) as image:
            return Moving((_small(np.asarray(image.convert("RGB"))),))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return _film(path)


def _film(path: Path) -> Moving:
    frames: list[np.ndarray] = []
    times: list[float] = []
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                frames.append(_small(frame.to_ndarray(format="rgb24")))
                times.append(float(frame.time if frame.time is not None else len(times) / 25))
                if len(frames) == MAX_FRAMES:
                    break
    except (FFmpegError, IndexError, OSError) as error:
        raise BadValue(f"{path.name} is neither a picture nor a film that can be read") from error
    if not frames:
        raise BadValue(f"{path.name} holds no frames")
    first = times[0]
    return Moving(tuple(frames), tuple(t - first for t in times))


def _small(frame: np.ndarray) -> np.ndarray:
    rows, cols = frame.shape[:2]
    scale = MAX_SIDE / max(rows, cols)
    if scale >= 1:
        return frame
    size = (max(1, round(cols * scale)), max(1, round(rows * scale)))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS))
