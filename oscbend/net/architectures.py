"""The real architectures with random weights: no download, real speed, pictures of nothing.

For benchmarks only. The shapes are those of the published configurations; the weights are drawn from a
fixed seed, so that they are equal each time.
"""

from __future__ import annotations

import itertools
import json
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from accelerate import init_empty_weights
from torch import nn
from transformers.convert_slow_tokenizer import bytes_to_unicode

from oscbend.errors import BadModel

PREFIX = "random:"
SMALL_DECODER = "taesd"
VOCABULARY = 49408
TOKENS = 77
START, END = "<|startoftext|>", "<|endoftext|>"
SPREAD = math.sqrt(3.0)
"""Half the width of an even distribution with standard deviation 1."""

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
PLAIN, CROSS = "DownBlock2D", "CrossAttnDownBlock2D"
UP, CROSS_UP = "UpBlock2D", "CrossAttnUpBlock2D"
TURBO_UNET = {"sample_size": 64, "use_linear_projection": True}

CLIP_L = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "projection_dim": 768,
    "hidden_act": "quick_gelu",
}
OPEN_CLIP_H = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 23,
    "num_attention_heads": 16,
    "projection_dim": 512,
    "hidden_act": "gelu",
}
OPEN_CLIP_BIG_G = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "projection_dim": 1280,
    "hidden_act": "gelu",
}
VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
}


@dataclass(frozen=True)
class Architecture:
    """A published configuration.

    Args:
        unet, vae: as diffusers' classes take them.
        encoders: of the text, one or two, as transformers' `CLIPTextConfig` takes them.
        scheduler: class and settings.
    """

    unet: Mapping[str, Any]
    encoders: tuple[Mapping[str, Any], ...]
    scheduler: tuple[str, Mapping[str, Any]]
    vae: Mapping[str, Any] = field(default_factory=lambda: VAE | {"scaling_factor": 0.18215})


