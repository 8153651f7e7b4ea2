"""Options that several subcommands share, and how their texts are read."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oscbend.errors import BadValue, OscbendError

if TYPE_CHECKING:
    from oscbend.net.setting import Setting
    from oscbend.reference import Sheet
    from oscbend.stage import Stage

Model = Annotated[str, typer.Option(help="tiny, a folder, a hub name, a .safetensors file, or random:sd15.")]
Config = Annotated[str, typer.Option(help="For a single file: folder with its family's configuration.")]
Decoder = Annotated[str, typer.Option(help="A tiny decoder (AutoencoderTiny) instead of the model's own.")]
Lora = Annotated[list[str] | None, typer.Option(help="LoRA file, or FILE:SCALE; may be given several times.")]
Device = Annotated[str, typer.Option(help="cuda, mps or cpu; by default the best there is.")]
Precision = Annotated[str, typer.Option(help="fp32, fp16 or bf16; by default the device's best.")]
Pickle = Annotated[bool, typer.Option("--allow-pickle", help="Also load files that can run code.")]
Compile = Annotated[
    bool, typer.Option("--compile", help="Compile the network first: minutes once, then faster frames.")
]
Size = Annotated[str, typer.Option(help="WIDTHxHEIGHT, multiples of 8.")]
Steps = Annotated[str, typer.Option(help="How many, or indices into a schedule of 50: '0 16 32 45'.")]
Seed = Annotated[float, typer.Option(help="Which noise; a fractional seed lies between two.")]
Prompt = Annotated[str, typer.Option(help="What is seen.")]
Negative = Annotated[str, typer.Option(help="What guidance leads away from.")]
Guidance = Annotated[float, typer.Option(help="Classifier-free guidance; 1 is none.")]
Sampler = Annotated[str, typer.Option(help="ddim, lcm, euler or turbo.")]
Noise = Annotated[str, typer.Option(help="wander, walk, hold, fresh or spectrum.")]
Bends = Annotated[
    list[str] | None, typer.Option("--bend", help="'OP SITE [NAME=VALUE …]'; several are a chain.")
]
Init = Annotated[str, typer.Option(help="Picture or film to start from (image-to-image).")]
Strength = Annotated[float, typer.Option(help="Of image-to-image: 0 keeps the picture, 1 forgets it.")]
Root = Annotated[Path, typer.Option(help="Folder below which files named over OSC lie.")]
Host = Annotated[str, typer.Option(help="Address to listen at; 127.0.0.1 is this machine only.")]
Port = Annotated[int, typer.Option(help="OSC over UDP and TCP.")]
Fps = Annotated[str, typer.Option(help="Frames per second: 20, 23.976, 24000/1001.")]

OptionalModel = Annotated[str | None, typer.Option(help="As a score says, or tiny.")]
OptionalFps = Annotated[str | None, typer.Option(help="As a score says, or 20.")]
OptionalSize = Annotated[str | None, typer.Option(help="As a score says, or 256x256.")]
OptionalSteps = Annotated[str | None, typer.Option(help="As a score says, or 4; bends move along.")]


def say(line: str) -> None:
    """Tells whoever runs the program one line."""
    print(f"oscbend: {line}", file=sys.stderr, flush=True)


def size_of(text: str) -> tuple[int, int]:
    """`512x384` -> (512, 384)."""
    width, x, height = text.lower().partition("x")
    if not x or not width.isdecimal() or not height.isdecimal():
        raise BadValue(f"--size {text!r}: write WIDTHxHEIGHT, as in 256x256")
    numbers = int(width), int(height)
    if any(n % 8 or not 64 <= n <= 4096 for n in numbers):
        near = "x".join(str(min(4096, max(64, round(n / 8) * 8))) for n in numbers)
        raise BadValue(f"--size {text}: both must be multiples of 8 from 64 to 4096; nearest: {near}")
    return numbers


def steps_of(text: str) -> int | tuple[int, ...]:
    """`4` -> 4; `0 16 32 45` -> (0, 16, 32, 45)."""
    words = text.replace(",", " ").split()
    if not words or not all(w.isdecimal() for w in words):
        raise BadValue(f"--steps {text!r}: write how many, or indices such as '0 16 32 45'")
    numbers = tuple(int(w) for w in words)
    if len(numbers) == 1 and not 1 <= numbers[0] <= 1000:
        raise BadValue(f"--steps {text}: from 1 to 1000")
    return numbers[0] if len(numbers) == 1 else numbers


def pair(text: str, option: str) -> tuple[float, float]:
    """`0.01 0.25` -> (0.01, 0.25)."""
    words = text.replace(",", " ").split()
    try:
        first, second = (float(w) for w in words)
    except ValueError:
        raise BadValue(f"{option} {text!r}: write two numbers, as in '0.01 0.25'") from None
    return first, second


def number_in(number: float, option: str, lo: float, hi: float) -> float:
    """A number within a range."""
    if not lo <= number <= hi:
        raise BadValue(f"{option} {number:g}: from {lo:g} to {hi:g}")
    return number


def one_of(text: str, option: str, choices: Sequence[str]) -> str:
    """One of several words."""
    if text not in choices:
        raise BadValue(f"{option} {text!r}: one of {', '.join(choices)}")
    return text


def below(root: Path, file: str) -> tuple[Path, str]:
    """The root, and the file as it is named below it; a file that lies elsewhere takes the root along.

    Raises:
        BadValue: there is no such file.
    """
    if not file:
        return root, file
    path = Path(file).resolve()
    if not path.is_file():
        path = (root / file).resolve()
    if not path.is_file():
        raise BadValue(f"--init {file}: there is no such file")
    home = root.resolve()
    if not path.is_relative_to(home):
        home = path.parent
    return home, path.relative_to(home).as_posix()


@dataclass(frozen=True)
class Loading:
    """How models are loaded, as typed."""

    config: str = ""
    decoder: str = ""
    lora: tuple[str, ...] = ()
    device: str = ""
    precision: str = ""
    allow_pickle: bool = False
    compile: bool = False

    def options(self) -> dict[str, Any]:
        """For every model, as `net.load.load` takes them."""
        from oscbend.net import options

        return {
            "allow_pickle": self.allow_pickle,
            "compile": self.compile,
            "say": say,
            "config": self.config or None,
            "decoder": self.decoder or None,
            "device": self.device or None,
            "dtype": options.precision(self.precision) if self.precision else None,
        }

    def loras(self) -> dict[str, Any]:
        """For the first model, likewise."""
        from oscbend.net import options

        return {"loras": [options.lora(text) for text in self.lora]}

    def named(self, model: str) -> str:
        """A model's name, and all that makes it faster or slower."""
        more = [*self.lora, self.decoder, self.precision, "compiled" if self.compile else ""]
        return " ".join([model, *filter(None, more)])


