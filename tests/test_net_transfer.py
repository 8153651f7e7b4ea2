"""Values in, pictures out: nothing is written over that a copy still reads."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from drawing import structure, values
from torch import Tensor

from oscbend.engine import Engine
from oscbend.frame import Values
from oscbend.net.transfer import Buffer, Ring, Slots, lane_of

CPU = torch.device("cpu")


class Point:
    """A point in a stream of copies that are done only when somebody waits, or by chance."""

    def __init__(self, lane: LateLane, number: int) -> None:
        self.lane = lane
        self.number = number

    def query(self) -> bool:
        return self.number <= self.lane.done

    def synchronize(self) -> None:
        self.lane.waits += not self.query()
        self.lane.run(self.number)


class LateLane:
    """A device that copies as late as it may, in order, in and out apart; it computes in no time."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self.rng = rng
        self.queue: list[Callable[[], object]] = []
        self.arrived: list[Tensor] = []
        self.done = 0
        self.waits = 0

    def pinned(self, size: int, dtype: torch.dtype) -> Tensor:
        return torch.zeros(size, dtype=dtype)

    def upload(self, there: Tensor, here: Tensor) -> Point:
        return self._copy(there, here)

    def download(self, here: Tensor, there: Tensor) -> Point:
        return self._copy(here, there)

    @torch.inference_mode()
    def run(self, number: int) -> None:
        while self.done < number:
            self.queue[self.done]()
            self.done += 1

    def _copy(self, to: Tensor, whence: Tensor) -> Point:
        self.queue.append(lambda: self.arrived.append(to.copy_(whence).clone()))
        if self.rng is not None:
            self.run(self.rng.randint(self.done, len(self.queue)))
        return Point(self, len(self.queue))


@pytest.mark.parametrize("seed", range(20))
def test_numbers_may_be_changed_as_soon_as_they_are_sent(seed: int) -> None:
    rng = random.Random(seed)
    lane = LateLane()
    slots = Slots(torch.zeros(8), lane)
    numbers = np.zeros(8, np.float32)
    for n in range(30):
        numbers[:] = n
        slots.send(numbers)
        numbers[:] = -1
        lane.run(rng.randint(lane.done, len(lane.queue)))
    lane.run(len(lane.queue))
    assert [a.tolist() for a in lane.arrived] == [[n] * 8 for n in range(30)]


def test_two_sends_wait_for_nothing_and_the_third_for_the_first() -> None:
    lane = LateLane()
    slots = Slots(torch.zeros(1), lane)
    waits = []
    for n in range(4):
        slots.send(np.full(1, n, np.float32))
        waits.append((lane.waits, lane.done))
    assert waits == [(0, 0), (0, 0), (1, 1), (2, 2)]


def picture(n: int, batch: int = 1) -> tuple[Tensor, Tensor]:
    return torch.full((batch, 2, 3, 4), n, dtype=torch.uint8), torch.tensor([n % 3 != 0] * batch)


@pytest.mark.parametrize("seed", range(20))
def test_pictures_land_whole_whenever_they_are_fetched(seed: int) -> None:
    rng = random.Random(seed)
    lane = LateLane(rng)
    ring = Ring(lane)
    flying = []
    pictures, finite = picture(0)
    for n in range(40):
        batch = rng.choice([1, 1, 2])
        pictures, finite = picture(n, batch)
        flying.append((n, batch, ring.send(pictures, finite)))
        pictures.fill_(255)
        finite.fill_(False)
        while flying and rng.random() < 0.5:
            number, size, landing = flying.pop(rng.randrange(len(flying)))
            rendered = landing.result()
            assert rendered.pictures.shape == (size, 2, 3, 4)
            assert (rendered.pictures == number).all()
            assert rendered.finite.tolist() == [number % 3 != 0] * size
    for number, _, landing in flying:
        assert (landing.result().pictures == number).all()


def test_a_picture_is_waited_for_only_when_it_is_fetched() -> None:
    lane = LateLane()
    ring = Ring(lane)
    first, second = ring.send(*picture(1)), ring.send(*picture(2))
    assert not first.ready()
    assert lane.waits == 0
    assert (second.result().pictures == 2).all()
    assert first.ready()
    assert second.result() is second.result()


def test_a_third_picture_takes_the_place_of_the_first_which_is_kept() -> None:
    lane = LateLane()
    ring = Ring(lane)
    landings = [ring.send(*picture(n)) for n in range(3)]
    assert lane.done == 1
    assert landings[0].ready()
    assert [int(landing.result().pictures[0, 0, 0, 0]) for landing in landings] == [0, 1, 2]


def test_pictures_that_have_landed_are_nobody_elses() -> None:
    ring = Ring(LateLane())
    kept = ring.send(*picture(1)).result()
    for n in range(4):
        ring.send(*picture(n)).result()
    assert kept.pictures.flags["OWNDATA"]
    assert kept.pictures.flags["C_CONTIGUOUS"]
    assert (kept.pictures == 1).all()


def test_a_buffer_here_is_read_where_it_is_written() -> None:
    buffer = Buffer([(2, 1), (3,)], CPU, None)
    (a, there_a), (b, there_b) = buffer.part(), buffer.part()
    a[:], b[:] = 1, 2
    buffer.send()
    assert there_a.tolist() == [[1], [1]]
    assert there_b.tolist() == [2, 2, 2]


def test_a_buffer_elsewhere_is_read_when_it_was_sent() -> None:
    buffer = Buffer([(2, 1), (3,)], CPU, LateLane(random.Random(1)))
    (a, there_a), (_, there_b) = buffer.part(), buffer.part()
    a[:] = 1
    assert there_a.tolist() == [[0], [0]]
    for _ in range(5):
        buffer.send()
    assert there_a.tolist() == [[1], [1]]
    assert there_b.tolist() == [0, 0, 0]


def test_the_processor_needs_no_lane() -> None:
    assert lane_of(CPU) is None


class Prompt(LateLane):
    """A lane that brings numbers at once, as a frame reads them, and pictures as late as it may."""

    def upload(self, there: Tensor, here: Tensor) -> Point:
        there.copy_(here)
        return Point(self, 0)


def test_frames_under_way_are_those_that_were_asked_for(engine_of: Callable[[str], Engine]) -> None:
    plain = engine_of("tiny")
    lane = Prompt()
    model = type(plain.model)(**{f: getattr(plain.model, f) for f in plain.model.__dataclass_fields__})
    model.__dict__["lane"] = lane
    beside = Engine(model)
    s = structure(("multiply", "unet.mid.attn"), steps=1)
    asked: list[Values] = [values(s, ({"r": float(r)},)) for r in (0, 2, -1, 4, 0.5)]
    begun = []
    for v in asked:
        beside.encode(*v.texts)
        begun.append(beside.submit(s, v))
        v.params[0]["r"][:] = 99
    for r, pending in zip((0, 2, -1, 4, 0.5), begun, strict=True):
        drawn = plain.render(s, values(s, ({"r": float(r)},)))
        assert np.array_equal(pending.result().pictures, drawn.pictures)
