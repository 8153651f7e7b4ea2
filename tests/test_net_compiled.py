"""Stages that are compiled: close to what they were, bent anywhere, and compiled no more than once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import checkpoints
import numpy as np
import pytest
import torch
from drawing import furthest, structure, values
from torch._dynamo.utils import counters

from oscbend.engine import Engine
from oscbend.features import Buses
from oscbend.film import Job, make
from oscbend.modulation import Modulation
from oscbend.net import load as loading
from oscbend.net.compiled import CACHE_VARIABLE, Compiler
from oscbend.net.load import load
from oscbend.net.model import Model
from oscbend.osc import Message
from oscbend.score import Score
from oscbend.stage import Stage
from oscbend.state import State

Checkpoint = Callable[[str], Path]
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _stance() -> Iterator[None]:
    yield
    torch.compiler.set_stance("default")


def graphs() -> int:
    """How many graphs dynamo has made since the beginning."""
    return counters["stats"]["unique_graphs"]


def traced(model: Model, said: list[str]) -> Engine:
    """An engine whose stages are compiled by all of torch.compile but what makes machine code."""
    compiler = Compiler(model.memory_format, CPU, said.append, backend="eager")
    return Engine(replace(model, compiler=compiler))


@pytest.fixture(scope="module")
def plain(checkpoint: Checkpoint) -> Engine:
    """A network of few stages, as they are."""
    model = load(str(checkpoint("tiny")), device="cpu")
    torch.manual_seed(0)
    unet = checkpoints.unet(
        block_out_channels=(32,),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        mid_block_type=None,
    )
    return Engine(replace(model, unet=unet.to(memory_format=model.memory_format).requires_grad_(False)))


@dataclass(frozen=True)
class Warmth:
    """What came of warming up an engine: graphs made before it was let and then, and what it said."""

    engine: Engine
    cold: int
    made: int
    said: list[str]


@pytest.fixture(scope="module")
def warmth(plain: Engine) -> Warmth:
    """The same, compiled for 64 x 64 and one row."""
    said: list[str] = []
    engine = traced(plain.model, said)
    before = graphs()
    engine.render(structure(), values(structure()))
    cold = graphs() - before
    with engine.compiling():
        engine.render(structure(), values(structure()))
    return Warmth(engine, cold, graphs() - before - cold, said)


@pytest.fixture
def warm(warmth: Warmth) -> Engine:
    return warmth.engine


@pytest.fixture
def said(warm: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the warm engine says."""
    lines: list[str] = []
    monkeypatch.setattr(warm.model.compiler, "say", lines.append)
    return lines


def test_every_stage_is_compiled_once_and_not_before_it_may(plain: Engine, warmth: Warmth) -> None:
    model = warmth.engine.model
    assert warmth.cold == 0
    assert warmth.made == len(model.unet_stages) + len(model.decoder_stages)
    assert len(warmth.said) == 2
    assert warmth.said[0].startswith("compiling the network")
    assert warmth.said[1].startswith("compiling took")
    assert warmth.engine.setting()["compiled"] == 1
    assert plain.setting()["compiled"] == 0


def test_the_picture_stays_and_bends_act_at_every_site(plain: Engine, warm: Engine) -> None:
    torch.compiler.set_stance("fail_on_recompile")
    before = graphs()
    unbent = warm.render(structure(steps=1), values(structure(steps=1))).pictures
    assert furthest(unbent, plain.render(structure(steps=1), values(structure(steps=1))).pictures) <= 1
    for site in warm.sites(64, 64, 1):
        s = structure(("negate", site.name), steps=1)
        bent = warm.render(s, values(s, ({},))).pictures
        assert furthest(bent, plain.render(s, values(s, ({},))).pictures) <= 1
        assert not np.array_equal(bent, unbent), site.name
    assert graphs() == before


def test_no_change_of_structure_compiles_anything(warm: Engine) -> None:
    torch.compiler.set_stance("fail_on_recompile")
    changed = [
        structure(steps=5),
        structure(sampler="euler"),
        structure(("flip", "unet.in"), ("negate", "text"), ("fourier", "unet.up.0.attn.1")),
        structure(("multiply", "skip.1"), ("add", "time"), ("blur", "vae.up.1")),
    ]
    for s in changed:
        assert warm.render(s, values(s, ({},) * len(s.bends))).finite.all()