def stage_of(
    model: str,
    how: Loading,
    root: Path,
    setting: Setting | None = None,
    *,
    live: bool = False,
    stream_batch: bool = False,
) -> Stage:
    """The model, loaded, behind a stage; a warning if a graphics card lies idle.

    Args:
        model, how: what to load.
        root: of the files that are named over OSC.
        setting: how a processor draws it, if not as usual.
        live: True for a show, where a frame must not wait; False for films, which are the same every time.
        stream_batch: the steps of successive frames in one call.
    """
    from oscbend.engine import Engine
    from oscbend.net import architectures, load
    from oscbend.stage import Stage

    for warning in (load.gpu_warning(), architectures.notice(model)):
        if warning:
            say(f"WARNING: {warning}")
    chosen: dict[str, Any] = {}
    if setting is not None:
        setting.use_threads()
        chosen = setting.loading()
    engine = Engine(load.load(model, **how.options() | how.loras() | chosen), live=live)
    return Stage(engine, model, root=root, loading=how.options(), live=live, stream_batch=stream_batch)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what a full disk or a missing folder raises into one line."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OscbendError(f"cannot write {path}: {error.strerror or error}") from error


def show(sheet: Sheet) -> None:
    """Prints a table, as wide as the terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for n, head in enumerate(sheet.heads):
        table.add_column(head, overflow="fold", no_wrap=n == 0)
    for row in sheet.rows:
        table.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table)
