"""The command line: arguments and wiring; every subcommand imports what it needs when it runs."""

from __future__ import annotations

import os
import sys

import typer

from oscbend.cli import draw, hosts, tables, try_out
from oscbend.errors import OscbendError

app = typer.Typer(
    name="oscbend",
    help="A render server for pictures that is played over OSC.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

COMMANDS = (
    try_out.demo,
    draw.serve,
    draw.image,
    draw.render,
    hosts.send,
    hosts.play,
    hosts.watch,
    tables.analyze,
    tables.score,
    tables.ops,
    tables.sites,
    tables.features,
    tables.commands,
    try_out.bench,
)

for command in COMMANDS:
    # a negative number among the arguments of a message is no option
    app.command(context_settings={"ignore_unknown_options": command is hosts.send})(command)
app.command("testcard")(try_out.card)


def main() -> None:
    """Runs the command line; what went wrong on purpose is one line on stderr and exit code 1."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        app()
    except OscbendError as error:
        print(f"oscbend: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