ARCHITECTURES: dict[str, Architecture] = {
    "sd15": Architecture(
        unet={"sample_size": 64, "cross_attention_dim": 768},
        encoders=(CLIP_L,),
        scheduler=(
            "PNDMScheduler",
            {"skip_prk_steps": True, "set_alpha_to_one": False, "steps_offset": 1},
        ),
    ),
    "sd21-turbo": Architecture(
        unet=TURBO_UNET | {"cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20)},
        encoders=(OPEN_CLIP_H,),
        scheduler=("EulerDiscreteScheduler", {"timestep_spacing": "trailing", "steps_offset": 1}),
    ),
    "sdxl-turbo": Architecture(
        unet=TURBO_UNET
        | {
            "block_out_channels": (320, 640, 1280),
            "down_block_types": (PLAIN, CROSS, CROSS),
            "up_block_types": (CROSS_UP, CROSS_UP, UP),
            "transformer_layers_per_block": (1, 2, 10),
            "cross_attention_dim": 2048,
            "attention_head_dim": (5, 10, 20),
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
        },
        encoders=(CLIP_L, OPEN_CLIP_BIG_G),
        scheduler=("EulerAncestralDiscreteScheduler", {"timestep_spacing": "trailing", "steps_offset": 1}),
        vae=VAE | {"scaling_factor": 0.13025, "force_upcast": True},
    ),
}
"""After the configurations of stable-diffusion-v1-5, stabilityai/sd-turbo and stabilityai/sdxl-turbo."""


def is_random(name: str) -> bool:
    """True for the name of a model that is made up here."""
    return name.startswith(PREFIX)


def notice(name: str) -> str | None:
    """What must be said of a model by its name: that it draws nothing; None for all others."""
    if not is_random(name):
        return None
    return f"{name} has random weights: it draws noise, and is for benchmarks only"


def pipeline(name: str, dtype: torch.dtype, *, with_vae: bool = True) -> Any:
    """A pipeline of diffusers with a real architecture and random weights.

    Args:
        name: `random:sd15`, `random:sd21-turbo` or `random:sdxl-turbo`.
        dtype: of the weights; those of float16 are those of float32, rounded.
        with_vae: False leaves the autoencoder out, where another takes its place.

    Raises:
        BadModel: another.
    """
    kind = name.removeprefix(PREFIX)
    if kind not in ARCHITECTURES:
        raise BadModel(f"{name}: known are {', '.join(PREFIX + k for k in ARCHITECTURES)}")
    wanted = ARCHITECTURES[kind]
    classes = (transformers.CLIPTextModel, transformers.CLIPTextModelWithProjection)
    encoders = [
        drawn(partial(cls, transformers.CLIPTextConfig(**_worded(config))), seed, dtype)
        for seed, (cls, config) in enumerate(zip(classes, wanted.encoders), 1)
    ]
    scheduler, settings = wanted.scheduler
    words = tokenizer()
    parts: dict[str, Any] = {
        "unet": drawn(partial(diffusers.UNet2DConditionModel, **wanted.unet), 0, dtype),
        "vae": drawn(partial(diffusers.AutoencoderKL, **wanted.vae), 3, dtype) if with_vae else None,
        "text_encoder": encoders[0],
        "tokenizer": words,
        "scheduler": getattr(diffusers, scheduler)(**BETAS, **settings),
    }
    if len(encoders) == 2:
        return diffusers.StableDiffusionXLPipeline(
            **parts, text_encoder_2=encoders[1], tokenizer_2=words, add_watermarker=False
        )
    return diffusers.StableDiffusionPipeline(
        **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )


def decoder(name: str, dtype: torch.dtype) -> Any:
    """A small decoder of TAESD's shape with random weights: `random:taesd`.

    Raises:
        BadModel: another name.
    """
    if name != PREFIX + SMALL_DECODER:
        raise BadModel(f"{name}: the only random decoder is {PREFIX}{SMALL_DECODER}")
    return drawn(diffusers.AutoencoderTiny, 4, dtype)


def drawn(make: Callable[[], nn.Module], seed: int, dtype: torch.dtype) -> Any:
    """A module whose weights come from a seed, evenly distributed; norms do nothing, biases are 0.

    Each output of a layer has the variance of its inputs, so that numbers stay in the range of half
    precision.
    """
    with init_empty_weights():
        module = make()
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        for name, wanted in part.named_parameters(recurse=False):
            weight = torch.empty(wanted.shape)
            if wanted.ndim < 2:
                weight.fill_(0.0 if name == "bias" else 1.0)
            else:
                width = SPREAD / math.sqrt(wanted.shape[1:].numel())
                weight.uniform_(-width, width, generator=generator)
            setattr(part, name, nn.Parameter(weight.to(dtype), requires_grad=False))
    return module.eval()


def tokenizer() -> Any:
    """A tokenizer of CLIP's kind and size, whose words are pairs of letters."""
    letters = list(bytes_to_unicode().values())
    room = VOCABULARY - 2 * len(letters) - 2
    merges = list(itertools.islice(itertools.product(letters, letters), room))
    tokens = [*letters, *(f"{c}</w>" for c in letters), *("".join(m) for m in merges), START, END]
    with tempfile.TemporaryDirectory() as folder:
        vocab, pairs = Path(folder, "vocab.json"), Path(folder, "merges.txt")
        vocab.write_text(json.dumps({token: i for i, token in enumerate(tokens)}), encoding="utf-8")
        pairs.write_text("\n".join(["#version: 0.2", *map(" ".join, merges)]) + "\n", encoding="utf-8")
        return transformers.CLIPTokenizer.from_pretrained(folder, model_max_length=TOKENS)


def _worded(config: Mapping[str, Any]) -> dict[str, Any]:
    """An encoder's configuration with CLIP's vocabulary, as its own tokenizer numbers it."""
    return {
        **config,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": TOKENS,
        "bos_token_id": VOCABULARY - 2,
        "eos_token_id": VOCABULARY - 1,
        "pad_token_id": VOCABULARY - 1,
    }
