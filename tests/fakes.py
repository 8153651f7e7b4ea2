"""A stage without a network: it has sites, takes prompts, and paints what it was told in flat colours."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np

from oscbend import bends
from oscbend.commands import Job
from oscbend.commands.house import NoHouse
from oscbend.errors import BadModel, BadValue, OutOfMemory
from oscbend.frame import Done, Pending, Rendered, Structure, Values
from oscbend.net.sites import Site, resolve
from oscbend.scenes import Scenes
from oscbend.state import State

NETWORK = (
    ("text", (8, 4, 1)),
    ("unet.in", (16, 8, 8)),
    ("skip.0", (16, 8, 8)),
    ("unet.mid.attn", (32, 4, 4)),
    ("unet.up.0.res.0", (32, 4, 8)),
    ("vae.in", (8, 8, 8)),
    ("image", (3, 64, 64)),
)


class FakeStage:
    """Stands in for `Stage`: red is the first bend's first parameter, green its weight, blue the prompt."""

    def __init__(self) -> None:
        self.epoch = 0
        self.behind = 0
        self.stream_batch = False
        self.root = Path("nowhere")
        self.scenes = Scenes(self.root, dry=True)
        self.texts: list[str] = []
        self.models = {"tiny", "other"}
        self.drawn: list[tuple[Structure, Values]] = []
        self.blamed: list[str] = []
        self.blamed_for: list[Structure] = []
        self.spoilt = False
        self.broken = False
        self.room = 10**9
        self.too_large: set[str] = set()
        self.prepares = False
        self.prepared: list[tuple[int, int]] = []
        self._sites: dict[int, tuple[Site, ...]] = {}
        self._scales = {name: self.scale(name, State()) for name, _ in NETWORK}

    def sites(self, state: State) -> tuple[Site, ...]:
        if state.step_count not in self._sites:
            self._sites[state.step_count] = self._listed(state)
        return self._sites[state.step_count]

    def _listed(self, state: State) -> tuple[Site, ...]:
        latents = [Site(f"latent.{k}", None, (4, 8, 8)) for k in range(state.step_count)]
        network = [Site(name, n, shape) for n, (name, shape) in enumerate(NETWORK)]
        return (*latents, Site("latent.end", None, (4, 8, 8)), *network)

    def site_names(self, state: State) -> Sequence[str]:
        return [s.name for s in self.sites(state)]

    def resolve(self, site: str, state: State) -> tuple[str, ...]:
        return resolve(site, self.sites(state), state.step_count)

    def check(self, op: str, static: Mapping[str, object], site: str, state: State) -> None:
        bends.check(op, static, next(s.shape for s in self.sites(state) if s.name == site))

    def check_steps(self, state: State) -> None:
        if isinstance(state.steps, tuple) and max(state.steps) >= 50:
            raise BadValue("step indices must be below 50")

    def scale(self, site: str, state: State) -> float:
        return 2.0 if site.startswith("unet.") else 1.0

    def scales(self, state: State) -> Mapping[str, float]:
        return self._scales

    def start(self, state: State) -> int:
        return state.step_count // 2 if state.feedback or state.init else 0

    def knows(self, text: str) -> bool:
        return text in self.texts

    def encode(self, text: str, beside: Iterable[str] = ()) -> list[str]:
        self.texts.append(text)
        return [w for w in text.split() if w.startswith("qq")]

    def check_feedback(self) -> None:
        if self.stream_batch:
            raise BadValue("not with --stream-batch")

    def load(self, source: str, state: State) -> str:
        if source not in self.models:
            raise BadModel(f"{source}: no such folder")
        return source

    def read_picture(self, name: str) -> str:
        if ".." in name:
            raise BadValue(f"{name} lies outside the root folder")
        self.epoch += 1
        return name

    def init(self, state: State, last: np.ndarray | None, now_s: float) -> np.ndarray | None:
        if state.feedback:
            return None if last is None else last[None]
        return np.zeros((1, state.height, state.width, 3), np.uint8) if state.init else None

    def prepare_size(self, state: State) -> None:
        if state.width * state.height > self.room:
            raise OutOfMemory(f"not enough memory for pictures of {state.width} x {state.height}")
        self.prepared.append((state.width, state.height))

    def prepare(self, state: State) -> None:
        self.texts.append("prepared")

    def compiling(self) -> AbstractContextManager[None]:
        return nullcontext()

    def submit(self, structure: Structure, values: Values) -> Pending:
        return Done(self.render(structure, values))

    def render(self, structure: Structure, values: Values) -> Rendered:
        if structure.width * structure.height > self.room:
            raise OutOfMemory(f"not enough memory for pictures of {structure.width} x {structure.height}")
        if structure.model in self.too_large:
            raise OutOfMemory("not enough memory for this model's frames")
        if self.broken:
            raise RuntimeError("out of memory")
        self.drawn.append((structure, values))
        batch = structure.batch
        pictures = np.zeros((batch, structure.height, structure.width, 4), np.uint8)
        pictures[..., 3] = 255
        for b in range(batch):
            if structure.bends:
                first = next(iter(values.params[0].values()), np.zeros(batch))
                pictures[b, ..., 0] = int(np.clip(np.ravel(first[b])[0] * 100, 0, 255))
                pictures[b, ..., 1] = int(values.weights[0, -1, -1, b] * 255)
            pictures[b, ..., 2] = len(values.prompts[b][0][0]) % 256
        return Rendered(pictures, np.full(batch, not self.spoilt))

    def blame_job(self, structure: Structure, values: Values, what: str) -> Job:
        self.blamed.append(what)
        self.blamed_for.append(structure)
        return Job("/frame", lambda: ((lambda state: state), [what]), quiet=True)


