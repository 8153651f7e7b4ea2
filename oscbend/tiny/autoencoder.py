"""The autoencoder: diffusers' `AutoencoderTiny` (TAESD), trained so that its latent is a small picture.

Stable Diffusion's latents are nearly a linear map of colours, which is why a rotation of latent channels
late in the process reads as a colour filter. Here that is made exact by training. The first three channels
are held near the opponent colours of the picture at an eighth of its size (`colour`), and the decoder learns
that a latent whose colours are turned, scaled, shifted or mirrored, or that is flipped, rolled or zoomed, is
the picture with the same done to it.
"""

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch import Tensor
from torch.nn import functional as F

from oscbend.tiny.colour import ColourScale, measure_scale
from oscbend.tiny.progress import mixed
from oscbend.tiny.settings import Shape


def make_autoencoder(shape: Shape) -> AutoencoderTiny:
    """An untrained autoencoder: 8×, 4 latent channels."""
    vae = AutoencoderTiny(
        encoder_block_out_channels=(shape.vae_encoder_width,) * 4,
        decoder_block_out_channels=(shape.vae_decoder_width,) * 4,
        num_encoder_blocks=shape.vae_encoder_blocks,
        num_decoder_blocks=shape.vae_decoder_blocks,
    )
    return vae.to(memory_format=torch.channels_last)


def to_tensor(pictures: np.ndarray) -> Tensor:
    """uint8 [B, H, W, 3] as float in 0…1 [B, 3, H, W]."""
    whole = torch.from_numpy(np.array(pictures)).to(torch.get_default_device())
    return whole.permute(0, 3, 1, 2).float() / 255


