"""Frames between the moment they are begun and the moment they are shown."""

from __future__ import annotations

from dataclasses import dataclass

from oscbend import bends
from oscbend.frame import Pending, Rendered, Structure, Values, alike


@dataclass(frozen=True, eq=False)
class Drawing:
    """Frames on their way.

    Args:
        structure, values: what they are drawn from.
        epoch: of the stage.
        pending: the pictures.
        times_s: when the frames are shown, on the clock of the show; the rest of the batch is padding.
    """

    structure: Structure
    values: Values
    epoch: int
    pending: Pending
    times_s: tuple[float, ...]

    def serves(self, structure: Structure, values: Values, epoch: int) -> bool:
        """True if drawing would give the same pictures again."""
        return (
            epoch == self.epoch
            and structure == self.structure
            and alike(values, self.values, ticking=bends.ticking(structure.bends))
        )


@dataclass(frozen=True, eq=False)
class Failed:
    """Pictures that could not even be begun.

    Args:
        error: why.
    """

    error: Exception

    def ready(self) -> bool:
        """True."""
        return True

    def result(self) -> Rendered:
        """Raises the error."""
        raise self.error
