"""What waits for the next frame."""

from __future__ import annotations

import pytest

from oscbend.server.inbox import QUEUE_BYTES, Arrivals, Inbox

SENDER = ("127.0.0.1", 1)


def waiting(inbox: Inbox) -> list[bytes]:
    return [data for arrivals in inbox.drain() for data, _ in arrivals.datagrams]


def test_what_came_is_given_once_and_in_order() -> None:
    inbox = Inbox()
    inbox.put(Arrivals(0.0, [(b"a", SENDER), (b"b", SENDER)]))
    inbox.put(Arrivals(1.0, [(b"c", SENDER)]))
    assert [a.time_s for a in inbox.drain()] == [0.0, 1.0]
    assert inbox.drain() == []
    assert (inbox.received, inbox.dropped) == (3, 0)


@pytest.mark.parametrize("together", [1, 7, 130])
def test_a_full_queue_drops_the_oldest(together: int) -> None:
    inbox = Inbox(capacity=100)
    numbers = [bytes([n]) for n in range(130)]
    for start in range(0, 130, together):
        inbox.put(Arrivals(0.0, [(data, SENDER) for data in numbers[start : start + together]]))
    assert waiting(inbox) == numbers[30:]
    assert (inbox.received, inbox.dropped) == (130, 30)
    assert waiting(inbox) == []


def test_the_queue_is_bounded_in_bytes_too() -> None:
    inbox = Inbox(capacity=10**6)
    megabyte = Arrivals(0.0, [(bytes(2**20), SENDER)])
    for _ in range(QUEUE_BYTES // 2**20 + 3):
        inbox.put(Arrivals(0.0, list(megabyte.datagrams)))
    assert inbox.dropped == 3
    inbox.drain()
    inbox.put(megabyte)
    assert len(waiting(inbox)) == 1
