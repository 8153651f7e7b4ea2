"""Films: H.264 pictures and AAC sound in one MP4 file, written as the frames come."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from oscbend.errors import BadValue, MissingLibrary, OscbendError, UnknownName
from oscbend.rate import Rate, rational
from oscbend.sinks.soundtrack import Soundtrack

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov"}

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")

THREADS = 4
SAME_BYTES = {"threads": str(THREADS), "x264-params": "cpu-independent=1"}
"""x264 makes other bytes with another number of threads. Left to choose its code by the processor, it made
other bytes from run to run on one with AVX-512 (unless mbtree was off); now it makes the same on all."""

BT709 = 1
"""Colour matrix, primaries and transfer of HD video, as numbered in ITU-T H.273."""

KEYFRAME_EVERY_S = 2


class FilmWriter:
    """Writes a film: one picture after the other, with the sound of an audio file beside them.

    It is written under another name (`NAME.part.mp4`) and gets its own when it is closed, so what bears its
    name is whole and plays. Leaving a `with` block closes it, also after Ctrl-C or an error: the film then
    holds the frames so far, and as much of the sound. A film without frames leaves no file. Equal pictures,
    sound and settings give equal bytes, for equal library versions. Memory does not grow with the length.

    Args:
        path: of the film: `.mp4`, `.m4v` or `.mov`; folders are made, a film of that name is replaced.
        fps: frames per second; see `rational`.
        size: (width, height) of the pictures. Odd sizes get one more column or row, a copy of the last.
        audio: a file with the sound; None for a silent film.
        audio_start_s: where in that file the film begins, seconds.
        crf: x264's constant rate factor: 0 is lossless, 17 looks the same to most, 23 is small.
        preset: x264's speed, one of `PRESETS`; slower is smaller.
        audio_bit_rate: bits per second.
        scale: True stretches pictures of another size to the film's; False refuses them.
        note: kept in the file as its comment.
        grid: moments in a second at which a picture may stand; `fps` if None.

    Raises:
        BadValue: an impossible rate, size, quality or file name.
        BadAudio: the sound cannot be read.
        MissingLibrary: PyAV is not installed.
        OscbendError: the file cannot be written.

    Example:
        with FilmWriter("film.mp4", 25, (512, 512), audio="song.wav") as film:
            for picture in pictures:  # uint8 [512, 512, 4]
                film.write(picture)
    """

    def __init__(
        self,
        path: str | Path,
        fps: Rate,
        size: tuple[int, int],
        *,
        audio: str | Path | None = None,
        audio_start_s: float = 0.0,
        crf: float = 17.0,
        preset: str = "medium",
        audio_bit_rate: int = 256_000,
        scale: bool = False,
        note: str = "",
        grid: int | None = None,
    ) -> None:
        self._av = av = video_library()
        self.path = film_path(path)
        self.fps = rational(fps)
        self._grid = self.fps if grid is None else Fraction(grid)
        self.size = width, height = size
        if not (1 <= width <= 16384 and 1 <= height <= 16384):
            raise BadValue(f"a film of {width} x {height} pixels is not possible")
        if not 0 <= crf <= 51:
            raise BadValue(f"crf lies between 0 (lossless) and 51 (ugly), got {crf:g}")
        if preset not in PRESETS:
            raise UnknownName("preset", preset, PRESETS)
        self.frames = 0
        """Pictures written so far."""
        self._scale = scale
        self._next = 0
        self._closed = False
        self._part = self.path.with_name(f"{self.path.stem}.part{self.path.suffix}")
        self._sound: Soundtrack | None = None
        try:
            self._part.parent.mkdir(parents=True, exist_ok=True)
            self._film = av.open(
                str(self._part),
                "w",
                format=FORMATS[self.path.suffix.lower()],
                container_options={"movflags": "+faststart", "fflags": "+bitexact"},
            )
        except (OSError, av.FFmpegError) as error:
            raise self._failure(error) from None
        if note:
            self._film.metadata["comment"] = note
        self._reformat = av.video.reformatter.VideoReformatter().reformat
        try:
            self._video = self._add_video(crf, preset)
            if audio is not None:
                self._sound = Soundtrack(av, audio, self._film, audio_start_s, audio_bit_rate)
        except BaseException:
            self._discard()
            raise

    def write(self, picture: np.ndarray, index: int | None = None) -> None:
        """Adds a picture.

        Args:
            picture: uint8 [H, W, 3 or 4], top row first; not kept.
            index: its place in the film, counted in frames (or moments of the grid); None for the one after
                the last. It may leave places out (the picture before then stays longer), never go back.

        Raises:
            BadValue: the picture has another type or size, or the index goes back.
            BadAudio: the sound breaks off.
            OscbendError: the file cannot be written.
        """
        if self._closed:
            raise OscbendError(f"{self.path} is closed already")
        index = self._next if index is None else index
        if index < self._next:
            raise BadValue(f"frame {index} of {self.path} comes after frame {self._next - 1}")
        frame = self._yuv(picture)
        frame.pts = index
        frame.time_base = 1 / self._grid
        try:
            self._film.mux(self._video.encode(frame))
            self.frames += 1
            self._next = index + 1
            if self._sound is not None:
                self._sound.advance(self._next / self._grid)
        except (OSError, self._av.FFmpegError) as error:
            raise self._failure(error) from None

    @property
    def duration_s(self) -> float:
        """Length of the film so far, seconds."""
        return float(self._next / self._grid)

    def close(self) -> None:
        """Ends the film and gives it its name; closing twice does nothing.

        Raises:
            BadAudio: the sound breaks off; the film is whole all the same.
            OscbendError: the file cannot be written.
        """
        if self._closed:
            return
        if not self.frames:
            self._discard()
            return
        self._closed = True
        try:
            self._film.mux(self._video.encode(None))
            try:
                if self._sound is not None:
                    self._sound.finish(self._next / self._grid)
                    self._sound.close()
            finally:
                self._film.close()
                os.replace(self._part, self.path)
        except (OSError, self._av.FFmpegError) as error:
            raise self._failure(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _add_video(self, crf: float, preset: str) -> Any:
        av, (width, height) = self._av, self.size
        video = self._film.add_stream(
            "libx264", rate=self.fps, options={"crf": f"{crf:g}", "preset": preset, **SAME_BYTES}
        )
        video.width, video.height = width + width % 2, height + height % 2
        video.pix_fmt = "yuv420p"
        context = video.codec_context
        context.time_base = 1 / self._grid
        context.thread_count = THREADS
        context.thread_type = "FRAME"
        context.gop_size = max(1, round(KEYFRAME_EVERY_S * self.fps))
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = av.video.reformatter.ColorRange.MPEG.value
        return video

    def _yuv(self, picture: np.ndarray) -> Any:
        width, height = self.size
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (3, 4):
            raise BadValue(f"a picture is uint8 [H, W, 3 or 4], got {picture.dtype} {list(picture.shape)}")
        if picture.shape[:2] != (height, width):
            if not self._scale:
                raise BadValue(
                    f"{self.path} has {width} x {height} pixels, got a picture of"
                    f" {picture.shape[1]} x {picture.shape[0]}"
                )
        elif width % 2 or height % 2:
            picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
        reformatter = self._av.video.reformatter
        flags = reformatter.Interpolation
        frame = self._av.VideoFrame.from_ndarray(
            np.ascontiguousarray(picture), format="rgba" if picture.shape[2] == 4 else "rgb24"
        )
        return self._reformat(
            frame,
            width=self._video.width,
            height=self._video.height,
            format="yuv420p",
            interpolation=flags.BICUBIC | flags.ACCURATE_RND | flags.FULL_CHR_H_INP | flags.BITEXACT,
            src_color_range=reformatter.ColorRange.JPEG,
            dst_color_range=reformatter.ColorRange.MPEG,
            dst_colorspace=reformatter.Colorspace.ITU709,
            threads=1,
        )

    def _failure(self, error: Exception) -> OscbendError:
        reason = getattr(error, "strerror", None) or error
        return OscbendError(f"cannot write {self.path}: {reason}")

    def _discard(self) -> None:
        self._closed = True
        self._film.close()
        if self._sound is not None:
            self._sound.close()
        self._part.unlink(missing_ok=True)


def film_path(path: str | Path) -> Path:
    """`path` if its suffix is one of a film.

    Raises:
        BadValue: another suffix, or none.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise BadValue(f"{path} is no name for a film: it must end in {', '.join(FORMATS)}")
    return path


def video_library() -> Any:
    """PyAV.

    Raises:
        MissingLibrary: it is not installed.
    """
    try:
        import av
        import av.video.reformatter
    except ImportError:
        raise MissingLibrary("films need: pip install av") from None
    return av
