"""What the spectrum of a frame's own samples looks like: its moments, and how much it changes.

No window, no overlap: a is |DFT| of exactly the frame's samples, f the bins' frequencies, and c, s the
first two moments (DAFx 2024, section 3.3). librosa's windowed versions go by `librosa.NAME`.
"""

from __future__ import annotations

import numpy as np

from oscbend.audio.sound import FEATURES, Sound


@FEATURES.declare("rms", tags=("level", "unit:FS"), source="√mean x²")
def rms(sound: Sound) -> np.ndarray:
    """Loudness: root mean square of the frame's samples."""
    return sound.rms


@FEATURES.declare("centroid", tags=("spectrum", "unit:Hz"), source="c = Σaf / Σa")
def centroid(sound: Sound) -> np.ndarray:
    """Brightness: the spectrum's centre of gravity."""
    return _moments(sound)[0]


@FEATURES.declare("spread", tags=("spectrum", "unit:Hz"), source="s = √(Σa(f−c)² / Σa)")
def spread(sound: Sound) -> np.ndarray:
    """How far the spectrum reaches to both sides of its centroid."""
    return _moments(sound)[1]


@FEATURES.declare("skewness", tags=("spectrum",), source="Σa(f−c)³ / (s³Σa)")
def skewness(sound: Sound) -> np.ndarray:
    """Lopsidedness of the spectrum: positive when most lies below the centroid."""
    return _moments(sound)[2]


@FEATURES.declare("kurtosis", tags=("spectrum",), source="Σa(f−c)⁴ / (s⁴Σa)")
def kurtosis(sound: Sound) -> np.ndarray:
    """Peakedness of the spectrum: 3 for a bell, high for a lone peak."""
    return _moments(sound)[3]


@FEATURES.declare("flux", tags=("spectrum",), source="Σ |a_t − a_(t−1)|")
def flux(sound: Sound) -> np.ndarray:
    """How much the spectrum changed since the frame before; 0 in the first."""
    changes: list[np.ndarray] = []
    last: np.ndarray | None = None
    for a, _ in sound.spectra():
        joined = np.concatenate([a[:1] if last is None else last, a])
        changes.append(np.abs(np.diff(joined, axis=0)).sum(axis=1))
        last = a[-1:]
    return np.concatenate(changes)


def moments(a: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Centroid, spread, skewness and kurtosis of magnitude spectra.

    Args:
        a: [frames, bins], magnitudes.
        f: [frames, bins], the bins' frequencies in Hz.

    Returns:
        float64 [4, frames]; all 0 where Σa is 0, the last two 0 where the spread is 0.
    """
    total = a.sum(axis=1)
    share = a / np.where(total == 0, 1.0, total)[:, None]
    c = (share * f).sum(axis=1)
    off = f - c[:, None]
    s = np.sqrt((share * off**2).sum(axis=1))
    unit = off / np.where(s == 0, 1.0, s)[:, None]
    third, fourth = ((share * unit**k).sum(axis=1) * (s > 0) for k in (3, 4))
    return np.stack([c, s, third, fourth])


def _moments(sound: Sound) -> np.ndarray:
    """The four moments of every frame, [4, frames], worked out once for a sound."""
    if "moments" not in sound.memo:
        sound.memo["moments"] = np.concatenate([moments(a, f) for a, f in sound.spectra()], axis=1)
    return sound.memo["moments"]
