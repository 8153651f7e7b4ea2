"""The text encoder and the U-Net, trained together: v-prediction on a schedule that ends in pure noise.

Sources: v-prediction, Salimans & Ho, "Progressive distillation for fast sampling of diffusion models", 2022;
zero terminal signal-to-noise and trailing timesteps, Lin et al., "Common diffusion noise schedules and sample
steps are flawed", 2024; the sampler, Song et al., "Denoising diffusion implicit models", 2021.
"""

import itertools
from collections.abc import Callable

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from oscbend.tiny.progress import mixed
from oscbend.tiny.settings import Shape

TRAIN_STEPS = 1000
Velocity = Callable[[Tensor, Tensor], Tensor]
"""Of noisy latents [B, 4, h, w] and timesteps [B]: the predicted v [B, 4, h, w]."""


def make_scheduler() -> DDIMScheduler:
    """Stable Diffusion's scaled-linear schedule, rescaled so that the last timestep is pure noise."""
    return DDIMScheduler(
        num_train_timesteps=TRAIN_STEPS,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=True,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        steps_offset=1,  # trailing timesteps ignore it; diffusers warns about anything else
        rescale_betas_zero_snr=True,
    )


def make_unet(shape: Shape) -> UNet2DConditionModel:
    """An untrained U-Net of Stable Diffusion's blocks; cross-attention on all levels but the first."""
    lower = len(shape.unet_widths) - 1
    unet = UNet2DConditionModel(
        sample_size=shape.latent,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=shape.unet_widths,
        down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * lower),
        up_block_types=(*("CrossAttnUpBlock2D",) * lower, "UpBlock2D"),
        norm_num_groups=shape.unet_groups,
        cross_attention_dim=shape.text_width,
        attention_head_dim=shape.heads,  # diffusers reads this as the number of heads
        use_linear_projection=True,
    )
    return unet.to(memory_format=torch.channels_last)


