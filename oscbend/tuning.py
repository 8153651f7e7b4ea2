"""The fastest way to draw with this processor, found by measuring, and remembered.

For live shows only: films use what everybody uses, so that they come out alike.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import oscbend
from oscbend import folders
from oscbend.engine import Engine
from oscbend.errors import OscbendError
from oscbend.frame import Structure, Values
from oscbend.net.model import Model
from oscbend.net.setting import LAYOUTS, Setting
from oscbend.render import Film

Load = Callable[[Setting | None], Model]
Say = Callable[[str], None]

SEEDS = (46, 47, 48)
"""Of the pictures that are compared."""

MEAN_OFF = 1.0
FAR_OFF, FAR_SHARE = 8, 0.001
"""How far a faster way's pictures may be from the usual ones: bytes differ by at most `MEAN_OFF` on average,
and by more than `FAR_OFF` in at most `FAR_SHARE` of all."""

BETTER = 0.97
"""The share of the time that a change must come down to, to be worth it."""

HOPELESS = 2.0
"""How many times as long a first frame may take before a change is given up."""

ROUNDS, PATIENCE_S = 25, 12.0


@dataclass(frozen=True)
class Case:
    """What a setting is found for; only where all of it is equal is the setting used again.

    Args:
        cpu: the processor's name.
        cpus: how many of its threads this program may use.
        torch, oscbend: versions.
        model: its name, and what was asked of it besides.
        size: of the pictures, as `256x256`.
    """

    cpu: str
    cpus: int
    torch: str
    oscbend: str
    model: str
    size: str

    @classmethod
    def here(cls, model: str, width: int, height: int) -> Case:
        """A model and a size, on this machine."""
        size = f"{width}x{height}"
        return cls(cpu_name(), cpus(), version("torch"), oscbend.__version__, model, size)

    def concerns(self, other: Case) -> bool:
        """True for the same model and size on the same processor, whatever was installed."""
        return (self.cpu, self.model, self.size) == (other.cpu, other.model, other.size)


class Memory:
    """What was found on this machine, in a file.

    Args:
        path: of the file; by itself in the user's cache folder.
        say: is told one line about whatever is wrong with it.
    """

    def __init__(self, path: Path | None = None, say: Say = lambda line: None) -> None:
        self.path = path or folders.cache() / "tuning.json"
        self.say = say

    def find(self, case: Case) -> Setting | None:
        """What was found for a case; None if nothing was, or only with something else installed."""
        found = self._read()
        if case in found:
            return found[case]
        for other in found:
            if other.concerns(case):
                old = {k: v for k, v in asdict(other).items() if v != getattr(case, k)}
                was = ", ".join(f"{k} {v}" for k, v in old.items())
                self.say(f"what --tune found was with {was}: not used; --tune measures again")
                break
        return None

    def keep(self, case: Case, setting: Setting) -> None:
        """Remembers what was found, in place of what was found before for the same."""
        kept = {c: s for c, s in self._read().items() if not c.concerns(case)} | {case: setting}
        rows = [{"case": asdict(c), "setting": s.row()} for c, s in kept.items()]
        beside = self.path.with_suffix(f".{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
            beside.replace(self.path)
        except OSError as error:
            self.say(f"what --tune found is forgotten at the end: {self.path}: {error.strerror or error}")

    def _read(self) -> dict[Case, Setting]:
        try:
            rows = json.loads(self.path.read_text(encoding="utf-8"))
            return {Case(**row["case"]): Setting.read(row["setting"]) for row in rows}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError) as error:
            self.say(f"{self.path} cannot be read ({error}): not used; --tune measures again")
            return {}


@dataclass(frozen=True, eq=False)
class Way:
    """A setting, ready to draw one frame.

    Args:
        setting: how.
        engine: with a model that was loaded so.
        structure, values: of the frame.
    """

    setting: Setting
    engine: Engine
    structure: Structure
    values: Values

    def draw(self) -> np.ndarray:
        """The picture, uint8 [1, H, W, 4]."""
        self.setting.use_threads()
        return self.engine.render(self.structure, self.values).pictures

    def pictures(self) -> np.ndarray:
        """Pictures of several seeds, uint8 [N, H, W, 3]."""
        noises = [((seed, 1.0),) for seed in SEEDS]
        drawn = [
            replace(self, values=replace(self.values, noise=(noise,) * self.structure.batch)).draw()
            for noise in noises
        ]
        return np.concatenate(drawn)[..., :3]

    def once_ms(self) -> float:
        """How long one frame takes."""
        began_s = time.perf_counter()
        self.draw()
        return 1000 * (time.perf_counter() - began_s)


@dataclass(frozen=True)
class Distance:
    """How far pictures are from the usual ones.

    Args:
        mean: of the differences of their bytes.
        far: share of the bytes that differ by more than `FAR_OFF`.
    """

    mean: float
    far: float

    @property
    def close(self) -> bool:
        """True if nobody would see it."""
        return self.mean <= MEAN_OFF and self.far <= FAR_SHARE

    def __str__(self) -> str:
        return f"by {self.mean:.2f} of 255 on average, and {self.far:.2%} of them by more than {FAR_OFF}"


def distance(a: np.ndarray, b: np.ndarray) -> Distance:
    """How far byte pictures are from others."""
    off = np.abs(a.astype(np.int16) - b.astype(np.int16))
    return Distance(float(off.mean()), float((off > FAR_OFF).mean()))


def tune(load: Load, structure: Structure, values: Values, say: Say, fixed: Collection[str] = ()) -> Setting:
    """Finds the fastest setting whose pictures are close to the usual ones.

    One thing after the other is changed, and the change stays if frames that are drawn in turn with and
    without it take clearly less of the median time with it.

    Args:
        load: loads the model as a setting says, or as usual.
        structure, values: a frame of the show, without bends.
        say: is told one line about every change that is tried.
        fixed: fields of the setting that stay as they are loaded.
    """
    best = ready(load, None, structure, values)
    usual = best.pictures()
    for field, choice in choices(best.setting):
        if field in fixed:
            continue
        setting = replace(best.setting, **{field: choice})
        try:
            if field == "threads" and not setting.compiled:
                other = replace(best, setting=setting)
            else:
                other = ready(load, setting, structure, values)
        except OscbendError as error:
            say(f"{setting}: {error}")
            continue
        off = distance(usual, other.pictures())
        if not off.close:
            say(f"{setting}: not used, for its pictures differ {off}")
            continue
        took_ms, before_ms = in_turn(other, best)
        say(f"{setting}: {took_ms:.1f} ms a frame; {best.setting}: {before_ms:.1f} ms")
        if took_ms < BETTER * before_ms:
            best = other
    best.setting.use_threads()
    return best.setting


def ready(load: Load, setting: Setting | None, structure: Structure, values: Values) -> Way:
    """A setting, by itself the usual one, with the model loaded and compiled as it says.

    Raises:
        OscbendError: it cannot be compiled, or not be loaded so.
    """
    if setting is not None:
        setting.use_threads()
    model = load(setting)
    engine = Engine(model, live=True)
    way = Way(setting or Setting.of(model), engine, structure, values)
    with engine.compiling():
        way.draw()
    if model.compiler is not None and model.compiler.error:
        raise OscbendError(model.compiler.error)
    return way


def choices(base: Setting) -> Iterator[tuple[str, Any]]:
    """What is tried, in this order: field and choice."""
    if "OMP_NUM_THREADS" not in os.environ:
        for threads in sorted({cpus(), max(1, cpus() // 2)} - {base.threads}, reverse=True):
            yield "threads", threads
    if base.dtype == "float32":
        yield "dtype", "bfloat16"
    yield "layout", next(layout for layout in LAYOUTS if layout != base.layout)
    if not base.compiled:
        yield "compiled", True


def in_turn(a: Way, b: Way) -> tuple[float, float]:
    """Median time of a frame of each, in ms, drawn in turn; of few frames where the first is hopeless."""
    for way in (a, b):
        way.draw()
    taken = [(a.once_ms(), b.once_ms())]
    began_s = time.perf_counter()
    hopeless = taken[0][0] > HOPELESS * taken[0][1]
    while len(taken) < (3 if hopeless else ROUNDS) and time.perf_counter() - began_s < PATIENCE_S:
        taken.append((a.once_ms(), b.once_ms()))
    return statistics.median(t for t, _ in taken), statistics.median(t for _, t in taken)


def frame_of(film: Film) -> tuple[Structure, Values]:
    """A frame of a show, without its bends."""
    structure = Structure(
        film.model,
        film.width,
        film.height,
        steps=film.steps,
        sampler=film.sampler,
        guided=film.guidance > 1,
    )
    prompts, negative = (((film.prompt, 1.0),),), (film.negative,)
    noise = (((SEEDS[0], 1.0),),)
    return structure, Values(prompts, negative, noise, np.full(1, film.guidance, np.float32))


def cpus() -> int:
    """How many of the processor's threads this program may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def cpu_name() -> str:
    """The processor's name, as exactly as the system tells it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        with contextlib.suppress(OSError):
            found = subprocess.run(command, capture_output=True, text=True, check=False)
            if found.stdout.strip():
                return found.stdout.strip()
    return platform.processor() or platform.machine()
