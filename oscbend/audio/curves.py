"""Feature curves as a score, as a table, as arrays, as a picture."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from oscbend.audio.features import Curves
from oscbend.audio.plot import plot
from oscbend.audio.sound import Sound
from oscbend.errors import BadAudio, BadValue
from oscbend.osc import Bundle, Message, TimeTag
from oscbend.rate import Rate, rational
from oscbend.score import Score


def to_score(curves: Curves, fps: Rate) -> Score:
    """One bundle per frame, at i / fps seconds, with a `/feature/NAME v …` for every curve.

    A value that has not changed is sent again: followers run per message.

    Args:
        curves: float [frames] or [frames, n], all of the same length.
        fps: frames per second.

    Returns:
        A score; an empty bundle ends it when the last frame is over.

    Raises:
        BadAudio: curves of different lengths.
    """
    exact = rational(fps)
    addresses = [(f"/feature/{name}", columns(curve).tolist()) for name, curve in curves.items()]
    frames = length(curves)
    bundles = [
        Bundle(
            TimeTag.from_seconds(float(i / exact)),
            tuple(Message(address, tuple(rows[i])) for address, rows in addresses),
        )
        for i in range(frames)
    ]
    return Score([*bundles, Bundle(TimeTag.from_seconds(float(frames / exact)), ())])


def length(curves: Curves) -> int:
    """How many frames the curves have.

    Raises:
        BadAudio: there are no curves, or they are of different lengths.
    """
    lengths = {name: len(curve) for name, curve in curves.items()}
    if len(set(lengths.values())) != 1:
        raise BadAudio(f"curves must be of one length, got {lengths or 'none'}")
    return next(iter(lengths.values()))


def columns(curve: np.ndarray) -> np.ndarray:
    """[frames] as [frames, 1]; [frames, n] as it is."""
    return curve[:, None] if curve.ndim == 1 else curve


def check_ending(path: str | Path) -> None:
    """Refuses a file of features that is none of .csv, .npz and .png.

    Raises:
        BadValue: another ending.
    """
    ending = Path(path).suffix.lower()
    if ending not in (".csv", ".npz", ".png"):
        raise BadValue(f"features are written as .csv, .npz or .png, not as {ending or path}")


def write(path: str | Path, sound: Sound, curves: Curves, *, title: str = "") -> None:
    """Writes the curves of a sound in the format that the path's ending names: .csv, .npz or .png.

    Raises:
        BadValue: another ending.
    """
    check_ending(path)
    match Path(path).suffix.lower():
        case ".csv":
            write_csv(path, curves, sound.fps)
        case ".npz":
            write_npz(path, curves, sound.fps)
        case _:
            plot(path, sound, curves, title=title)


def write_csv(path: str | Path, curves: Curves, fps: Rate) -> None:
    """A table: the time in seconds, then a column for every feature, `NAME.0`, `NAME.1` … for vectors."""
    step = 1 / rational(fps)
    names = [
        name if curve.ndim == 1 else f"{name}.{k}"
        for name, curve in curves.items()
        for k in range(columns(curve).shape[1])
    ]
    table = np.concatenate([columns(curve) for curve in curves.values()], axis=1)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["time_s", *names])
        for i, row in enumerate(table):
            writer.writerow([f"{float(i * step):.6f}", *(f"{value:.7g}" for value in row)])


def write_npz(path: str | Path, curves: Curves, fps: Rate) -> None:
    """NumPy's compressed archive: the curves by name, and `fps` as [numerator, denominator]."""
    exact = rational(fps)
    with open(path, "wb") as file:  # given a path, NumPy would change its ending
        fraction = np.array([exact.numerator, exact.denominator])
        np.savez_compressed(file, fps=fraction, **curves)  # type: ignore[arg-type]
