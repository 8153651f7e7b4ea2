"""What stands behind the commands: the engine that draws, and all that is slow to make for it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from oscbend import bends, paths, tiny
from oscbend.commands import Job
from oscbend.commands.bend import full_static, steers
from oscbend.engine import Engine, plain_values
from oscbend.errors import BadValue, OutOfMemory
from oscbend.frame import Pending, Rendered, Structure, Values
from oscbend.net import architectures, load, sampler, sites
from oscbend.net.memory import room_for
from oscbend.pictures import Moving, read
from oscbend.scenes import Scenes
from oscbend.state import State
from oscbend.table import Value
from oscbend.turns import Guard

Network = tuple[str, int, int, int]
"""Model, width, height and steps: what the list of sites depends on."""

BUILT_IN = "tiny"
REMEMBERED = 64
PICTURES = 16
CACHED = 4096
MEASURED_SIDE = 256
MEASURED_STEPS = 2


class Stage:
    """The model that draws, those that are loaded beside it, and the pictures to start from.

    Args:
        engine: draws.
        key: the model's name, as `/model` gives it.
        root: folder below which all files named over OSC lie.
        loading: options for models loaded later (device, precision, configuration …).
        live: True for a show, where a frame must not wait; False for films, which are the same every time.
        stream_batch: True draws the steps of successive frames in one call, each frame S − 1 calls late.
    """

    def __init__(
        self,
        engine: Engine,
        key: str = "tiny",
        *,
        root: Path | None = None,
        loading: Mapping[str, Any] | None = None,
        live: bool = False,
        stream_batch: bool = False,
    ) -> None:
        self.root = (root or Path.cwd()).resolve()
        self.live = live
        self.scenes = Scenes(self.root)
        self.epoch = 0
        """Counts what changes pictures although structure and values stay: a file that is read anew, or, with
        stream batch, other frames in flight."""
        self.behind = 0
        """How many frames late a frame is shown, as of the last one."""
        self.stream_batch = stream_batch
        self._arrived = False
        self.loading = dict(loading or {})
        self._engines: dict[str, Engine] = {key: engine}
        self._drawing = key
        self._lock = Guard()
        self._sites: dict[Network, tuple[sites.Site, ...]] = {}
        self._resolved: dict[tuple[Network, str], tuple[str, ...]] = {}
        self._texts: OrderedDict[str, None] = OrderedDict()
        self._pictures: OrderedDict[str, Moving] = OrderedDict()
        self._shape: Structure | None = None
        self._scales = {key: measured(engine)}
        self.encode("")

    def engine(self, state: State) -> Engine:
        """The engine of the state's model."""
        return self._engines[state.model]

    def site_names(self, state: State) -> Sequence[str]:
        """Every site of the model that draws, in order."""
        return [s.name for s in self.sites(state)]

    def sites(self, state: State) -> tuple[sites.Site, ...]:
        """Every site of the model that draws, with numbers and shapes."""
        key = (state.model, state.width, state.height, state.step_count)
        found = self._sites.get(key)
        if found is None:
            if len(self._sites) >= CACHED:
                self._sites.clear()
            found = self._sites[key] = self.engine(state).sites(*key[1:])
        return found

    def resolve(self, site: str, state: State) -> tuple[str, ...]:
        """The sites that a name, number or pattern reaches.

        Raises:
            UnknownName: none.
        """
        key = ((state.model, state.width, state.height, state.step_count), site)
        found = self._resolved.get(key)
        if found is None:
            if len(self._resolved) >= CACHED:
                self._resolved.clear()
            found = self._resolved[key] = sites.resolve(site, self.sites(state), state.step_count)
        return found

    def check(self, op: str, static: Mapping[str, Value], site: str, state: State) -> None:
        """Raises BadValue if the operator cannot act at the site."""
        shape = next(s.shape for s in self.sites(state) if s.name == site)
        bends.check(op, static, shape)

    def check_steps(self, state: State) -> None:
        """Raises BadValue if the model has no such steps."""
        sampler.check_steps(state.steps)

    def check_feedback(self) -> None:
        """Raises BadValue if no frame can wait for the one before it."""
        if self.stream_batch:
            raise BadValue(
                "with --stream-batch a frame begins before the last one is drawn; "
                "for feedback start the server without it"
            )

    def start(self, state: State) -> int:
        """First step that runs; 0 without image-to-image."""
        if not state.feedback and not state.init:
            return 0
        return sampler.start_for(state.strength, state.step_count)

    def scale(self, site: str, state: State) -> float:
        """Standard deviation of the site's activations; 1 where it is not known."""
        return self._scales[state.model].get(site, 1.0)

    def scales(self, state: State) -> Mapping[str, float]:
        """Standard deviations of the activations, by site; the same object until the model changes."""
        return self._scales[state.model]

    def knows(self, text: str) -> bool:
        """True if a prompt is encoded already."""
        return all(engine.knows(text) for engine in self._engines.values())

    def encode(self, text: str, beside: Iterable[str] = ()) -> list[str]:
        """Encodes a prompt for every loaded model; tells the words that the model does not know.

        Args:
            text: the prompt.
            beside: prompts that are in use, which must not be forgotten for it.
        """
        texts = [*beside, text]
        for used in texts:
            self._texts[used] = None
            self._texts.move_to_end(used)
        while len(self._texts) > REMEMBERED:
            self._texts.popitem(last=False)
        unknown: list[str] = []
        for key, engine in self._engines.items():
            engine.encode(*texts)
            unknown = tiny.unknown_words(text) if key == BUILT_IN else []
        return unknown

    def load(self, source: str, state: State) -> str:
        """Loads a model beside the one that runs, with all recent prompts encoded; gives its key.

        The older ones are let go when it is drawn with for the first time.

        Raises:
            BadModel: it cannot be loaded.
            BadValue: a file or folder outside the root.
            OutOfMemory: there is no room for it beside the one that runs.
        """
        engine, scales = self._engines.get(source), self._scales.get(source)
        if engine is None or scales is None:
            place = self._place(source)
            with room_for(f"the model {source}"):
                engine, scales = self._loaded(place)
        with self._lock:
            self._scales = {**self._scales, source: scales}
            others = {k: e for k, e in self._engines.items() if k != source}
            self._engines = {**others, source: engine}
        return source

    def _place(self, source: str) -> str:
        """Where a model named over OSC is: a file or folder below the root, or its name elsewhere."""
        if source == BUILT_IN or architectures.is_random(source):
            return source
        if paths.could_be_a_file(self.root, source):
            return str(paths.below(self.root, source))
        return source

    def _loaded(self, source: str) -> tuple[Engine, dict[str, float]]:
        engine = Engine(load.load(source, **self.loading), live=self.live)
        engine.encode(*self._texts)
        for name, picture in self._pictures.items():
            engine.set_mask(name, picture.grey)
        if self._shape is not None:
            engine.prepare(self._shape)
        return engine, measured(engine)

    def read_picture(self, name: str) -> str:
        """Reads a picture or film below the root; gives its key: one for one file, however it was named.

        Raises:
            BadValue: outside the root, missing, or neither picture nor film.
        """
        path = paths.below(self.root, name)
        name = paths.name_below(self.root, path)
        self._pictures[name] = read(path)
        self._pictures.move_to_end(name)
        for engine in self._engines.values():
            engine.set_mask(name, self._pictures[name].grey)
        self.epoch += 1
        while len(self._pictures) > PICTURES:
            self._pictures.popitem(last=False)
        return name

    def init(self, state: State, last: np.ndarray | None, now_s: float) -> np.ndarray | None:
        """The picture that image-to-image starts from, uint8 [1, H, W, 3 or 4]; None where there is none.

        With feedback it is the last frame, once there is one.
        """
        size = (state.width, state.height)
        if state.feedback and last is not None and last.shape[:2] == (state.height, state.width):
            return last[None]
        if state.init and state.init in self._pictures:
            return self._pictures[state.init].at(now_s, size)[None]
        return None

    def setting(self) -> dict[str, str | int]:
        """What, besides the score, decides the bytes of a picture: device, precision, threads."""
        return next(iter(self._engines.values())).setting()

    @property
    def prepares(self) -> bool:
        """True if another size is slow to get ready."""
        return self._engines[self._drawing].prepares

    def prepare_size(self, state: State) -> None:
        """Makes what frames of the state's size need.

        Raises:
            OutOfMemory: there is no room for this size.
        """
        shape = self._shape or structure_of(state)
        self.engine(state).prepare(replace(shape, width=state.width, height=state.height))

    def prepare(self, state: State) -> None:
        """Makes the steering vectors of every armed `steer`."""
        for bend in state.bends:
            if steers(bend):
                static = {name: str(value) for name, value in full_static(bend).items()}
                for site in self.resolve(bend.site, state):
                    self.engine(state).steer(structure_of(state), static["a"], static["b"], site)

    def compiling(self) -> AbstractContextManager[None]:
        """Within this, frames may wait until they are compiled: a show's first one, or a film's."""
        return self._engines[self._drawing].compiling()

    def render(self, structure: Structure, values: Values) -> Rendered:
        """Draws frames."""
        return self.submit(structure, values).result()

    def submit(self, structure: Structure, values: Values) -> Pending:
        """Begins to draw frames.

        Raises:
            OutOfMemory: there is no room for this size; or for a new model, which is let go.
        """
        self._shape = structure
        try:
            pending = self._begun(structure, values)
        except OutOfMemory:
            if structure.model != self._drawing:
                self._forget([structure.model])
            raise
        if structure.model != self._drawing:
            keys = list(self._engines)
            self._drawing = structure.model
            self._forget(keys[: keys.index(structure.model)])
        return pending

    def _begun(self, structure: Structure, values: Values) -> Pending:
        engine = self._engines[structure.model]
        if not self.stream_batch:
            return engine.submit(structure, values)
        pending = engine.follow(structure, values, at_once=not self._arrived)
        self._arrived = True
        self.behind = engine.stream.behind
        if not engine.stream.settled:
            self.epoch += 1
        return pending

    def _forget(self, models: Sequence[str]) -> None:
        """Lets models go: those that were loaded before the one that is drawn with now."""
        with self._lock:
            self._engines = {k: engine for k, engine in self._engines.items() if k not in models}
            self._scales = {k: scales for k, scales in self._scales.items() if k not in models}
            self._sites.clear()
            self._resolved.clear()

    def blame_job(self, structure: Structure, values: Values, what: str) -> Job:
        """A job that finds out which bend spoilt a frame, by a second, checked run."""

        def work() -> tuple[Callable[[State], State], Sequence[str]]:
            try:
                culprit = self._engines[structure.model].blame(structure, values)
            except Exception as error:  # the checked run meets what the first one met
                culprit = str(error)
            by = f": {culprit}" if culprit else ""
            return (lambda state: state), [f"{what}{by}; the last good one stays"]

        return Job("/frame", work, quiet=True)


def measured(engine: Engine) -> dict[str, float]:
    """Standard deviation of the activations at every site, from which musical ranges inside the network come.

    From one unbent picture, always the same, so that a score means the same in every film.
    """
    structure = Structure("", MEASURED_SIDE, MEASURED_SIDE, steps=MEASURED_STEPS)
    return engine.scales(structure, plain_values(structure))


def structure_of(state: State) -> Structure:
    """The structure of a state without its bends."""
    return Structure(
        model=state.model,
        width=state.width,
        height=state.height,
        steps=state.steps,
        sampler=state.sampler,
        blend=state.blend,
    )
