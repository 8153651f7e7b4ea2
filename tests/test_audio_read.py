"""Reading sound files: every container, the right rate, the right time, and clear refusals."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from oscbend.audio import read
from oscbend.errors import BadAudio

RATE = 44100


def click(rate: int = RATE, at_s: float = 1.0, length_s: float = 2.0) -> np.ndarray:
    """A burst of a kilohertz, 5 ms long, in silence."""
    sound = np.zeros(round(length_s * rate), np.float32)
    time_s = np.arange(round(0.005 * rate)) / rate
    sound[round(at_s * rate) :][: len(time_s)] = 0.8 * np.sin(2 * np.pi * 1000 * time_s)
    return sound


def encode(path: Path, sound: np.ndarray, codec: str, rate: int = RATE) -> None:
    """Writes [n] through FFmpeg."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        resampler = av.AudioResampler(
            format=stream.format.name, layout="mono", rate=rate, frame_size=stream.frame_size or 1024
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_files_of_libsndfile(tmp_path: Path, suffix: str) -> None:
    sound = click()
    soundfile.write(tmp_path / f"click.{suffix}", sound, RATE)
    samples, rate = read(tmp_path / f"click.{suffix}")
    assert (rate, samples.dtype, samples.ndim) == (RATE, np.float32, 1)
    assert abs(len(samples) - len(sound)) <= 1200
    assert abs(np.flatnonzero(np.abs(samples) > 0.3)[0] / rate - 1.0) < 0.004


@pytest.mark.parametrize(
    ("suffix", "codec", "rate"),
    [
        ("m4a", "aac", 44100),
        ("m4a", "aac", 48000),
        ("mp3", "libmp3lame", 44100),
        ("mp3", "libmp3lame", 48000),
        ("opus", "libopus", 48000),
        ("mkv", "flac", 44100),
    ],
)
def test_what_an_encoder_adds_does_not_shift_time(tmp_path: Path, suffix: str, codec: str, rate: int) -> None:
    encode(tmp_path / f"click.{suffix}", click(rate), codec, rate)
    samples, found = read(tmp_path / f"click.{suffix}")
    assert found == rate
    first = np.flatnonzero(np.abs(samples) > 0.3)[0] / rate
    assert abs(first - 1.0) < 0.004


def test_lossless_samples_come_back_exactly(tmp_path: Path) -> None:
    sound = (np.random.default_rng(1).integers(-32768, 32768, 10_000) / 32768).astype(np.float32)
    soundfile.write(tmp_path / "noise.flac", sound, 48000, subtype="PCM_16")
    samples, rate = read(tmp_path / "noise.flac")
    assert rate == 48000
    assert np.array_equal(samples, sound)


@pytest.mark.parametrize("rate", [8000, 96000])
def test_rates_are_kept(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "tone.wav", click(rate), rate, subtype="FLOAT")
    samples, found = read(tmp_path / "tone.wav")
    assert found == rate
    assert np.array_equal(samples, click(rate))


@pytest.mark.parametrize("channels", [2, 4, 6])
def test_channels_are_averaged(tmp_path: Path, channels: int) -> None:
    sound = np.random.default_rng(2).uniform(-1, 1, (5000, channels)).astype(np.float32)
    soundfile.write(tmp_path / "many.wav", sound, RATE, subtype="FLOAT")
    assert np.allclose(read(tmp_path / "many.wav")[0], sound.mean(axis=1), atol=1e-6)


def test_opposite_channels_cancel(tmp_path: Path) -> None:
    sound = np.stack([click(), -click()], axis=1)
    soundfile.write(tmp_path / "opposite.wav", sound, RATE, subtype="FLOAT")
    assert not read(tmp_path / "opposite.wav")[0].any()


def test_values_that_are_not_finite_become_silence(tmp_path: Path) -> None:
    sound = np.array([0.5, np.nan, np.inf, -np.inf, 0.25], np.float32)
    soundfile.write(tmp_path / "nan.wav", sound, RATE, subtype="FLOAT")
    assert read(tmp_path / "nan.wav")[0].tolist() == [0.5, 0, 0, 0, 0.25]


def test_a_film_has_sound_too(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4", rate=25)
        picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
        tone = container.add_stream("aac", rate=RATE, layout="mono")
        for _ in range(10):
            container.mux(
                picture.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24"))
            )
        container.mux(picture.encode(None))
        frame = av.AudioFrame.from_ndarray(click(length_s=1.5)[None], format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        container.mux(tone.encode(frame))
        container.mux(tone.encode(None))
    samples, rate = read(path)
    assert rate == RATE
    assert np.abs(samples).max() > 0.3


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.wav", b"", "cannot be read as audio"),
        ("text.wav", b"this is not a sound, it is a sentence\n" * 9, "cannot be read as audio"),
        ("noise.mp3", bytes(range(256)) * 4, "audio"),
    ],
)
def test_unreadable(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadAudio, match=words) as caught:
        read(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(BadAudio, match=r"gone\.wav: no such file"):
        read(tmp_path / "gone.wav")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(BadAudio, match="a folder"):
        read(tmp_path)


def test_no_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 2), np.float32), RATE)
    with pytest.raises(BadAudio, match="audio"):
        read(tmp_path / "none.wav")


def test_a_film_without_sound(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "silent.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(BadAudio, match="holds no audio"):
        read(tmp_path / "silent.mp4")


def test_a_truncated_file_gives_what_it_holds(tmp_path: Path) -> None:
    sound = np.random.default_rng(3).uniform(-0.5, 0.5, 3 * RATE).astype(np.float32)
    soundfile.write(tmp_path / "whole.flac", sound, RATE)
    data = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "half.flac").write_bytes(data[: len(data) // 2])
    samples, _ = read(tmp_path / "half.flac")
    assert RATE < len(samples) < 2 * RATE
