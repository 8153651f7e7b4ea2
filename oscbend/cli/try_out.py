"""Trying it out: the demonstration and the benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


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
) -> None:
    """Measure how fast it is, as ratios within one run."""
    from oscbend.bench import run

    run(quick=quick, json_path=json, only=only)
