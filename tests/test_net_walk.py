from __future__ import annotations

from typing import Any

import checkpoints
import pytest
import torch
from torch import Tensor

from oscbend.net import walk

SIZES = [(8, 8), (7, 9), (5, 6), (12, 4)]


def inputs(unet: Any, height: int, width: int) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    torch.manual_seed(1)
    added = {}
    if unet.config.time_cond_proj_dim:
        added["guidance"] = torch.randn(2, unet.config.time_cond_proj_dim)
    if unet.config.addition_embed_type:
        added |= {
            "pooled": torch.randn(2, checkpoints.POOLED),
            "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]] * 2),
        }
    return torch.randn(2, 4, height, width), torch.randn(2, 77, unet.config.cross_attention_dim), added


def walked(unet: Any, x: Tensor, text: Tensor, added: dict[str, Tensor], bends: Any = None) -> Tensor:
    emb = walk.embed_time(unet, torch.tensor([501.0, 501.0]), x.dtype, **added)
    context = walk.Context(emb, text, walk.needs_sizes(unet, *x.shape[2:]))
    return walk.run_unet(walk.unet_stages(unet), x, context, {} if bends is None else bends)


def forwarded(unet: Any, x: Tensor, text: Tensor, added: dict[str, Tensor]) -> Tensor:
    conditions = {"text_embeds": added.get("pooled"), "time_ids": added.get("time_ids")}
    return unet(
        x,
        torch.tensor(501),
        text,
        timestep_cond=added.get("guidance"),
        added_cond_kwargs=conditions,
        return_dict=False,
    )[0]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", checkpoints.UNETS)
@torch.inference_mode()
def test_walk_is_bit_equal_to_diffusers(kind: str, size: tuple[int, int]) -> None:
    unet = checkpoints.UNETS[kind]()
    x, text, added = inputs(unet, *size)
    assert torch.equal(walked(unet, x, text, added), forwarded(unet, x, text, added))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@torch.inference_mode()
def test_walk_is_bit_equal_in_either_layout(memory_format: torch.memory_format) -> None:
    unet = checkpoints.unet().to(memory_format=memory_format)
    x, text, added = inputs(unet, 8, 8)
    x = x.contiguous(memory_format=memory_format)
    assert torch.equal(walked(unet, x, text, added), forwarded(unet, x, text, added))


@pytest.mark.parametrize(
    "vae", [checkpoints.vae, checkpoints.tiny_vae, lambda: checkpoints.vae(use_post_quant_conv=False)]
)
@torch.inference_mode()
def test_decoder_is_bit_equal_to_diffusers(vae: Any) -> None:
    net = vae()
    latent = torch.randn(2, 4, 7, 9)
    assert torch.equal(walk.run_decoder(walk.decoder_stages(net), latent, {}), net.decode(latent).sample)


class Recorder(dict[str, Tensor]):
    """Stands at every site, keeps what comes by, and bends one of them."""

    def __init__(self, bent: str = "") -> None:
        self.bent = bent

    def get(self, site: str, default: Any = None, /) -> Any:
        def look(x: Tensor) -> Tensor:
            self[site] = x
            return -x if site == self.bent else x

        return look


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
@torch.inference_mode()
def test_every_site_changes_the_prediction(kind: str) -> None:
    unet = checkpoints.UNETS[kind]()
    x, text, added = inputs(unet, 8, 8)
    seen = Recorder()
    plain = walked(unet, x, text, added, seen)
    dead = [site for site in seen if torch.equal(walked(unet, x, text, added, {site: torch.neg}), plain)]
    assert dead == []


@torch.inference_mode()
def test_bending_a_skip_leaves_the_way_down_as_it_was() -> None:
    unet = checkpoints.unet()
    x, text, added = inputs(unet, 8, 8)
    plain, bent = Recorder(), Recorder("skip.3")
    walked(unet, x, text, added, plain)
    walked(unet, x, text, added, bent)
    way_down = [s for s in plain if not s.startswith(("unet.up", "unet.out"))]
    assert all(torch.equal(plain[site], bent[site]) for site in way_down)
    assert not torch.equal(plain["unet.out"], bent["unet.out"])


@pytest.mark.parametrize(("site", "skip"), [("unet.in", "skip.0"), ("unet.down.0.attn.0", "skip.1")])
@torch.inference_mode()
def test_bending_the_way_down_leaves_what_is_handed_across(site: str, skip: str) -> None:
    unet = checkpoints.unet()
    x, text, added = inputs(unet, 8, 8)
    plain, bent = Recorder(), Recorder(site)
    walked(unet, x, text, added, plain)
    walked(unet, x, text, added, bent)
    assert torch.equal(plain[skip], bent[skip])
    later = f"skip.{int(skip[5:]) + 1}"
    assert not torch.equal(plain[later], bent[later])


@torch.inference_mode()
def test_stages_write_into_nothing_that_others_read() -> None:
    unet = checkpoints.unet()
    x, text, added = inputs(unet, 8, 8)
    before: dict[str, Tensor] = {}
    seen = Recorder()

    class Copier:
        def get(self, site: str, /) -> Any:
            def look(h: Tensor) -> Tensor:
                before[site] = h.clone()
                return seen.get(site)(h)

            return look

    walked(unet, x, text, added, Copier())
    assert all(torch.equal(before[site], tensor) for site, tensor in seen.items())


def test_guidance_embedding_is_that_of_diffusers() -> None:
    from diffusers import StableDiffusionPipeline

    w = torch.tensor([0.0, 6.5])
    for width in (16, 17, 256):
        theirs = StableDiffusionPipeline.get_guidance_scale_embedding(None, w, width)
        torch.testing.assert_close(walk.embed_guidance(w + 1, width), theirs, atol=1e-3, rtol=0)
