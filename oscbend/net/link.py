"""What a chain of bends does in one go: the least work that weights and selections leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from oscbend.bends.contract import like
from oscbend.bends.place import Place
from oscbend.net.bent import Bent, Part

ALL = slice(None)


class Link:
    """What a chain does in one go.

    Args:
        bents: the bends, in order.
        place: what all of them select.
    """

    local = False
    """True if every element that it makes depends on the same cell of x alone."""

    def __init__(self, bents: Sequence[Bent], place: Place) -> None:
        self.bents = bents
        self.place = place
        self.rows: list[tuple[slice, ...]] = []
        """For each step, the rows in which something acts."""

    def shapes(self) -> Iterator[tuple[int, ...]]:
        """Of the parts of the buffer that `settle` takes."""
        return iter(())

    def settle(self, part: Callable[[], Part]) -> None:
        """Takes its parts of the buffer."""

    def weigh(self) -> None:
        """Works out what new weights mean."""
        acts = self.bents[0].acts
        for bent in self.bents[1:]:
            acts = acts | bent.acts
        if self.place.nowhere:
            self.rows = [()] * len(acts)
        elif acts.all():
            self.rows = [(ALL,)] * len(acts)
        else:
            self.rows = [(ALL,) if row.all() else stretches(row) for row in acts]

    def load(self) -> None:
        """Works out what a frame's numbers mean, before the buffer is sent."""

    def sent(self) -> None:
        """Prepares what was sent."""

    def bend(self, x: Tensor, step: int, rows: slice) -> Tensor:
        """What becomes of some rows of a tensor if all of it is selected: a new tensor.

        Args:
            x: these rows alone.
            step: 0…S.
            rows: which they are.
        """
        raise NotImplementedError

    def __call__(self, x: Tensor, step: int, owned: bool) -> Tensor:
        """x bent at a step at which something acts.

        Args:
            x: [rows, C, H, W].
            step: 0…S.
            owned: True if x may be written to.
        """
        box, runs = self.place.box, self.rows[step]
        if box is None and runs[0] is ALL:
            return self.place.keep(self.bend(x, step, ALL), x)
        y = x if owned else x.clone()
        for rows in runs:
            if box is None:
                y[rows] = self.place.keep(self.bend(x[rows], step, rows), x[rows])
            elif self.local:
                y[rows, *box] = self.bend(x[rows, *box], step, rows)
            else:
                y[rows, *box] = self.bend(x[rows], step, rows)[:, *box]
        return y


class Alone(Link):
    """A bend by itself."""

    def __init__(self, bent: Bent, place: Place) -> None:
        super().__init__((bent,), place)
        self.bent = bent
        self.local = "local" in bent.row.tags

    def weigh(self) -> None:
        """Knows besides at which steps nothing is mixed."""
        super().weigh()
        weights = self.bent.weights
        self.full = ((weights == 1) | (weights == 0)).all(1).tolist()

    def bend(self, x: Tensor, step: int, rows: slice) -> Tensor:
        """The operator's own work."""
        bent, field = self.bent, self.bent.field_at(step)
        params = bent.params if rows is ALL else {name: value[rows] for name, value in bent.params.items()}
        extra = {} if field is None else {"field": field[rows]}
        y = like(bent.row.call(x, **params, **bent.static, **extra), x)
        if self.full[step]:
            return y
        return torch.lerp(x, y, bent.weight[step][rows].to(x.dtype)[:, None, None, None])


def stretches(chosen: np.ndarray) -> tuple[slice, ...]:
    """Where what is chosen lies in a row, from the first to the last of each stretch: bool [n] -> slices."""
    edges = np.flatnonzero(np.diff(chosen, prepend=False, append=False)).tolist()
    return tuple(slice(*ends) for ends in zip(edges[::2], edges[1::2], strict=True))
