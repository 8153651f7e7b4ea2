"""The spectrum walk: a second of sound about each frame decides how much of each noise field is mixed.

Source: DIGCREA's notebook, with the window centred (there it leads by half a second) and the narrow bands
kept (there the lowest are lost). The fields themselves are mixed by `oscbend.walks.spectrum`.
"""

from __future__ import annotations

import numpy as np

from oscbend.audio.sound import FEATURES, Sound
from oscbend.errors import BadValue
from oscbend.table import Arg

WINDOW_S = 1.0
SILENT = 1e-6


@FEATURES.declare(
    "spectrum",
    Arg("detail", "f", 0.6, "0 only the strongest partial counts, 1 all count alike", lo=0, hi=1, clip=False),
    Arg("skip", "f", 16, "where the first band begins", lo=0, clip=False, unit="Hz"),
    Arg("growth", "f", 1.015, "how much wider each band is than the last", lo=1, hi=2, clip=False),
    Arg("highest", "f", 4292, "where the last band ends", lo=1, clip=False, unit="Hz"),
    tags=("vector", "walk"),
    source="DIGCREA, spectrum walk",
)
def walk(
    sound: Sound, detail: float = 0.6, skip: float = 16, growth: float = 1.015, highest: float = 4292
) -> np.ndarray:
    """Weights of the noise fields, one per band, for the noise mode `spectrum`.

    With D = 20·log₁₀|DFT| of the second about the frame's middle, p = softmax(D) and q = p^(1 − detail),
    a band's weight is its mean q. A change of level changes nothing: it adds the same to all of D. So that
    the walk does not leap to what hiss is left in a pause, it stands still while the second is 60 dB below
    the loudest one, and waits for the first sound where that sound begins.

    Args:
        sound: the sound; the window is a Hann window of one second, the hop one frame.
        detail: 0…1.
        skip, highest: where the bands begin and end, in Hz (bins of 1 Hz); half the sample rate at most.
        growth: ratio of neighbouring widths; the first is 1 Hz wide.

    Returns:
        float64 [frames, bands].

    Raises:
        BadValue: no room for a band between `skip` and `highest`.
    """
    size = round(WINDOW_S * sound.rate)
    edges = band_edges(skip, growth, min(highest, sound.rate / 2))
    rows, energies = [], []
    for power in sound.powers(size):
        energies.append(power.sum(axis=0, dtype=np.float64))
        decibels = 10 * np.log10(np.maximum(power.T, 1e-20, dtype=np.float64))  # [m, bins]
        above = np.exp((1 - detail) * (decibels - decibels.max(axis=1, keepdims=True)))
        total = np.exp(decibels - decibels.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)
        q = above * total ** -(1 - detail)
        rows.append(np.add.reduceat(q[:, : edges[-1]], edges[:-1], axis=1) / np.diff(edges))
    energy = np.concatenate(energies)
    heard = np.flatnonzero(energy >= SILENT * energy.max())
    last = np.searchsorted(heard, np.arange(len(sound)), side="right") - 1
    return np.concatenate(rows)[heard[np.maximum(last, 0)]]


def band_edges(skip: float, growth: float, highest: float) -> np.ndarray:
    """Borders of bands that widen by `growth`, in bins of 1 Hz: int64 [bands + 1].

    >>> band_edges(16, 2.0, 40)
    array([16, 17, 19, 23, 31])

    Raises:
        BadValue: not even the first band fits.
    """
    edges, place, width = [round(skip)], float(skip), 1.0
    while (place := place + width) <= highest:
        edges.append(round(place))
        width *= growth
    if len(edges) < 2:
        raise BadValue(f"no band fits between {skip:g} and {highest:g} Hz")
    return np.array(edges, np.int64)
