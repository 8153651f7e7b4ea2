"""Structure and values in, pictures out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from oscbend import bends
from oscbend.bends.common import sent
from oscbend.errors import BadValue, one_line
from oscbend.frame import Done, Earlier, Pending, Rendered, Structure, Values
from oscbend.net import heap
from oscbend.net.captured import network_for
from oscbend.net.device import settle
from oscbend.net.load import best_device
from oscbend.net.memory import is_full, room_for
from oscbend.net.model import Model
from oscbend.net.network import Eager, Network
from oscbend.net.noise import Fields
from oscbend.net.plan import Bent, Plan
from oscbend.net.predict import predict
from oscbend.net.sampler import advance
from oscbend.net.sites import Site
from oscbend.net.stream import Lost, Stream
from oscbend.net.text import Embedding
from oscbend.net.transfer import Ring
from oscbend.net.walk import Bend, Bends
from oscbend.turns import Guard

Made = TypeVar("Made")

PLANS = 8
MASKS = 64
"""Plans that are kept; the one used longest ago goes first."""

NOTHING = Rendered(np.zeros((0, 1, 1, 4), np.uint8), np.zeros(0, bool))
"""What has arrived while the first frames are on their way."""

STEER_SEEDS = (0, 1, 2, 3)
"""Seeds over which a steering vector is averaged."""


class Engine:
    """Draws frames with one model.

    One thread renders; others may call `encode` and the rest meanwhile.

    Args:
        model: as loaded.
        live: True for a show, where a frame must not wait; False for films, which are the same every time.
    """

    def __init__(self, model: Model, *, live: bool = False) -> None:
        if model.device.type == "cpu":
            heap.keep()
        settle(model.device, live=live)
        self.model = model
        self.eager = Eager(model)
        self.network: Network = network_for(model, live=live)
        self._ring = None if model.lane is None else Ring(model.lane)
        self.fields = Fields(model.device)
        self.grain = bends.NoiseBank(model.device, kept=16, memory_format=model.memory_format)
        self.pictures: dict[str, Any] = {}
        self._plans: OrderedDict[Structure, Plan] = OrderedDict()
        self._texts: OrderedDict[tuple[Any, ...], Embedding] = OrderedDict()
        self._means: OrderedDict[tuple[Any, ...], dict[str, Tensor]] = OrderedDict()
        self._lock = Guard()
        self.stream = Stream(self)

    def sites(self, width: int, height: int, steps: int) -> tuple[Site, ...]:
        """Every site at a size and a number of steps."""
        return self.model.sites(width, height, steps)

    def setting(self) -> dict[str, str | int]:
        """What, besides structure and values, decides the bytes of a picture."""
        model = self.model
        return {
            "device": device_name(model.device),
            "dtype": str(model.dtype).removeprefix("torch."),
            "vae_dtype": str(model.vae_dtype).removeprefix("torch."),
            "layout": str(model.memory_format).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "compiled": int(model.compiler is not None and not model.compiler.error),
        }

    @property
    def prepares(self) -> bool:
        """True if the first frame of a size takes much longer than others, unless it is prepared."""
        return self.network.records

    @torch.inference_mode()
    def prepare(self, structure: Structure) -> None:
        """Draws a frame that nobody sees, so that none of this size waits for what it needs; on any thread.

        Raises:
            BadMessage: a structure that cannot be.
            OutOfMemory: the device has no room for this size.
        """
        network, model = self.network.preparing(), self.model
        either = self.prepares and model.compiler is None and model.guidance_width is None
        with room_for(_size(structure)), self.compiling():
            for guided in (False, True) if either else (structure.guided,):
                bare = replace(structure, start=0, guided=guided, bends=())
                plan, values = Plan(bare, model, {}), plain_values(bare)
                self.encode(*values.texts)
                plan.load(values)
                network.finish(self._draw(plan, values, plan.at, network))

    def compiling(self) -> AbstractContextManager[None]:
        """Within this, what is drawn in a new shape may wait until it is compiled, if the model is to be.

        Outside, nothing is compiled any more.
        """
        compiler = self.model.compiler
        return nullcontext() if compiler is None else compiler.compiling()

    def encode(self, *texts: str) -> None:
        """Encodes prompts, so that they can be drawn: no frame waits for that."""
        for text in texts:
            self.model.prompts.get(text)

    def knows(self, text: str) -> bool:
        """True if a prompt is encoded already."""
        return self.model.prompts.knows(text)

    def set_mask(self, name: str, picture: np.ndarray) -> None:
        """Makes a picture a mask for selections: float [h, w], 0…1; of more than 64, the oldest go."""
        with self._lock:
            others = [(n, p) for n, p in self.pictures.items() if n != name]
            self.pictures = {**dict(others[1 - MASKS :]), name: picture}
            self._plans.clear()

    def render(self, structure: Structure, values: Values) -> Rendered:
        """Encodes what has to be, then draws one frame for every sample of the batch, and waits for it.

        Raises:
            BadMessage: a structure that cannot be, or values that don't fit it.
            OutOfMemory: the device has no room for it.
        """
        self.encode(*values.texts)
        return self.submit(structure, values).result()

    @torch.inference_mode()
    def submit(self, structure: Structure, values: Values) -> Pending:
        """Begins to draw one frame for every sample of the batch; the values may be changed afterwards.

        Raises:
            BadMessage: a structure that cannot be, values that don't fit it, or a prompt that is not encoded.
            OutOfMemory: the device has no room for it.
        """

        def begun() -> Pending:
            plan = self.plan(structure)
            self._load(plan, values)
            return self._sent(self._draw(plan, values, plan.at, self.network))

        return self._in_room(structure, begun)

    def _in_room(self, structure: Structure, work: Callable[[], Made]) -> Made:
        """What `work` gives; where memory is full, it is done once more with all that can be spared."""
        with room_for(_size(structure)):
            try:
                return work()
            except RuntimeError as error:
                if not is_full(error) or not self.network.shrink():
                    raise
            return work()

    def _sent(self, image: Tensor) -> Pending:
        """A decoded picture on its way."""
        pictures, finite = self.network.finish(image)
        if self._ring is None:
            return Done(_fetched(pictures, finite))
        return self._ring.send(pictures, finite)

    @torch.inference_mode()
    def follow(self, structure: Structure, values: Values, *, at_once: bool = False) -> Pending:
        """Begins a frame and moves all that have been begun by one step; gives the one that arrives, if any.

        Args:
            structure, values: of batch 1.
            at_once: takes the frame in as often as it needs for one to arrive.

        Raises:
            BadMessage: a size, schedule or sampler that cannot be.
            OutOfMemory: the device has no room for it.
        """
        arrival = self._in_room(structure, lambda: self.stream.push(structure, values))
        while arrival is None and at_once:
            arrival = self._in_room(structure, lambda: self.stream.push(structure, values))
        if arrival is None:
            return Done(NOTHING)
        of = arrival.structure, arrival.values
        if isinstance(arrival, Lost):
            return Done(replace(NOTHING, of=of, error=one_line(arrival.error)))
        image = arrival.image
        return Earlier(self._in_room(structure, lambda: self._sent(image)), of)

    @torch.inference_mode()
    def blame(self, structure: Structure, values: Values) -> str | None:
        """Which bend a frame that is not finite comes from: its name, operator and site.

        Draws the frame again and looks at every site; the first tensor that is not finite is blamed on
        the bend there, or on the last one that acted before it. None if all is finite, or no bend acted.
        """
        self.encode(*values.texts)
        plan = Plan(structure, self.model, self.pictures)
        self._load(plan, values)
        watch = _Watch(plan)
        self._draw(plan, values, [_Everywhere(watch, step) for step in range(plan.steps + 1)], self.eager)
        return watch.culprit

    @torch.inference_mode()
    def scales(self, structure: Structure, values: Values) -> dict[str, float]:
        """Standard deviation of every site's activations in an unbent run, averaged over the steps."""
        seen: dict[str, list[Tensor]] = {}

        def look(site: str, step: int, x: Tensor) -> Tensor:
            seen.setdefault(site, []).append(x.float().std())
            return x

        self._survey(structure, values, look)
        return {site: float(torch.stack(found).mean()) for site, found in seen.items()}

    @torch.inference_mode()
    def steer(self, structure: Structure, a: str, b: str, site: str) -> Tensor:
        """The direction from prompt `a` to prompt `b` at a site, for every step: [S, C], float32.

        Mean activation for b minus that for a, over rows, columns and a few seeds, in unbent and unguided
        runs. What is averaged for a prompt serves every site and is kept, so only the first call is slow.
        """
        return self._mean_of(structure, b)[site] - self._mean_of(structure, a)[site]

    def _mean_of(self, structure: Structure, text: str) -> dict[str, Tensor]:
        bare = replace(structure, batch=1, start=0, guided=False, bends=())
        key = (bare, text)
        with self._lock:
            if key in self._means:
                self._means.move_to_end(key)
                return self._means[key]
        made: dict[str, Tensor] = {}

        def look(site: str, step: int, x: Tensor) -> Tensor:
            mean = x.float().mean(dim=(0, 2, 3)) / len(STEER_SEEDS)
            if site not in made:
                made[site] = torch.zeros(bare.step_count + 1, x.shape[1], device=x.device)
            made[site][step] += mean
            return x

        for seed in STEER_SEEDS:
            self._survey(bare, plain_values(bare, text, seed), look)
        with self._lock:
            self._means[key] = made
            while len(self._means) > 2 * PLANS:
                self._means.popitem(last=False)
        return made

    def _survey(
        self, structure: Structure, values: Values, look: Callable[[str, int, Tensor], Tensor]
    ) -> None:
        """Draws a frame without its bends and shows every site's tensor to `look`."""
        self.encode(*values.texts)
        plan = Plan(replace(structure, bends=()), self.model, self.pictures)
        plan.load(values)
        self._draw(plan, values, [_Everywhere(look, step) for step in range(plan.steps + 1)], self.eager)

    def plan(self, structure: Structure) -> Plan:
        """The plan of a structure, made once for as long as it is used.

        Raises:
            BadMessage: a structure that cannot be.
        """
        with self._lock:
            plan = self._plans.get(structure)
            if plan is not None:
                self._plans.move_to_end(structure)
                return plan
        plan = Plan(structure, self.model, self.pictures)
        with self._lock:
            self._plans[structure] = plan
            while len(self._plans) > PLANS:
                self._plans.popitem(last=False)
        return plan

    def _load(self, plan: Plan, values: Values) -> None:
        """Writes the frame's numbers, and gives the bends the fields that they ask for."""
        plan.load(values)
        for bent in plan.bent:
            self.furnish(bent, plan.structure, values.ticks)

    def furnish(self, bent: Bent, structure: Structure, ticks: np.ndarray) -> None:
        """Gives a bend the field that its operator asks for.

        Args:
            bent: loaded with the frame's weights.
            structure: whose model and schedule a steering vector is made with.
            ticks: int64, numbers of the frames in its rows.
        """
        if "noise" in bent.row.tags and any(bent.active):
            bent.field = self._grain(bent, ticks)
        elif "steer" in bent.row.tags and bent.field is None:
            a, b = str(bent.static.get("a", "")), str(bent.static.get("b", ""))
            vectors = self.steer(structure, a, b, bent.site.name)
            bent.field = [vector.expand(bent.rows, -1) for vector in vectors]

    def _grain(self, bent: Bent, ticks: np.ndarray) -> Tensor:
        rows = np.resize(ticks, bent.rows)
        seed = int(bent.static.get("seed", 0))
        with self._lock:
            return self.grain.field(seed, bent.site.shape, rows, str(bent.static.get("mode", "fixed")))

    def _draw(self, plan: Plan, values: Values, at: list[Any], network: Network) -> Tensor:
        """The picture, RGB around −1…1, [B, 3, H, W]; surveys go beside the show, through `eager`."""
        latent = self._denoise(plan, values, at, network)
        after: Bends = at[plan.steps]
        end = after.get("latent.end")
        if end is not None:
            latent = end(latent)
        return network.decode(self.model.unscale(latent), after)

    def _denoise(self, plan: Plan, values: Values, at: list[Any], network: Network) -> Tensor:
        """The finished latent, [B, 4, H/8, W/8], float32."""
        text = self.text(values, plan.structure.blend, plan.branches)
        x, drawn = self.begin(plan, values, network)
        for k in range(plan.structure.start, plan.steps):
            step, here = plan.schedule.steps[k], at[k]
            state = here.get(f"latent.{k}")
            if state is not None:
                x = state(x) if step.scale == 1 else state(x * step.scale) / step.scale
            seen = x if step.scale == 1 else x * step.scale
            output = predict(network, self.model, plan, seen, plan.timesteps[k], text, here)
            draw = plan.schedule.draw_of(k, plan.structure.start)
            noise = None
            if draw is not None and step.fresh != 0:
                noise = self.fields.mix(values.noise, plan.latent_shape, drawn + draw)
            x = advance(x, output, noise, step, plan.schedule.clip)
        return x

    def begin(self, plan: Plan, values: Values, network: Network | None = None) -> tuple[Tensor, int]:
        """The state that the first step reads, and how many draws went into it."""
        mix = values.noise
        if values.init is None:
            if plan.structure.start:
                raise BadValue("a run that starts within the schedule needs a picture to start from")
            return self.fields.mix(mix, plan.latent_shape, 0) * plan.schedule.start_sigma, 1
        s = plan.structure
        if values.init.shape[:3] != (s.batch, s.height, s.width):
            raise BadValue(f"pictures to start from must be {[s.batch, s.height, s.width]}")
        picture = sent(torch.from_numpy(np.ascontiguousarray(values.init[..., :3])), self.model.device)
        latent, spread = (network or self.network).encode(picture.permute(0, 3, 1, 2).float() / 255 * 2 - 1)
        drawn = 0
        if spread is not None:
            latent = latent + spread * self.fields.mix(mix, plan.latent_shape, 0)
            drawn = 1
        first = plan.schedule.steps[s.start]
        noise = self.fields.mix(mix, plan.latent_shape, drawn)
        return first.signal * latent + first.sigma * noise, drawn + 1

    def text(self, values: Values, way: str, branches: int) -> Embedding:
        """The prompt embeddings of all rows, the unconditional ones first.

        Args:
            values: with the prompts.
            way: in which they are blended.
            branches: 2 with unconditional rows, else 1.
        """
        key = (values.prompts, values.negative if branches == 2 else None, way)
        with self._lock:
            if key in self._texts:
                self._texts.move_to_end(key)
                return self._texts[key]
        prompts = self.model.prompts
        found = [prompts.negative(text, way) for text in values.negative] if branches == 2 else []
        found += [prompts.blend(recipe, way) for recipe in values.prompts]
        pooled = [e.pooled for e in found if e.pooled is not None]
        made = Embedding(torch.cat([e.tokens for e in found]), torch.cat(pooled) if pooled else None)
        with self._lock:
            self._texts[key] = made
            while len(self._texts) > PLANS:
                self._texts.popitem(last=False)
        return made


