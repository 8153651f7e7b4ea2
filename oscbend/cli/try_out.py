"""Trying it out: the demonstration, the test card, the benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oscbend.cli import options as o
from oscbend.errors import BadValue


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for demo.mp4 and demo.png.")
    ] = Path(),
    stay: Annotated[bool, typer.Option("--stay", help="Keep serving when the piece has ended.")] = False,
) -> None:
    """Play a piece of music into a server with the built-in model, and film it."""
    from oscbend.demo import run

    run(output, stay=stay, say=lambda line: print(line, flush=True))


def card(
    target: Annotated[
        list[str] | None, typer.Argument(help="Where frames go, as the kind of output wants it.")
    ] = None,
    out: Annotated[str, typer.Option(help="Kind of output: jitter, tcp, zmq …; none for a picture.")] = "",
    frames: Annotated[int | None, typer.Option(help="End after so many.", min=1)] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The picture, where there is no output.")
    ] = Path("testcard.png"),
    size: o.Size = "512x512",
    fps: o.Fps = "30",
    flip: Annotated[bool, typer.Option("--flip", help="Upside down.")] = False,
    swap: Annotated[bool, typer.Option("--swap", help="Red and blue exchanged.")] = False,
    alpha: Annotated[str, typer.Option(help="opaque or luma: black is see-through.")] = "opaque",
) -> None:
    """Show a test card on an output, or write it as a picture: corners, colours, a frame counter."""
    from oscbend.frame import Frame
    from oscbend.rate import rational
    from oscbend.sinks import make_sink
    from oscbend.sinks.card import Card, line, show_card
    from oscbend.sinks.look import Look
    from oscbend.sinks.sheet import save_png
    from oscbend.state import ALPHAS

    look = Look(flip=flip, swap=swap, alpha=o.one_of(alpha, "--alpha", ALPHAS))
    shown = Card(*o.size_of(size))
    if out:
        sink = make_sink(out, *(target or ()))
        sink.look = look
        print(line(show_card(sink, shown, float(rational(fps)), frames, o.say)))
        return
    if target:
        raise BadValue(f"{target[0]!r}: say the kind of output with --out, such as --out jitter 7474")
    for number in range(frames or 1):
        path = output if frames is None else output.with_stem(f"{output.stem}_{number:06d}")
        print(save_png(look.seen(Frame(number, 0.0, shown.picture(number))).picture, path))


def bench(
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer repetitions: three minutes on two cores.")
    ] = False,
    json: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
    only: Annotated[str, typer.Option(help="Only benchmarks whose name holds this.")] = "",
    model: o.Model = "tiny",
    size: Annotated[
        str | None, typer.Option(help="WIDTHxHEIGHT; what the model was trained on by default.")
    ] = None,
    decoder: o.Decoder = "",
    device: o.Device = "",
    precision: o.Precision = "",
    compile: o.Compile = False,
    peer: Annotated[
        list[str] | None,
        typer.Option(help="Also measure against a checkout: streamdiffusion=DIR."),
    ] = None,
) -> None:
    """Measure how fast it is, as ratios within one run."""
    from oscbend.bench import Settings, peers_of, run

    settings = Settings(
        quick=quick,
        model=model,
        device=device,
        size=None if size is None else o.size_of(size),
        precision=precision,
        decoder=decoder,
        compile=compile,
        peers=peers_of(peer or ()),
    )
    run(settings, json_path=json, only=only)
