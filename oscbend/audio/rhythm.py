"""When things happen: onsets, beats and bars, and what strikes against what sounds on.

Found on a grid finer than the frames, over the whole file (librosa), then read frame by frame.
"""

from __future__ import annotations

import numpy as np

from oscbend.audio.sound import FEATURES, Sound, root_mean_square
from oscbend.audio.timbre import mel_filters

BEATS_IN_A_BAR = 4


@FEATURES.declare("onset", tags=("rhythm",), source="librosa.onset.onset_strength")
def onset(sound: Sound) -> np.ndarray:
    """How strongly notes begin: the peak, within the frame, of what grows in the log-mel spectrum."""
    strength = _strength(sound)
    first = -(-sound.borders * 1.0 // sound.hop).astype(np.int64)  # first grid step at or after a border
    first = np.minimum(first, len(strength) - 1)
    return np.maximum.reduceat(strength, first[:-1])


def _strength(sound: Sound) -> np.ndarray:
    """Onset strength [steps] at every `sound.hop` samples."""
    import librosa

    if "strength" not in sound.memo:
        grid = Sound(sound.samples, sound.rate, f"{sound.rate}/{sound.hop}")
        size = sound.size // 2
        weights = mel_filters(sound.rate, size, 128)
        mel = np.concatenate([weights @ p for p in grid.powers(size, at_start=True)], axis=1)
        sound.memo["strength"] = librosa.onset.onset_strength(
            S=librosa.power_to_db(mel), sr=sound.rate, hop_length=sound.hop, n_fft=size
        )
    return sound.memo["strength"]


def beat_times(sound: Sound) -> np.ndarray:
    """When the beats are, in seconds: float64 [beats], none in silence (librosa.beat.beat_track)."""
    import librosa

    if "beats" not in sound.memo:
        steps = librosa.beat.beat_track(
            onset_envelope=_strength(sound), sr=sound.rate, hop_length=sound.hop, trim=False
        )[1]
        sound.memo["beats"] = np.asarray(steps) * (sound.hop / sound.rate)
    return sound.memo["beats"]


@FEATURES.declare("beat", tags=("rhythm",), source="librosa.beat.beat_track")
def beat(sound: Sound) -> np.ndarray:
    """1 in a frame in which a beat falls, else 0."""
    hits = np.searchsorted(sound.borders, np.round(beat_times(sound) * sound.rate), side="right") - 1
    curve = np.zeros(len(sound))
    curve[hits[hits < len(sound)]] = 1.0
    return curve


@FEATURES.declare("beat_phase", tags=("rhythm",), source="librosa.beat.beat_track")
def beat_phase(sound: Sound) -> np.ndarray:
    """Rises from 0 at one beat to 1 at the next."""
    return _position(sound) % 1.0


@FEATURES.declare("bar_phase", tags=("rhythm",), source="four beats a bar, the strongest of four first")
def bar_phase(sound: Sound) -> np.ndarray:
    """Rises from 0 to 1 over four beats; the beat on which most notes begin is the first."""
    times = beat_times(sound)
    if len(times) < 2:
        return np.zeros(len(sound))
    strength = _strength(sound)
    steps = np.round(times * sound.rate / sound.hop).astype(int)[:, None] + np.arange(-2, 3)
    peaks = strength[np.clip(steps, 0, len(strength) - 1)].max(axis=1)  # [beats]
    sums = [peaks[k::BEATS_IN_A_BAR].mean() for k in range(min(BEATS_IN_A_BAR, len(peaks)))]
    return (_position(sound) - int(np.argmax(sums))) / BEATS_IN_A_BAR % 1.0


@FEATURES.declare("tempo", tags=("rhythm", "unit:BPM"), source="60 / median of nine beat intervals")
def tempo(sound: Sound) -> np.ndarray:
    """Beats per minute about this moment; 0 where there are no beats."""
    import scipy.ndimage

    times = beat_times(sound)
    if len(times) < 2:
        return np.zeros(len(sound))
    interval = scipy.ndimage.median_filter(np.diff(times), size=9, mode="nearest")
    return np.interp(sound.times_s, times[:-1], 60.0 / interval)


def _position(sound: Sound) -> np.ndarray:
    """Each frame's beginning counted in beats, carried on at the same pace beyond the first and last."""
    times = beat_times(sound)
    if len(times) < 2:
        return np.zeros(len(sound))
    # Where the beat falls within a frame, that frame counts as on it.
    frames = np.searchsorted(sound.borders, np.round(times * sound.rate), side="right") - 1
    at = np.minimum(frames, len(sound) - 1) / float(sound.fps)
    at = np.unique(at)
    if len(at) < 2:
        return np.zeros(len(sound))
    number = np.arange(len(at), dtype=np.float64)
    before, after = at[1] - at[0], at[-1] - at[-2]
    inside = np.interp(sound.times_s, at, number)
    early = (sound.times_s - at[0]) / before
    late = len(at) - 1 + (sound.times_s - at[-1]) / after
    return np.where(sound.times_s < at[0], early, np.where(sound.times_s > at[-1], late, inside))


@FEATURES.declare("percussive", tags=("level", "unit:FS"), source="librosa.decompose.hpss (Fitzgerald 2010)")
def percussive(sound: Sound) -> np.ndarray:
    """Level of what strikes: RMS after median filtering along frequency."""
    return _harmonic_percussive(sound)[1]


@FEATURES.declare("harmonic", tags=("level", "unit:FS"), source="librosa.decompose.hpss (Fitzgerald 2010)")
def harmonic(sound: Sound) -> np.ndarray:
    """Level of what sounds on: RMS after median filtering along time."""
    return _harmonic_percussive(sound)[0]


def _harmonic_percussive(sound: Sound) -> np.ndarray:
    """RMS of the harmonic and the percussive part: float64 [2, frames].

    Worked out in long pieces with margins wider than the filters, so that it equals the whole file's.
    """
    import librosa

    if "hpss" not in sound.memo:
        size = sound.size // 2
        hop = size // 4
        margin, piece = 64 * hop, 2048 * hop
        samples = np.pad(sound.samples, (0, max(0, size - len(sound.samples))))  # a window at least
        count = len(samples)
        parts = np.zeros((2, count), np.float32)
        for start in range(0, count, piece):
            lo, stop = max(0, start - margin), min(count, start + piece)
            spectrum = librosa.stft(samples[lo : stop + margin], n_fft=size, hop_length=hop)
            for k, part in enumerate(librosa.decompose.hpss(spectrum)):
                wave = librosa.istft(part, n_fft=size, hop_length=hop, length=stop - lo)
                parts[k, start:stop] = wave[start - lo :]
        sound.memo["hpss"] = np.stack([root_mean_square(part, sound.borders) for part in parts])
    return sound.memo["hpss"]
