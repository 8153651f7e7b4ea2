from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from fakes import FakeStage

from oscbend.commands import Show, perform
from oscbend.errors import BadValue
from oscbend.features import Buses
from oscbend.modulation import Modulation
from oscbend.net.text import Prompts, slerp
from oscbend.osc import Message
from oscbend.state import State


@pytest.fixture(params=["sd1", "sdxl"])
def prompts(request: pytest.FixtureRequest, engine_of: Callable[[str], Any]) -> Prompts:
    known = engine_of(request.param).model.prompts
    made = Prompts(known.tokenizers, known.encoders, dtype=torch.float32, zero_negative=known.zero_negative)
    for text in ("", "orb"):
        made.get(text)
    return made


def test_one_prompt_is_exactly_its_encoding(prompts: Prompts) -> None:
    assert prompts.blend((("orb", 1.0),)) is prompts.get("orb")
    assert prompts.blend((("orb", 0.3), ("mesh", 0.0))) is prompts.get("orb")


def test_only_asking_for_an_encoding_makes_one(prompts: Prompts) -> None:
    assert prompts.blend((("orb", 1.0), ("mesh", 0.0))) is prompts.known("orb")
    for ask in (prompts.known, prompts.negative, lambda text: prompts.blend(((text, 1.0),))):
        with pytest.raises(BadValue, match="'mesh' is not encoded"):
            ask("mesh")
    assert not prompts.knows("mesh")
    assert prompts.get("mesh") is prompts.known("mesh")


@pytest.mark.parametrize("way", ["slerp", "lerp"])
def test_a_blend_goes_from_one_prompt_to_the_other(prompts: Prompts, way: str) -> None:
    a, b = prompts.get("orb"), prompts.get("mesh")
    near = prompts.blend((("orb", 0.999), ("mesh", 0.001)), way)
    far = prompts.blend((("orb", 0.001), ("mesh", 0.999)), way)
    torch.testing.assert_close(near.tokens, a.tokens, atol=0.02, rtol=0)
    torch.testing.assert_close(far.tokens, b.tokens, atol=0.02, rtol=0)
    if a.pooled is not None:
        assert near.pooled is not None
        torch.testing.assert_close(near.pooled, a.pooled, atol=0.02, rtol=0)


def test_lerp_is_the_weighted_mean_of_any_number(prompts: Prompts) -> None:
    parts = (("orb", 0.5), ("mesh", 0.3), ("night", 0.2))
    mean = sum(weight * prompts.get(text).tokens for text, weight in parts)
    torch.testing.assert_close(prompts.blend(parts, "lerp").tokens, mean)


@pytest.mark.parametrize("way", ["slerp", "lerp"])
def test_morphs_that_overtake_each_other_never_jump(prompts: Prompts, way: str) -> None:
    show = Show(State(prompts={1: "orb"}), Modulation(Buses()), FakeStage())
    due = {10: "mesh", 14: "night", 17: "orb", 30: "mesh"}
    tokens = []
    for n in range(60):
        show.modulation.advance(show.state, n / 20)
        if n in due:
            prompts.get(due[n])
            perform(show, Message("/prompt/morph", (due[n], 0.5)))
            show.state = show.jobs.pop().work()[0](show.state)
        tokens.append(prompts.blend(show.modulation.blend(show.state, show.stage), way).tokens)
    steps = torch.stack([(b - a).norm() for a, b in pairwise(tokens)])
    whole = (prompts.get("mesh").tokens - prompts.get("orb").tokens).norm()
    assert steps.max() < 0.25 * whole, "ten frames from one to the next"
    assert steps[9] == steps[-1] == 0
    assert torch.equal(tokens[-1], prompts.get("mesh").tokens)


def test_slerp_keeps_the_length_that_lerp_loses() -> None:
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    half = slerp(a, b, 0.5)
    torch.testing.assert_close(half, torch.full((1, 2), 0.5**0.5))
    assert torch.lerp(a, b, 0.5).norm() < half.norm()


def test_slerp_between_equal_or_zero_vectors_is_a_line() -> None:
    a = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    torch.testing.assert_close(slerp(a, 2 * a, 0.5), 1.5 * a)
    assert slerp(a, torch.zeros_like(a), 0.5).isfinite().all()


def test_only_so_many_encodings_are_kept(prompts: Prompts) -> None:
    prompts.room = 3
    for n in range(6):
        prompts.get(f"prompt {n}")
    assert [prompts.knows(f"prompt {n}") for n in range(6)] == [False] * 3 + [True] * 3


def test_no_negative_prompt_is_what_the_family_was_trained_with(prompts: Prompts) -> None:
    empty = prompts.negative("")
    assert bool((empty.tokens == 0).all()) is prompts.zero_negative
    assert prompts.negative("orb") is prompts.get("orb")
