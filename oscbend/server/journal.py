"""The newest of what happened, for readers in other threads."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Journal(Generic[T]):
    """Keeps so many entries. One thread writes and never waits; any thread reads.

    Args:
        capacity: how many are kept; what came first goes first.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: tuple[int, tuple[T, ...]] = (0, ())

    def add(self, *entries: T) -> None:
        """Writes entries."""
        count, kept = self._kept
        self._kept = count + len(entries), (*kept, *entries)[-self._capacity :]

    def since(self, count: int) -> tuple[int, tuple[T, ...]]:
        """How many entries were written in all, and those kept of what came after the first `count`."""
        total, kept = self._kept
        return total, kept[max(0, len(kept) - (total - count)) :]
