"""Features exactly as librosa gives them for a whole file, by `librosa.NAME`, where ours differ.

A Hann window of 2048 samples, whatever the rate, centred where each frame begins; librosa's hop is a whole
number of samples and drifts, these do not. With a whole hop both are equal.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from oscbend.audio.sound import FEATURES, Sound
from oscbend.audio.timbre import MELS
from oscbend.table import Arg

SIZE = 2048


def _each(sound: Sound, shape: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`shape` of the magnitude spectra [1025, m], block by block: [frames] or [frames, n]."""
    rows = [shape(np.sqrt(power)) for power in sound.powers(SIZE, at_start=True)]
    return np.concatenate(rows, axis=-1).T


@FEATURES.declare("librosa.rms", tags=("librosa", "unit:FS"), source="librosa.feature.rms")
def librosa_rms(sound: Sound) -> np.ndarray:
    """Loudness of the 2048 samples about the frame's beginning."""
    blocks = sound.windows(SIZE, at_start=True)
    return np.concatenate([np.sqrt(np.mean(np.square(b), axis=1)) for b in blocks])


@FEATURES.declare("librosa.centroid", tags=("librosa", "unit:Hz"), source="librosa.feature.spectral_centroid")
def librosa_centroid(sound: Sound) -> np.ndarray:
    """The spectrum's centre of gravity, windowed."""
    import librosa

    return _each(sound, lambda a: librosa.feature.spectral_centroid(S=a, sr=sound.rate)[0])


@FEATURES.declare("librosa.spread", tags=("librosa", "unit:Hz"), source="librosa.feature.spectral_bandwidth")
def librosa_spread(sound: Sound) -> np.ndarray:
    """The spectrum's bandwidth, windowed."""
    import librosa

    return _each(sound, lambda a: librosa.feature.spectral_bandwidth(S=a, sr=sound.rate)[0])


@FEATURES.declare("librosa.flux", tags=("librosa",), source="librosa.onset.onset_strength, one hop a frame")
def librosa_flux(sound: Sound) -> np.ndarray:
    """What grew in the log-mel spectrum since the frame before."""
    import librosa

    mel = _each(sound, lambda a: librosa.feature.melspectrogram(S=a**2, sr=sound.rate)).T
    hop = round(sound.rate / float(sound.fps))
    return librosa.onset.onset_strength(S=librosa.power_to_db(mel), sr=sound.rate, hop_length=hop)


@FEATURES.declare("librosa.flatness", tags=("librosa",), source="librosa.feature.spectral_flatness")
def librosa_flatness(sound: Sound) -> np.ndarray:
    """Noisiness; 1 for noise, and for silence too."""
    import librosa

    return _each(sound, lambda a: librosa.feature.spectral_flatness(S=a)[0])


@FEATURES.declare("librosa.rolloff", tags=("librosa", "unit:Hz"), source="librosa.feature.spectral_rolloff")
def librosa_rolloff(sound: Sound) -> np.ndarray:
    """The frequency below which 85 % of the spectrum lies, windowed."""
    import librosa

    return _each(sound, lambda a: librosa.feature.spectral_rolloff(S=a, sr=sound.rate)[0])


@FEATURES.declare("librosa.zero_crossings", tags=("librosa",), source="librosa.feature.zero_crossing_rate")
def librosa_zero_crossings(sound: Sound) -> np.ndarray:
    """Sign changes per sample, in the 2048 samples about the frame's beginning."""
    blocks = sound.windows(SIZE, at_start=True)
    return np.concatenate(
        [np.mean(np.diff(np.signbit(np.where(np.abs(b) <= 1e-10, 0, b)), axis=1), axis=1) for b in blocks]
    )


@FEATURES.declare(
    "librosa.mfcc",
    Arg("n", "i", 20, "how many", lo=1, hi=MELS, clip=False),
    tags=("librosa", "vector"),
    source="librosa.feature.mfcc",
)
def librosa_mfcc(sound: Sound, n: int = 20) -> np.ndarray:
    """Mel-frequency cepstral coefficients."""
    import librosa

    mel = _each(sound, lambda a: librosa.feature.melspectrogram(S=a**2, sr=sound.rate)).T
    return librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=n).T
