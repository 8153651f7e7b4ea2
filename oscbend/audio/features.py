"""A sound file's features as curves, one value (or vector) per film frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from oscbend.audio import moments, reference, rhythm, spectrum, timbre
from oscbend.audio.read import read
from oscbend.audio.sound import FEATURES, Sound
from oscbend.errors import BadValue
from oscbend.rate import Rate
from oscbend.table import Row

Curves = Mapping[str, np.ndarray]
"""Feature name -> float32 [frames] or [frames, n]."""

MODULES = (moments, timbre, rhythm, spectrum, reference)
"""Importing them fills FEATURES."""


def defaults() -> tuple[str, ...]:
    """The features that are worked out when none are named: all but librosa's twins and noise weights."""
    return tuple(name for name, row in FEATURES.items() if not row.tags & {"librosa", "walk"})


def parse(spec: str) -> tuple[Row, dict[str, Any]]:
    """A feature as it is asked for: its name, then its arguments after a colon.

    >>> row, args = parse("mfcc:20")
    >>> row.name, args
    ('mfcc', {'n': 20})

    Raises:
        UnknownName: no such feature.
        BadValue: arguments that it does not take.
    """
    name, _, rest = spec.partition(":")
    row = FEATURES[name.strip()]
    atoms = [atom.strip() for atom in rest.split(",")] if rest else []
    if len(atoms) > len(row.args):
        raise BadValue(f"{row.name} takes {len(row.args)} arguments, got {len(atoms)}")
    return row, {arg.name: arg.parse([atom]) for arg, atom in zip(row.args, atoms)}


def unit_of(row: Row) -> str:
    """The unit of a feature's values, empty where it has none."""
    return next((tag.removeprefix("unit:") for tag in row.tags if tag.startswith("unit:")), "")


def analyze(path: str | Path, fps: Rate = 20, features: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """The features of a sound file.

    The file is read once; only what is asked for is worked out.

    Args:
        path: any file with sound.
        fps: frames per second of the film; 23.976 means 24000/1001.
        features: names as in `FEATURES`, with arguments after a colon (`mfcc:20`); None for the usual ones.

    Returns:
        By name, in the order asked for: float32 [frames] or [frames, n], always finite. Frame i covers
        samples round(i·sr/fps) to round((i+1)·sr/fps).

    Raises:
        BadAudio: the file cannot be read, or is empty.
        UnknownName, BadValue: a feature, argument or frame rate that does not exist.
    """
    asked = [parse(spec) for spec in (defaults() if features is None else features)]
    samples, rate = read(path)
    return _curves(Sound(samples, rate, fps), asked)


def analyze_sound(sound: Sound, features: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """The features of a sound that is already in memory; as `analyze`."""
    return _curves(sound, [parse(spec) for spec in (defaults() if features is None else features)])


def _curves(sound: Sound, asked: Sequence[tuple[Row, dict[str, Any]]]) -> dict[str, np.ndarray]:
    return {row.name: np.asarray(row.call(sound, **args), np.float32) for row, args in asked}
