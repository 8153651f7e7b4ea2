"""What comes in, written out."""

from __future__ import annotations

import pytest

from oscbend.dump import LINES_A_SECOND, LONGEST, Dump
from oscbend.osc import Bundle, Message, TimeTag

HOST = ("127.0.0.1", 9)


def lines(mode: int, *packets: Message | Bundle | None) -> list[str]:
    dump = Dump()
    dump.mode = mode
    for packet in packets:
        dump.note(b"/a\0\0,\0\0\0", packet, HOST, 100.0)
    return list(dump.lines())


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (1, ["127.0.0.1:9 /a 1 'x'"]),
        (2, ["127.0.0.1:9 8 bytes: 2f610000 2c000000"]),
        (3, ["127.0.0.1:9 /a 1 'x'", "127.0.0.1:9 8 bytes: 2f610000 2c000000"]),
    ],
)
def test_what_it_says_or_its_bytes_or_both(mode: int, expected: list[str]) -> None:
    assert lines(mode, Message("/a", (1, "x"))) == expected


def test_a_bundle_tells_when_it_acts() -> None:
    inner = Bundle(TimeTag(1), (Message("/b"),))
    bundle = Bundle(TimeTag.from_unix(100.25), (Message("/a", (1,)), inner))
    assert lines(1, bundle) == ["127.0.0.1:9 [+0.250 s: /a 1; [now: /b]]"]


def test_a_bad_packet_is_told_as_such() -> None:
    assert lines(1, None) == ["127.0.0.1:9 bad packet"]


def test_nothing_that_would_move_the_terminal_is_written() -> None:
    (line,) = lines(1, Message("/a\x1b[2J\n", ("\x07" + "é" * 1000,)))
    assert line.isprintable()
    assert len(line) <= LONGEST + 1


def test_a_flood_is_counted_and_not_written() -> None:
    told = lines(1, *[Message("/a")] * (LINES_A_SECOND + 30))
    assert len(told) == LINES_A_SECOND + 1
    assert told[-1] == "… and 30 more packets"
