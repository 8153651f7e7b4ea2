"""What a frame sounds like: bands, pitch classes, cepstrum, shape of the spectrum; librosa's formulas.

All look through a Hann window of 93 ms about the frame's middle.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from oscbend.audio.sound import FEATURES, Sound
from oscbend.table import Arg

MELS = 128


def _count(default: int, hi: int, help: str) -> Arg:
    return Arg("n", "i", default, help, lo=1, hi=hi, clip=False)


def _by_block(sound: Sound, size: int, shape: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`shape` of the power spectra [bins, m], block by block: [n, frames]."""
    return np.concatenate([shape(power) for power in sound.powers(size)], axis=-1)


def _level(sound: Sound, lo: float, hi: float) -> np.ndarray:
    """RMS of what lies from `lo` to below `hi` Hz: float [frames]. All bands' squares add up to the whole."""
    hertz = np.arange(sound.size // 2 + 1) * sound.rate / sound.size
    inside = (hertz >= lo) & (hertz < hi)
    return np.sqrt(_by_block(sound, sound.size, lambda p: _mean_square(p[inside], sound.size)))


def _mean_square(power: np.ndarray, size: int) -> np.ndarray:
    """Mean square of the sound behind some bins of a Hann-windowed power spectrum [bins, m] (Parseval)."""
    return 2 * power.sum(axis=0) / (size * size * 0.375)


@FEATURES.declare("low", tags=("bands", "unit:FS"), source="√(Σ|X|²) below 250 Hz")
def low(sound: Sound) -> np.ndarray:
    """Level of the bass, below 250 Hz."""
    return _level(sound, 0, 250)


@FEATURES.declare("mid", tags=("bands", "unit:FS"), source="√(Σ|X|²), 250…4000 Hz")
def mid(sound: Sound) -> np.ndarray:
    """Level of the middle, 250 to 4000 Hz."""
    return _level(sound, 250, 4000)


@FEATURES.declare("high", tags=("bands", "unit:FS"), source="√(Σ|X|²) from 4000 Hz")
def high(sound: Sound) -> np.ndarray:
    """Level of the treble, from 4000 Hz."""
    return _level(sound, 4000, np.inf)


@FEATURES.declare(
    "bands", _count(24, MELS, "how many"), tags=("bands", "vector", "unit:FS"), source="mel bands (Slaney)"
)
def bands(sound: Sound, n: int = 24) -> np.ndarray:
    """Levels of n bands, spaced as the ear hears, low to high."""
    weights = mel_filters(sound.rate, sound.size, n)  # [n, bins]
    return np.sqrt(_by_block(sound, sound.size, lambda p: weights @ p * 2 / (sound.size**2 * 0.375))).T


def mel_filters(rate: int, size: int, n: int) -> np.ndarray:
    """Overlapping triangles that add up to 1 between the first and the last: float32 [n, 1 + size // 2]."""
    import librosa

    with warnings.catch_warnings():
        # At low rates the narrowest bands hold no bin; they stay 0, which is what they hear.
        warnings.filterwarnings("ignore", "Empty filters")
        return librosa.filters.mel(sr=rate, n_fft=size, n_mels=n, norm=None)


def log_mel(sound: Sound) -> np.ndarray:
    """128 mel bands in dB, at most 80 dB below the loudest: float32 [128, frames]."""
    import librosa

    if "log_mel" not in sound.memo:
        weights = mel_filters(sound.rate, sound.size, MELS)
        mel = _by_block(sound, sound.size, lambda p: weights @ p)
        sound.memo["log_mel"] = librosa.power_to_db(mel, ref=np.max)
    return sound.memo["log_mel"]


@FEATURES.declare(
    "mfcc", _count(13, MELS, "how many"), tags=("timbre", "vector"), source="librosa.feature.mfcc"
)
def mfcc(sound: Sound, n: int = 13) -> np.ndarray:
    """Timbre as n mel-frequency cepstral coefficients; the first is the level."""
    import librosa

    return librosa.feature.mfcc(S=log_mel(sound), n_mfcc=n).T


@FEATURES.declare("chroma", tags=("harmony", "vector"), source="librosa.feature.chroma_stft")
def chroma(sound: Sound) -> np.ndarray:
    """How much of each of the 12 pitch classes sounds, C to B; the strongest is 1."""
    import librosa

    if "chroma" not in sound.memo:
        size = 2 * sound.size  # a semitone at 100 Hz is 6 Hz wide
        every = max(1, len(sound) // 400)
        few = np.concatenate([p[:, ::every] for p in sound.powers(size)], axis=1)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Trying to estimate tuning from empty")  # then it is 0
            tuning = librosa.estimate_tuning(S=few, sr=sound.rate)
        raw = _by_block(
            sound,
            size,
            lambda p: librosa.feature.chroma_stft(S=p, sr=sound.rate, norm=None, tuning=tuning),
        )
        # 60 dB below the loudest counts as silence, whose pitch classes nobody hears.
        peak = np.maximum(raw.max(axis=0), 1e-6 * raw.max())
        sound.memo["chroma"] = raw / np.where(peak == 0, 1.0, peak)
    return sound.memo["chroma"].T


@FEATURES.declare("tonnetz", tags=("harmony", "vector"), source="Harte, Sandler and Gasser 2006")
def tonnetz(sound: Sound) -> np.ndarray:
    """Where the harmony lies in the tonal space: fifths (2), minor thirds (2), major thirds (2)."""
    classes = chroma(sound)  # [frames, 12]
    total = np.maximum(1.0, classes.sum(axis=1, keepdims=True))
    angles = 2 * np.pi * np.arange(12)[:, None] * np.array([7, 9, 4]) / 12  # [12, 3]
    circles = np.stack([np.sin(angles), np.cos(angles)], axis=2) * np.array([1, 1, 0.5])[:, None]
    return (classes / total) @ circles.reshape(12, 6)


@FEATURES.declare(
    "contrast", tags=("timbre", "vector", "unit:dB"), source="librosa.feature.spectral_contrast"
)
def contrast(sound: Sound) -> np.ndarray:
    """Peaks against valleys in 7 bands: high for tones, low for noise."""
    import librosa

    # Six octaves must fit below half the sample rate.
    lowest = min(200.0, 0.95 * sound.rate / 2 / 64)
    return _by_block(
        sound,
        sound.size,
        lambda p: librosa.feature.spectral_contrast(S=np.sqrt(p), sr=sound.rate, fmin=lowest),
    ).T


@FEATURES.declare("flatness", tags=("timbre",), source="librosa.feature.spectral_flatness; 0 in silence")
def flatness(sound: Sound) -> np.ndarray:
    """Noisiness: 1 for white noise, near 0 for tones."""
    import librosa

    def shape(power: np.ndarray) -> np.ndarray:
        return librosa.feature.spectral_flatness(S=np.sqrt(power))[0] * (power.max(axis=0) > 1e-10)

    return _by_block(sound, sound.size, shape)


@FEATURES.declare("rolloff", tags=("spectrum", "unit:Hz"), source="librosa.feature.spectral_rolloff")
def rolloff(sound: Sound) -> np.ndarray:
    """The frequency below which 85 % of the spectrum lies."""
    import librosa

    return _by_block(
        sound,
        sound.size,
        lambda p: librosa.feature.spectral_rolloff(S=np.sqrt(p), sr=sound.rate)[0],
    )


@FEATURES.declare("zero_crossings", tags=("timbre",), source="sign changes per sample")
def zero_crossings(sound: Sound) -> np.ndarray:
    """How often the wave changes its sign, as a share of the frame's samples."""
    negative = np.signbit(sound.samples[: sound.borders[-1]] + 0.0)
    changes = np.concatenate([[False], negative[1:] != negative[:-1]])
    return np.add.reduceat(changes.astype(np.float64), sound.borders[:-1]) / sound.lengths


@FEATURES.declare("pitch", tags=("harmony", "unit:Hz"), source="librosa.yin (de Cheveigné and Kawahara 2002)")
def pitch(sound: Sound) -> np.ndarray:
    """The fundamental, 40 to 2000 Hz; held while the sound is 50 dB below its loudest, 0 before it begins."""
    import librosa

    size = 2 ** int(np.ceil(np.log2(3 * sound.rate / 40)))
    hertz = np.concatenate(
        [
            librosa.yin(
                block.ravel(),
                fmin=40,
                fmax=min(2000, sound.rate / 4),
                sr=sound.rate,
                frame_length=size,
                hop_length=size,
                center=False,
            )
            for block in sound.windows(size)
        ]
    )
    heard = sound.rms > sound.rms.max() * 10 ** (-50 / 20)
    last = np.maximum.accumulate(np.where(heard, np.arange(len(sound)), -1))
    return np.where(last < 0, 0.0, hertz[last])


@FEATURES.declare("embed", _count(16, 64, "components"), tags=("machine", "vector"), source="PCA, no model")
def embed(sound: Sound, n: int = 16) -> np.ndarray:
    """Machine-crafted: the n directions in which the sound's mel patches vary most, of unit variance.

    A patch is five looks at the mel spectrum, from 0.1 s before the frame to 0.1 s after it. Signs are
    chosen so that the largest loading is positive: equal sounds give equal curves.
    """
    mel = log_mel(sound).astype(np.float64).reshape(32, -1, len(sound)).mean(axis=1)  # [32, frames]
    step = max(1, round(0.05 * float(sound.fps)))
    places = np.clip(np.arange(len(sound)) + step * np.arange(-2, 3)[:, None], 0, len(sound) - 1)
    patches = mel[:, places].reshape(-1, len(sound)).T  # [frames, 32 · 5]
    patches = patches - patches.mean(axis=0)
    variance, vectors = np.linalg.eigh(patches.T @ patches / len(sound))
    variance, vectors = variance[::-1][:n], vectors[:, ::-1][:, :n]
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(n)])
    real = variance > 1e-9 * max(variance[0], 1e-9)
    return patches @ vectors * np.where(real, 1 / np.sqrt(np.where(real, variance, 1.0)), 0.0)
