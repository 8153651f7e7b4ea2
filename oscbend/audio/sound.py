"""A sound cut into film frames: frame i is samples round(i·sr/fps) … round((i+1)·sr/fps), exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from oscbend.errors import BadAudio, BadValue
from oscbend.rate import Rate, rational
from oscbend.table import Table

FEATURES = Table("feature")
"""Every feature of a sound; a row's function takes a `Sound` and gives [frames] or [frames, n]."""

BLOCK = 2**21
"""Samples worked on at once, so that memory does not grow with the spectra of a long piece."""


def borders(samples: int, rate: int, fps: Rate) -> np.ndarray:
    """Where the frames begin and end, counted in samples.

    Args:
        samples: length of the sound; what a last frame lacks counts as silence.
        rate: samples per second.
        fps: frames per second.

    Returns:
        int64 [frames + 1]; frame i is samples [i] … [i + 1], the end excluded. In whole numbers, so no
        length of time makes them drift.

    Raises:
        BadValue: there are more frames than samples.
    """
    exact = rational(fps)
    if exact > rate:
        raise BadValue(f"fps {float(exact):g} is more than the sound's {rate} samples per second")
    frames = max(1, math.ceil(samples * exact / rate))
    index = np.arange(frames + 1, dtype=np.int64)
    edges = (2 * index * rate * exact.denominator + exact.numerator) // (2 * exact.numerator)
    return edges[:-1] if frames > 1 and edges[-2] >= samples else edges


class Sound:
    """Samples and the frames they fall into.

    Args:
        samples: float [n], mono.
        rate: samples per second.
        fps: frames per second.

    Raises:
        BadAudio: no samples, more than one axis, or values that are not finite.
        BadValue: an impossible frame rate.
    """

    def __init__(self, samples: np.ndarray, rate: int, fps: Rate = 20) -> None:
        samples = np.asarray(samples, np.float32)
        if samples.ndim != 1 or not samples.size:
            raise BadAudio(f"a sound is one row of samples, got shape {samples.shape}")
        if not np.isfinite(samples).all():
            raise BadAudio("the sound holds values that are not finite")
        self.rate = int(rate)
        self.fps = rational(fps)
        self.borders = borders(samples.size, self.rate, self.fps)  # [frames + 1]
        self.samples = np.pad(samples, (0, max(0, int(self.borders[-1]) - samples.size)))
        self.duration_s = samples.size / self.rate
        self.memo: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.borders) - 1

    @cached_property
    def lengths(self) -> np.ndarray:
        """int64 [frames], samples in each frame; they differ by one at most."""
        return np.diff(self.borders)

    @cached_property
    def times_s(self) -> np.ndarray:
        """float64 [frames], when each frame begins."""
        return np.arange(len(self)) / float(self.fps)

    @cached_property
    def size(self) -> int:
        """Samples in an analysis window: the power of two nearest to 93 ms, librosa's at 22 050 Hz."""
        return 2 ** round(math.log2(0.093 * self.rate))

    @cached_property
    def hop(self) -> int:
        """Samples between steps finer than a frame: about 12 ms, at least two of them in a frame."""
        return 2 ** math.floor(math.log2(max(1, min(self.rate * 0.0117, self.rate / float(self.fps) / 2))))

    @cached_property
    def rms(self) -> np.ndarray:
        """float64 [frames], root of the mean square of each frame's samples."""
        return root_mean_square(self.samples, self.borders)

    def spectra(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The magnitude spectra of the frames' own samples, without a window, in blocks.

        Yields:
            (a, f), both float64 [frames in the block, bins]: |DFT| and each bin's frequency in Hz. A frame
            that is one sample shorter may lack the last bin: a is 0 there.
        """
        import scipy.fft

        longest = int(self.lengths.max())
        bins = longest // 2 + 1
        rows_at_once = max(1, BLOCK // longest)
        for start in range(0, len(self), rows_at_once):
            lengths = self.lengths[start : start + rows_at_once]
            magnitudes = np.zeros((len(lengths), bins))
            for length in np.unique(lengths):
                rows = np.flatnonzero(lengths == length)
                places = self.borders[start + rows][:, None] + np.arange(length)
                spectrum = np.abs(scipy.fft.rfft(self.samples[places].astype(np.float64)))
                magnitudes[rows, : length // 2 + 1] = spectrum
            # What rounding leaves of a pure tone or of DC (below −240 dB) would count as infinitely wide.
            magnitudes[magnitudes < 1e-12 * magnitudes.max(axis=1, keepdims=True)] = 0.0
            yield magnitudes, np.arange(bins) * (self.rate / lengths)[:, None]

    def powers(self, size: int, *, at_start: bool = False) -> Iterator[np.ndarray]:
        """Power spectra through a Hann window about each frame, in blocks.

        Args:
            size: samples in the window.
            at_start: centre it where the frame begins, as librosa does, instead of on its middle.

        Yields:
            float32 [1 + size // 2, frames in the block], |DFT|², in librosa's orientation.
        """
        import scipy.fft
        import scipy.signal

        window = scipy.signal.get_window("hann", size).astype(np.float32)
        for block in self.windows(size, at_start=at_start):
            yield np.square(np.abs(scipy.fft.rfft(block * window))).T

    def windows(self, size: int, *, at_start: bool = False) -> Iterator[np.ndarray]:
        """The `size` samples about each frame, silence beyond the ends: float32 [block, size]."""
        centres = self.borders[:-1] if at_start else (self.borders[:-1] + self.borders[1:]) // 2
        padded = np.pad(self.samples, size)
        rows_at_once = max(1, BLOCK // size)
        for start in range(0, len(self), rows_at_once):
            first = centres[start : start + rows_at_once] - size // 2 + size
            yield padded[first[:, None] + np.arange(size)]


def root_mean_square(samples: np.ndarray, borders: np.ndarray) -> np.ndarray:
    """√mean x² between the borders: float64 [frames]."""
    squares = np.square(samples[: borders[-1]], dtype=np.float64)
    return np.sqrt(np.add.reduceat(squares, borders[:-1]) / np.diff(borders))
