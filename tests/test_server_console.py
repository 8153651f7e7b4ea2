"""Lines for whoever runs the server."""

from __future__ import annotations

import threading

from oscbend.server.console import LINES, Console


def test_lines_are_written_in_order() -> None:
    written: list[str] = []
    console = Console(written.append)
    for n in range(100):
        console.say(str(n))
    console.close()
    assert written == [str(n) for n in range(100)]


def test_a_terminal_that_stands_still_holds_nobody_up() -> None:
    gate, written = threading.Event(), []

    def write(line: str) -> None:
        gate.wait(10)
        written.append(line)

    console = Console(write)
    for n in range(3 * LINES):
        console.say(str(n))
    gate.set()
    console.close()
    assert LINES <= len(written) <= LINES + 2
    assert written[-1] == f"… and {3 * LINES - len(written) + 1} more lines"
