"""The picture of a sound's features: that it is drawn, of the size it needs, and not empty."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oscbend.audio import Sound, analyze_sound, plot

RATE = 22050


def chirp(length_s: float = 2.0) -> np.ndarray:
    time_s = np.arange(round(length_s * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * (200 + 1500 * time_s / length_s) * time_s) * time_s / length_s).astype(
        "f4"
    )


def drawn(path: Path, samples: np.ndarray, names: list[str]) -> np.ndarray:
    sound = Sound(samples, RATE, 20)
    plot(path, sound, analyze_sound(sound, names), title="chirp.wav")
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_a_lane_for_every_curve(tmp_path: Path) -> None:
    few = drawn(tmp_path / "few.png", chirp(), ["rms"])
    more = drawn(tmp_path / "more.png", chirp(), ["rms", "centroid", "chroma", "bands", "mfcc"])
    assert few.shape[1] == more.shape[1] == 1800
    assert more.shape[0] > few.shape[0]
    assert (few[0, 0] == (11, 13, 19)).all()
    for picture in (few, more):
        assert 0.02 < (picture.max(axis=2) > 90).mean() < 0.6


@pytest.mark.parametrize("samples", [np.zeros(RATE), np.full(RATE, 0.5), chirp(0.02)])
def test_silence_dc_and_very_short(tmp_path: Path, samples: np.ndarray) -> None:
    drawn(tmp_path / "odd.png", samples, ["rms", "chroma", "bands", "tonnetz", "spectrum"])


def test_names_that_are_not_in_the_table(tmp_path: Path) -> None:
    sound = Sound(chirp(), RATE, 20)
    plot(tmp_path / "own.png", sound, {"stem": np.linspace(0, 1, len(sound))})
    assert (tmp_path / "own.png").stat().st_size > 10_000