def scale_of(pictures: np.ndarray, file: Path, count: int = 512) -> ColourScale:
    """The colour scale of a sample of the training pictures; measured once and kept in `file`."""
    if not file.exists():
        scale = measure_scale(to_tensor(pictures[:: max(1, len(pictures) // count)]))
        file.write_text(json.dumps(asdict(scale)))
    return ColourScale(**json.loads(file.read_text()))


def random_crops(pictures: np.ndarray, rng: np.random.Generator, batch: int, crop: int) -> Tensor:
    """Crops of random pictures, half of them mirrored: float 0…1 [batch, 3, crop, crop]."""
    room = pictures.shape[1] - crop + 1
    cut = []
    for i in rng.integers(len(pictures), size=batch):
        y, x = rng.integers(room, size=2)
        piece = pictures[i, y : y + crop, x : x + crop]
        cut.append(piece[:, ::-1] if rng.random() < 0.5 else piece)
    return to_tensor(np.stack(cut)).contiguous(memory_format=torch.channels_last)


def hue_rotation(angle: float) -> Tensor:
    """The 3×3 rotation of opponent colours that turns hue by `angle` (radians)."""
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def random_recolouring(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A matrix [3, 3] and an offset [3] for opponent colours, of one of the kinds that bends make."""
    offset = torch.zeros(3)
    matrix = torch.eye(3)
    kind = rng.random()
    if kind < 0.4:
        matrix = hue_rotation(rng.uniform(0, 2 * math.pi))
    elif kind < 0.6:
        gains = torch.tensor([rng.uniform(0.4, 1.7), *[rng.uniform(0.0, 1.8)] * 2], dtype=torch.float32)
        matrix = torch.diag(gains) @ hue_rotation(rng.choice([0.0, rng.uniform(0, 2 * math.pi)]))
        offset[0] = rng.uniform(-0.8, 0.8)
    elif kind < 0.7:
        matrix = torch.diag(torch.tensor(rng.choice([-1.0, 1.0], size=3), dtype=torch.float32))
    elif kind < 0.85:
        matrix, _ = torch.linalg.qr(torch.tensor(rng.normal(size=(3, 3)), dtype=torch.float32))
    else:
        offset = torch.tensor(rng.normal(size=3) * 0.5, dtype=torch.float32)
    return matrix, offset


def recolour(colours: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """`matrix @ colours + offset` for every cell of [3, H, W]."""
    return torch.einsum("ij,jhw->ihw", matrix, colours) + offset[:, None, None]


def _resized(x: Tensor, side: int) -> Tensor:
    """[C, h, w] stretched to [C, side, side]."""
    return F.interpolate(x[None], (side, side), mode="bilinear", align_corners=False)[0]


def random_move(rng: np.random.Generator, z: Tensor, picture: Tensor) -> tuple[Tensor, Tensor]:
    """A latent [4, h, w] and its picture [3, 8h, 8w], flipped, rolled or zoomed alike."""
    kind = rng.random()
    if kind < 0.5:
        axes = [[1], [2], [1, 2]][rng.integers(3)]
        return z.flip(axes), picture.flip(axes)
    if kind < 0.8:
        shifts = [int(n) for n in rng.integers(-z.shape[1] // 2, z.shape[1] // 2 + 1, size=2)]
        return z.roll(shifts, (1, 2)), picture.roll([8 * n for n in shifts], (1, 2))
    keep = int(rng.integers(z.shape[1] * 3 // 4, z.shape[1]))
    small = _resized(z[:, :keep, :keep], z.shape[1])
    return small, _resized(picture[:, : 8 * keep, : 8 * keep], picture.shape[1])


def picture_loss(drawn: Tensor, wanted: Tensor) -> Tensor:
    """L1 + half MSE + gradients, weighted where the picture has fine detail (stars, mesh lines, edges)."""
    detail = (wanted - F.avg_pool2d(wanted, 5, 1, 2, count_include_pad=False)).abs().amax(1, keepdim=True)
    weight = 1 + 6 * detail
    error = drawn - wanted
    loss = (weight * (error.abs() + 2 * error.square())).mean()
    for axis in (2, 3):
        loss = loss + (weight.narrow(axis, 1, weight.shape[axis] - 1) * error.diff(dim=axis).abs()).mean()
    coarse = F.avg_pool2d(error, 4)
    return loss + coarse.abs().mean()


def turn_some(pictures: Tensor, scale: ColourScale, rng: np.random.Generator) -> Tensor:
    """The pictures [B, 3, H, W], a third turned in hue, so that every colour is learnt on every shape."""
    colours = scale.to_latent(pictures)
    turned = [recolour(c, hue_rotation(rng.uniform(0, 2 * math.pi)), torch.zeros(3)) for c in colours]
    chosen = torch.tensor(rng.random(len(pictures)) < 0.33)[:, None, None, None]
    return torch.where(chosen, scale.to_picture(torch.stack(turned)).clamp(0, 1), pictures)


def encode(vae: AutoencoderTiny, pictures: Tensor) -> Tensor:
    """Latents [B, 4, H/8, W/8] of pictures in 0…1 [B, 3, H, W]."""
    with mixed():
        return vae.encoder(pictures.contiguous(memory_format=torch.channels_last) * 2 - 1).float()


def decoder_loss(
    vae: AutoencoderTiny, z: Tensor, pictures: Tensor, scale: ColourScale, rng: np.random.Generator
) -> Tensor:
    """The loss of decoding z: most as they are, the others as a bend would leave them, all a little noisy."""
    latents, targets = [], []
    for one, opponent, picture in zip(z, scale.to_latent(pictures), pictures, strict=True):
        kind = rng.random()
        if kind < 0.3:
            matrix, offset = random_recolouring(rng)
            one = torch.cat([recolour(one[:3], matrix, offset), one[3:]])
            picture = scale.to_picture(recolour(opponent, matrix, offset)[None])[0].clamp(0, 1)
        elif kind < 0.4:
            one, picture = random_move(rng, one, picture)
        latents.append(one + torch.randn_like(one) * rng.uniform(0, 0.05))
        targets.append(picture)
    with mixed():
        drawn = vae.decoder(torch.stack(latents).contiguous(memory_format=torch.channels_last))
    return picture_loss(drawn.float() / 2 + 0.5, torch.stack(targets))


def autoencoder_losses(
    vae: AutoencoderTiny, pictures: Tensor, scale: ColourScale, rng: np.random.Generator
) -> dict[str, Tensor]:
    """The losses of one batch, pictures in 0…1 [B, 3, H, W]."""
    pictures = turn_some(pictures, scale, rng)
    z = encode(vae, pictures)
    readout = (z[:, :3] - F.avg_pool2d(scale.to_latent(pictures), 8)).square().mean()
    free = z[:, 3]
    size = free.mean().square() + (free.std() - 1).square()
    picture = decoder_loss(vae, z, pictures, scale, rng)
    return {"picture": picture, "readout": 0.03 * readout, "size": 0.1 * size}


def polish_losses(
    vae: AutoencoderTiny, pictures: Tensor, scale: ColourScale, rng: np.random.Generator
) -> dict[str, Tensor]:
    """The loss of the decoder alone, the encoder staying as the U-Net's latents were made with it."""
    pictures = turn_some(pictures, scale, rng)
    with torch.no_grad():
        z = encode(vae, pictures)
    return {"picture": decoder_loss(vae, z, pictures, scale, rng)}


@torch.inference_mode()
def encode_all(vae: AutoencoderTiny, pictures: np.ndarray, halve: bool, batch: int = 32) -> Tensor:
    """Latents of all pictures, half floats [N, 4, h, w]; of the pictures at half their size if `halve`."""
    latents = []
    for i in range(0, len(pictures), batch):
        x = to_tensor(pictures[i : i + batch])
        latents.append(encode(vae, F.avg_pool2d(x, 2) if halve else x).half())
    return torch.cat(latents)