class LateStage(FakeStage):
    """A stage whose frames arrive some calls late, as with stream batch.

    Args:
        behind: how many.
    """

    def __init__(self, behind: int) -> None:
        super().__init__()
        self.stream_batch = True
        self.behind = behind
        self.spoils: set[str] = set()
        self._waiting: deque[tuple[Structure, Values]] = deque()

    def submit(self, structure: Structure, values: Values) -> Pending:
        self._waiting.append((structure, values))
        self.epoch += 1
        if len(self._waiting) <= self.behind:
            return Done(Rendered(np.zeros((0, 1, 1, 4), np.uint8), np.zeros(0, bool)))
        of = self._waiting.popleft()
        drawn = replace(self.render(*of), of=of)
        if self.spoils & {bend.op for bend in of[0].bends}:
            drawn = replace(drawn, pictures=drawn.pictures[:0], finite=drawn.finite[:0], error="broken")
        return Done(drawn)


class FakeHouse(NoHouse):
    """Runs no show, but has a status and a clock, and remembers what it was asked to forget."""

    def __init__(self) -> None:
        super().__init__()
        self.cleared: list[Hashable | None] = []
        self.hushed: list[bool] = []
        self.now_s = 1_800_000_000.0

    def status(self) -> tuple[float | int | str, ...]:
        return 30.0, 7

    def clear(self, sender: Hashable | None = None) -> int:
        self.cleared.append(sender)
        return 3

    def hush(self, on: bool) -> None:
        self.hushed.append(on)

    def unix_s(self) -> float:
        return self.now_s


class Later:
    """Pictures that are drawn already and get ready when somebody waits for them, or says so."""

    def __init__(self, stage: DelayedStage, number: int, drawn: Rendered | Exception) -> None:
        self.stage = stage
        self.number = number
        self.drawn = drawn

    def ready(self) -> bool:
        return self.number <= self.stage.done

    def result(self) -> Rendered:
        if not self.ready():
            self.stage.log.append(f"wait {self.number}")
            self.stage.done = self.number
        if isinstance(self.drawn, Exception):
            raise self.drawn
        return self.drawn


class DelayedStage(FakeStage):
    """A stage that draws beside, as a graphics card does; `log` tells what was begun and waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []
        self.done = 0
        self.begun = 0
        self.fails_later = False

    def submit(self, structure: Structure, values: Values) -> Pending:
        drawn: Rendered | Exception = self.render(structure, values)
        if self.fails_later:
            drawn = RuntimeError("the card fell over")
        self.begun += 1
        self.log.append(f"begin {self.begun}")
        return Later(self, self.begun, drawn)
