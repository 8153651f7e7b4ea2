"""The sound of a film: any audio file, decoded, resampled and encoded as AAC beside the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from oscbend.errors import BadAudio, BadValue

AAC_RATES = (48000, 44100, 32000, 24000, 22050, 16000)
"""Sample rates that are kept; anything else is resampled to the first."""

AAC_FRAME = 1024
"""Samples in one AAC frame."""


class Soundtrack:
    """Carries an audio file into an open film, as far as the pictures have come.

    Second 0 is where players begin, and the samples follow without gaps: the same rule by which
    `oscbend.audio.read` reads what features are computed from, so that sound and pictures agree.

    Args:
        av: the PyAV module.
        path: an audio file (or a film with sound), any rate and any number of channels; more than two are
            mixed down to stereo.
        film: the PyAV container that is written to; gets one more stream.
        start_s: where in the file the film begins, seconds.
        bit_rate: of the AAC stream, bits per second.

    Raises:
        BadAudio: the file cannot be read, or has no sound in it.
        BadValue: `start_s` is negative.
    """

    def __init__(self, av: Any, path: str | Path, film: Any, start_s: float, bit_rate: int) -> None:
        if start_s < 0:
            raise BadValue(f"sound cannot start at {start_s:g} s: the file begins at 0")
        self.path = path
        self._av = av
        try:
            self._file = av.open(str(path))
        except (av.FFmpegError, OSError) as error:
            raise BadAudio(f"{path} cannot be read as sound: {error.strerror or error}") from None
        if not self._file.streams.audio:
            self._file.close()
            raise BadAudio(f"{path} has no sound in it")
        source = self._file.streams.audio[0]
        self._rate = source.rate if source.rate in AAC_RATES else AAC_RATES[0]
        self._channels = 1 if source.codec_context.channels == 1 else 2
        self._layout = "mono" if self._channels == 1 else "stereo"
        self._resampler = av.AudioResampler(format="fltp", layout=self._layout, rate=self._rate)
        self._film = film
        self._stream = film.add_stream("aac", rate=self._rate, layout=self._layout, bit_rate=bit_rate)
        self._stream.codec_context.format = "fltp"
        self._fifo = av.AudioFifo()
        self._blocks = self._decode(source)
        self._skip = round(start_s * self._rate)
        self._written = 0
        self._ended = False

    def advance(self, until_s: Fraction) -> None:
        """Writes all whole AAC frames that end at `until_s` of the film or before.

        Raises:
            BadAudio: the file breaks off in the middle.
        """
        while self._written + AAC_FRAME <= until_s * self._rate and self._fill(AAC_FRAME):
            self._encode(AAC_FRAME)

    def finish(self, until_s: Fraction) -> None:
        """Writes what is left up to `until_s`, to the sample, and ends the stream."""
        self.advance(until_s)
        rest = int(until_s * self._rate) - self._written
        self._fill(rest)
        rest = min(rest, self._fifo.samples)
        if rest > 0:
            self._encode(rest)
        self._film.mux(self._stream.encode(None))

    def close(self) -> None:
        """Closes the audio file."""
        self._file.close()

    def _encode(self, samples: int) -> None:
        frame = self._fifo.read(samples)
        frame.pts = self._written
        frame.time_base = Fraction(1, self._rate)
        self._written += samples
        self._film.mux(self._stream.encode(frame))

    def _fill(self, samples: int) -> bool:
        """True if that many samples now wait; False if the file ends before."""
        while self._fifo.samples < samples or self._skip:
            block = next(self._blocks, None)
            if block is None:
                return False
            self._fifo.write(block)
            skipped = min(self._skip, self._fifo.samples)
            if skipped:
                self._fifo.read(skipped)
                self._skip -= skipped
        return True

    def _decode(self, source: Any) -> Iterator[Any]:
        samples = 0
        try:
            for packet in self._file.demux(source):
                try:
                    frames = packet.decode()
                except self._av.InvalidDataError:
                    continue
                for frame in frames:
                    if not samples:
                        yield from self._align(frame)
                    frame.pts = samples
                    frame.time_base = Fraction(1, frame.sample_rate)
                    samples += frame.samples
                    yield from self._resample(frame)
            if samples:
                yield from self._resample(None)
        except (self._av.FFmpegError, ValueError) as error:
            raise BadAudio(f"{self.path} breaks off after {samples} samples: {error}") from None

    def _align(self, first: Any) -> Iterator[Any]:
        """Skips what an encoder put before second 0; gives silence where a track begins later."""
        start_s = (self._file.start_time or 0) / self._av.time_base
        late = round((first.time - start_s) * self._rate) if first.time is not None else 0
        self._skip -= late
        silence, self._skip = max(0, -self._skip), max(0, self._skip)
        for at in range(0, silence, self._rate):
            zeros = np.zeros((self._channels, min(self._rate, silence - at)), np.float32)
            yield self._block(zeros)

    def _resample(self, frame: Any) -> Iterator[Any]:
        for block in self._resampler.resample(frame):
            samples = block.to_ndarray()
            if not np.isfinite(samples).all():
                # Float files can hold them, and the encoder gives up on them.
                block = self._block(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0))
            # The queue counts for itself; it refuses blocks whose time stamps leave a gap.
            block.pts = None
            yield block

    def _block(self, samples: np.ndarray) -> Any:
        """An audio frame of the film's rate from float32 [channels, n]."""
        block = self._av.AudioFrame.from_ndarray(samples, "fltp", self._layout)
        block.sample_rate = self._rate
        block.time_base = Fraction(1, self._rate)
        return block
