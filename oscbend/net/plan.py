"""What a structure fixes, worked out once: which bend stands where, its mask, its place in the buffers.

Live values are written into one buffer, which every operator reads its own part of; a frame copies
it to the device in one go and rebuilds nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from oscbend import bends
from oscbend.bends import select
from oscbend.errors import BadValue, UnknownName
from oscbend.frame import Armed, Structure, Values, branched
from oscbend.net.model import Model
from oscbend.net.sampler import schedule
from oscbend.net.sites import Site
from oscbend.net.walk import Bend, needs_sizes
from oscbend.table import Arg, Row

Pictures = Mapping[str, Any]


class Bent:
    """One armed bend, ready to be applied.

    Args:
        armed: of the structure.
        site: where it stands.
        rows: how many rows the tensor there has: the batch, or twice that inside a guided U-Net.
        steps: S.
    """

    def __init__(
        self, armed: Armed, site: Site, rows: int, steps: int, model: Model, pictures: Pictures
    ) -> None:
        self.armed = armed
        self.site = site
        self.rows = rows
        self.row: Row = bends.OPERATORS[armed.op]
        self.static = dict(armed.static)
        bends.check(armed.op, self.static, site.shape)
        dtype = torch.float32 if site.number is None else model.dtype
        if site.name.startswith("vae.") or site.name == "image":
            dtype = model.vae_dtype
        self.mask = select.parse(armed.select).mask(site.shape, model.device, dtype, pictures)
        self.params: dict[str, Tensor] = {}
        self.weight: Sequence[Tensor] = ()
        self.active = [False] * (steps + 1)
        self.field: Tensor | Sequence[Tensor] | None = None

    def __call__(self, x: Tensor, step: int) -> Tensor:
        """`x` [rows, C, H, W] bent as this frame asks at `step`; `x` itself where it asks for nothing."""
        if not self.active[step]:
            return x
        field = self.field if self.field is None or isinstance(self.field, Tensor) else self.field[step]
        return bends.run(self.row, x, self.params, self.weight[step], self.mask, self.static, field)


class Plan:
    """A structure, ready for values.

    Args:
        structure: what to draw.
        model: that it is drawn with.
        pictures: float arrays [h, w] of 0…1 by name, for selections by mask.

    Raises:
        BadValue: a size, schedule, option or selection that cannot be.
        UnknownName: a sampler, operator or site that does not exist.
    """

    def __init__(self, structure: Structure, model: Model, pictures: Pictures) -> None:
        self.structure = structure
        self.schedule = schedule(structure.sampler, structure.steps, model.scheduler)
        self.steps = structure.step_count
        if not 0 <= structure.start < self.steps:
            raise BadValue(f"start {structure.start} is outside the schedule of {self.steps} steps")
        self.batch = structure.batch
        self.branches = 2 if structure.guided and model.guidance_width is None else 1
        self.rows = self.branches * self.batch
        known = {site.name: site for site in model.sites(structure.width, structure.height, self.steps)}
        self.latent_shape = known["latent.end"].shape
        self.sized = needs_sizes(model.unet, *self.latent_shape[1:])
        self.bent: list[Bent] = []
        for armed in structure.bends:
            if armed.site not in known:
                raise UnknownName("site", armed.site, known)
            rows = self.rows if branched(armed.site) else self.batch
            self.bent.append(Bent(armed, known[armed.site], rows, self.steps, model, pictures))
        self.at = [self._standing(step) for step in range(self.steps + 1)]
        times = [step.timestep for step in self.schedule.steps]
        self.timesteps = torch.tensor(times, device=model.device)[:, None].expand(-1, self.rows).unbind(0)
        self.time_ids = _time_ids(structure, self.rows, model) if model.family == "sdxl" else None
        self._place(model.device)

    def load(self, values: Values) -> None:
        """Writes a frame's numbers into the buffers.

        Raises:
            BadValue: arrays that don't fit the structure.
        """
        s = self.structure
        if not len(values.prompts) == len(values.negative) == len(values.noise) == s.batch:
            raise BadValue(f"values for a batch of {s.batch} need as many prompts, negatives and noises")
        wanted = (len(self.bent), self.steps + 1, 2 if s.guided else 1, s.batch)
        if self.bent and values.weights.shape != wanted:
            raise BadValue(f"weights must be {list(wanted)}, got {list(values.weights.shape)}")
        self._host_guidance[:, 0] = values.guidance
        acts = (values.weights != 0).any(axis=3)
        for i, bent in enumerate(self.bent):
            apart = branched(bent.site.name) and self.branches == 2
            self._host_weights[i][:] = values.weights[i] if apart else values.weights[i][:, -1:]
            bent.active = (acts[i].any(axis=1) if apart else acts[i][:, -1]).tolist()
            for arg, place in self._host_params[i]:
                given = values.params[i].get(arg.name, arg.default)
                if given is None:
                    raise BadValue(f"bend {bent.armed.id}: {arg.name} has no value")
                place[:] = np.asarray(given, np.float32).reshape(-1, arg.size)
        self._buffer.send()

    def _standing(self, step: int) -> dict[str, Bend]:
        """The bends of a step by site; those of index S are what follows the last step."""
        chains: dict[str, list[Bent]] = {}
        for bent in self.bent:
            if self._stands(bent.site.name, step):
                chains.setdefault(bent.site.name, []).append(bent)
        return {name: partial(_chained, chain, step) for name, chain in chains.items()}

    def _stands(self, site: str, step: int) -> bool:
        last = step == self.steps
        if branched(site):
            return not last
        if site.startswith("latent."):
            return site == ("latent.end" if last else f"latent.{step}")
        return last

    def _place(self, device: torch.device) -> None:
        """Gives every live value its part of the buffer."""
        shapes: list[tuple[int, ...]] = [(self.batch, 1)]
        for bent in self.bent:
            branches = bent.rows // self.batch
            shapes.append((self.steps + 1, branches, self.batch))
            shapes += [(branches, self.batch, arg.size) for arg in bent.row.live]
        self._buffer = _Buffer(shapes, device)
        self._host_guidance, self.guidance = self._buffer.part()
        self._host_weights: list[np.ndarray] = []
        self._host_params: list[list[tuple[Arg, np.ndarray]]] = []
        for bent in self.bent:
            host, there = self._buffer.part()
            self._host_weights.append(host)
            bent.weight = there.flatten(1).unbind(0)
            self._host_params.append([])
            for arg in bent.row.live:
                host, there = self._buffer.part()
                self._host_params[-1].append((arg, host))
                rows = there.flatten(0, 1)
                bent.params[arg.name] = rows[:, 0] if arg.size == 1 else rows


class _Buffer:
    """A flat array here and its twin on the device (the same memory, where that is the CPU), cut into parts.

    Args:
        shapes: of the parts, in the order in which they will be asked for.
        device: where the twin is.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]], device: torch.device) -> None:
        sizes = [math.prod(shape) for shape in shapes]
        self.host = np.zeros(sum(sizes), np.float32)
        self.there = torch.from_numpy(self.host).to(device)
        cuts = zip(np.split(self.host, np.cumsum(sizes)[:-1]), self.there.split(sizes), shapes, strict=True)
        self._parts = iter([(here.reshape(shape), there.view(shape)) for here, there, shape in cuts])

    def part(self) -> tuple[np.ndarray, Tensor]:
        """The next part, to be written here and read there."""
        return next(self._parts)

    def send(self) -> None:
        """Copies everything to the device in one go."""
        if self.there.device.type != "cpu":
            self.there.copy_(torch.from_numpy(self.host))


def _chained(chain: Sequence[Bent], step: int, x: Tensor) -> Tensor:
    for bent in chain:
        x = bent(x, step)
    return x


def _time_ids(structure: Structure, rows: int, model: Model) -> Tensor:
    """SDXL's added conditions: original size, crop, target size."""
    size = [float(structure.height), float(structure.width)]
    return torch.tensor([[*size, 0.0, 0.0, *size]], device=model.device).expand(rows, -1)
