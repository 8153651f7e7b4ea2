"""What a structure fixes, worked out once: which bend stands where, its mask, its place in the buffers.

Live values are written into one buffer, which every operator reads its own part of; a frame copies
it to the device in one go and rebuilds nothing.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from oscbend.bends.common import sent
from oscbend.errors import BadValue, UnknownName
from oscbend.frame import Structure, Values, branched
from oscbend.net.bent import Bent, Pictures
from oscbend.net.chain import Chain
from oscbend.net.limit import limited
from oscbend.net.model import Model
from oscbend.net.sampler import schedule
from oscbend.net.transfer import Buffer
from oscbend.net.walk import Bend, needs_sizes

__all__ = ["Bent", "Plan"]


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
            rows = {"batch": self.batch, "branches": self.branches, "steps": self.steps}
            self.bent.append(Bent(armed, known[armed.site], **rows, model=model, pictures=pictures))
        at_site: dict[str, list[Bent]] = {}
        for bent in self.bent:
            at_site.setdefault(bent.site.name, []).append(bent)
        self._chains = {name: Chain(bents) for name, bents in at_site.items()}
        self.at: list[dict[str, Bend]] = [{} for _ in range(self.steps + 1)]
        """For each step, what stands at a site and acts in this frame; index S is what follows the last."""
        times = [step.timestep for step in self.schedule.steps]
        self.timesteps = sent(torch.tensor(times), model.device)[:, None].expand(-1, self.rows).unbind(0)
        self.time_ids = _time_ids(structure, self.rows, model) if model.family == "sdxl" else None
        self._place(model)
        self._standing = [self._standing_at(step) for step in range(self.steps + 1)]
        self._weighed: tuple[bytes, bool] | None = None

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
        self._host_limit[:] = values.limit
        if self.bent:
            self._load(values)
        self._buffer.send()
        for chain in self._chains.values():
            chain.sent()

    def _load(self, values: Values) -> None:
        with np.errstate(all="ignore"):
            self._weigh(values.weights, bool((values.limit > 0).any()))
            for bent, params in zip(self.bent, values.params, strict=True):
                bent.load(params)
            for chain in self._chains.values():
                chain.load()
        for bent in self.bent:
            bent.changed = False

    def _weigh(self, weights: np.ndarray, bounded: bool) -> None:
        """Works out which bends act where, if that has changed."""
        weighed = weights.tobytes(), bounded
        if weighed == self._weighed:
            return
        self._weighed = None
        for bent, weight in zip(self.bent, weights, strict=True):
            bent.weigh(weight)
        for chain in self._chains.values():
            chain.weigh()
        self.at = [
            {site: ways[bounded] for site, chain, ways in standing if chain.acting[step]}
            for step, standing in enumerate(self._standing)
        ]
        self._weighed = weighed

    def _standing_at(self, step: int) -> list[tuple[str, Chain, tuple[Bend, Bend]]]:
        """The sites of a step at which bends are armed, with the chains there as functions of x alone: as
        they are, and with the limit."""
        found: list[tuple[str, Chain, tuple[Bend, Bend]]] = []
        for site, chain in self._chains.items():
            if self._stands(site, step):
                bend = partial(chain, step=step)
                rows = self._limit.view(-1) if branched(site) else self._limit[0]
                found.append((site, chain, (bend, partial(limited, bend, rows))))
        return found

    def _stands(self, site: str, step: int) -> bool:
        last = step == self.steps
        if branched(site):
            return not last
        if site.startswith("latent."):
            return site == ("latent.end" if last else f"latent.{step}")
        return last

    def _place(self, model: Model) -> None:
        """Gives every live value its part of the buffer."""
        holders: list[Bent | Chain] = [*self.bent, *self._chains.values()]
        shapes = [
            (self.batch, 1),
            (self.branches, self.batch),
            *(shape for holder in holders for shape in holder.shapes()),
        ]
        self._buffer = Buffer(shapes, model.device, model.lane)
        self._host_guidance, self.guidance = self._buffer.part()
        self._host_limit, self._limit = self._buffer.part()
        for holder in holders:
            holder.settle(self._buffer.part)


def _time_ids(structure: Structure, rows: int, model: Model) -> Tensor:
    """SDXL's added conditions: original size, crop, target size."""
    size = [float(structure.height), float(structure.width)]
    return sent(torch.tensor([[*size, 0.0, 0.0, *size]]), model.device).expand(rows, -1)
