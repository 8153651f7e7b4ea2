"""A test card: tells at a glance whether a host shows pictures upright, in the right colours, in time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from oscbend.errors import OscbendError
from oscbend.frame import Frame
from oscbend.sinks.base import Sink, Stats

BARS = (
    ("white", (255, 255, 255)),
    ("yellow", (255, 255, 0)),
    ("cyan", (0, 255, 255)),
    ("green", (0, 255, 0)),
    ("magenta", (255, 0, 255)),
    ("red", (255, 0, 0)),
    ("blue", (0, 0, 255)),
    ("black", (0, 0, 0)),
)
"""The colour bars from left to right, each with its name written in it."""

CORNERS = (
    ("top left", (160, 30, 30)),
    ("top right", (30, 120, 40)),
    ("bottom left", (40, 60, 190)),
    ("bottom right", (120, 90, 20)),
)

BITS = 16
"""Cells in the row that spells the frame's number, highest bit first, white for 1."""
LAP = 60
"""Frames that the moving mark takes from left to right."""

GROUND = (28, 28, 32)
LINE = (70, 70, 76)
INK = (255, 255, 255)
DARK = (0, 0, 0)
SAY_S = 1.0

Box = tuple[float, float, float, float]


class Card:
    """Draws the card: labelled corners, colour bars, a grey ramp, a frame counter in figures and in bits.

    Args:
        width, height: pixels; small ones leave little to be read.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._still = self._drawn()

    def picture(self, number: int) -> np.ndarray:
        """The card with a frame's number on it.

        Returns:
            uint8 [H, W, 4], RGBA, top row first, alpha 255.
        """
        image = self._still.copy()
        draw = ImageDraw.Draw(image)
        self._write(draw, f"frame {number}", self.box(0.2, 0.55, 0.8, 0.65), INK)
        roomy = self.width >= 256 and self.height >= 128
        for n in range(BITS):
            on = number >> (BITS - 1 - n) & 1
            draw.rectangle(self.box(*self.cell(n)), INK if on else DARK, LINE if roomy else None)
        x = 0.02 + 0.92 * (number % LAP) / (LAP - 1)
        draw.rectangle(self.box(x, 0.75, x + 0.04, 0.79), INK)
        return np.array(image)

    @staticmethod
    def cell(n: int) -> Box:
        """Where a bit of the number stands: left, top, right, bottom, as fractions of the picture."""
        width = 0.6 / BITS
        return 0.2 + n * width, 0.66, 0.2 + (n + 1) * width, 0.71

    @staticmethod
    def bar(n: int) -> Box:
        """Where a colour bar stands, likewise."""
        return n / len(BARS), 0.26, (n + 1) / len(BARS), 0.46

    def box(self, left: float, top: float, right: float, bottom: float) -> Box:
        """Fractions of the picture as pixels: the first and the last ones inside."""
        w, h = self.width, self.height
        return round(left * w), round(top * h), max(round(right * w) - 1, 0), max(round(bottom * h) - 1, 0)

    def _drawn(self) -> Image.Image:
        width, height = self.width, self.height
        image = Image.new("RGBA", (width, height), (*GROUND, 255))
        draw = ImageDraw.Draw(image)
        for n in range(1, 8):
            draw.line((width * n // 8, 0, width * n // 8, height), LINE)
            draw.line((0, height * n // 8, width, height * n // 8), LINE)
        radius = 0.49 * min(width, height)
        middle = width / 2, height / 2
        draw.ellipse(
            (middle[0] - radius, middle[1] - radius, middle[0] + radius, middle[1] + radius), outline=INK
        )
        for n, (name, colour) in enumerate(CORNERS):
            left, top = n % 2 * 0.7, n // 2 * 0.84
            draw.rectangle(self.box(left, top, left + 0.3, top + 0.16), colour)
            self._write(draw, name, self.box(left + 0.02, top + 0.02, left + 0.28, top + 0.14), INK)
        self._write(draw, "this side up", self.box(0.32, 0.04, 0.68, 0.12), INK)
        self._write(draw, f"{width} x {height}", self.box(0.36, 0.13, 0.64, 0.2), INK)
        for n, (name, colour) in enumerate(BARS):
            left, top, right, bottom = self.bar(n)
            draw.rectangle(self.box(left, top, right, bottom), colour)
            ink = DARK if sum(colour) > 300 or colour[1] else INK
            self._write(draw, name, self.box(left + 0.01, top + 0.13, right - 0.01, bottom - 0.01), ink)
        left_px, top_px, right_px, bottom_px = (int(v) for v in self.box(0.0, 0.46, 1.0, 0.53))
        ramp = np.linspace(0, 255, right_px - left_px + 1).round().astype(np.uint8)
        ramp = np.broadcast_to(ramp, (bottom_px - top_px + 1, len(ramp)))
        image.paste(Image.fromarray(ramp), (left_px, top_px))
        draw.rectangle(self.box(0.0, 0.74, 1.0, 0.8), DARK, LINE)
        draw.rectangle((0, 0, width - 1, height - 1), outline=INK)
        return image

    @staticmethod
    def _write(draw: ImageDraw.ImageDraw, text: str, box: Box, ink: tuple[int, int, int]) -> None:
        """Writes a text as large as fits into the middle of a box."""
        left, top, right, bottom = box
        size = max(4.0, bottom - top)
        wide = draw.textlength(text, ImageFont.load_default(size))
        size = max(4.0, min(size, size * (right - left) / max(wide, 1.0)))
        middle = (left + right) / 2, (top + bottom) / 2
        draw.text(middle, text, ink, ImageFont.load_default(size), anchor="mm")


def show_card(sink: Sink, card: Card, fps: float, frames: int | None, say: Callable[[str], None]) -> Stats:
    """Shows the card on an output until Ctrl-C, and closes the output.

    Args:
        sink: not opened yet.
        card: what is shown.
        fps: frames per second.
        frames: end after so many; None for never.
        say: takes a line about how it goes, every second.

    Returns:
        How the output did.

    Raises:
        OscbendError: the output cannot be opened, or has given up.
    """
    with contextlib.suppress(KeyboardInterrupt), sink:
        began_s = told_s = time.monotonic()
        number = 0
        while frames is None or number < frames:
            time.sleep(max(0.0, began_s + number / fps - time.monotonic()))
            sink.put(Frame(number, number / fps, card.picture(number)))
            number += 1
            if time.monotonic() - told_s >= SAY_S:
                told_s = time.monotonic()
                say(line(sink.stats))
            if not sink.stats.open:
                raise OscbendError(sink.stats.error or f"output {sink.name} has closed")
    return sink.stats


def line(stats: Stats) -> str:
    """How an output does, in one line."""
    parts = [f"{stats.kind}: {stats.shown} shown", f"{stats.fps:.1f} fps", f"{stats.dropped} dropped"]
    if stats.shown:
        parts.append(f"age {stats.age_ms:.1f} ms")
    return " · ".join([*parts, stats.error] if stats.error else parts)
