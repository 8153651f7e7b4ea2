"""How an output shows frames that its host wants otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from oscbend.frame import Frame
from oscbend.sinks.look import Look, Pace


def frame(height: int = 6, width: int = 8) -> Frame:
    picture = np.full((height, width, 4), 255, np.uint8)
    picture[..., 0] = np.arange(height)[:, None] * 10
    picture[..., 1] = np.arange(width) * 5
    picture[..., 2] = 7
    return Frame(3, 1.5, picture)


def test_a_look_that_changes_nothing_gives_the_frame_itself() -> None:
    one = frame()
    assert Look().seen(one) is one
    assert Look(size=(8, 6)).seen(one) is one


def test_upside_down_and_blue_first() -> None:
    one = frame()
    seen = Look(flip=True, swap=True).seen(one)
    assert (seen.number, seen.time_s) == (3, 1.5)
    assert seen.picture.flags.c_contiguous
    assert np.array_equal(seen.picture, one.picture[::-1][..., [2, 1, 0, 3]])
    assert one.picture[0, 0, 2] == 7


def test_brightness_as_alpha() -> None:
    colours = {(255, 255, 255): 255, (0, 0, 0): 0, (255, 0, 0): 53, (0, 255, 0): 182, (0, 0, 255): 18}
    picture = np.full((1, len(colours), 4), 255, np.uint8)
    picture[0, :, :3] = list(colours)
    seen = Look(alpha="luma").seen(Frame(0, 0.0, picture)).picture
    assert seen[0, :, 3].tolist() == list(colours.values())
    assert np.array_equal(seen[..., :3], picture[..., :3])
    swapped = Look(alpha="luma", swap=True, flip=True).seen(Frame(0, 0.0, picture)).picture
    assert np.array_equal(swapped, seen[::-1][..., [2, 1, 0, 3]])


def test_another_size_shows_the_whole_picture() -> None:
    seen = Look(size=(16, 12)).seen(frame()).picture
    assert seen.shape == (12, 16, 4)
    assert seen[0].mean() < seen[-1].mean()
    assert np.all(seen[..., 3] == 255)


@pytest.mark.parametrize(("given", "wanted"), [(60, 30), (60, 25), (60, 12), (30, 60), (60, 0)])
def test_frames_are_let_through_at_the_rate(given: int, wanted: int) -> None:
    pace = Pace()
    due = [pace.due(n / given, wanted) for n in range(10 * given)]
    assert due[0]
    assert sum(due) == pytest.approx(10 * (min(given, wanted) or given), abs=1)


def test_a_clock_that_begins_anew_is_followed() -> None:
    pace = Pace()
    assert pace.due(100.0, 10)
    assert not pace.due(100.05, 10)
    assert pace.due(0.0, 10)
    assert not pace.due(0.05, 10)
    assert pace.due(50.0, 10)
