"""Runs the benchmarks: one table, and an object for machines to read."""

from __future__ import annotations

import importlib.util
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import oscbend
from oscbend.errors import OscbendError

FOLDER = Path(oscbend.__file__).parents[1] / "tests" / "bench"


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Args:
        name: what was measured.
        value, unit: how much.
        goal: the value to reach, if one is named.
        higher: True if more is better.
    """

    name: str
    value: float
    unit: str
    goal: float | None = None
    higher: bool = False

    @property
    def ok(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.higher else self.value <= self.goal


def run(*, quick: bool = False, json_path: Path | None = None, only: str = "") -> list[Figure]:
    """Runs every benchmark in `tests/bench` and prints a table.

    Args:
        quick: fewer repetitions.
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
    figures: list[Figure] = []
    for path in files:
        for figure in _load(path)(quick):
            print(line(figure), flush=True)
            figures.append(figure)
    if json_path is not None:
        rows = [{k: v for k, v in asdict(f).items() if v is not None} | {"ok": f.ok} for f in figures]
        text = {"device": device(), "version": oscbend.__version__, "commit": commit(), "rows": rows}
        json_path.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
    return figures


def line(figure: Figure) -> str:
    """A figure as one line of the table."""
    goal = ""
    if figure.goal is not None:
        goal = (
            f"   goal {'≥' if figure.higher else '≤'} {figure.goal:g}: {'reached' if figure.ok else 'MISSED'}"
        )
    return f"{figure.name:<58}{figure.value:>10.3f} {figure.unit:<10}{goal}"


def _load(path: Path) -> Callable[[bool], Iterable[Figure]]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise OscbendError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module.measure


def device() -> str:
    """What this was measured on."""
    from oscbend.engine import device_name

    return f"{device_name()}, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def commit() -> str:
    """The commit of the checkout; empty outside one."""
    found = subprocess.run(
        ["git", "-C", str(FOLDER), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip()


def times_ms(calls: Sequence[Callable[[], object]], rounds: int, warm_up: int = 3) -> list[list[float]]:
    """How long each of several calls takes, measured in turn so that a noisy machine slows all alike.

    Returns:
        For each call, `rounds` durations in ms.
    """
    for call in calls:
        for _ in range(warm_up):
            call()
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, found in zip(calls, taken):
            began = time.perf_counter()
            call()
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
