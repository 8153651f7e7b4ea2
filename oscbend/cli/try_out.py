"""Trying it out: the demonstration and the benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oscbend.cli import options as o


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for demo.mp4 and demo.png.")
    ] = Path(),
    stay: Annotated[bool, typer.Option("--stay", help="Keep serving when the piece has ended.")] = False,
) -> None:
    """Play a piece of music into a server with the built-in model, and film it."""
    from oscbend.demo import run

    run(output, stay=stay, say=lambda line: print(line, flush=True))


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
