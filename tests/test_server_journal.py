"""The newest of what happened."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oscbend.server.journal import Journal


def test_who_reads_gets_what_came_since() -> None:
    journal: Journal[str] = Journal(10)
    assert journal.since(0) == (0, ())
    journal.add("a", "b")
    assert journal.since(0) == (2, ("a", "b"))
    journal.add("c")
    assert journal.since(2) == (3, ("c",))
    assert journal.since(3) == (3, ())


@given(st.lists(st.integers(0, 5), max_size=20), st.integers(1, 7), st.data())
def test_nothing_is_told_twice_and_the_newest_is_never_missed(
    sizes: list[int], capacity: int, data: st.DataObject
) -> None:
    journal: Journal[int] = Journal(capacity)
    written: list[int] = []
    read = 0
    for size in sizes:
        entries = [len(written) + n for n in range(size)]
        journal.add(*entries)
        written += entries
        if data.draw(st.booleans()):
            fresh = written[read:]
            read, told = journal.since(read)
            assert list(told) == fresh[-capacity:]
            assert read == len(written)
