"""Which recordings there are: what makes one, who makes it, when it goes; with the stand-in."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import pytest
import torch
from drawing import structure, values
from frames import captured, same
from torch import Tensor

from oscbend.engine import Engine
from oscbend.net.captured import KEPT, ROWS
from oscbend.net.network import Eager
from oscbend.net.tape import Recorded, ReplayTape, Work

EngineOf = Callable[[str], Engine]


class CountingTape(ReplayTape):
    """Counts what is recorded."""

    count = 0

    def record(self, work: Work) -> Recorded:
        type(self).count += 1
        return super().record(work)


@pytest.fixture
def tape() -> type[CountingTape]:
    return type("Tape", (CountingTape,), {"count": 0})


def test_a_change_of_structure_or_steps_records_nothing(
    engine_of: EngineOf, tape: type[CountingTape]
) -> None:
    engine = captured(engine_of("tiny"), tape)

    def drawn(*bent: tuple[Any, ...], **changes: Any) -> int:
        before = tape.count
        s = structure(*bent, **({"steps": 2} | changes))
        engine.render(s, values(s, ({"r": 1.0},) * len(bent)))
        return tape.count - before

    stages = len(engine.model.unet_stages) + len(engine.model.decoder_stages)
    assert drawn() == stages + 2, "every stage, the time embedding, the bytes"
    for steps in (1, 4, (0, 20, 40)):
        assert drawn(steps=steps) == 0
    for sampler in ("lcm", "euler", "turbo"):
        assert drawn(sampler=sampler) == 0
    for bent in (("add", "unet.in"), ("multiply", "skip.1"), ("add", "vae.up.1"), ("add", "text")):
        assert drawn(bent) == 0
        assert drawn(bent, ("add", "latent.1")) == 0
    assert drawn(guided=True) == len(engine.model.unet_stages) + 1, "as many rows again"
    assert drawn(guided=True, blend="lerp") == 0
    assert drawn(width=72) > 0
    assert drawn(batch=2) > 0
    assert drawn() == drawn(width=72) == drawn(batch=2) == drawn(guided=True) == 0


def test_the_recording_used_longest_ago_goes_and_frees_its_memory(engine_of: EngineOf) -> None:
    engine = captured(engine_of("tiny"))
    shelf = engine.network.shelf  # type: ignore[attr-defined]

    def drawn(width: int) -> None:
        s = structure(width=width, steps=1)
        engine.render(s, values(s))

    def made(kind: str, n: int) -> Any:
        return list(shelf._kept[kind].values())[n].result()

    drawn(64)
    held = [weakref.ref(s.made) for kind in ("unet", "decode") for s in made(kind, 0)._sections]
    held.append(weakref.ref(made("unet", 0)._x))
    for n in range(1, KEPT):
        drawn(64 + 8 * n)
    drawn(64)
    gc.disable()
    try:
        drawn(256)
        assert all(ref() is not None for ref in held), "it was just used"
        for n in range(1, KEPT + 1):
            drawn(64 + 8 * n)
        assert all(ref() is None for ref in held)
    finally:
        gc.enable()
    assert all(len(kept) <= KEPT for kept in shelf._kept.values())


def test_many_rows_are_drawn_as_they_come(engine_of: EngineOf, tape: type[CountingTape]) -> None:
    engine = captured(engine_of("tiny"), tape)
    s = structure(batch=ROWS + 1, steps=1)
    engine.render(s, values(s))
    assert tape.count == 0


class Slow(Executor):
    """Hands that begin when they are told."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], object]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self.waiting.append(lambda: fn(*args, **kwargs))

    def go(self) -> None:
        for work in self.waiting:
            work()
        self.waiting.clear()


