"""The shipped weights: they load, know the painter's words, draw what is asked, and bend as they should."""

import json
import math
from functools import lru_cache

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from looks import dominant_colour, looks_like

from oscbend.tiny import folder, unknown_words
from oscbend.tiny.painter import COLOURS, SUBJECTS, vocabulary
from oscbend.tiny.sheets import Drawing, prompts_of, to_uint8
from oscbend.tiny.tokenizer import split_words

STEPS = 4


@pytest.fixture(scope="module")
def pipeline() -> StableDiffusionPipeline:
    pipe = StableDiffusionPipeline.from_pretrained(folder())
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def drawing() -> Drawing:
    return Drawing(folder())


@lru_cache(maxsize=1)
def _draws() -> dict[tuple[str, str], np.ndarray]:
    """One picture for every subject in every colour."""
    drawing = Drawing(folder())
    pictures = {}
    for k, colour in enumerate(COLOURS):
        drawn = drawing.draw(prompts_of(colour), [1000 + 50 * k + i for i in range(len(SUBJECTS))], STEPS)
        pictures.update({(subject, colour): p for subject, p in zip(SUBJECTS, drawn)})
    return pictures


def test_the_weights_are_small() -> None:
    assert sum(f.stat().st_size for f in folder().rglob("*") if f.is_file()) <= 20_000_000


def test_the_pipeline_draws(pipeline: StableDiffusionPipeline) -> None:
    generator = torch.Generator().manual_seed(0)
    picture = pipeline("a red orb", num_inference_steps=2, guidance_scale=1.0, generator=generator).images[0]
    assert picture.size == (256, 256)
    assert dominant_colour(np.asarray(picture)) == "red"


def test_every_word_is_one_token(pipeline: StableDiffusionPipeline) -> None:
    assert json.loads((folder() / "words.json").read_text()) == vocabulary()
    for word in split_words(vocabulary()):
        tokens = pipeline.tokenizer.convert_ids_to_tokens(pipeline.tokenizer(word).input_ids)
        assert tokens[1:-1] == [f"{word}</w>"]


def test_unknown_words() -> None:
    assert unknown_words("a red orb, glowing") == []
    assert unknown_words("Zanzibar, a red ORB and zanzibar's 3d mesh") == ["zanzibar", "s"]


def test_subject_and_colour_are_right() -> None:
    wrong = [
        (subject, colour)
        for (subject, colour), picture in _draws().items()
        if not looks_like(picture, subject) or dominant_colour(picture) != colour
    ]
    assert len(wrong) <= 0.1 * len(_draws()), wrong


def test_word_order_is_free(drawing: Drawing) -> None:
    prompts = [
        "orb red",
        "red, an orb",
        "the floating orb is red",
        "a glowing orb in crimson",
        "orb of red light",
    ]
    for picture in drawing.draw(prompts, [3] * len(prompts), STEPS):
        assert dominant_colour(picture) == "red"
        assert looks_like(picture, "orb")


def test_neighbouring_noise_gives_neighbouring_pictures(pipeline: StableDiffusionPipeline) -> None:
    one, other = torch.randn(2, 1, 4, 32, 32, generator=torch.Generator().manual_seed(5))

    def picture(angle: float) -> np.ndarray:
        noise = math.cos(angle) * one + math.sin(angle) * other
        options = {"num_inference_steps": STEPS, "guidance_scale": 1.0, "output_type": "np"}
        return pipeline("a blue orb", latents=noise, **options).images[0]

    start, near, far = picture(0.0), picture(0.02), picture(math.pi / 2)
    assert np.abs(start - near).mean() < 0.25 * np.abs(start - far).mean()


def _hue(picture: np.ndarray) -> float:
    """The angle of a picture's mean chroma, 0 for red, 2π/3 for green."""
    r, g, b = picture.astype(float).mean((0, 1))
    return math.atan2((g - b) / math.sqrt(2), (2 * r - g - b) / math.sqrt(6))


def _grid_energy(picture: np.ndarray) -> float:
    """How strongly a pattern of 8 pixels repeats in a picture, as a checkerboard of latent cells would."""
    grey = picture.astype(float).mean(2)
    detail = grey[4:-4, 4:-4] - (grey[:-8, 4:-4] + grey[8:, 4:-4] + grey[4:-4, :-8] + grey[4:-4, 8:]) / 4
    cells = detail[: detail.shape[0] // 8 * 8, : detail.shape[1] // 8 * 8]
    folded = cells.reshape(cells.shape[0] // 8, 8, cells.shape[1] // 8, 8).mean((0, 2))
    return float(folded.std() / 255)


@pytest.mark.parametrize("prompt", ["a red orb", "a blue landscape", "green waves"])
def test_a_late_rotation_turns_the_hue(pipeline: StableDiffusionPipeline, prompt: str) -> None:
    generator = torch.Generator().manual_seed(1)
    options = {"num_inference_steps": STEPS, "guidance_scale": 1.0, "output_type": "latent"}
    z = pipeline(prompt, generator=generator, **options).images

    def turned(angle: float) -> np.ndarray:
        c, s = math.cos(angle), math.sin(angle)
        light, across, along, free = z.unbind(1)
        rotated = torch.stack([light, c * across - s * along, s * across + c * along, free], 1)
        with torch.inference_mode():
            return to_uint8(pipeline.vae.decode(rotated).sample)[0]

    plain = turned(0.0)
    for angle in (-2.0, -1.0, 1.0, 2.0, 3.0):
        picture = turned(angle)
        off = (_hue(picture) - _hue(plain) - angle + math.pi) % (2 * math.pi) - math.pi
        assert abs(off) < 0.35, (angle, off)
        assert _grid_energy(picture) < _grid_energy(plain) + 0.004
