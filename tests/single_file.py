"""diffusers' folders back into the single-file layout that Stable Diffusion was published in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

Weights = dict[str, Tensor]

UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
VAE = {
    "conv_norm_out": "norm_out",
    "conv_shortcut": "nin_shortcut",
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.resnets.1": "mid.block_2",
    "mid_block.attentions.0": "mid.attn_1",
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}
OPEN_CLIP = {
    "embeddings.token_embedding": "token_embedding",
    "encoder.layers.": "transformer.resblocks.",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "final_layer_norm": "ln_final",
    "self_attn": "attn",
    "fc1": "c_fc",
    "fc2": "c_proj",
}


def write(folder: Path, path: Path, layers: int = 2) -> Path:
    """Writes a folder's U-Net, autoencoder and text encoders into one file.

    Args:
        folder: in diffusers' format, of the family sd1 or sdxl.
        path: of the file.
        layers: ResNet blocks of a level of the U-Net.
    """
    found: Weights = {}
    for name, weight in _read(folder / "unet").items():
        found["model.diffusion_model." + _unet_name(name, layers)] = weight
    for name in [name for name in found if ".UP." in name]:
        level = name.split(".UP.")[0]
        behind = 2 if any(other.startswith(f"{level}.1.norm") for other in found) else 1
        found[name.replace("UP", str(behind))] = found.pop(name)
    for name, weight in _read(folder / "vae").items():
        new = _vae_name(name)
        square = "attn_1" in new and weight.ndim == 2
        found["first_stage_model." + new] = weight[:, :, None, None] if square else weight
    xl = (folder / "text_encoder_2").exists()
    first = "conditioner.embedders.0.transformer." if xl else "cond_stage_model.transformer."
    for name, weight in _read(folder / "text_encoder").items():
        found[f"{first}text_model.{name.removeprefix('text_model.')}"] = weight
    if xl:
        found |= dict(_open_clip(_read(folder / "text_encoder_2"), "conditioner.embedders.1.model."))
    save_file({name: weight.contiguous() for name, weight in found.items()}, path)
    return path


def _read(folder: Path) -> Weights:
    return load_file(next(folder.glob("*.safetensors")))


def _unet_name(name: str, layers: int) -> str:
    for ours, theirs in UNET.items():
        if name.startswith(ours + "."):
            return theirs + name.removeprefix(ours)
    if match := re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d)\.(.+)", name):
        place = 1 if match[1] == "attentions" else 2 * int(match[2])
        return f"middle_block.{place}.{_inner(match[1], match[3])}"
    match = re.fullmatch(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)", name)
    assert match, name
    way, block, part, layer, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
    if way == "down":
        number = 1 + block * (layers + 1) + (layers if part == "downsamplers" else layer)
        if part == "downsamplers":
            return f"input_blocks.{number}.0.{rest.replace('conv', 'op')}"
        return f"input_blocks.{number}.{int(part == 'attentions')}.{_inner(part, rest)}"
    if part == "upsamplers":
        return f"output_blocks.{block * (layers + 1) + layers}.UP.{rest}"
    return f"output_blocks.{block * (layers + 1) + layer}.{int(part == 'attentions')}.{_inner(part, rest)}"


def _inner(part: str, rest: str) -> str:
    if part == "attentions":
        return rest
    head, _, tail = rest.partition(".")
    return f"{RESNET[head]}.{tail}"


def _vae_name(name: str) -> str:
    for ours, theirs in VAE.items():
        name = name.replace(ours, theirs)
    name = re.sub(r"down_blocks\.(\d)\.resnets\.", r"down.\1.block.", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d)\.resnets\.", lambda m: f"up.{3 - int(m[1])}.block.", name)
    return re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{3 - int(m[1])}.upsample", name)


def _open_clip(weights: Weights, prefix: str) -> Iterator[tuple[str, Tensor]]:
    plain = {name.removeprefix("text_model."): weight for name, weight in weights.items()}
    for name, weight in plain.items():
        if name == "text_projection.weight":
            yield f"{prefix}text_projection", weight.T
        elif name.endswith("position_embedding.weight"):
            yield f"{prefix}positional_embedding", weight
        elif match := re.fullmatch(r"encoder\.layers\.(\d+)\.self_attn\.q_proj\.(\w+)", name):
            three = [plain[name.replace("q_proj", f"{part}_proj")] for part in "qkv"]
            yield f"{prefix}transformer.resblocks.{match[1]}.attn.in_proj_{match[2]}", torch.cat(three)
        elif not re.search(r"[kv]_proj", name) and not name.endswith("position_ids"):
            for ours, theirs in OPEN_CLIP.items():
                name = name.replace(ours, theirs)
            yield prefix + name, weight
