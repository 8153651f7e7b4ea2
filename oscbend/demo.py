"""The demonstration: a server, a host that plays a piece of music into it, and a receiver of frames.

Three real processes, as on stage; what the receiver saw becomes a film and a contact sheet.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import oscbend
from oscbend.audio import analyze, to_score
from oscbend.errors import OscbendError
from oscbend.osc import Bundle, Message, TimeTag
from oscbend.score import Score
from oscbend.server.client import Client, parse_atoms
from oscbend.sinks.film import FilmWriter
from oscbend.sinks.sheet import contact_sheet
from oscbend.sinks.zmq import Receiver

EXAMPLES = Path(oscbend.__file__).parents[1] / "examples"
MUSIC = EXAMPLES / "music" / "held-breath.flac"
CUES = EXAMPLES / "held-breath.cues"

FEATURES = ("rms", "onset", "centroid", "flux")
FEATURE_RATE = 50
FILM_RATE = 30
FILM_SIZE = (512, 512)
PORTS = (57130, 57131, 57132)
READY_S = 120.0
TAIL_S = 0.5


@dataclass(frozen=True)
class Seen:
    """What the receiver saw.

    Args:
        times_s: Unix time at which each frame was published.
        pictures: uint8 [frames, H, W, 3].
    """

    times_s: np.ndarray
    pictures: np.ndarray


@dataclass(frozen=True)
class Figures:
    """How the demonstration went.

    Args:
        fps: frames per second that were received.
        latency_ms: median time from sending a message to the frame that it is in.
        worst_ms: the longest such time.
    """

    fps: float
    latency_ms: float
    worst_ms: float

    def __str__(self) -> str:
        return (
            f"{self.fps:.1f} frames/s, message to frame {self.latency_ms:.0f} ms (median), "
            f"{self.worst_ms:.0f} ms (worst)"
        )


def run(folder: Path, *, stay: bool, say: Callable[[str], None]) -> Figures:
    """Plays the demonstration and writes `demo.mp4` and `demo.png`.

    Args:
        folder: where they go.
        stay: True keeps the server running afterwards, until Ctrl-C.
        say: is told what happens.

    Raises:
        OscbendError: a part is missing, or the server does not start.
    """
    if not MUSIC.is_file() or not CUES.is_file():
        raise OscbendError(
            f"the demonstration needs the project's examples folder; {EXAMPLES} does not hold it"
        )
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        score = work / "demo.osc"
        host_score(MUSIC, CUES).write(score)
        with server(say) as (osc_port, web, frames):
            say(f"pictures: {web}")
            with receiver(frames, work) as stop:
                say("playing 12 seconds of piano into the server …")
                command = ("play", str(score), "--port", str(osc_port), "--log", str(work / "log"))
                subprocess.run(oscbend_process(*command), check=True)
                stop.touch()
            figures = write_up(work, folder)
            say(str(figures))
            say(f"film: {folder / 'demo.mp4'}   contact sheet: {folder / 'demo.png'}")
            if stay:
                say(f"still serving: OSC on port {osc_port}, pictures on {web}; Ctrl-C ends it")
                threading.Event().wait()
    return figures


def host_score(music: Path, cues: Path) -> Score:
    """What the host sends: the cues of a text file, and the music's features 50 times a second.

    Args:
        music: an audio file.
        cues: lines of seconds, address and arguments; `#` begins a comment.
    """
    features = to_score(analyze(music, FEATURE_RATE, FEATURES), FEATURE_RATE)
    bundles = []
    for number, line in enumerate(cues.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        try:
            time_s, address, *args = words
            message = Message(address, tuple(parse_atoms(args)))
            bundles.append(Bundle(TimeTag.from_seconds(float(time_s)), (message,)))
        except ValueError as error:
            raise OscbendError(f"{cues}:{number}: write SECONDS /ADDRESS ARGUMENTS") from error
    return Score([*bundles, *features])


@contextmanager
def server(say: Callable[[str], None]) -> Iterator[tuple[int, str, str]]:
    """A server process with the built-in model; gives its OSC port, its page, and its frames' address."""
    osc_port, web_port, frames_port = map(free_port, PORTS)
    frames = f"tcp://127.0.0.1:{frames_port}"
    ports = ("--port", str(osc_port), "--web-port", str(web_port), "--frames", frames)
    say("starting the server …")
    process = subprocess.Popen(oscbend_process("serve", *ports), stdout=subprocess.PIPE, text=True)
    timer = threading.Timer(READY_S, process.kill)
    timer.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
        timer.cancel()
        if not line.startswith("oscbend ready"):
            raise OscbendError("the server did not start; see the lines above")
        say(line.strip())
        yield osc_port, f"http://127.0.0.1:{web_port}", frames
        with Client("127.0.0.1", osc_port) as client:
            client.send("/quit")
        process.wait(10)
    finally:
        timer.cancel()
        if process.poll() is None:
            process.kill()