class _Everywhere:
    """The bends of a step in a run that is looked into: something stands at every site."""

    def __init__(self, look: Callable[[str, int, Tensor], Tensor], step: int) -> None:
        self.look = look
        self.step = step

    def get(self, site: str, /) -> Bend:
        return lambda x: self.look(site, self.step, x)


class _Watch:
    """Bends as the plan says, and remembers who acted before the first tensor that is not finite."""

    def __init__(self, plan: Plan) -> None:
        self.chains: dict[str, list[Bent]] = {}
        for bent in plan.bent:
            self.chains.setdefault(bent.site.name, []).append(bent)
        self.last: str | None = None
        self.culprit: str | None = None
        self.over = False

    def __call__(self, site: str, step: int, x: Tensor) -> Tensor:
        self._look(x)
        for bent in self.chains.get(site, ()):
            if bent.active[step]:
                self.last = f"{bent.armed.id} ({bent.armed.op} at {site})" if not self.over else self.last
                x = bent(x, step)
                self._look(x)
        return x

    def _look(self, x: Tensor) -> None:
        if not self.over and not bool(torch.isfinite(x).all()):
            self.over = True
            self.culprit = self.last


def one_thread() -> None:
    """From now on, the calling thread computes without helpers; other threads keep theirs."""
    torch.set_num_threads(1)


def device_name(device: torch.device | None = None) -> str:
    """A device (by default the best there is) in words: the card's name, or the processor's threads."""
    device = device or torch.device(best_device())
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return device.type if device.type != "cpu" else f"cpu, {torch.get_num_threads()} threads"


def _size(structure: Structure) -> str:
    return f"pictures of {structure.width} x {structure.height}"


def plain_values(structure: Structure, text: str = "", seed: int = 0) -> Values:
    """Values of one prompt and one seed, for a structure without bends."""
    count = structure.batch
    return Values(
        (((text, 1.0),),) * count, ("",) * count, (((seed, 1.0),),) * count, np.ones(count, np.float32)
    )


def _fetched(pictures: Tensor, finite: Tensor) -> Rendered:
    """Pictures here, in memory of their own."""
    here = np.empty(pictures.shape, np.uint8)
    torch.from_numpy(here).copy_(pictures)
    return Rendered(here, finite.cpu().numpy())
