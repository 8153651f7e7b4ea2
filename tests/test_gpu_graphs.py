"""On an NVIDIA card: what is recorded draws the same bits, nothing waits, and memory is given back."""

from __future__ import annotations

import gc
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawing import furthest, structure, values
from frames import random_frame, same

from oscbend import bends
from oscbend.commands import Reply
from oscbend.engine import Engine
from oscbend.errors import OutOfMemory
from oscbend.loop import Loop
from oscbend.net.captured import KEPT, Captured
from oscbend.net.load import load
from oscbend.net.model import Model
from oscbend.net.tape import CudaTape
from oscbend.osc import Message
from oscbend.schedule import Schedule
from oscbend.stage import Stage
from oscbend.state import State
from oscbend.worker import InPlace

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here"),
]


@pytest.fixture(scope="module")
def model_of(checkpoint: Callable[[str], Path]) -> Callable[..., Model]:
    """A small random model on the card, made once."""
    made: dict[tuple[str, torch.dtype], Model] = {}

    def model(kind: str = "tiny", dtype: torch.dtype = torch.float16) -> Model:
        if (kind, dtype) not in made:
            made[kind, dtype] = load(str(checkpoint(kind)), device="cuda", dtype=dtype)
        return made[kind, dtype]

    return model


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for whatever is recorded."""
    count: list[int] = []
    whole = CudaTape.record

    def record(self: CudaTape, work: Any) -> Any:
        count.append(1)
        return whole(self, work)

    monkeypatch.setattr(CudaTape, "record", record)
    return count


def plain(model: Model) -> Engine:
    """An engine that draws as it comes."""
    engine = Engine(model)
    engine.network = engine.eager
    return engine


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("op", sorted(bends.OPERATORS))
def test_every_operator_gives_the_same_bits(
    model_of: Callable[..., Model], op: str, dtype: torch.dtype
) -> None:
    model = model_of("tiny", dtype)
    eager, graphs = plain(model), Engine(model)
    rng = random.Random(op)
    for _ in range(5):
        s, v = random_frame(eager, rng, op)
        assert same(eager, graphs, s, v), s


@pytest.mark.parametrize("kind", ["sd1", "sd2", "sdxl", "lcm", "tiny"])
def test_every_family_gives_the_same_bits(model_of: Callable[..., Model], kind: str) -> None:
    model = model_of(kind)
    eager, graphs = plain(model), Engine(model)
    rng = random.Random(kind)
    for width, height, batch in ((64, 64, 1), (72, 56, 1), (64, 64, 3)):
        for op in ("negate", "rotate", "blur", "noise"):
            s, v = random_frame(eager, rng, op, width=width, height=height, batch=batch)
            assert same(eager, graphs, s, v), s
    init = np.random.default_rng(0).integers(0, 255, (1, 64, 64, 3), np.uint8)
    s = structure(steps=4, start=2)
    assert same(eager, graphs, s, values(s, init=init))


def test_a_thousand_structure_changes_record_nothing_and_give_the_same_bits(
    model_of: Callable[..., Model], recorded: list[int]
) -> None:
    model = model_of()
    eager, graphs = plain(model), Engine(model)
    for guided in (False, True):
        s = structure(guided=guided)
        graphs.render(s, values(s))
    before = len(recorded)
    assert before > 0
    rng = random.Random(0)
    for n in range(1000):
        s, v = random_frame(eager, rng, rng.choice(sorted(bends.OPERATORS)))
        assert same(eager, graphs, s, v), (n, s)
    assert len(recorded) == before


def test_what_a_show_chooses_draws_nearly_what_a_film_draws(model_of: Callable[..., Model]) -> None:
    model = model_of("sd1")
    s = structure(("add", "unet.in"))
    film = Engine(model).render(s, values(s, ({"r": 0.3},))).pictures
    show = Engine(model, live=True)
    show.prepare(s)
    assert furthest(show.render(s, values(s, ({"r": 0.3},))).pictures, film) <= 16


def test_frames_under_way_are_those_that_were_asked_for(model_of: Callable[..., Model]) -> None:
    engine = Engine(model_of())
    s = structure(("multiply", "unet.mid.attn"), ("add", "image"), steps=1)
    rng = random.Random(1)
    asked = [({"r": rng.uniform(-3, 3)}, {"r": rng.uniform(-1, 1)}) for _ in range(200)]
    alone = [engine.render(s, values(s, params)).pictures for params in asked]
    flying, landed = [], []
    for params in asked:
        v = values(s, params)
        flying.append(engine.submit(s, v))
        for param in v.params:
            param["r"][:] = 99  # type: ignore[index]
        if len(flying) > 2:
            landed.append(flying.pop(0).result().pictures)
    landed += [pending.result().pictures for pending in flying]
    assert all(np.array_equal(a, b) for a, b in zip(landed, alone, strict=True))


@pytest.fixture
def forbid_waiting() -> Iterator[Callable[[], None]]:
    yield lambda: torch.cuda.set_sync_debug_mode("error")
    torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("op", sorted(bends.OPERATORS))
def test_no_frame_waits_for_the_card(
    model_of: Callable[..., Model], op: str, forbid_waiting: Callable[[], None]
) -> None:
    model = model_of()
    engine = Engine(model)
    engine.encode("a red orb", "blue mesh, by night", "")
    rng = random.Random(op)
    frames = [random_frame(engine, rng, op) for _ in range(4)]
    for guided in (False, True):
        s = structure(guided=guided)
        engine.render(s, values(s))
    for s, v in frames:
        if any(armed.op == "steer" for armed in s.bends):
            engine.render(s, v)  # a job makes its vectors
    forbid_waiting()
    pending = [engine.submit(s, v) for s, v in frames]
    torch.cuda.set_sync_debug_mode("default")
    assert all(p.result().pictures.any() for p in pending)


def test_frames_go_on_while_other_sizes_are_recorded(model_of: Callable[..., Model]) -> None:
    model = model_of("sd1")
    engine, alone = Engine(model, live=True), plain(model)
    s = structure(("add", "unet.mid.attn"), steps=1)
    engine.prepare(s)
    first = engine.render(s, values(s, ({"r": 0.5},))).pictures
    assert furthest(first, alone.render(s, values(s, ({"r": 0.5},))).pictures) <= 16
    failed: list[Exception] = []

    def prepare() -> None:
        try:
            for width in (72, 80, 88, 96):
                engine.prepare(structure(width=width, steps=1))
        except Exception as error:
            failed.append(error)

    worker = threading.Thread(target=prepare)
    worker.start()
    drawn = 0
    while worker.is_alive():
        assert np.array_equal(engine.render(s, values(s, ({"r": 0.5},))).pictures, first)
        drawn += 1
    worker.join()
    assert failed == []
    assert drawn > 4
    network = engine.network
    assert isinstance(network, Captured)
    assert all(made.result() is not None for kept in network.shelf._kept.values() for made in kept.values())


def test_what_goes_gives_its_memory_back(model_of: Callable[..., Model]) -> None:
    engine = Engine(model_of("sd1"))

    def reserved(width: int) -> int:
        s = structure(width=width, height=256, steps=1)
        engine.render(s, values(s))
        gc.collect()
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        return torch.cuda.memory_reserved()

    for n in range(KEPT + 1):
        level = reserved(256 + 8 * n)
    later = [reserved(256 + 8 * n) for n in range(3 * KEPT)]
    assert max(later) <= 1.25 * level


@pytest.fixture
def little_room(model_of: Callable[..., Model]) -> Iterator[Callable[[int], None]]:
    """Leaves so many bytes on the card."""

    def leave(room: int) -> None:
        torch.cuda.empty_cache()
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, (torch.cuda.memory_reserved() + room) / total))

    yield leave
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_a_size_without_room_keeps_the_old_one(
    model_of: Callable[..., Model], little_room: Callable[[int], None], tmp_path: Path
) -> None:
    engine = Engine(model_of("sd1"))
    stage = Stage(engine, "random", root=tmp_path)
    stage.encode("an orb")
    schedule, replies = Schedule(), []
    state = State(model="random", width=64, height=64, steps=1, prompts={1: "an orb"}, noise="hold")
    loop = Loop(stage, InPlace(), state, schedule, answer=replies.append)
    loop.step(0.0)
    loop.land()
    little_room(64 << 20)
    schedule.put(0.1, (Message("/size", (4096, 4096)), Message("/seed", (7.0,))), ("host", 1))
    loop.step(0.1)
    loop.step(0.2)
    loop.land()
    failures: list[Reply] = [r for r in replies if r.address == "/fail"]
    assert len(failures) == 1
    assert failures[0].args[0] == "/size"
    assert "memory" in failures[0].args[1]
    assert (loop.state.width, loop.state.height) == (64, 64)
    assert loop.frame is not None
    assert loop.frame.picture.shape == (64, 64, 4)


def test_a_size_without_room_can_be_drawn_once_there_is_room(
    model_of: Callable[..., Model], little_room: Callable[[int], None]
) -> None:
    engine = Engine(model_of("sd1"))
    s = structure(width=2048, height=2048, steps=1)
    little_room(64 << 20)
    with pytest.raises(OutOfMemory, match="2048 x 2048"):
        engine.render(s, values(s))
    torch.cuda.set_per_process_memory_fraction(1.0)
    assert engine.render(s, values(s)).pictures.shape == (1, 2048, 2048, 4)