def test_frames_go_on_while_recordings_are_made(engine_of: EngineOf, tape: type[CountingTape]) -> None:
    engine, hands = engine_of("tiny"), Slow()
    recorded = captured(engine, tape, hands)
    s = structure(("negate", "skip.2"))
    for _ in range(2):
        assert same(engine, recorded, s, values(s, ({},)))
    assert tape.count == 0
    assert len(hands.waiting) == 4, "each is asked for once"
    hands.go()
    count = tape.count
    assert count > 4
    assert same(engine, recorded, s, values(s, ({},)))
    assert tape.count == count


def test_recordings_may_be_made_by_another_thread(engine_of: EngineOf) -> None:
    engine = engine_of("tiny")
    s = structure(("negate", "unet.mid.attn"))
    with ThreadPoolExecutor(1) as hands:
        recorded = captured(engine, hands=hands)
        assert all(same(engine, recorded, s, values(s, ({},))) for _ in range(8))


def tape_that_fails(errors: list[Exception]) -> type[ReplayTape]:
    class Failing(ReplayTape):
        def record(self, work: Work) -> Recorded:
            if errors:
                raise errors.pop(0)
            return super().record(work)

    return Failing


def test_what_cannot_be_recorded_is_drawn_as_it_comes(
    engine_of: EngineOf, caplog: pytest.LogCaptureFixture
) -> None:
    engine = engine_of("tiny")
    recorded = captured(engine, tape_that_fails([RuntimeError("operation not permitted")]))
    s = structure(("negate", "unet.mid.attn"))
    for _ in range(2):
        assert same(engine, recorded, s, values(s, ({},)))
    assert [r.message for r in caplog.records] == [
        "time: goes on without graphs: RuntimeError: operation not permitted"
    ]


def test_a_recording_without_room_takes_that_of_older_ones(
    engine_of: EngineOf, caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[Exception] = []
    engine = captured(engine_of("tiny"), tape_that_fails(errors))
    shelf = engine.network.shelf  # type: ignore[attr-defined]
    for width in (64, 72, 80):
        s = structure(width=width, steps=1)
        engine.render(s, values(s))
    errors.append(torch.OutOfMemoryError("CUDA out of memory."))
    s = structure(width=88)
    engine.render(s, values(s))
    assert caplog.records == []
    assert len(shelf._kept["unet"]) == 2
    assert list(shelf._kept["unet"].values())[-1].result() is not None


def test_a_frame_without_room_is_tried_again_without_the_older_recordings(
    engine_of: EngineOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = captured(engine_of("tiny"))
    for width in (64, 72):
        s = structure(width=width, steps=1)
        engine.render(s, values(s))
    whole, full = engine._draw, [True]

    def draw(*given: Any) -> Tensor:
        if full.pop() if full else False:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return whole(*given)

    monkeypatch.setattr(engine, "_draw", draw)
    s = structure(width=80)
    assert engine.render(s, values(s)).pictures.shape == (1, 64, 80, 4)


def test_what_is_prepared_is_not_recorded_again(engine_of: EngineOf, tape: type[CountingTape]) -> None:
    engine = captured(engine_of("tiny"), tape)
    engine.prepare(structure(("negate", "unet.in"), start=1, steps=4))
    count = tape.count
    assert count > 2 * len(engine.model.unet_stages), "with guidance and without"
    for guided in (False, True):
        s = structure(guided=guided)
        assert same(engine_of("tiny"), engine, s, values(s))
    assert tape.count == count


def test_preparing_goes_on_beside_the_show(engine_of: EngineOf) -> None:
    engine = engine_of("tiny")
    recorded = captured(engine)
    s = structure(("negate", "unet.mid.attn"))
    worker = threading.Thread(target=lambda: [recorded.prepare(structure(width=w)) for w in (72, 80, 88)])
    worker.start()
    while worker.is_alive():
        assert same(engine, recorded, s, values(s, ({},)))
    worker.join()


def test_an_engine_on_the_processor_records_nothing(engine_of: EngineOf) -> None:
    for live in (False, True):
        assert isinstance(Engine(engine_of("tiny").model, live=live).network, Eager)
