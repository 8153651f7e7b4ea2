"""Audio from any file that FFmpeg knows, as one channel of samples; no ffmpeg program is needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from oscbend.errors import BadAudio


def read(path: str | Path) -> tuple[np.ndarray, int]:
    """Reads a file's first audio track.

    Sample 0 is where players begin: what an encoder put before it (mp3, m4a, Opus) is dropped, and a track
    that begins later than the film it belongs to begins with silence.

    Args:
        path: wav, flac, mp3, m4a, ogg … or a film with sound.

    Returns:
        Samples, float32 [n], the mean of all channels, full scale −1…1; and their rate in Hz.

    Raises:
        BadAudio: missing, unreadable, without an audio track, or empty.
    """
    import av

    path = Path(path)
    if not path.is_file():
        raise BadAudio(f"{path}: {'a folder, not an audio file' if path.is_dir() else 'no such file'}")
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise BadAudio(f"{path}: holds no audio")
            stream = container.streams.audio[0]
            rate = int(stream.rate or 0)
            start_s = (container.start_time or 0) / av.time_base
            chunks = list(_decode(container, stream, rate, start_s)) if rate > 0 else []
    except (av.FFmpegError, ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadAudio(f"{path}: cannot be read as audio ({reason})") from error
    samples = np.concatenate(chunks) if chunks else np.zeros(0, np.float32)
    if not samples.size:
        raise BadAudio(f"{path}: holds no audio samples")
    # Float formats can carry NaN and infinity, which would spread into every feature.
    return np.nan_to_num(samples, copy=False, nan=0.0, posinf=0.0, neginf=0.0), rate


def _decode(container: Any, stream: Any, rate: int, start_s: float) -> Iterator[np.ndarray]:
    """Chunks [n] of the stream from `start_s` on; packets that cannot be decoded are left out."""
    import av

    resampler = av.AudioResampler(format="fltp", rate=rate)
    late: int | None = None
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            continue
        for frame in frames:
            if late is None:
                late = round((frame.time - start_s) * rate) if frame.time is not None else 0
                if late > 0:
                    yield np.zeros(late, np.float32)
                late = min(late, 0)
            for even in resampler.resample(frame):
                mono = even.to_ndarray().mean(axis=0, dtype=np.float32)  # [n] of [channels, n]
                skip = min(-late, mono.size)
                late += skip
                yield mono[skip:]
    if late is not None:
        for even in resampler.resample(None):
            yield even.to_ndarray().mean(axis=0, dtype=np.float32)
