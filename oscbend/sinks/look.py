"""How an output shows frames that a host wants otherwise: size, rate, flipped, blue first, see-through."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from oscbend.frame import Frame
from oscbend.state import LUMA, OPAQUE

_LUMA = np.array([54, 183, 19], np.uint16)
"""Red, green and blue in 256ths of the brightness (Rec. 709)."""

EARLY_S = 1e-3
"""Frames come a little unevenly; one that is early by less counts as due."""


@dataclass(frozen=True)
class Look:
    """What is done to every frame, on the thread of the output.

    Args:
        size: (width, height) to which pictures are stretched; None as they are drawn.
        fps: frames per second at most; 0 for all.
        flip: True turns pictures upside down: bottom row first.
        swap: True exchanges red and blue: BGRA.
        alpha: `opaque`, or `luma` for the brightness: black is see-through.
    """

    size: tuple[int, int] | None = None
    fps: float = 0.0
    flip: bool = False
    swap: bool = False
    alpha: str = OPAQUE

    def seen(self, frame: Frame) -> Frame:
        """A frame as the host sees it; itself if nothing is to be done."""
        picture = frame.picture
        height, width = picture.shape[:2]
        if self.size is not None and self.size != (width, height):
            picture = _stretched(picture, self.size)
        if self.alpha == LUMA:
            picture = _see_through(picture)
        if self.flip:
            picture = picture[::-1]
        if self.swap:
            picture = picture[..., [2, 1, 0, 3]]
        if picture is frame.picture:
            return frame
        return replace(frame, picture=np.ascontiguousarray(picture))


class Pace:
    """Lets frames through at a rate, evenly."""

    def __init__(self) -> None:
        self._next_s = -np.inf

    def due(self, time_s: float, fps: float) -> bool:
        """True if the frame of a time is to be shown; the first one is.

        Args:
            time_s: of the frame, seconds; a clock that begins anew is followed.
            fps: frames per second at most; 0 for all.
        """
        if fps <= 0:
            return True
        gap_s = 1.0 / fps
        if not self._next_s - 2 * gap_s < time_s < self._next_s + gap_s:
            self._next_s = time_s + gap_s
            return True
        if time_s < self._next_s - EARLY_S:
            return False
        self._next_s += gap_s
        return True


def _see_through(picture: np.ndarray) -> np.ndarray:
    luma = (picture[..., :3] * _LUMA).sum(axis=2, dtype=np.uint16) >> 8
    return np.dstack((picture[..., :3], luma.astype(np.uint8)))


def _stretched(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    from PIL import Image  # not at the top: outputs that change nothing need no Pillow

    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
