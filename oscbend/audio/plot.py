"""The curves of a sound in one picture."""

from __future__ import annotations

from pathlib import Path

from oscbend.audio.features import Curves
from oscbend.audio.sound import Sound


def plot(path: str | Path, sound: Sound, curves: Curves, *, title: str = "") -> None:
    """Waveform, spectrogram and curves above one another, as a PNG."""
    raise NotImplementedError
