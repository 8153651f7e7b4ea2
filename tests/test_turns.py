"""Jobs and frames in turns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from oscbend.turns import PATIENCE_S, Guard, Turns

LONG_S = 30.0


class Job:
    """A thread that does one small step after the other, in turns."""

    def __init__(self, turns: Turns, around: Callable[[Job], None] | None = None) -> None:
        self.steps = 0
        self.over = threading.Event()
        self.turns = turns
        self.around = around or Job.go_on
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        self.turns.join()
        self.around(self)

    def go_on(self, until: Callable[[], bool] = lambda: False) -> None:
        while not self.over.is_set() and not until():
            self.step()

    def step(self) -> None:
        self.steps += 1
        time.sleep(0)

    def wait_for(self, more: int, timeout_s: float = 10.0) -> bool:
        """True once it has done so many steps more."""
        wanted, end = self.steps + more, time.monotonic() + timeout_s
        while self.steps < wanted and time.monotonic() < end:
            time.sleep(0.001)
        return self.steps >= wanted


@contextmanager
def running(job: Job) -> Iterator[Job]:
    job.thread.start()
    try:
        yield job
    finally:
        job.over.set()
        job.thread.join(10)
        assert not job.thread.is_alive()


@pytest.fixture
def turns() -> Turns:
    return Turns()


def test_a_job_goes_on_where_nothing_is_drawn(turns: Turns) -> None:
    with running(Job(turns)) as job:
        assert job.wait_for(100)


def test_a_job_stands_still_while_a_frame_is_drawn(turns: Turns) -> None:
    with running(Job(turns)) as job:
        for _ in range(5):
            assert job.wait_for(10)
            with turns.frame(LONG_S):
                time.sleep(0.02)
                before = job.steps
                time.sleep(0.03)
                assert job.steps == before
        assert job.wait_for(10)


def test_whoever_holds_a_guard_is_not_stopped(turns: Turns) -> None:
    guard, held, enough = Guard(), threading.Event(), threading.Event()

    def hold(job: Job) -> None:
        with guard:
            held.set()
            job.go_on(until=enough.is_set)
        job.go_on()

    with running(Job(turns, hold)) as job:
        assert held.wait(10)
        with turns.frame(LONG_S):
            assert job.wait_for(100)
            enough.set()
            with guard:
                pass
            time.sleep(0.02)
            before = job.steps
            time.sleep(0.03)
            assert job.steps == before


def test_a_frame_that_waits_for_the_job_gets_what_it_waits_for(turns: Turns) -> None:
    lock, held, frame = threading.Lock(), threading.Event(), threading.Event()
    waits: list[float | None] = []
    wait = turns._over.wait
    turns._over.wait = lambda timeout=None: waits.append(timeout) or wait(timeout)  # type: ignore[func-returns-value, method-assign]

    def hold(job: Job) -> None:
        with lock:
            held.set()
            frame.wait(10)
            for _ in range(50):
                job.step()
        job.go_on()

    with running(Job(turns, hold)):
        assert held.wait(10)
        with turns.frame(0.0):
            frame.set()
            assert lock.acquire(timeout=10)
            lock.release()
        assert waits == [PATIENCE_S], "one wait for all its steps, not one for each"


def test_a_frame_that_throws_lets_jobs_go_on(turns: Turns) -> None:
    with running(Job(turns)) as job:
        with pytest.raises(ValueError, match="frame"), turns.frame(LONG_S):
            raise ValueError("frame")
        assert job.wait_for(10)


def test_a_guard_excludes_others() -> None:
    guard, inside, most = Guard(), 0, 0

    def enter() -> None:
        nonlocal inside, most
        for _ in range(200):
            with guard:
                inside += 1
                most = max(most, inside)
                time.sleep(0)
                inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == 1
