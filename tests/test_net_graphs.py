"""Recordings on fixed tensors, with the stand-in that replays the work: buffers, aliasing, the same bits."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import checkpoints
import numpy as np
import pytest
import torch
from drawing import structure, values
from frames import captured, random_frame, same
from torch import Tensor

from oscbend import bends
from oscbend.engine import Engine
from oscbend.net import walk
from oscbend.net.graphs import DecoderGraphs, FunctionGraph, UnetGraphs
from oscbend.net.tape import Recorded, ReplayTape, Work

EngineOf = Callable[[str], Engine]


@pytest.mark.parametrize("op", sorted(bends.OPERATORS))
def test_every_operator_anywhere_gives_the_same_bits(engine_of: EngineOf, op: str) -> None:
    engine = engine_of("tiny")
    recorded = captured(engine)
    rng = random.Random(op)
    for _ in range(4):
        s, v = random_frame(engine, rng, op)
        assert same(engine, recorded, s, v), s


@pytest.mark.parametrize("kind", ["sd1", "sdxl", "lcm"])
def test_every_family_and_size_gives_the_same_bits(engine_of: EngineOf, kind: str) -> None:
    engine = engine_of(kind)
    recorded = captured(engine)
    rng = random.Random(kind)
    for width, height, batch in ((64, 64, 1), (72, 56, 1), (64, 64, 2)):
        s = structure(width=width, height=height, batch=batch, guided=True, steps=1)
        assert same(engine, recorded, s, values(s))
        for op in ("negate", "rotate", "blur"):
            s, v = random_frame(engine, rng, op, width=width, height=height, batch=batch)
            assert same(engine, recorded, s, v), s


def test_image_to_image_gives_the_same_bits(engine_of: EngineOf) -> None:
    init = np.random.default_rng(0).integers(0, 255, (1, 64, 64, 3), np.uint8)
    for kind in ("tiny", "sd1"):
        engine = engine_of(kind)
        recorded = captured(engine)
        s = structure(steps=4, start=2)
        for _ in range(2):
            assert same(engine, recorded, s, values(s, init=init))


class Sites:
    """Stands at some sites and adds to what comes by; keeps what it saw."""

    def __init__(self, *bent: str) -> None:
        self.bent = bent
        self.seen: dict[str, Tensor] = {}

    def get(self, site: str, /) -> Any:
        def look(x: Tensor) -> Tensor:
            self.seen[site] = x.clone()
            return x + 1.0

        return look if site in self.bent else None


@pytest.fixture
def unet() -> Any:
    torch.manual_seed(3)
    return checkpoints.unet()


@pytest.fixture
def given() -> tuple[Tensor, walk.Context]:
    torch.manual_seed(4)
    return torch.randn(1, 4, 8, 8), walk.Context(torch.randn(1, 128), torch.randn(1, 77, 32), False)


@torch.inference_mode()
def recorded_unet(unet: Any, given: tuple[Tensor, walk.Context]) -> UnetGraphs:
    return UnetGraphs(walk.unet_stages(unet), *given, ReplayTape())


@pytest.mark.parametrize(
    "bent",
    [
        ("unet.in",),
        ("unet.in", "skip.0"),
        ("skip.0",),
        ("unet.down.0.attn.1", "skip.2"),
        ("unet.down.1.sample",),
        ("unet.mid.attn", "skip.8"),
        ("unet.up.2.attn.2", "unet.out"),
    ],
)
@torch.inference_mode()
def test_nothing_is_overwritten_that_something_else_still_reads(
    unet: Any, given: tuple[Tensor, walk.Context], bent: tuple[str, ...]
) -> None:
    graphs, stages = recorded_unet(unet, given), walk.unet_stages(unet)
    for sites in (bent, (), bent):
        here, there = Sites(*sites), Sites(*sites)
        assert torch.equal(graphs(*given, here), walk.run_unet(stages, *given, there))
        assert all(torch.equal(here.seen[site], there.seen[site]) for site in there.seen)


@torch.inference_mode()
def test_a_skip_that_was_not_copied_out_would_be_noticed(
    unet: Any, given: tuple[Tensor, walk.Context]
) -> None:
    class Careless(ReplayTape):
        """Records a stage's skip as the very tensor that goes down."""

        def record(self, work: Work) -> Recorded:
            recorded = super().record(lambda: work()[:1])
            made = recorded.outputs[0]
            return Recorded((made, made) if len(work()) == 2 else (made,), recorded.replay)

    stages = walk.unet_stages(unet)
    careless = UnetGraphs(stages, *given, Careless())
    assert torch.equal(careless(*given, {}), walk.run_unet(stages, *given, {}))
    bend = Sites("unet.down.0.res.1", "unet.down.0.attn.0")
    assert not torch.equal(careless(*given, bend), walk.run_unet(stages, *given, bend))


