"""A loaded model: the modules, and what of them is worked out once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from oscbend.net import sites
from oscbend.net.compiled import Compiler
from oscbend.net.text import Prompts
from oscbend.net.transfer import Lane, lane_of
from oscbend.net.walk import Stage, decoder_stages, unet_stages


@dataclass(frozen=True, eq=False)
class Model:
    """What `load` gives and the engine plays.

    Args:
        key: what it was loaded by; `Structure.model` holds it.
        family: `sd1`, `sd2` or `sdxl`.
        unet: diffusers' `UNet2DConditionModel`.
        vae: `AutoencoderKL` or `AutoencoderTiny`.
        prompts: encodes text.
        scheduler: the scheduler's configuration, as far as its file states it.
        device: where all of it is.
        dtype: of the U-Net and the text encoders.
        vae_dtype: of the autoencoder, wider where it would overflow.
        memory_format: in which the U-Net and the autoencoder hold their tensors.
        compiler: of its stages; None if they run as they are.
    """

    key: str
    family: str
    unet: nn.Module
    vae: nn.Module
    prompts: Prompts
    scheduler: Mapping[str, Any]
    device: torch.device
    dtype: torch.dtype
    vae_dtype: torch.dtype
    memory_format: torch.memory_format = torch.contiguous_format
    compiler: Compiler | None = None

    @cached_property
    def unet_stages(self) -> tuple[Stage, ...]:
        """The U-Net's stages in the order of execution."""
        return self._compiled(unet_stages(self.unet))

    @cached_property
    def decoder_stages(self) -> tuple[Stage, ...]:
        """The decoder's stages in the order of execution."""
        return self._compiled(decoder_stages(self.vae))

    def _compiled(self, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        return stages if self.compiler is None else self.compiler.stages(stages)

    @cached_property
    def lane(self) -> Lane | None:
        """How values reach the device and pictures come back, while it goes on computing."""
        return lane_of(self.device)

    @property
    def guidance_width(self) -> int | None:
        """Width of the embedded guidance scale; None for models that are guided by a second branch.

        A model that has it knows no unconditional branch: `Structure.guided` is ignored.
        """
        width = _config(self.unet).get("time_cond_proj_dim")
        return None if width is None else int(width)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height that it was trained on, in pixels."""
        trained = _config(self.unet).get("sample_size") or 64
        rows, cols = (trained, trained) if isinstance(trained, int) else trained
        return cols * 8, rows * 8

    def sites(self, width: int, height: int, steps: int) -> tuple[sites.Site, ...]:
        """Every site at a size and a number of steps."""
        return sites.sites_of(
            _config(self.unet),
            _config(self.vae),
            width=width,
            height=height,
            steps=steps,
            tokens=self.prompts.length,
        )

    def settle(self) -> None:
        """Waits until the device has done all that it was given."""
        if self.device.type != "cpu":
            torch.accelerator.synchronize(self.device)

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mean and standard deviation of pictures' latents; no deviation where the encoder has none.

        Args:
            pictures: RGB −1…1, [B, 3, H, W].

        Returns:
            Scaled as the U-Net knows latents, [B, 4, H/8, W/8], float32.
        """
        net: Any = self.vae
        found = net.encode(pictures.to(self.vae_dtype).contiguous(memory_format=self.memory_format))
        gain, shift = self._scaling
        if hasattr(found, "latents"):
            return (found.latents.float() - shift) / gain, None
        spread: Tensor = found.latent_dist.std.float() / gain
        return (found.latent_dist.mean.float() - shift) / gain, spread

    def unscale(self, latent: Tensor) -> Tensor:
        """A finished latent as the decoder wants it."""
        gain, shift = self._scaling
        return (latent * gain + shift).to(self.vae_dtype).contiguous(memory_format=self.memory_format)

    @cached_property
    def _scaling(self) -> tuple[Tensor | float, Tensor | float]:
        config = _config(self.vae)
        gain = 1 / float(config.get("scaling_factor", 1.0))
        mean, std = config.get("latents_mean"), config.get("latents_std")
        if self.family != "sdxl" or mean is None or std is None:
            return gain, 0.0
        column = torch.tensor([std, mean], device=self.device)[:, None, :, None, None]
        return column[0] * gain, column[1]


def _config(module: nn.Module) -> Mapping[str, Any]:
    net: Any = module
    config: Mapping[str, Any] = net.config
    return config
