"""The network as a flat list of stages, with the places between them where it can be bent.

diffusers' own modules do the work, each called as `UNet2DConditionModel.forward` and the decoders call
them; this module only carries what flows between them: the hidden tensor and the skips. With no bend
the result is bit-equal to theirs.

A bend returns a new tensor and never writes into the one it is given: what was handed across before a
bend on the way down stays as it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

Bend = Callable[[Tensor], Tensor]
"""What stands at a site: [B, C, H, W] in, a new tensor of that shape out."""


class Bends(Protocol):
    """The bends of one step, by site."""

    def get(self, site: str, /) -> Bend | None:
        """What stands at `site`; None where nothing does."""


@dataclass(frozen=True)
class Context:
    """What every stage of the U-Net may read.

    Args:
        emb: time embedding with added conditions, [B, E].
        text: prompt embedding, [B, tokens, dim].
        sized: True if the latent's size is no multiple of the U-Net's factor, so that upsamplers must be
            told the size of the skip they will meet.
    """

    emb: Tensor
    text: Tensor
    sized: bool


Run = Callable[[Tensor, Context, Any], Tensor]
"""What a stage does: hidden tensor, context and target size (of an upsampler) -> hidden tensor."""


@dataclass(frozen=True)
class Stage:
    """One module (or a few that nothing can come between) and what surrounds it.

    Args:
        site: where its output can be bent.
        run: what it does.
        takes: True if it first takes the newest skip and puts it behind its input's channels.
        hands: site of the skip that its unbent output becomes; None on the way up.
    """

    site: str
    run: Run
    takes: bool = False
    hands: str | None = None

    def __call__(self, h: Tensor, skip: Tensor | None, context: Context, size: Any) -> Tensor:
        """Its output.

        Args:
            h: the hidden tensor.
            skip: what it takes, if it takes one.
            context: what the stages read besides.
            size: rows and columns of the skip that comes next, where upsamplers must be told.
        """
        x = h if skip is None else torch.cat([h, skip], dim=1)
        return self.run(x, context, size)


def unet_stages(unet: nn.Module) -> tuple[Stage, ...]:
    """A U-Net's stages in the order of execution.

    Args:
        unet: diffusers' `UNet2DConditionModel` with the block types of Stable Diffusion.
    """
    net: Any = unet
    stages: list[Stage] = []
    skips = 0

    def add(site: str, run: Callable[[Tensor, Context, Any], Tensor], takes: bool = False) -> None:
        stages.append(Stage(site, run, takes))

    def hand_across() -> None:
        nonlocal skips
        last = stages[-1]
        stages[-1] = Stage(last.site, last.run, last.takes, f"skip.{skips}")
        skips += 1

    add("unet.in", _plain(net.conv_in))
    hand_across()
    for i, block in enumerate(net.down_blocks):
        attentions: Any = getattr(block, "attentions", None)
        for j, resnet in enumerate(block.resnets):
            add(f"unet.down.{i}.res.{j}", _resnet(resnet))
            if attentions is not None:
                add(f"unet.down.{i}.attn.{j}", _attention(attentions[j]))
            hand_across()
        if block.downsamplers is not None:
            add(f"unet.down.{i}.sample", _plain(*block.downsamplers))
            hand_across()
    if net.mid_block is not None:
        attentions = getattr(net.mid_block, "attentions", ())
        for j, resnet in enumerate(net.mid_block.resnets):
            if j and attentions[j - 1] is not None:
                name = "unet.mid.attn" if len(attentions) == 1 else f"unet.mid.attn.{j - 1}"
                add(name, _attention(attentions[j - 1]))
            add(f"unet.mid.res.{j}", _resnet(resnet))
    for i, block in enumerate(net.up_blocks):
        attentions = getattr(block, "attentions", None)
        for j, resnet in enumerate(block.resnets):
            add(f"unet.up.{i}.res.{j}", _resnet(resnet), takes=True)
            if attentions is not None:
                add(f"unet.up.{i}.attn.{j}", _attention(attentions[j]))
        if block.upsamplers is not None:
            add(f"unet.up.{i}.sample", _upsampler(*block.upsamplers))
    ends = (net.conv_norm_out, net.conv_act, net.conv_out) if net.conv_norm_out else (net.conv_out,)
    add("unet.out", _plain(*ends))
    return tuple(stages)


def decoder_stages(vae: nn.Module) -> tuple[Stage, ...]:
    """A decoder's stages in the order of execution, from the unscaled latent to the picture.

    Args:
        vae: diffusers' `AutoencoderKL` or `AutoencoderTiny`.
    """
    net: Any = vae
    decoder = net.decoder
    if hasattr(decoder, "layers"):
        return _tiny_decoder_stages(list(decoder.layers))
    first = (decoder.conv_in,) if net.post_quant_conv is None else (net.post_quant_conv, decoder.conv_in)
    ends = (decoder.conv_norm_out, decoder.conv_act, decoder.conv_out)
    return (
        Stage("vae.in", _plain(*first)),
        Stage("vae.mid", _plain(decoder.mid_block)),
        *(Stage(f"vae.up.{i}", _plain(block)) for i, block in enumerate(decoder.up_blocks)),
        Stage("image", _plain(*ends)),
    )


def run_unet(stages: Sequence[Stage], x: Tensor, context: Context, bends: Bends) -> Tensor:
    """One pass through the U-Net.

    Args:
        stages: of `unet_stages`.
        x: the latent as the network reads it, [B, C, H, W].
        context: what the stages read besides.
        bends: this step's bends.

    Returns:
        The network's prediction, [B, C, H, W].
    """
    h = x
    skips: list[Tensor] = []
    for stage in stages:
        taken = skips.pop() if stage.takes else None
        size = skips[-1].shape[2:] if context.sized and skips else None
        made = stage(h, taken, context, size)
        h = _bent(bends, stage.site, made)
        if stage.hands is not None:
            skips.append(_bent(bends, stage.hands, made))
    return h


def run_decoder(stages: Sequence[Stage], latent: Tensor, bends: Bends) -> Tensor:
    """The picture of an unscaled latent.

    Args:
        stages: of `decoder_stages`.
        latent: [B, 4, H, W].
        bends: those of index S, what follows the last step.

    Returns:
        RGB around −1…1, [B, 3, 8·H, 8·W].
    """
    h = latent
    for stage in stages:
        h = _bent(bends, stage.site, stage(h, None, NO_CONTEXT, None))
    return h


def _bent(bends: Bends, site: str, x: Tensor) -> Tensor:
    """What goes on from a site, laid out in memory as what came: else the next module computes otherwise."""
    bend = bends.get(site)
    if bend is None:
        return x
    y = bend(x)
    return y if y.stride() == x.stride() else torch.empty_like(x).copy_(y)


def embed_time(
    unet: nn.Module,
    timestep: Tensor,
    dtype: torch.dtype,
    guidance: Tensor | None = None,
    pooled: Tensor | None = None,
    time_ids: Tensor | None = None,
) -> Tensor:
    """The embedding that every ResNet block reads, [B, E].

    Args:
        unet: diffusers' `UNet2DConditionModel`.
        timestep: [B].
        dtype: of the U-Net.
        guidance: embedded guidance scale, [B, time_cond_proj_dim], for models that were distilled with it.
        pooled: SDXL's pooled prompt embedding, [B, P].
        time_ids: SDXL's sizes and crop, [B, 6].
    """
    net: Any = unet
    emb = net.time_embedding(net.time_proj(timestep).to(dtype), guidance)
    if pooled is not None and time_ids is not None:
        sizes = net.add_time_proj(time_ids.flatten()).reshape(pooled.shape[0], -1)
        emb = emb + net.add_embedding(torch.cat([pooled, sizes], dim=-1).to(emb.dtype))
    return emb


def embed_guidance(guidance: Tensor, width: int) -> Tensor:
    """The guidance scale as a model that was distilled with it reads it: [B] -> [B, width], float32.

    Sines and cosines of 1000·(guidance − 1), as in Meng et al. 2022, arXiv:2210.03142.
    """
    half = width // 2
    falling = torch.arange(half, device=guidance.device) * (-math.log(10000.0) / (half - 1))
    angle = ((guidance.float() - 1) * 1000)[:, None] * falling.exp()
    return nn.functional.pad(torch.cat([angle.sin(), angle.cos()], dim=1), (0, width % 2))


def needs_sizes(unet: nn.Module, height: int, width: int) -> bool:
    """True if a latent of this size is no multiple of the U-Net's factor."""
    net: Any = unet
    factor = 2**net.num_upsamplers
    return bool(height % factor or width % factor)


