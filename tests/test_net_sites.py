from __future__ import annotations

from typing import Any

import checkpoints
import pytest
import torch
from torch import Tensor

from oscbend.errors import BadValue, UnknownName
from oscbend.net import sites, walk
from oscbend.net.sites import Site, resolve


def sites_of(unet: Any, vae: Any, width: int = 64, height: int = 64, steps: int = 4) -> tuple[Site, ...]:
    return sites.sites_of(unet.config, vae.config, width=width, height=height, steps=steps)


@pytest.fixture(scope="module")
def sd1() -> tuple[Site, ...]:
    return sites_of(checkpoints.unet(), checkpoints.vae())


class Shapes(dict[str, tuple[int, ...]]):
    def get(self, site: str, default: Any = None, /) -> Any:
        def look(x: Tensor) -> Tensor:
            self[site] = tuple(x.shape[1:])
            return x

        return look


@pytest.mark.parametrize("size", [(8, 8), (7, 9)], ids=str)
@pytest.mark.parametrize("vae", [checkpoints.vae, checkpoints.tiny_vae])
@pytest.mark.parametrize("kind", checkpoints.UNETS)
@torch.inference_mode()
def test_names_order_and_shapes_are_those_of_the_walk(kind: str, vae: Any, size: tuple[int, int]) -> None:
    unet, decoder = checkpoints.UNETS[kind](), vae()
    rows, cols = size
    text = torch.zeros(1, 77, unet.config.cross_attention_dim)
    emb = torch.zeros(1, unet.config.block_out_channels[0] * 4)
    found = Shapes({"text": (text.shape[2], 77, 1), "time": (emb.shape[1], 1, 1)})
    context = walk.Context(emb, text, walk.needs_sizes(unet, rows, cols))
    walk.run_unet(walk.unet_stages(unet), torch.zeros(1, 4, rows, cols), context, found)
    walk.run_decoder(walk.decoder_stages(decoder), torch.zeros(1, 4, rows, cols), found)
    expected = sites_of(unet, decoder, cols * 8, rows * 8)
    network = [s for s in expected if s.number is not None]
    assert {s.name: s.shape for s in network} == found
    assert [s.number for s in network] == list(range(len(network)))
    assert [s.name for s in network] == list(found)


def test_sd1_at_512() -> None:
    unet = {
        "in_channels": 4,
        "out_channels": 4,
        "cross_attention_dim": 768,
        "block_out_channels": [320, 640, 1280, 1280],
        "layers_per_block": 2,
        "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
        "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    }
    vae = {"block_out_channels": [128, 256, 512, 512]}
    found = {s.name: s.shape for s in sites.sites_of(unet, vae, width=512, height=512, steps=50)}
    assert found["latent.49"] == found["latent.end"] == found["unet.out"] == (4, 64, 64)
    assert found["text"] == (768, 77, 1)
    assert found["time"] == (1280, 1, 1)
    assert found["unet.in"] == (320, 64, 64)
    assert found["unet.mid.attn"] == (1280, 8, 8)
    assert found["unet.up.0.sample"] == (1280, 16, 16)
    assert found["unet.up.3.attn.2"] == (320, 64, 64)
    assert found["vae.up.0"] == (512, 128, 128)
    assert found["image"] == (3, 512, 512)
    assert [name for name in found if name.startswith("skip")] == [f"skip.{n}" for n in range(12)]


def test_names_come_without_torch() -> None:
    import subprocess
    import sys

    code = "import sys, oscbend.net.sites; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_name_resolves_to_itself(sd1: tuple[Site, ...]) -> None:
    assert resolve("unet.mid.attn", sd1, 4) == ("unet.mid.attn",)


def test_every_number_resolves_to_its_site(sd1: tuple[Site, ...]) -> None:
    for site in sd1:
        if site.number is not None:
            assert resolve(str(site.number), sd1, 4) == resolve(site.number, sd1, 4) == (site.name,)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("latent.0%", "latent.0"),
        ("latent.50%", "latent.2"),
        ("latent.100%", "latent.end"),
        ("latent.4", "latent.end"),
    ],
)
def test_a_place_in_the_schedule(sd1: tuple[Site, ...], text: str, name: str) -> None:
    assert resolve(text, sd1, 4) == (name,)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("latent.*", ("latent.0", "latent.1", "latent.2", "latent.3", "latent.end")),
        ("latent.[12]", ("latent.1", "latent.2")),
        ("unet.mid.res.?", ("unet.mid.res.0", "unet.mid.res.1")),
        ("unet.{in,out}", ("unet.in", "unet.out")),
        ("{vae,unet}.in", ("unet.in", "vae.in")),
        ("*.sample", ("unet.down.0.sample", "unet.down.1.sample", "unet.up.0.sample", "unet.up.1.sample")),
    ],
)
def test_a_pattern_reaches_every_site_that_fits(sd1: tuple[Site, ...], pattern: str, names: Any) -> None:
    assert resolve(pattern, sd1, 4) == names


@pytest.mark.parametrize("text", ["unet.mid.atn", "999", "unet.nothing.*", "latent.x"])
def test_what_is_not_there_is_refused(sd1: tuple[Site, ...], text: str) -> None:
    with pytest.raises(UnknownName):
        resolve(text, sd1, 4)


def test_the_nearest_names_are_told(sd1: tuple[Site, ...]) -> None:
    with pytest.raises(UnknownName, match=r"unet\.mid\.attn"):
        resolve("unet.mid.atn", sd1, 4)


def test_a_size_that_is_no_multiple_of_eight_is_refused() -> None:
    with pytest.raises(BadValue, match="nearest: 512 512"):
        sites.latent_size(513, 511)