def make_text_encoder(shape: Shape, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """An untrained CLIP text encoder for the tokenizer."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=shape.text_width,
            intermediate_size=4 * shape.text_width,
            projection_dim=shape.text_width,
            num_hidden_layers=shape.text_layers,
            num_attention_heads=shape.heads,
            max_position_embeddings=shape.text_length,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


class Schedule:
    """The scheduler's signal α and noise σ, α² + σ² = 1, by timestep; -1 is the finished latent."""

    def __init__(self) -> None:
        products = make_scheduler().alphas_cumprod.double()
        self._alpha = torch.cat([products, torch.ones(1)]).clamp(0, 1).sqrt().float()
        self._sigma = torch.cat([1 - products, torch.zeros(1)]).clamp(0, 1).sqrt().float()

    def at(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """α and σ of timesteps [B], each [B, 1, 1, 1]."""
        return self._alpha[t][:, None, None, None], self._sigma[t][:, None, None, None]

    def add_noise(self, x: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """The latents x [B, 4, h, w] at timesteps t [B]."""
        alpha, sigma = self.at(t)
        return alpha * x + sigma * noise

    def step(self, z: Tensor, v: Tensor, t: Tensor, to: Tensor) -> Tensor:
        """One DDIM step (η = 0) from timesteps t to timesteps `to`, both [B]."""
        alpha, sigma = self.at(t)
        alpha_to, sigma_to = self.at(to)
        return alpha_to * (alpha * z - sigma * v) + sigma_to * (sigma * z + alpha * v)


def trailing(steps: int) -> list[int]:
    """The timesteps of a trailing schedule, first to last, with -1 behind them.

    >>> trailing(4)
    [999, 749, 499, 249, -1]
    """
    return [*(round(TRAIN_STEPS - i * TRAIN_STEPS / steps) - 1 for i in range(steps)), -1]


def sample(velocity: Velocity, noise: Tensor, steps: int) -> Tensor:
    """Latents drawn from noise [B, 4, h, w] in so many DDIM steps."""
    schedule = Schedule()
    times = trailing(steps)
    z = noise
    for t, to in itertools.pairwise(times):
        at, next_at = (torch.full((len(z),), k) for k in (t, to))
        z = schedule.step(z, velocity(z, at), at, next_at)
    return z


class Captions:
    """Captions as tokens, varied as they are drawn: emptied, in another order, with unknown words put in."""

    def __init__(self, tokenizer: CLIPTokenizer, captions: list[str], length: int) -> None:
        self._start, self._end = tokenizer.bos_token_id, tokenizer.eos_token_id
        self._length = length
        self._words = [tokenizer(c).input_ids[1:-1] for c in captions]
        letters = "abcdefghijklmnopqrstuvwxyz"
        self._letters = tokenizer.convert_tokens_to_ids(list(letters))
        self._last_letters = tokenizer.convert_tokens_to_ids([f"{c}</w>" for c in letters])

    def _padded(self, words: list[int]) -> list[int]:
        words = words[: self._length - 2]
        return [self._start, *words, *[self._end] * (self._length - 1 - len(words))]

    def empty(self, batch: int) -> Tensor:
        """Tokens [batch, length] of the empty caption."""
        return torch.tensor([self._padded([])] * batch)

    def plain(self, indices: np.ndarray) -> Tensor:
        """Tokens [B, length] of these captions as they are."""
        return torch.tensor([self._padded(self._words[i]) for i in indices])

    def varied(self, indices: np.ndarray, rng: np.random.Generator, drop: float = 0.1) -> Tensor:
        """Tokens [B, length] of these captions, a share `drop` of them emptied."""
        rows = []
        for i in indices:
            words = list(self._words[i])
            if rng.random() < 0.12:
                rng.shuffle(words)
            if rng.random() < 0.06:
                at = int(rng.integers(len(words) + 1))
                unknown = list(rng.choice(self._letters, size=rng.integers(0, 5)))
                words[at:at] = [int(n) for n in (*unknown, rng.choice(self._last_letters))]
            rows.append(self._padded([] if rng.random() < drop else words))
        return torch.tensor(rows)


def spread_timesteps(rng: np.random.Generator, batch: int) -> Tensor:
    """Timesteps [batch], one from each equal share, which makes the loss steadier.

    They are denser towards noise: sampling in few steps never visits the last fifth of the schedule.
    """
    return torch.tensor(((np.arange(batch) + rng.random(batch)) / batch) ** 0.75 * TRAIN_STEPS).long()


def diffusion_losses(
    text_encoder: nn.Module,
    unet: nn.Module,
    schedule: Schedule,
    latents: Tensor,
    tokens: Tensor,
    rng: np.random.Generator,
) -> dict[str, Tensor]:
    """The v-prediction loss of latents [B, 4, h, w] with captions [B, length]; half are mirrored."""
    mirrored = torch.tensor(rng.random(len(latents)) < 0.5)[:, None, None, None]
    x = torch.where(mirrored, latents.flip(3), latents)
    noise = torch.randn_like(x)
    t = spread_timesteps(rng, len(x))
    alpha, sigma = schedule.at(t)
    z = (alpha * x + sigma * noise).contiguous(memory_format=torch.channels_last)
    with mixed():
        v = unet(z, t, text_encoder(tokens)[0], return_dict=False)[0]
    return {"v": (v.float() - (alpha * noise - sigma * x)).square().mean()}


def guided(unet: nn.Module, text: Tensor, empty: Tensor, guidance: float) -> Velocity:
    """The U-Net's v with classifier-free guidance; at guidance 1 one call a step, else two in one batch."""

    def velocity(z: Tensor, t: Tensor) -> Tensor:
        z = z.contiguous(memory_format=torch.channels_last)
        if guidance == 1:
            return unet(z, t, text, return_dict=False)[0].float()
        both = unet(z.repeat(2, 1, 1, 1), t.repeat(2), torch.cat([empty, text]), return_dict=False)[0].float()
        without, given = both.chunk(2)
        return without + guidance * (given - without)

    return velocity