def _tiny_decoder_stages(layers: list[nn.Module]) -> tuple[Stage, ...]:
    """AutoencoderTiny: a convolution, a nonlinearity, then blocks; each stage but the last ends in a
    convolution after an upsampler, and the last is followed by the one that makes the picture."""
    first, last, body = layers[0], layers[-1], layers[1:-1]
    stages = [Stage("vae.in", lambda h, context, size: first(torch.tanh(h / 3) * 3))]
    part: list[nn.Module] = []
    for layer in body:
        part.append(layer)
        if isinstance(layer, nn.Conv2d):
            stages.append(Stage(f"vae.up.{len(stages) - 1}", _plain(*part)))
            part = []
    stages.append(Stage(f"vae.up.{len(stages) - 1}", _plain(*part)))
    stages.append(Stage("image", lambda h, context, size: last(h).mul(2).sub(1)))
    return tuple(stages)


def _plain(*modules: nn.Module) -> Callable[[Tensor, Context, Any], Tensor]:
    def run(h: Tensor, context: Context, size: Any) -> Tensor:
        for module in modules:
            h = module(h)
        return h

    return run


def _resnet(module: nn.Module) -> Callable[[Tensor, Context, Any], Tensor]:
    return lambda h, context, size: module(h, context.emb)


def _attention(module: nn.Module) -> Callable[[Tensor, Context, Any], Tensor]:
    def run(h: Tensor, context: Context, size: Any) -> Tensor:
        out: Tensor = module(h, encoder_hidden_states=context.text, return_dict=False)[0]
        return out

    return run


def _upsampler(*modules: nn.Module) -> Callable[[Tensor, Context, Any], Tensor]:
    def run(h: Tensor, context: Context, size: Any) -> Tensor:
        for module in modules:
            h = module(h, size)
        return h

    return run


NO_CONTEXT = Context(emb=torch.empty(0), text=torch.empty(0), sized=False)
