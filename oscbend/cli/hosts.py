"""What a host does, from the command line: send, play, watch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oscbend.cli import options as o

TargetHost = Annotated[str, typer.Option(help="Where the server listens.")]
TargetPort = Annotated[int, typer.Option(help="OSC over UDP, of the server.")]


def send(
    address: Annotated[str, typer.Argument(help="Such as /bend/1/angle; may be a pattern.")],
    args: Annotated[list[str] | None, typer.Argument(help="Numbers and words.")] = None,
    host: TargetHost = "127.0.0.1",
    port: TargetPort = 57130,
    wait: Annotated[float, typer.Option(help="How long to listen for answers, seconds.")] = 0.3,
) -> None:
    """Send one message to a server, and print what it answers."""
    import time

    from oscbend.server.client import Client, parse_atoms

    with Client(host, port) as client:
        client.send(address if address.startswith("/") else f"/{address}", *parse_atoms(args or ()))
        end = time.monotonic() + wait
        while (left := end - time.monotonic()) > 0:
            answer = client.receive(left)
            if answer is not None:
                print(answer.address, *answer.args)


def play(
    source: Annotated[Path, typer.Argument(help="An audio file, or a score (.osc).")],
    features: Annotated[
        str, typer.Option(help="Names, with commas between them.")
    ] = "rms,onset,centroid,flux",
    fps: o.Fps = "50",
    host: TargetHost = "127.0.0.1",
    port: TargetPort = 57130,
    sound: Annotated[
        bool, typer.Option("--sound", help="Also play the file aloud (needs sounddevice).")
    ] = False,
    log: Annotated[Path | None, typer.Option(help="Write send times and answers here (JSON lines).")] = None,
) -> None:
    """Play an audio file's features, or a score, into a server, in time, as a host would."""
    from oscbend.audio import analyze, to_score
    from oscbend.score import Score
    from oscbend.server.player import play_score
    from oscbend.takes import plain

    if source.suffix.lower() in (".osc", ".score"):
        score = plain(Score.read(source, o.say))
    else:
        score = to_score(analyze(source, fps, [f.strip() for f in features.split(",") if f.strip()]), fps)
    play_score(score, host, port, sound=source if sound else None, log=log)


def watch(
    address: Annotated[str, typer.Argument(help="ZeroMQ address of the frames.")] = "tcp://127.0.0.1:57132",
    frames: Annotated[int | None, typer.Option(help="End after so many.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Folder for PNG files.")] = None,
    timeout: Annotated[float, typer.Option(help="How long to wait for a frame, seconds.")] = 5.0,
) -> None:
    """Receive frames: write them as PNG files, or show rate, age and drops."""
    from oscbend.sinks.watch import watch as watching

    print(watching(address, frames, output, timeout_s=timeout).line)
