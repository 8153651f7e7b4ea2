"""The test card, as it is drawn and as it arrives in hosts."""

from __future__ import annotations

import numpy as np
import pytest
from jitnet import Max

from oscbend.errors import OscbendError
from oscbend.frame import Frame
from oscbend.sinks.base import Sink
from oscbend.sinks.card import BARS, BITS, CORNERS, LAP, Card, line, show_card
from oscbend.sinks.jitter import JitterSink
from oscbend.sinks.look import Look
from oscbend.sinks.null import NullSink

SIZES = [(256, 256), (512, 288), (64, 64), (200, 640)]


def number_on(card: Card, picture: np.ndarray) -> int:
    """The frame's number, read from the cells."""
    number = 0
    for n in range(BITS):
        left, top, right, bottom = card.box(*card.cell(n))
        number = 2 * number + int(picture[round((top + bottom) / 2), round((left + right) / 2), 0] > 127)
    return number


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_corners_and_bars_stand_where_they_are_named(width: int, height: int) -> None:
    picture = Card(width, height).picture(0)
    assert picture.shape == (height, width, 4)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous
    assert (picture[..., 3] == 255).all()
    for n, (_, colour) in enumerate(CORNERS):
        y, x = (1, height - 2)[n // 2], (1, width - 2)[n % 2]
        assert tuple(picture[y, x, :3]) == colour
    for n, (_, colour) in enumerate(BARS):
        assert tuple(picture[int(0.3 * height), int((n + 0.5) * width / len(BARS)), :3]) == colour
    assert (picture[[0, -1]] == 255).all()
    assert (picture[:, [0, -1]] == 255).all()


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_number_can_be_read(width: int, height: int) -> None:
    card = Card(width, height)
    for number in (0, 1, 2, 513, 2**BITS - 1):
        assert number_on(card, card.picture(number)) == number
    assert number_on(card, card.picture(2**BITS + 5)) == 5


def test_the_mark_moves_from_left_to_right_and_the_figures_change() -> None:
    card = Card(256, 256)
    row, places = int(0.77 * 256), []
    for number in range(LAP):
        places.append(np.flatnonzero(card.picture(number)[row, 1:-1, 0] == 255).mean())
    assert places == sorted(places)
    assert places[0] < 16
    assert places[-1] > 240
    figures = slice(int(0.55 * 256), int(0.65 * 256))
    assert not np.array_equal(card.picture(1)[figures], card.picture(2)[figures])


def test_a_host_sees_it_upright_in_its_colours() -> None:
    host, card = Max(), Card(128, 64)
    sink = JitterSink(host.port)
    sink.look = Look(alpha="luma")
    stats = show_card(sink, card, 100, 20, lambda line: None)
    assert stats.shown + stats.dropped == 20
    host.quit()
    assert not host.wrong
    got = host.got[-1]
    argb = np.frombuffer(got.data, np.uint8).reshape(64, 128, 4)
    assert number_on(card, argb[..., 1:]) == 19
    assert np.array_equal(argb[..., 1:], card.picture(19)[..., :3])
    assert argb[2, 2, 0] == (54 * 160 + 183 * 30 + 19 * 30) >> 8


def test_it_tells_every_second_how_it_goes_and_ends_after_so_many_frames() -> None:
    sink, told = NullSink(), list[str]()
    stats = show_card(sink, Card(64, 64), 20, 23, told.append)
    assert len(told) == 1
    assert told[0].startswith("null: ")
    assert sink.last is not None
    assert sink.last.number == 22
    assert not stats.open
    assert "dropped" in line(stats)


class Full(Sink):
    kind, patience = "full", 2

    def show(self, frame: Frame) -> None:
        raise OscbendError("the disk is full")


def test_an_output_that_gives_up_ends_it() -> None:
    with pytest.raises(OscbendError, match="the disk is full"):
        show_card(Full(), Card(64, 64), 100, None, lambda line: None)
