"""Stream batch: the steps of successive frames in one call of the U-Net.

With S steps that run, a call has S rows: row j is the frame that began j calls ago, at its step j.
Every call takes one frame in and gives one out, S − 1 calls late. A frame keeps what it began with
(prompt, noise, guidance, bends and their values), and becomes the picture that it would be by itself.
After Kodaira et al. 2023, arXiv:2312.12491.

When bends come and go, the frames in flight fly on: a call has the bends of all of them, each frame with
weight 0 for those that it does not know. When steps, size, sampler or guidance change, they are let go.
A call always has S rows; those without a frame repeat another one's, and nothing is made of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from oscbend import bends
from oscbend.frame import Structure, Values, alike
from oscbend.net.memory import is_full
from oscbend.net.model import Model
from oscbend.net.network import Network
from oscbend.net.noise import Fields
from oscbend.net.plan import Bent, Plan
from oscbend.net.predict import predict
from oscbend.net.sampler import Abreast, advance
from oscbend.net.shared import Shared
from oscbend.net.text import Embedding


class Painter(Protocol):
    """What a stream needs of the engine."""

    model: Model
    network: Network
    fields: Fields

    def plan(self, structure: Structure) -> Plan:
        """The plan of a structure."""

    def furnish(self, bent: Bent, structure: Structure, ticks: np.ndarray) -> None:
        """Gives a bend the field that its operator asks for."""

    def text(self, values: Values, way: str, branches: int) -> Embedding:
        """The prompt embeddings of all rows, the unconditional ones first."""

    def begin(self, plan: Plan, values: Values) -> tuple[Tensor, int]:
        """The state that the first step reads, and how many draws went into it."""


@dataclass(frozen=True, eq=False)
class Flight:
    """A frame on its way.

    Args:
        structure, values: what was asked for, of batch 1.
        text: its prompt, one row for each branch of guidance.
        latent: how far it is, [1, 4, H/8, W/8], float32.
        drawn: how many draws of its noise went into the beginning.
    """

    structure: Structure
    values: Values
    text: Embedding
    latent: Tensor
    drawn: int


@dataclass(frozen=True, eq=False)
class Arrival:
    """A frame that has arrived.

    Args:
        structure, values: what was asked for when it began.
        image: RGB around −1…1, [1, 3, H, W].
    """

    structure: Structure
    values: Values
    image: Tensor


@dataclass(frozen=True, eq=False)
class Lost:
    """A frame that will not arrive.

    Args:
        structure, values: what was asked for when it began.
        error: why.
    """

    structure: Structure
    values: Values
    error: Exception


Row = Flight | Lost | None
"""A frame that flies, one that has failed and waits for its turn to say so, or none."""


class Stream:
    """The frames in flight.

    Args:
        painter: the engine that they are drawn with.
    """

    def __init__(self, painter: Painter) -> None:
        self.painter = painter
        self._rows: list[Row] = []
        self._shared = Shared(())
        self._repeats = 0

    @property
    def behind(self) -> int:
        """How many frames late a frame arrives."""
        return max(len(self._rows) - 1, 0)

    @property
    def settled(self) -> bool:
        """True if all rows hold the same frame, so that the next one would be the same picture again."""
        return self._repeats >= self.behind

    def push(self, structure: Structure, values: Values) -> Arrival | Lost | None:
        """Takes a frame in, moves all by one step, and gives the one that arrives; None while the rows fill.

        If it raises, nothing has happened.

        Args:
            structure, values: of batch 1.

        Raises:
            BadMessage: a size, schedule or sampler that cannot be. What else goes wrong with a frame is told
                in its turn, when it would have arrived.
            RuntimeError: memory is full.
        """
        shape = replace(structure, bends=(), blend="slerp")
        if not self._rows or shape != self._shape:
            self._refill(shape)
        rows: list[Row] = [self._begun(structure, values), *self._rows[:-1]]
        while flying := [row for row in rows if isinstance(row, Flight)]:
            try:
                rows = self._moved(rows, flying)
                break
            except Exception as error:  # whatever a network throws; the newest bends are the likeliest cause
                guilty = [flight for flight in flying if flight.structure is flying[0].structure]
                rows = [_failed(row.structure, row.values, error) if row in guilty else row for row in rows]
        arrival = self._landed(rows[-1])
        self._repeats = self._repeats + 1 if self._repeated(rows[0]) else 0
        self._rows = rows
        return arrival

    def _refill(self, shape: Structure) -> None:
        """Lets all frames go, and works out what steps, size, sampler and guidance decide."""
        device = self.painter.model.device
        self._bare = bare = self.painter.plan(shape)
        steps = bare.schedule.steps[shape.start :]
        self._times = torch.tensor([step.timestep for step in steps] * bare.branches, device=device)  # [rows]
        self._numbers = Abreast.of(steps, device)
        self._scaled = any(step.scale != 1 for step in steps)
        self._no_noise = torch.zeros((1, *bare.latent_shape), device=device)
        self._texts: tuple[list[Embedding], Embedding] | None = None
        self._shape = shape
        self._rows = [None] * len(steps)

    def _begun(self, structure: Structure, values: Values) -> Flight | Lost:
        """A frame with its prompt read and its first noise drawn, or why that cannot be."""
        newest = self._rows[0]
        if newest is not None and newest.structure == structure:
            structure = newest.structure
        try:
            text = self.painter.text(values, structure.blend, self._bare.branches)
            return Flight(structure, values, text, *self.painter.begin(self._bare, values))
        except Exception as error:  # of a prompt or of a picture to start from, and of this frame alone
            return _failed(structure, values, error)

    def _repeated(self, row: Row) -> bool:
        """True if a frame is the same as the one before it."""
        before = self._rows[0]
        return (
            isinstance(row, Flight)
            and isinstance(before, Flight)
            and row.structure == before.structure
            and alike(row.values, before.values, ticking=bends.ticking(row.structure.bends))
        )

    def _landed(self, row: Row) -> Arrival | Lost | None:
        """A frame after its last step, decoded."""
        if not isinstance(row, Flight):
            return row
        painter, after = self.painter, self._alone.at[self._bare.steps]
        try:
            end = after.get("latent.end")
            latent = row.latent if end is None else end(row.latent)
            image = painter.network.decode(painter.model.unscale(latent), after)
        except Exception as error:  # of a bend behind the network, and of this frame alone
            return _failed(row.structure, row.values, error)
        return Arrival(row.structure, row.values, image)

    def _moved(self, rows: Sequence[Row], flying: Sequence[Flight]) -> list[Row]:
        """The rows after a call of the network.

        Args:
            rows: before it.
            flying: those that fly, the newest first.
        """
        structures = tuple({id(f.structure): f.structure for f in reversed(flying)}.values())
        if not self._shared.joins(structures):
            self._shared = Shared(structures)
        idle = replace(flying[0], structure=self._shape)  # no bends: it knows none of the chain
        crew = [row if isinstance(row, Flight) else idle for row in rows]
        crowd, self._alone = self._crowd(crew), self._one_by_one(crew)
        painter, start = self.painter, self._shape.start
        x = torch.cat([self._bent(flight.latent, start + j) for j, flight in enumerate(crew)])
        seen = x * self._numbers.scale if self._scaled else x
        text = self._text([flight.text for flight in crew])
        output = predict(painter.network, painter.model, crowd, seen, self._times, text, crowd.at[start])
        x = advance(x, output, self._noise(crew), self._numbers, self._bare.schedule.clip)
        return [
            replace(row, latent=latent) if isinstance(row, Flight) else row
            for row, latent in zip(rows, x.split(1), strict=True)
        ]

    def _bent(self, latent: Tensor, step: int) -> Tensor:
        bend = self._alone.at[step].get(f"latent.{step}")
        if bend is None:
            return latent
        scale = self._bare.schedule.steps[step].scale
        return bend(latent) if scale == 1 else bend(latent * scale) / scale

    def _text(self, texts: list[Embedding]) -> Embedding:
        """The prompts of all rows, the unconditional ones first; joined anew when one of them is another."""
        if self._texts is None or any(new is not old for new, old in zip(texts, self._texts[0])):
            sides = range(self._bare.branches)
            tokens = torch.stack([text.tokens[side] for side in sides for text in texts])
            pooled = [text.pooled[side] for side in sides for text in texts if text.pooled is not None]
            self._texts = texts, Embedding(tokens, torch.stack(pooled) if pooled else None)
        return self._texts[1]

    def _noise(self, crew: Sequence[Flight]) -> Tensor | None:
        """What every row's step draws, [S, 4, H/8, W/8]; None if no step uses what it draws."""
        schedule, start, shape = self._bare.schedule, self._shape.start, self._bare.latent_shape
        fields = []
        for k, flight in enumerate(crew, start):
            draw = schedule.draw_of(k, start)
            if draw is None or schedule.steps[k].fresh == 0:
                fields.append(self._no_noise)
            else:
                fields.append(self.painter.fields.mix(flight.values.noise, shape, flight.drawn + draw))
        return None if all(field is self._no_noise for field in fields) else torch.cat(fields)

    def _crowd(self, crew: Sequence[Flight]) -> Plan:
        """The bends inside the network, every row's with the values of its own frame and step."""
        shape, shared = self._shape, self._shared
        plan = self.painter.plan(replace(shape, batch=len(crew), bends=shared.inside.bends))
        weights = np.zeros((len(plan.bent), 2 if shape.guided else 1, len(crew)), np.float32)
        for j, flight in enumerate(crew):
            weights[..., j] = shared.inside.weights(flight, (plan.steps + 1, weights.shape[1]))[
                :, shape.start + j
            ]
        values = Values(
            prompts=tuple(flight.values.prompts[0] for flight in crew),
            negative=tuple(flight.values.negative[0] for flight in crew),
            noise=tuple(flight.values.noise[0] for flight in crew),
            guidance=np.concatenate([flight.values.guidance for flight in crew]),
            params=tuple(shared.inside.params(u, crew, crew) for u in range(len(plan.bent))),
            weights=np.broadcast_to(weights[:, None], (len(weights), plan.steps + 1, *weights.shape[1:])),
            ticks=np.concatenate([flight.values.ticks for flight in crew]),
            limit=np.concatenate([flight.values.limit for flight in crew]),
        )
        plan.load(values)
        for bent in plan.bent:
            self.painter.furnish(bent, shape, values.ticks)
            if bent.field is not None and not isinstance(bent.field, Tensor):
                along = [field[0] for field in bent.field[shape.start : plan.steps]]
                bent.field = torch.stack(along * plan.branches)
        return plan

    def _one_by_one(self, crew: Sequence[Flight]) -> Plan:
        """The bends that one row alone passes: of the state at its step, or of what follows the last one."""
        shape, shared = self._shape, self._shared
        plan = self.painter.plan(replace(shape, bends=shared.outside.bends))
        if not plan.bent:
            return plan
        rows = [_row_of(bend.site, shape.start, len(crew)) for bend in shared.outside.bends]
        weights = np.zeros((len(rows), plan.steps + 1, 2 if shape.guided else 1, 1), np.float32)
        for j, flight in enumerate(crew):
            mine = [u for u, row in enumerate(rows) if row == j]
            weights[mine, ..., 0] = shared.outside.weights(flight, weights.shape[1:3])[mine]
        riders = [crew[row] for row in rows]
        params = tuple(shared.outside.params(u, [rider], crew) for u, rider in enumerate(riders))
        plan.load(replace(crew[0].values, params=params, weights=weights))
        for bent, rider in zip(plan.bent, riders, strict=True):
            self.painter.furnish(bent, shape, rider.values.ticks)
        return plan


def _failed(structure: Structure, values: Values, error: Exception) -> Lost:
    """A frame that will not become a picture; full memory is no frame's own failure, and is raised."""
    if isinstance(error, RuntimeError) and is_full(error):
        raise error
    return Lost(structure, values, error)


def _row_of(site: str, start: int, rows: int) -> int:
    """Which row passes a site outside the network; the last one what follows its last step.

    A state before the start is passed by none; its bend stands at a step that no row has.
    """
    step = site.removeprefix("latent.")
    return max(int(step) - start, 0) if step.isdigit() else rows - 1
