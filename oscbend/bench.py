"""Runs the benchmarks: one table, and an object for machines to read."""

from __future__ import annotations

import importlib.util
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import oscbend
from oscbend.errors import BadValue, OscbendError

if TYPE_CHECKING:
    from oscbend.net.model import Model

FOLDER = Path(oscbend.__file__).parents[1] / "tests" / "bench"


PEERS = ("streamdiffusion",)
"""Programs that can be measured against, from a checkout given by path."""


@dataclass(frozen=True)
class Settings:
    """What the benchmarks measure, and how thoroughly.

    Args:
        quick: fewer repetitions.
        model: as `--model` names it.
        device: `cuda`, `mps` or `cpu`; the first that is there by default.
        size: width and height in pixels; None for 256 × 256 with the built-in model, else the model's own.
        precision: `fp32`, `fp16` or `bf16`; the device's best by default.
        decoder: a tiny decoder in place of the model's own.
        compile: have the network compiled.
        peers: folders with checkouts of other programs, by name (of `PEERS`).
    """

    quick: bool = False
    model: str = "tiny"
    device: str = ""
    size: tuple[int, int] | None = None
    precision: str = ""
    decoder: str = ""
    compile: bool = False
    peers: Mapping[str, Path] = field(default_factory=dict)

    @cached_property
    def loaded(self) -> Model:
        """The model, loaded once for all benchmarks of a run: not to be changed."""
        return self.load(compile=self.compile)

    def load(self, **options: Any) -> Model:
        """The model once more, loaded with options of `net.load.load` besides."""
        from oscbend.net.load import load
        from oscbend.net.options import precision

        return load(
            self.model,
            device=self.device or None,
            dtype=precision(self.precision) if self.precision else None,
            decoder=self.decoder or None,
            **options,
        )

    @property
    def width(self) -> int:
        """Of the pictures, in pixels."""
        return self._size[0]

    @property
    def height(self) -> int:
        """Of the pictures, in pixels."""
        return self._size[1]

    @property
    def _size(self) -> tuple[int, int]:
        return self.size or ((256, 256) if self.model == "tiny" else self.loaded.size)

    @property
    def at_home(self) -> bool:
        """True for the built-in model on a processor: the goals without a graphics card are for that."""
        return self.model == "tiny" and self.loaded.device.type == "cpu" and self._size == (256, 256)

    @property
    def on_card(self) -> bool:
        """True for SD 1.5 in half precision at 512², with a tiny decoder, on an NVIDIA card."""
        model = self.loaded
        half = model.device.type == "cuda" and str(model.dtype) == "torch.float16"
        small = type(model.vae).__name__ == "AutoencoderTiny"
        return half and small and model.family == "sd1" and model.size == self._size == (512, 512)

    def rounds(self, quick: int, thorough: int) -> int:
        """How often to repeat something."""
        return quick if self.quick else thorough


def peers_of(texts: Iterable[str]) -> dict[str, Path]:
    """`streamdiffusion=DIR` -> the folder by name.

    Raises:
        BadValue: another program, or no such folder.
    """
    found = {}
    for text in texts:
        name, _, folder = text.partition("=")
        if name not in PEERS or not folder:
            raise BadValue(f"--peer {text!r}: write NAME=DIR with one of {', '.join(PEERS)}")
        if not Path(folder).is_dir():
            raise BadValue(f"--peer {name}: there is no folder {folder}")
        found[name] = Path(folder).resolve()
    return found


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Args:
        name: what was measured.
        value, unit: how much; None where it could not be measured.
        goal: the value to reach, if one is named.
        higher: True if more is better.
        note: why it could not be measured.
    """

    name: str
    value: float | None
    unit: str
    goal: float | None = None
    higher: bool = False
    note: str = ""

    @property
    def ok(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        if self.value is None:
            return False
        return self.value >= self.goal if self.higher else self.value <= self.goal

    def row(self) -> dict[str, Any]:
        """The figure as an object for machines: goal and ok only where there is a goal."""
        row: dict[str, Any] = {"name": self.name, "value": self.value, "unit": self.unit}
        if self.note:
            row["note"] = self.note
        return row if self.goal is None else row | {"goal": self.goal, "ok": self.ok}


def run(settings: Settings, *, json_path: Path | None = None, only: str = "") -> list[Figure]:
    """Runs every benchmark in `tests/bench` and prints a table.

    Args:
        settings: what to measure.
        json_path: where to write the figures, too.
        only: only files whose name holds this.

    Raises:
        OscbendError: the benchmarks are not here.
    """
    files = sorted(p for p in FOLDER.glob("bench_*.py") if only in p.stem)
    if not files:
        raise OscbendError(
            f"no benchmark{f' named {only}' if only else 's'} in {FOLDER}; run from a checkout"
        )
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))  # for what they share
    figures: list[Figure] = []
    for path in files:
        for figure in _load(path)(settings):
            print(line(figure), flush=True)
            figures.append(figure)
    if json_path is not None:
        text = {
            "device": device(settings),
            "version": oscbend.__version__,
            "commit": commit(),
            "rows": [figure.row() for figure in figures],
        }
        json_path.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
    return figures


def line(figure: Figure) -> str:
    """A figure as one line of the table."""
    if figure.value is None:
        return f"{figure.name:<58} not measured: {figure.note}"
    goal = ""
    if figure.goal is not None:
        goal = (
            f"   goal {'≥' if figure.higher else '≤'} {figure.goal:g}: {'reached' if figure.ok else 'MISSED'}"
        )
    return f"{figure.name:<58}{figure.value:>10.3f} {figure.unit:<10}{goal}"


def _load(path: Path) -> Callable[[Settings], Iterable[Figure]]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise OscbendError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    measure: Callable[[Settings], Iterable[Figure]] = module.measure
    return measure


def device(settings: Settings) -> str:
    """What this was measured on, and with."""
    from oscbend.engine import device_name

    model = settings.loaded
    return (
        f"{device_name(model.device)}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {settings.model} {settings.width}x{settings.height} "
        f"{str(model.dtype).removeprefix('torch.')}{' compiled' if settings.compile else ''}"
    )


def commit() -> str:
    """The commit of the checkout; empty outside one."""
    found = subprocess.run(
        ["git", "-C", str(FOLDER), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip()


def times_ms(
    calls: Sequence[Callable[[], object]],
    rounds: int,
    warm_up: int = 3,
    settle: Callable[[], object] = lambda: None,
) -> list[list[float]]:
    """How long each of several calls takes, measured in turn so that a noisy machine slows all alike.

    Args:
        calls: what to time.
        rounds: how often each.
        warm_up: calls of each beforehand, not counted.
        settle: waits until the device has done what a call gave it (`Model.settle`).

    Returns:
        For each call, `rounds` durations in ms.
    """
    for call in calls:
        for _ in range(warm_up):
            call()
    settle()
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, found in zip(calls, taken):
            began = time.perf_counter()
            call()
            settle()
            found.append(1000.0 * (time.perf_counter() - began))
    return taken


def ratio(a: Sequence[float], b: Sequence[float]) -> float:
    """Median of a over median of b, of calls that were measured in turn."""
    return statistics.median(a) / statistics.median(b)


def quantiles(name: str, taken: Sequence[float]) -> Iterator[Figure]:
    """Median, 95th and 99th percentile of a duration."""
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    for label, place in (("p50", 49), ("p95", 94), ("p99", 98)):
        yield Figure(f"{name}, {label}", cuts[place], "ms")