def test_another_size_is_drawn_at_once_as_it_is(plain: Engine, warm: Engine, said: list[str]) -> None:
    before = graphs()
    said.clear()
    for s in (structure(width=72, height=56), structure(batch=2), structure(width=72, height=56)):
        assert np.array_equal(warm.render(s, values(s)).pictures, plain.render(s, values(s)).pictures)
    assert graphs() == before
    assert len(said) == 1
    assert "7 x 9 cells and 1 rows was not compiled" in said[0]


def test_a_stage_that_cannot_be_compiled_runs_as_it_is(plain: Engine) -> None:
    def broken(*args: object) -> object:
        raise RuntimeError("no space left on device")

    said: list[str] = []
    engine = traced(plain.model, said)
    engine.model.unet_stages[1].run.fast = broken
    with engine.compiling():
        drawn = engine.render(structure(), values(structure())).pictures
    assert said[1:] == ["--compile does nothing: RuntimeError: no space left on device"]
    assert furthest(drawn, plain.render(structure(), values(structure())).pictures) <= 1
    assert engine.setting()["compiled"] == 0


def test_a_film_is_compiled_as_it_goes_and_says_so(plain: Engine, tmp_path: Path) -> None:
    engine = traced(plain.model, [])
    stage = Stage(engine, "m")
    before = graphs()
    score = Score()
    score.add(0, Message("/prompt", ("an orb",)), Message("/steps", (1,)))
    score.add(0.2)
    score.write(tmp_path / "s.osc")
    job = Job(tmp_path / "s.osc", tmp_path / "f.mp4", batch=2, model="m", fps=10, size=(64, 64))
    assert make(job, lambda name: stage, say=print, show_progress=False).frames == 2
    assert graphs() == before + len(engine.model.unet_stages) + len(engine.model.decoder_stages)
    with av.open(str(tmp_path / "f.mp4")) as film:
        assert json.loads(film.metadata["comment"])["compiled"] == 1


def test_a_model_that_is_loaded_during_a_show_is_compiled_before_it_draws(
    plain: Engine, warm: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = traced(plain.model, []).model
    monkeypatch.setattr(loading, "load", lambda name, **options: later)
    stage = Stage(warm, "first")
    state = State(model="first", width=64, height=64, steps=1)
    shot = Modulation(Buses()).shot(state, 0.0, stage)
    stage.render(shot.structure, shot.values)
    key = stage.load("random:sd15", state)
    torch.compiler.set_stance("fail_on_recompile")
    assert stage.render(replace(shot.structure, model=key), shot.values).finite.all()
    assert later.compiler is not None
    assert later.compiler.spent_s > 0


def test_without_a_compiler_this_is_said_and_all_is_drawn(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._inductor import config, cpp_builder

    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    cpp_builder.cpp_compiler_search.cache_clear()
    said: list[str] = []
    try:
        with config.patch({"cpp.cxx": ("no-such-compiler",)}):
            engine = Engine(load(str(checkpoint("sd1")), device="cpu", compile=True, say=said.append))
    finally:
        cpp_builder.cpp_compiler_search.cache_clear()
    assert len(said) == 1
    assert "no C++ compiler" in said[0]
    with engine.compiling():
        drawn = engine.render(structure(), values(structure())).pictures
    assert drawn.shape == (1, 64, 64, 4)
    assert len(said) == 1


REAL = """
import torch
from torch._dynamo.utils import counters
from oscbend.net.compiled import Compiler
from oscbend.net.walk import NO_CONTEXT, Stage

plain = Stage("vae.in", lambda h, context, size: torch.nn.functional.silu(h) * 2)
compiler = Compiler(torch.channels_last, torch.device("cpu"))
compiled, = compiler.stages([plain])
x = torch.randn(1, 4, 8, 8).contiguous(memory_format=torch.channels_last)
with torch.inference_mode(), compiler.compiling():
    torch.testing.assert_close(compiled.run(x, NO_CONTEXT, None), plain.run(x, NO_CONTEXT, None))
assert not compiler.error, compiler.error
print(counters["inductor"]["fxgraph_cache_hit"], counters["inductor"]["fxgraph_cache_miss"])
"""


def test_what_is_really_compiled_is_close_and_found_again_by_the_next_start(tmp_path: Path) -> None:
    """With the C++ compiler: what makes sure that there is one, and a stage."""
    env = {k: v for k, v in os.environ.items() if k != CACHE_VARIABLE} | {"OSCBEND_CACHE": str(tmp_path)}
    starts = []
    for _ in range(2):
        ran = subprocess.run([sys.executable, "-c", REAL], env=env, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        starts.append(ran.stdout.split())
    assert starts == [["0", "2"], ["2", "0"]]
    assert any((tmp_path / "compiled").iterdir())
