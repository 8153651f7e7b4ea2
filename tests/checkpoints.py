"""Small random checkpoints of every family, in the formats that real ones come in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
TEXT_DIM = 32
POOLED = 48
"""Width of SDXL's second text encoder."""


def tokenizer(folder: Path) -> CLIPTokenizer:
    """CLIP's tokenizer with letters for a vocabulary."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(c) for c in range(33, 127)]
    words = [*letters, *(letter + "</w>" for letter in letters), "or", "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\no r\n")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=77)


def text_config(**changes: Any) -> CLIPTextConfig:
    """A CLIP text encoder of a few thousand parameters."""
    settings: dict[str, Any] = {
        "vocab_size": 192,
        "hidden_size": TEXT_DIM,
        "intermediate_size": 37,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": 77,
        "projection_dim": TEXT_DIM,
        "bos_token_id": 189,
        "eos_token_id": 190,
        "pad_token_id": 190,
    }
    return CLIPTextConfig(**(settings | changes))


def unet(**changes: Any) -> UNet2DConditionModel:
    """A U-Net with the block types of SD 1 at three levels."""
    settings: dict[str, Any] = {
        "sample_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (32, 32, 64),
        "layers_per_block": 2,
        "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        "cross_attention_dim": TEXT_DIM,
        "attention_head_dim": 4,
        "norm_num_groups": 8,
    }
    return UNet2DConditionModel(**(settings | changes)).eval()


def sd2_unet() -> UNet2DConditionModel:
    """As SD 2: linear projections, a number of heads for each level."""
    return unet(use_linear_projection=True, attention_head_dim=(2, 4, 4))


def sdxl_unet() -> UNet2DConditionModel:
    """As SDXL: no attention on top, deep transformers, added conditions."""
    return unet(
        block_out_channels=(32, 64, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        use_linear_projection=True,
        attention_head_dim=(2, 4, 4),
        transformer_layers_per_block=(1, 1, 2),
        cross_attention_dim=TEXT_DIM + POOLED,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + POOLED,
    )


def lcm_unet() -> UNet2DConditionModel:
    """As an LCM: the guidance scale comes in through the time embedding."""
    return unet(time_cond_proj_dim=16)


def small_unet() -> UNet2DConditionModel:
    """Without a middle, one layer deep, as the distilled small ones."""
    return unet(mid_block_type=None, layers_per_block=1)


UNETS = {"sd1": unet, "sd2": sd2_unet, "sdxl": sdxl_unet, "lcm": lcm_unet, "small": small_unet}


def vae(**changes: Any) -> AutoencoderKL:
    """An autoencoder of eight times."""
    settings: dict[str, Any] = {
        "block_out_channels": (8, 8, 16, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 1,
        "latent_channels": 4,
        "norm_num_groups": 4,
        "sample_size": 64,
        "scaling_factor": 0.18215,
    }
    return AutoencoderKL(**(settings | changes)).eval()


def tiny_vae() -> AutoencoderTiny:
    """An AutoencoderTiny, as TAESD."""
    return AutoencoderTiny(
        encoder_block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        num_encoder_blocks=(1, 1, 1, 1),
        num_decoder_blocks=(1, 1, 1, 1),
    ).eval()


SCHEDULERS: dict[str, Any] = {
    "sd1": lambda: PNDMScheduler(
        **BETAS, steps_offset=1, skip_prk_steps=True, set_alpha_to_one=False, trained_betas=None
    ),
    "sd2": lambda: DDIMScheduler(
        **BETAS, prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False, steps_offset=1
    ),
    "sd2-turbo": lambda: EulerDiscreteScheduler(**BETAS, timestep_spacing="trailing", steps_offset=1),
    "sdxl": lambda: EulerDiscreteScheduler(**BETAS, timestep_spacing="leading", steps_offset=1),
    "sdxl-turbo": lambda: EulerAncestralDiscreteScheduler(**BETAS, timestep_spacing="trailing"),
    "lcm": lambda: LCMScheduler(**BETAS),
    "tiny": lambda: DDIMScheduler(
        **BETAS,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
    ),
}


MADE_OF = {"sd1": unet, "sd2": sd2_unet, "sdxl": sdxl_unet, "lcm": lcm_unet, "tiny": unet}
"""The U-Net of each family; a kind such as `sd2-turbo` is a family with another scheduler."""


def save(kind: str, folder: Path, seed: int = 0) -> Path:
    """A whole random pipeline in diffusers' format, made if it is not there yet."""
    if (folder / "model_index.json").exists():
        return folder
    torch.manual_seed(seed)
    family = kind.split("-")[0]
    words = tokenizer(folder.parent / f"{folder.name}-tokens")
    if family == "sdxl":
        pipe: Any = StableDiffusionXLPipeline(
            vae=vae(force_upcast=True, scaling_factor=0.13025),
            text_encoder=CLIPTextModel(text_config()),
            text_encoder_2=CLIPTextModelWithProjection(
                text_config(hidden_act="gelu", hidden_size=POOLED, projection_dim=POOLED)
            ),
            tokenizer=words,
            tokenizer_2=words,
            unet=sdxl_unet(),
            scheduler=SCHEDULERS[kind](),
            add_watermarker=False,
        )
    else:
        pipe = StableDiffusionPipeline(
            vae=tiny_vae() if family == "tiny" else vae(),
            text_encoder=CLIPTextModel(text_config(hidden_act="gelu" if family == "sd2" else "quick_gelu")),
            tokenizer=words,
            unet=MADE_OF[family](),
            scheduler=SCHEDULERS[kind](),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    _shake(pipe)
    pipe.save_pretrained(folder)
    _strip_defaults(folder / "scheduler" / "scheduler_config.json", pipe.scheduler.config)
    return folder


def save_lora(folder: Path, path: Path, seed: int = 0) -> Path:
    """A LoRA for the U-Net and the text encoder of a checkpoint of the family sd1, as diffusers saves it."""
    pipe = StableDiffusionPipeline.from_pretrained(folder)
    torch.manual_seed(seed)
    kept = {}
    for part, targets in (("unet", ["to_q", "to_v", "to_out.0"]), ("text_encoder", ["q_proj", "v_proj"])):
        module = getattr(pipe, part)
        module.add_adapter(LoraConfig(r=4, lora_alpha=8, target_modules=targets, init_lora_weights=False))
        kept[f"{part}_lora_layers"] = get_peft_model_state_dict(module, adapter_name="default")
    StableDiffusionPipeline.save_lora_weights(path.parent, weight_name=path.name, **kept)
    return path


def _strip_defaults(path: Path, config: Any) -> None:
    """Leaves out what the defaults say anyway, as most published configurations do."""
    stated = {k: v for k, v in config.items() if k not in config["_use_default_values"]}
    stated.pop("_use_default_values")
    path.write_text(json.dumps(stated))


def _shake(pipe: Any) -> None:
    """Makes prompts, steps and sizes matter, which they hardly do in a freshly made network."""
    generator = torch.Generator().manual_seed(7)
    for name, gain in (("unet", 1.5), ("vae", 1.2), ("text_encoder", 2.0), ("text_encoder_2", 2.0)):
        module = getattr(pipe, name, None)
        if module is None:
            continue
        for weight in module.parameters():
            if weight.ndim > 1:
                weight.data.mul_(gain)
            else:
                weight.data.add_(0.02 * torch.randn(weight.shape, generator=generator))
