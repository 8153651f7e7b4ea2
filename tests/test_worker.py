"""Where jobs are done."""

from __future__ import annotations

import threading
import time

from oscbend.commands import Job
from oscbend.worker import Beside, Ended, InPlace


def job(name: str, wait: threading.Event | None = None) -> Job:
    def work():  # type: ignore[no-untyped-def]
        if wait is not None:
            wait.wait(10)
        return (lambda state: state), [name]

    return Job(f"/{name}", work)


def ended(worker: Beside, count: int) -> list[Ended]:
    found: list[Ended] = []
    end = time.monotonic() + 10
    while len(found) < count and time.monotonic() < end:
        found += worker.ended()
        time.sleep(0.001)
    return found


def test_jobs_end_in_their_order() -> None:
    worker = Beside()
    for name in ("a", "b", "c"):
        worker.submit(job(name))
    assert [e.notes for e in ended(worker, 3)] == [["a"], ["b"], ["c"]]
    worker.close()


def test_a_worker_is_busy_until_its_jobs_have_been_told_of() -> None:
    worker, gate = Beside(), threading.Event()
    assert not worker.busy
    worker.submit(job("a", gate))
    assert worker.busy
    gate.set()
    assert ended(worker, 1)
    assert not worker.busy
    worker.close()


def test_the_thread_of_the_jobs_is_made_ready_first() -> None:
    names: list[str] = []
    worker = Beside(lambda: names.append(threading.current_thread().name))
    worker.submit(Job("/a", lambda: (lambda state: state, [threading.current_thread().name])))
    assert [e.notes for e in ended(worker, 1)] == [names]
    assert names == ["jobs"]
    worker.close()


def test_jobs_stand_still_while_a_frame_is_drawn() -> None:
    worker, begun = Beside(), threading.Event()

    def work():  # type: ignore[no-untyped-def]
        begun.set()
        end = time.monotonic() + 0.05
        while time.monotonic() < end:
            time.sleep(0)
        return (lambda state: state), []

    worker.submit(Job("/a", work))
    assert begun.wait(10)
    with worker.turns.frame(30.0):
        time.sleep(0.2)
        assert worker.ended() == []
    assert ended(worker, 1)
    worker.close()


def test_in_place_a_job_is_done_at_once() -> None:
    worker = InPlace()
    worker.submit(job("a"))
    assert [e.notes for e in worker.ended()] == [["a"]]
    assert worker.ended() == []
