"""How a frame passes through the network: one small interface, and the plain way to do it.

A tensor that is given to it as `Context.text` or as a condition of the time embedding is never written again:
whoever has another text makes another tensor.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from oscbend.net.model import Model
from oscbend.net.walk import Bends, Context, embed_time, run_decoder, run_unet


class Network(Protocol):
    """What a frame is drawn through.

    A tensor that it gives is to be read, never written, and only until the same method is called again.
    """

    records: bool
    """True if it keeps something for each size, which takes long to make."""

    def time(
        self,
        timestep: Tensor,
        guidance: Tensor | None = None,
        pooled: Tensor | None = None,
        time_ids: Tensor | None = None,
    ) -> Tensor:
        """The time embedding with added conditions, [B, E], before anything bends it.

        Args:
            timestep: [B].
            guidance: embedded guidance scale, for models that were distilled with it.
            pooled, time_ids: SDXL's added conditions.
        """

    def unet(self, x: Tensor, context: Context, bends: Bends) -> Tensor:
        """The U-Net's prediction, [B, C, H, W], with a step's bends between its stages."""

    def decode(self, latent: Tensor, bends: Bends) -> Tensor:
        """The picture of an unscaled latent, RGB around −1…1, [B, 3, 8·H, 8·W]."""

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mean and standard deviation of pictures' latents, as `Model.encode` gives them."""

    def finish(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """A picture as bytes, and whether it can be shown, as `finish` gives them."""

    def shrink(self) -> bool:
        """Gives back memory that is kept for speed alone; False if there is none."""

    def preparing(self) -> Network:
        """What to draw a frame through, on any thread, so that frames like it find all prepared."""


class Eager:
    """Runs every module as it comes. Holds nothing, so several threads may draw through it.

    Args:
        model: as loaded.
    """

    records = False

    def __init__(self, model: Model) -> None:
        self.model = model

    def time(
        self,
        timestep: Tensor,
        guidance: Tensor | None = None,
        pooled: Tensor | None = None,
        time_ids: Tensor | None = None,
    ) -> Tensor:
        """The time embedding with added conditions, [B, E]."""
        model = self.model
        return embed_time(model.unet, timestep, model.dtype, guidance, pooled, time_ids)

    def unet(self, x: Tensor, context: Context, bends: Bends) -> Tensor:
        """The U-Net's prediction, [B, C, H, W]."""
        return run_unet(self.model.unet_stages, x, context, bends)

    def decode(self, latent: Tensor, bends: Bends) -> Tensor:
        """The picture of an unscaled latent, [B, 3, 8·H, 8·W]."""
        return run_decoder(self.model.decoder_stages, latent, bends)

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mean and standard deviation of pictures' latents."""
        return self.model.encode(pictures)

    def finish(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """A picture as bytes, and whether it can be shown."""
        return finish(image)

    def shrink(self) -> bool:
        """False: nothing is kept."""
        return False

    def preparing(self) -> Network:
        """Itself."""
        return self


def finish(image: Tensor) -> tuple[Tensor, Tensor]:
    """A picture as bytes, rounded as diffusers' image processor does.

    Args:
        image: RGB −1…1, [B, 3, H, W].

    Returns:
        RGBA, uint8 [B, H, W, 4]; and bool [B], False where NaN or infinity came out.
    """
    batch, _, height, width = image.shape
    rgba = torch.full((batch, height, width, 4), 255, dtype=torch.uint8, device=image.device)
    rgba[..., :3] = (image.float() * 0.5 + 0.5).clamp(0, 1).mul(255).round().permute(0, 2, 3, 1)
    return rgba, image.abs().amax((1, 2, 3)) < torch.inf  # a NaN is the largest, and not less than anything
