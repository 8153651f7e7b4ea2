"""Frames between the moment they are begun and the moment they are shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
        blacks: how dark they are shown, 0..1.
        fresh: False if these are the pictures of an earlier one.
    """

    structure: Structure
    values: Values
    epoch: int
    pending: Pending
    times_s: tuple[float, ...]
    blacks: tuple[float, ...]
    fresh: bool = True

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


def darkened(picture: np.ndarray, black: float) -> np.ndarray:
    """A picture, faded to black: itself at 0, nothing but black at 1.

    Args:
        picture: uint8 [H, W, 4], RGBA; not written to.
        black: 0..1, in steps of 1/256.
    """
    keep = round(256 * (1.0 - black))
    if keep >= 256:
        return picture
    dark = np.zeros_like(picture)
    if keep > 0:
        np.right_shift(picture * np.uint16(keep), 8, out=dark, casting="unsafe")
    dark[..., 3] = picture[..., 3]
    return dark
