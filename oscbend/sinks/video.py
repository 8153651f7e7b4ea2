"""The frames that are shown, recorded as a film; a film that is rendered writes to `FilmWriter` itself."""

from __future__ import annotations

from pathlib import Path

from oscbend.frame import Frame
from oscbend.rate import rational
from oscbend.sinks.base import KINDS, Sink
from oscbend.sinks.film import FilmWriter, film_path, video_library
from oscbend.table import Arg

LIVE_FPS = 60.0


class VideoSink(Sink):
    """Records the frames that are shown as a film, each at the time when it was shown.

    Frames may come at any rate and may be dropped: each stands in the film at its time since the first,
    on a grid of `fps`, until the next.

    Args:
        path: of the film: `.mp4`, `.m4v` or `.mov`.
        fps: of the grid.
        preset: x264's speed; faster than for films, since it runs beside the show.
        name: what the performer calls it.

    Raises:
        BadValue: no name for a film, or an impossible rate.
        MissingLibrary: PyAV is not installed.
    """

    kind = "video"
    close_s = 60.0

    def __init__(
        self, path: str | Path, name: str = "", fps: float = LIVE_FPS, preset: str = "veryfast"
    ) -> None:
        super().__init__(name)
        video_library()
        self.path = film_path(path)
        self.fps = rational(fps)
        self.preset = preset
        self._film: FilmWriter | None = None
        self._start_s = 0.0
        self._index = -1

    def show(self, frame: Frame) -> None:
        """Writes a frame at its time; one that would fall onto the last one's place is left out."""
        if self._film is None:
            height, width = frame.picture.shape[:2]
            self._film = FilmWriter(self.path, self.fps, (width, height), preset=self.preset, scale=True)
            self._start_s, self._index = frame.time_s, -1
        index = round((frame.time_s - self._start_s) * self.fps)
        if index > self._index:
            self._film.write(frame.picture, index)
            self._index = index

    def end(self) -> None:
        """Ends the film."""
        if self._film is not None:
            self._film.close()
            self._film = None


KINDS.declare("video", Arg("path", type="s", help="film to write: .mp4, .m4v or .mov"))(VideoSink)
