"""One armed bend, ready to be applied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from oscbend import bends
from oscbend.bends import select
from oscbend.bends.common import sent
from oscbend.errors import BadValue
from oscbend.frame import Armed, branched
from oscbend.net.model import Model
from oscbend.net.sites import Site
from oscbend.table import Arg, Row

Pictures = Mapping[str, Any]

Part = tuple[np.ndarray, Tensor]
"""A place in the buffer: an array to be written here and its twin to be read on the device."""


class Bent:
    """One armed bend, ready to be applied.

    Args:
        armed: of the structure.
        site: where it stands.
        batch: B.
        branches: 2 inside a guided U-Net, else 1; the tensor there has branches · B rows.
        steps: S.
        model: that is bent.
        pictures: float arrays [h, w] of 0…1 by name, for selections by mask.

    Raises:
        BadValue: an operator that cannot act there, or options or a selection that cannot be.
        UnknownName: an operator, option or picture that does not exist.
    """

    def __init__(
        self,
        armed: Armed,
        site: Site,
        *,
        batch: int,
        branches: int,
        steps: int,
        model: Model,
        pictures: Pictures,
    ) -> None:
        self.armed = armed
        self.site = site
        self.batch = batch
        self.branches = branches if branched(site.name) else 1
        self.rows = self.branches * batch
        self.steps = steps
        self.device = model.device
        self.memory_format = model.memory_format
        self.row: Row = bends.OPERATORS[armed.op]
        self.static = dict(armed.static)
        bends.check(armed.op, self.static, site.shape)
        self.dtype = torch.float32 if site.number is None else model.dtype
        if site.name.startswith("vae.") or site.name == "image":
            self.dtype = model.vae_dtype
        self.selected = select.parse(armed.select).mask(site.shape, pictures=pictures)
        self.mask = None if self.selected is None else sent(self.selected.to(self.dtype), self.device)
        self.params: dict[str, Tensor] = {}
        self.weight: Sequence[Tensor] = ()
        self.weights = np.zeros((steps + 1, self.rows), np.float32)
        self.changed = True
        """True until what this frame brought is worked out."""
        self.given: dict[str, np.ndarray] = {}
        self.active = [False] * (steps + 1)
        self.field: Tensor | Sequence[Tensor] | None = None

    def shapes(self) -> Iterator[tuple[int, ...]]:
        """Of the parts of the buffer that `settle` takes."""
        yield (self.steps + 1, self.branches, self.batch)
        for arg in self.row.live:
            yield (self.branches, self.batch, arg.size)

    def settle(self, part: Callable[[], Part]) -> None:
        """Takes its parts of the buffer."""
        self._host_weights, there = part()
        self.weight = there.flatten(1).unbind(0)
        self._host_params: list[tuple[Arg, np.ndarray]] = []
        self._raw: dict[str, bytes] = {}
        for arg in self.row.live:
            host, there = part()
            self._host_params.append((arg, host))
            rows = there.flatten(0, 1)
            self.params[arg.name] = rows[:, 0] if arg.size == 1 else rows

    def weigh(self, weights: np.ndarray) -> None:
        """Writes new weights into the buffer, [S + 1, G, B] as in `Values`."""
        self.changed = True
        self._host_weights[:] = weights if weights.shape[1] == self.branches else weights[:, -1:]
        self.weights = self._host_weights.reshape(self.steps + 1, self.rows)
        self.acts = self.weights != 0
        self.active = self.acts.any(1).tolist()

    def load(self, params: Mapping[str, np.ndarray]) -> None:
        """Writes a frame's live parameters, as in `Values`, into the buffer where they are new.

        Raises:
            BadValue: a parameter without a value.
        """
        for arg, host in self._host_params:
            given = params.get(arg.name, arg.default)
            if given is None:
                raise BadValue(f"bend {self.armed.id}: {arg.name} has no value")
            numbers = np.asarray(given, np.float32)
            raw = numbers.tobytes()
            if raw != self._raw.get(arg.name):
                host[:] = numbers.reshape(-1, arg.size)
                self.given[arg.name] = host.reshape(self.rows, arg.size)
                self._raw[arg.name] = raw
                self.changed = True

    def field_at(self, step: int) -> Tensor | None:
        """What the operator reads besides at a step, if it reads anything."""
        return self.field if self.field is None or isinstance(self.field, Tensor) else self.field[step]

    def __call__(self, x: Tensor, step: int) -> Tensor:
        """`x` [rows, C, H, W] bent as this frame asks at `step`; `x` itself where it asks for nothing.

        For looking into a frame; what is shown goes through a `Chain`, which does less work.
        """
        if not self.active[step]:
            return x
        field = self.field_at(step)
        return bends.run(self.row, x, self.params, self.weight[step], self.mask, self.static, field)