@torch.inference_mode()
def test_every_stage_reads_and_writes_fixed_memory(unet: Any, given: tuple[Tensor, walk.Context]) -> None:
    graphs = recorded_unet(unet, given)
    places = [(s.made.data_ptr(), s.skip if s.skip is None else s.skip.data_ptr()) for s in graphs._sections]
    first = graphs(*given, Sites("unet.mid.attn", "skip.3"))
    again = graphs(torch.randn(1, 4, 8, 8), given[1], {})
    assert first.data_ptr() == again.data_ptr()
    assert places == [
        (s.made.data_ptr(), s.skip if s.skip is None else s.skip.data_ptr()) for s in graphs._sections
    ]
    owned = [p for pair in places for p in pair if p is not None]
    assert len(set(owned)) == len(owned)
    assert not any(x.data_ptr() in owned for x in (given[0], given[1].text, given[1].emb))


@torch.inference_mode()
def test_the_text_is_copied_only_when_it_is_another(
    unet: Any, given: tuple[Tensor, walk.Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = recorded_unet(unet, given)
    copied: list[Any] = []
    whole = Tensor.copy_

    def copy(self: Tensor, other: Tensor, *rest: Any) -> Tensor:
        copied.append(other)
        return whole(self, other, *rest)

    monkeypatch.setattr(Tensor, "copy_", copy)
    x, context = given
    another = walk.Context(context.emb, context.text.clone(), False)
    counts = []
    for c in (context, context, another, another, context):
        copied.clear()
        graphs(x, c, {})
        counts.append(sum(o is c.text for o in copied))
    assert counts == [1, 0, 1, 0, 1]


@torch.inference_mode()
def test_a_module_that_gives_back_its_input_gets_memory_of_its_own() -> None:
    stages = [
        walk.Stage("a", lambda h, c, s: h),
        walk.Stage("b", lambda h, c, s: h.view(h.shape)),
        walk.Stage("c", lambda h, c, s: h * 2),
    ]
    latent = torch.randn(1, 4, 2, 2)
    graphs = DecoderGraphs(stages, latent, ReplayTape())
    bend = Sites("a", "b")
    for _ in range(2):
        assert torch.equal(graphs(latent, bend), walk.run_decoder(stages, latent, bend))


@torch.inference_mode()
def test_a_function_may_have_missing_arguments_and_results() -> None:
    x, y = torch.randn(2, 3), torch.randn(2, 3)

    def function(a: Tensor, b: Tensor | None, c: Tensor | None) -> tuple[Tensor | None, ...]:
        assert c is not None
        return a + c, None, a

    graph = FunctionGraph(function, (x, None, y), ReplayTape())
    total, nothing, copy = graph(x, None, y)
    assert total is not None
    assert torch.equal(total, x + y)
    assert nothing is None
    assert copy is not None
    assert torch.equal(copy, x)
    assert torch.equal(graph(y, None, y)[0], y + y)  # type: ignore[arg-type]
