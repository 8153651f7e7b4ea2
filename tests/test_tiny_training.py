"""The training's parts, and all of its stages in miniature."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from oscbend.tiny.autoencoder import hue_rotation, make_autoencoder, random_move, recolour
from oscbend.tiny.colour import ColourScale
from oscbend.tiny.diffusion import Schedule, make_scheduler, sample, trailing
from oscbend.tiny.distil import LEAP, leap_target
from oscbend.tiny.painter import vocabulary
from oscbend.tiny.settings import MINIATURE
from oscbend.tiny.tokenizer import split_words, write_tokenizer
from oscbend.tiny.train import begin_from, build

SCALE = ColourScale(mean=0.4, light=0.2, chroma=0.15)


def test_every_word_of_the_painter_is_one_token(tmp_path: Path) -> None:
    tokenizer = write_tokenizer(tmp_path, vocabulary(), 32)
    for word in split_words(vocabulary()):
        assert tokenizer.convert_ids_to_tokens(tokenizer(word).input_ids[1:-1]) == [f"{word}</w>"]


def test_unknown_words_fall_to_pieces(tmp_path: Path) -> None:
    tokenizer = write_tokenizer(tmp_path, ["orb", "red"], 32)
    assert len(tokenizer("orchid").input_ids) > 3


def test_opponent_colours_come_back() -> None:
    picture = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(SCALE.to_picture(SCALE.to_latent(picture)), picture)


def test_grey_has_no_chroma_and_a_third_of_a_turn_makes_red_green() -> None:
    grey = torch.full((1, 3, 1, 1), 0.7)
    assert SCALE.to_latent(grey)[0, 1:].abs().max() < 1e-5
    red = torch.tensor([1.0, 0.0, 0.0])[None, :, None, None]
    turned = recolour(SCALE.to_latent(red)[0], hue_rotation(2 * math.pi / 3), torch.zeros(3))
    torch.testing.assert_close(SCALE.to_picture(turned[None])[0, :, 0, 0], torch.tensor([0.0, 1.0, 0.0]))


def test_a_move_moves_latent_and_picture_alike() -> None:
    z = torch.rand(4, 8, 8)
    picture = z[:3].repeat_interleave(8, 1).repeat_interleave(8, 2)
    for seed in range(40):
        moved, wanted = random_move(np.random.default_rng(seed), z, picture)
        small = torch.nn.functional.avg_pool2d(wanted, 8)
        assert (moved[:3] - small).abs().mean() < 0.12, seed


def test_the_schedule_is_the_schedulers() -> None:
    scheduler = make_scheduler()
    scheduler.set_timesteps(4)
    assert scheduler.timesteps.tolist() == trailing(4)[:-1]
    schedule = Schedule()
    z, v = torch.randn(2, 1, 4, 8, 8)
    for t, to in zip(trailing(4), trailing(4)[1:]):
        ours = schedule.step(z, v, torch.tensor([t]), torch.tensor([to]))
        torch.testing.assert_close(ours, scheduler.step(v, t, z).prev_sample, rtol=1e-4, atol=1e-4)


def test_from_pure_noise_one_step_is_minus_v() -> None:
    noise = torch.randn(1, 4, 8, 8)
    torch.testing.assert_close(sample(lambda z, t: -2 * z, noise, 1), 2 * noise)


@pytest.mark.parametrize("t", [999, 700, 300])
def test_a_leap_lands_where_the_teacher_goes(t: int) -> None:
    schedule, x = Schedule(), torch.randn(1, 4, 8, 8)

    def teacher(z: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        alpha, sigma = schedule.at(at)
        return (alpha * z - x) / sigma  # it always sees the picture x

    at = torch.tensor([t])
    z = schedule.add_noise(x, torch.randn_like(x), at)
    target = leap_target(teacher, schedule, z, at)
    torch.testing.assert_close(target, teacher(z, at), rtol=1e-3, atol=1e-3)
    landed = schedule.step(z, target, at, (at - LEAP).clamp(min=-1))
    assert torch.isfinite(landed).all()


def test_all_stages_in_miniature_and_resumed(tmp_path: Path) -> None:
    work, out = tmp_path / "work", tmp_path / "out"
    build(MINIATURE, work, out)
    pipeline = StableDiffusionPipeline.from_pretrained(out)
    pipeline.set_progress_bar_config(disable=True)
    picture = pipeline("a red orb", num_inference_steps=2, guidance_scale=1.0, output_type="np").images[0]
    assert picture.shape == (64, 64, 3)
    assert set(json.loads((out / "words.json").read_text())) == set(vocabulary())
    # Longer courses take up the checkpoints where they ended.
    weights = (out / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()
    longer = replace(MINIATURE, leap=replace(MINIATURE.leap, steps=MINIATURE.leap.steps + 2))
    build(longer, work, out)
    step = torch.load(work / "distil-leap.pt", weights_only=True)["step"]
    assert step == MINIATURE.leap.steps + 2
    assert torch.load(work / "unet-full.pt", weights_only=True)["step"] == MINIATURE.full.steps
    assert (out / "unet" / "diffusion_pytorch_model.safetensors").read_bytes() != weights


def test_the_autoencoder_is_eightfold() -> None:
    vae = make_autoencoder(MINIATURE.shape)
    assert vae.encode(torch.zeros(1, 3, 64, 64)).latents.shape == (1, 4, 8, 8)
    assert vae.decode(torch.zeros(1, 4, 8, 8)).sample.shape == (1, 3, 64, 64)


def test_training_goes_on_from_exported_weights(tmp_path: Path) -> None:
    build(MINIATURE, tmp_path / "first", tmp_path / "out")
    begin_from(tmp_path / "out", tmp_path / "second")
    build(
        MINIATURE, tmp_path / "second", tmp_path / "further", ("paint", "latents", "unet", "distil", "export")
    )
    decoders = [
        (tmp_path / d / "vae" / "diffusion_pytorch_model.safetensors").read_bytes()
        for d in ("out", "further")
    ]
    assert decoders[0] == decoders[1]
    unets = [
        (tmp_path / d / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()
        for d in ("out", "further")
    ]
    assert unets[0] != unets[1]