@contextmanager
def receiver(frames: str, work: Path) -> Iterator[Path]:
    """A process that keeps every frame it gets until the file that this gives exists."""
    stop = work / "stop"
    code = "import sys; from oscbend.demo import keep; keep(*sys.argv[1:])"
    process = subprocess.Popen([sys.executable, "-c", code, frames, str(work / "seen.npz"), str(stop)])
    try:
        yield stop
        process.wait(60)
    finally:
        if process.poll() is None:
            process.kill()


def keep(address: str, path: str, stop: str) -> None:
    """The receiver's process: keeps frames and when they were published, until `stop` exists."""
    times: list[float] = []
    pictures: list[np.ndarray] = []
    with Receiver(address) as frames:
        while not Path(stop).exists():
            seen = frames.receive(0.1)
            if seen is not None:
                times.append(seen.time_ns / 1e9)
                pictures.append(np.array(seen.picture[..., :3]))
    np.savez(path, times=np.array(times), pictures=np.array(pictures))


def write_up(work: Path, folder: Path) -> Figures:
    """Film, contact sheet and figures from what the receiver and the host noted."""
    with np.load(work / "seen.npz") as file:
        seen = Seen(file["times"], file["pictures"])
    log = [json.loads(line) for line in (work / "log").read_text().splitlines()]
    start_s = log[0]["start"]
    end_s = start_s + sound_length_s(MUSIC)
    playing = (seen.times_s >= start_s) & (seen.times_s <= end_s)
    if playing.sum() < 2:
        raise OscbendError("no frames came from the server")
    film_frames = [
        picture_at(seen, start_s + i / FILM_RATE) for i in range(int((end_s - start_s) * FILM_RATE))
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with FilmWriter(folder / "demo.mp4", FILM_RATE, FILM_SIZE, audio=MUSIC, scale=True) as film:
        for picture in film_frames:
            film.write(picture)
    chosen = range(FILM_RATE // 4, len(film_frames), FILM_RATE // 2)
    labels = [f"{i / FILM_RATE:.2f} s" for i in chosen]
    sheet = contact_sheet([film_frames[i] for i in chosen], 6, labels)
    Image.fromarray(sheet).save(folder / "demo.png")
    times = seen.times_s[playing]
    delays = delays_ms([line for line in log if "sent" in line], seen.times_s)
    rate = (len(times) - 1) / (times[-1] - times[0])
    return Figures(float(rate), statistics.median(delays), max(delays))


def picture_at(seen: Seen, time_s: float) -> np.ndarray:
    """The frame that stood on the screen at a Unix time."""
    return seen.pictures[max(0, int(np.searchsorted(seen.times_s, time_s, side="right")) - 1)]


def delays_ms(pings: Sequence[dict[str, float]], published_s: np.ndarray) -> list[float]:
    """From sending a message to the publishing of the first frame that was begun after it was heard.

    Args:
        pings: when each `/sync` was sent and answered; the answer comes when the frame is begun.
        published_s: when frames were published.
    """
    found = []
    for ping in pings:
        after = int(np.searchsorted(published_s, ping["synced"]))
        if after < len(published_s):
            found.append(1000.0 * float(published_s[after] - ping["sent"]))
    return found or [float("nan")]


def sound_length_s(path: Path) -> float:
    """How long a sound file is, seconds."""
    import soundfile

    return float(soundfile.info(path).duration)


def oscbend_process(*args: str) -> list[str]:
    """The command line of an oscbend process under this Python."""
    return [sys.executable, "-c", "from oscbend.cli import main; main()", *args]


def free_port(wanted: int) -> int:
    """`wanted` if nobody uses it, for datagrams or connections; else any free port."""
    for port in (wanted, *[0] * 16):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram,
        ):
            try:
                stream.bind(("127.0.0.1", port))
                datagram.bind(stream.getsockname())
                return int(stream.getsockname()[1])
            except OSError:
                continue
    raise OscbendError("no free port on this machine")
