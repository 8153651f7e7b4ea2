"""How a frame passes through the network: one small interface, and the plain way to do it."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from oscbend.net.model import Model
from oscbend.net.walk import Bends, Context, embed_time, run_decoder, run_unet


class Network(Protocol):
    """What a frame is drawn through.

    A tensor that it gives is to be read, never written, and only until the same method is called again.
    """

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


class Eager:
    """Runs every module as it comes. Holds nothing, so several threads may draw through it.

    Args:
        model: as loaded.
    """

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
