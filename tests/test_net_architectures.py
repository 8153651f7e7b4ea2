"""Random models of real shapes: the published sizes, the same weights each time, and that they draw."""

from __future__ import annotations

from typing import Any

import diffusers
import numpy as np
import pytest
import torch
import transformers
from accelerate import init_empty_weights
from drawing import structure, values

from oscbend.engine import Engine
from oscbend.errors import BadModel
from oscbend.net import architectures
from oscbend.net.architectures import ARCHITECTURES, Architecture, drawn
from oscbend.net.load import load

SMALL_UNET: dict[str, Any] = {"block_out_channels": (32, 32, 64, 64), "norm_num_groups": 8}
SMALL_VAE = {"block_out_channels": (8, 8, 16, 16), "layers_per_block": 1, "norm_num_groups": 4}
SMALL_TEXT = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}

PUBLISHED = {"sd15": 859_520_964, "sd21-turbo": 865_910_724, "sdxl-turbo": 2_567_463_684}
ENCODERS = {"sd15": [123_060_480], "sd21-turbo": [340_387_840], "sdxl-turbo": [123_060_480, 694_659_840]}


def size(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real architectures' code with small numbers."""
    for name, real in ARCHITECTURES.items():
        levels = len(real.unet.get("block_out_channels", (0,) * 4))
        unet = {**real.unet, **SMALL_UNET, "block_out_channels": SMALL_UNET["block_out_channels"][:levels]}
        width = 1024 if name == "sd21-turbo" else 32  # which is what tells this family
        unet |= {"attention_head_dim": 4, "cross_attention_dim": width * len(real.encoders)}
        if "addition_embed_type" in unet:
            unet |= {"addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 6 * 8 + 32}
            unet |= {"transformer_layers_per_block": 1}
        encoders = tuple(
            {**e, **SMALL_TEXT, "hidden_size": width, "projection_dim": 32} for e in real.encoders
        )
        made = Architecture(unet, encoders, real.scheduler, {**real.vae, **SMALL_VAE})
        monkeypatch.setitem(ARCHITECTURES, name, made)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_networks_are_as_large_as_the_published_ones(name: str) -> None:
    real = ARCHITECTURES[name]
    with init_empty_weights():
        assert size(diffusers.UNet2DConditionModel(**real.unet)) == PUBLISHED[name]
        assert size(diffusers.AutoencoderKL(**real.vae)) == 83_653_863
        made = [
            cls(transformers.CLIPTextConfig(**architectures._worded(config)))
            for cls, config in zip(
                (transformers.CLIPTextModel, transformers.CLIPTextModelWithProjection), real.encoders
            )
        ]
    assert [size(encoder) for encoder in made] == ENCODERS[name]


def test_the_small_decoder_is_as_large_as_taesd() -> None:
    made = architectures.decoder("random:taesd", torch.float16)
    assert size(made) == 2_445_063
    assert made.dtype == torch.float16


def test_a_prompt_is_as_long_as_the_encoders_take_it() -> None:
    words = architectures.tokenizer()
    ids = words("a floating orb", padding="max_length").input_ids
    assert len(words) == 49408
    assert len(ids) == words.model_max_length == 77
    assert (ids[0], ids[-1]) == (49406, 49407)
    assert max(ids) < 49408
    assert words("a floating mesh", padding="max_length").input_ids != ids


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("decoder", [None, "random:taesd"])
def test_a_random_model_draws_and_bends(name: str, decoder: str | None) -> None:
    model = load(f"random:{name}", device="cpu", decoder=decoder)
    assert model.family == {"sd15": "sd1", "sd21-turbo": "sd2", "sdxl-turbo": "sdxl"}[name]
    assert type(model.vae).__name__ == ("AutoencoderTiny" if decoder else "AutoencoderKL")
    engine = Engine(model)
    s = structure(("negate", "unet.mid.attn"))
    bent = engine.render(s, values(s, ({},)))
    plain = engine.render(structure(), values(structure()))
    assert bent.finite.all()
    assert not np.array_equal(bent.pictures, plain.pictures)


@pytest.mark.usefixtures("small")
def test_the_weights_are_the_same_each_time() -> None:
    first, again = (load("random:sd15", device="cpu").unet.state_dict() for _ in range(2))
    half = load("random:sd15", device="cpu", dtype=torch.bfloat16).unet.state_dict()
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert all(torch.equal(first[k].bfloat16(), half[k]) for k in first)


def test_a_layer_keeps_the_size_of_what_goes_through() -> None:
    layer = drawn(lambda: torch.nn.Linear(512, 512), 1, torch.float32)
    x = torch.randn(64, 512, generator=torch.Generator().manual_seed(0))
    assert layer(x).std().item() == pytest.approx(1.0, abs=0.05)
    assert not layer.weight.requires_grad


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(BadModel, match="random:sd15"):
        load("random:sd3", device="cpu")
    with pytest.raises(BadModel, match="random:taesd"):
        architectures.decoder("random:other", torch.float32)


def test_it_is_said_that_such_a_model_is_for_benchmarks_only() -> None:
    assert "benchmarks only" in (architectures.notice("random:sd15") or "")
    assert architectures.notice("tiny") is None
