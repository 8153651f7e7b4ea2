"""Opponent colours: the colour space that the first three latent channels are trained to speak.

Channel 0 is the mean of red, green and blue; channels 1 and 2 are two orthogonal axes of the chroma plane,
in which grey is 0 and hue is an angle (red 0, green 2π/3, blue 4π/3). One scale serves both axes, so a
rotation of channels 1 and 2 is a rotation of hue.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_ROOT2, _ROOT6 = 2.0**0.5, 6.0**0.5
OPPONENT = torch.tensor(
    [[1 / 3, 1 / 3, 1 / 3], [2 / _ROOT6, -1 / _ROOT6, -1 / _ROOT6], [0.0, 1 / _ROOT2, -1 / _ROOT2]]
)
"""Rows: mean, red against cyan, green against blue; columns: red, green, blue."""


@dataclass(frozen=True)
class ColourScale:
    """What gives opponent colours unit size: mean and deviation of channel 0, deviation of the chroma."""

    mean: float
    light: float
    chroma: float

    def _scales(self) -> Tensor:
        return torch.tensor([self.light, self.chroma, self.chroma])

    def to_latent(self, picture: Tensor) -> Tensor:
        """Opponent colours [B, 3, H, W] of a picture in 0…1 [B, 3, H, W]."""
        matrix = OPPONENT.to(picture.device) / self._scales()[:, None]
        z = torch.einsum("ij,bjhw->bihw", matrix, picture)
        return z - torch.tensor([self.mean / self.light, 0.0, 0.0])[:, None, None]

    def to_picture(self, colours: Tensor) -> Tensor:
        """The picture, not clamped, of opponent colours; the inverse of `to_latent`."""
        matrix = torch.linalg.inv(OPPONENT).to(colours.device) * self._scales()
        return torch.einsum("ij,bjhw->bihw", matrix, colours) + self.mean


def measure_scale(pictures: Tensor) -> ColourScale:
    """The scale of pictures in 0…1 [B, 3, H, W], taken at an eighth of their size."""
    small = F.avg_pool2d(pictures, 8)
    opponent = torch.einsum("ij,bjhw->bihw", OPPONENT.to(small.device), small)
    chroma = opponent[:, 1:].square().mean().sqrt()
    return ColourScale(opponent[:, 0].mean().item(), opponent[:, 0].std().item(), chroma.item())
