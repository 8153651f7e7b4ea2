"""The trained networks as a diffusers folder that `StableDiffusionPipeline.from_pretrained` loads."""

import json
from pathlib import Path

from diffusers import AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel

from oscbend.tiny.diffusion import make_scheduler
from oscbend.tiny.tokenizer import write_tokenizer

LIMIT_BYTES = 20_000_000


def export(
    folder: Path,
    vocabulary: list[str],
    length: int,
    text_encoder: CLIPTextModel,
    unet: UNet2DConditionModel,
    vae: AutoencoderTiny,
) -> int:
    """Write the pipeline in half floats, and `words.json`, the words it knows; returns its size in bytes."""
    tokenizer = write_tokenizer(folder / "tokenizer", vocabulary, length)
    pipeline = StableDiffusionPipeline(
        vae=vae.half(),
        text_encoder=text_encoder.half(),
        tokenizer=tokenizer,
        unet=unet.half(),
        scheduler=make_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    write_tokenizer(folder / "tokenizer", vocabulary, length)
    configuration = folder / "text_encoder" / "config.json"
    as_floats = json.loads(configuration.read_text()) | {"dtype": "float32"}  # so that all four load alike
    configuration.write_text(json.dumps(as_floats, indent=2))
    configuration = folder / "vae" / "config.json"
    known = {k: v for k, v in json.loads(configuration.read_text()).items() if k != "block_out_channels"}
    configuration.write_text(
        json.dumps(known, indent=2)
    )  # diffusers writes this key and warns when it reads it
    (folder / "words.json").write_text(json.dumps(sorted(vocabulary)))
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    if size > LIMIT_BYTES:
        raise ValueError(
            f"{folder} holds {size} bytes; at most {LIMIT_BYTES} may be shipped: make the networks narrower"
        )
    return size
