"""Looks at checkpoint files before anything reads their tensors: is all of it there, and what is it.

A safetensors file begins with the length of its header (uint64, little-endian) and the header (JSON:
every tensor's name, precision, shape and place), so that most mistakes show without reading the rest.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oscbend.errors import BadModel

PICKLED = (".ckpt", ".pt", ".pth", ".bin")
SUFFIXES = (".safetensors", *PICKLED)
PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")
PIPELINES = ("StableDiffusion", "LatentConsistencyModel")

SINGLE_FILE = "model.diffusion_model.input_blocks.0.0.weight"
SECOND_ENCODER = "conditioner.embedders.1.model.ln_final.weight"
FIRST_ATTENTION = "model.diffusion_model.input_blocks.{}.1.transformer_blocks.0.attn2.to_k.weight"


def header(path: Path) -> dict[str, Any]:
    """What a safetensors file says it holds: name -> dtype, shape, data_offsets.

    Raises:
        BadModel: it is truncated, or no such file at all.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= size - 8:
            raise BadModel(f"{path}: not a safetensors file, or cut off in its header")
        try:
            found: dict[str, Any] = json.loads(file.read(length))
        except ValueError:
            raise BadModel(f"{path}: not a safetensors file") from None
    found.pop("__metadata__", None)
    end = max((int(tensor["data_offsets"][1]) for tensor in found.values()), default=0)
    if 8 + length + end > size:
        raise BadModel(f"{path}: truncated, {8 + length + end - size} bytes are missing; download it again")
    return found


def check_file(path: Path, allow_pickle: bool) -> str:
    """The family of a single file: `sd1`, `sd2` or `sdxl`.

    A pickled one, where it is allowed, is taken for `sd1` until it is read.

    Raises:
        BadModel: pickled, truncated, or something else than a Stable Diffusion checkpoint.
    """
    if path.suffix != ".safetensors":
        if path.suffix not in PICKLED:
            raise BadModel(f"{path}: a model is a folder or a .safetensors file")
        _check_pickle(path, allow_pickle)
        return "sd1"
    tensors = header(path)
    if SINGLE_FILE not in tensors:
        what = "a LoRA" if any("lora" in name for name in tensors) else "no Stable Diffusion checkpoint"
        raise BadModel(f"{path}: {what}, not a model (no tensor {SINGLE_FILE})")
    _check_channels(path, tensors[SINGLE_FILE]["shape"][1])
    if SECOND_ENCODER in tensors:
        return "sdxl"
    keys = next((tensors[k] for k in map(FIRST_ATTENTION.format, (1, 2)) if k in tensors), None)
    return "sd2" if keys and keys["shape"][1] == 1024 else "sd1"


def check_folder(folder: Path, allow_pickle: bool, prefer_half: bool) -> str | None:
    """Which variant of the files in a model's folder to read: None or `fp16`.

    Raises:
        BadModel: a part is missing, truncated or pickled, or it is another kind of model.
    """
    index = _json(folder / "model_index.json", f"{folder}: not a model's folder (no model_index.json)")
    check_index(str(folder), index)
    variants: list[set[str]] = []
    for part in PARTS:
        if (index.get(part) or [None])[0] is not None:
            variants.append(_check_part(folder / part, allow_pickle))
    shared = set.intersection(*variants)
    if not shared:
        raise BadModel(f"{folder}: its parts are stored in different variants")
    return "fp16" if "fp16" in shared and (prefer_half or "" not in shared) else None


def check_index(name: str, index: Mapping[str, Any]) -> str:
    """The pipeline that a model's index names.

    Raises:
        BadModel: it is of another family.
    """
    kind = str(index.get("_class_name"))
    if not kind.startswith(PIPELINES) or "unet" not in index:
        raise BadModel(f"{name}: a {kind}, which is not of the Stable Diffusion 1, 2 or XL family")
    return kind


def check_lora(path: Path, allow_pickle: bool) -> None:
    """Refuses a LoRA file that is missing, truncated, pickled, or none.

    Raises:
        BadModel: which of them.
    """
    if not path.is_file():
        raise BadModel(f"{path}: no such LoRA file")
    if path.suffix != ".safetensors":
        return _check_pickle(path, allow_pickle)
    if not any("lora" in name for name in header(path)):
        raise BadModel(f"{path}: holds no LoRA")


def check_decoder(folder: Path, allow_pickle: bool) -> None:
    """Refuses a folder that holds no AutoencoderTiny, or not all of it.

    Raises:
        BadModel: what is wrong.
    """
    _check_part(folder, allow_pickle)
    kind = _json(folder / "config.json", str(folder)).get("_class_name")
    if kind != "AutoencoderTiny":
        raise BadModel(f"{folder}: a {kind}; a small decoder is an AutoencoderTiny")


def _check_part(folder: Path, allow_pickle: bool) -> set[str]:
    """The variants in which a part is there; `` is the plain one."""
    _json(folder / "config.json", f"{folder}: missing, or without its config.json")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickles = [path for path in folder.iterdir() if path.suffix in PICKLED]
        if not pickles:
            raise BadModel(f"{folder}: its weights are missing")
        _check_pickle(pickles[0], allow_pickle)
        return {"fp16" if ".fp16" in path.name else "" for path in pickles}
    for path in files:
        header(path)
    for path in folder.glob("*.safetensors.index*.json"):
        for shard in set(_json(path, str(path)).get("weight_map", {}).values()):
            if not (folder / shard).is_file():
                raise BadModel(f"{folder / shard}: missing")
    return {"fp16" if ".fp16" in path.name else "" for path in files}


def _check_pickle(path: Path, allow_pickle: bool) -> None:
    if not allow_pickle:
        raise BadModel(
            f"{path}: pickled, which can run code while it is read; get it as .safetensors, or --allow-pickle"
        )


def _check_channels(path: Path, channels: int) -> None:
    if channels != 4:
        raise BadModel(f"{path}: takes {channels} channels, not 4 (an inpainting or editing model)")


def _json(path: Path, otherwise: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except OSError:
        raise BadModel(otherwise) from None
    except ValueError:
        raise BadModel(f"{path}: not JSON; download it again") from None
    return found
