from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
from drawing import furthest, reference, structure, values

from oscbend.net.sampler import SAMPLERS

Checkpoint = Callable[[str], Path]
EngineOf = Callable[[str], Any]
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

KINDS = ["sd1", "sd2", "sd2-turbo", "sdxl", "sdxl-turbo", "lcm", "tiny"]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("guided", [False, True], ids=["plain", "guided"])
def test_a_picture_from_text_is_that_of_diffusers(
    checkpoint: Checkpoint, engine_of: EngineOf, kind: str, sampler: str, guided: bool
) -> None:
    s = structure(sampler=sampler, guided=guided, batch=2, width=72, height=56)
    v = values(s)
    drawn = engine_of(kind).render(s, v)
    assert drawn.finite.all()
    assert furthest(drawn.pictures, reference(checkpoint(kind), s, v)) <= 1


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("kind", ["sd1", "sdxl", "lcm", "tiny"])
@pytest.mark.parametrize("guided", [False, True], ids=["plain", "guided"])
def test_a_picture_from_a_picture_is_that_of_diffusers(
    checkpoint: Checkpoint, engine_of: EngineOf, kind: str, sampler: str, guided: bool
) -> None:
    s = structure(sampler=sampler, guided=guided, batch=2, steps=4, start=2)
    init = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    v = values(s, init=init)
    drawn = engine_of(kind).render(s, v)
    assert furthest(drawn.pictures, reference(checkpoint(kind), s, v, strength=0.5)) <= 1


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_a_negative_prompt_is_that_of_diffusers(
    checkpoint: Checkpoint, engine_of: EngineOf, kind: str
) -> None:
    s = structure(guided=True)
    v = values(s, negative=("dull",))
    assert furthest(engine_of(kind).render(s, v).pictures, reference(checkpoint(kind), s, v)) <= 1


@pytest.mark.parametrize("sampler", ["turbo", "lcm"])
def test_one_step_is_that_of_diffusers(checkpoint: Checkpoint, engine_of: EngineOf, sampler: str) -> None:
    s = structure(steps=1, sampler=sampler)
    v = values(s)
    drawn = engine_of("sd2-turbo").render(s, v)
    assert furthest(drawn.pictures, reference(checkpoint("sd2-turbo"), s, v)) <= 1


def test_full_strength_is_that_of_diffusers(checkpoint: Checkpoint, engine_of: EngineOf) -> None:
    s = structure(steps=4)
    v = values(s, init=np.full((1, 64, 64, 3), 200, np.uint8))
    drawn = engine_of("sd1").render(s, v)
    assert furthest(drawn.pictures, reference(checkpoint("sd1"), s, v, strength=1.0)) <= 1


def test_a_small_decoder_is_that_of_diffusers(checkpoint: Checkpoint, tmp_path: Path) -> None:
    import checkpoints

    from oscbend.engine import Engine
    from oscbend.net.load import load

    checkpoints.tiny_vae().save_pretrained(tmp_path)
    s = structure()
    v = values(s)
    drawn = Engine(load(str(checkpoint("sd1")), device="cpu", decoder=str(tmp_path))).render(s, v)
    small = diffusers.AutoencoderTiny.from_pretrained(tmp_path)
    assert (
        furthest(
            drawn.pictures,
            reference(checkpoint("sd1"), s, v, prepare=lambda pipe: pipe.register_modules(vae=small)),
        )
        <= 1
    )


def test_another_layout_gives_the_same_picture(checkpoint: Checkpoint) -> None:
    import torch

    from oscbend.engine import Engine
    from oscbend.net.load import load

    s = structure(sampler="euler", guided=True)
    v = values(s)
    model = load(str(checkpoint("sd1")), device="cpu", memory_format=torch.channels_last)
    assert furthest(Engine(model).render(s, v).pictures, reference(checkpoint("sd1"), s, v)) <= 1
