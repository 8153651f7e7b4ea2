"""When a frame will be seen."""

from __future__ import annotations

import pytest

from oscbend.server.pace import FRAMES, MARGIN_S, Pace


def drawn(pace: Pace, took_s: float, count: int = FRAMES, start_s: float = 0.0) -> None:
    for n in range(count):
        began_s = start_s + n
        pace.landed(pace.begin(began_s, 0.03), began_s + took_s)


def test_at_first_only_the_latency_is_known() -> None:
    assert Pace().begin(5.0, 0.03) == 5.03


def test_a_frame_is_seen_after_it_is_drawn_and_shown() -> None:
    pace = Pace()
    drawn(pace, 0.050)
    assert pace.render_s == pytest.approx(0.050)
    assert pace.begin(100.0, 0.03) == pytest.approx(100.08)
    assert pace.ahead_s(0.03) == pytest.approx(0.08 + MARGIN_S)


def test_one_slow_frame_changes_nothing_and_many_do() -> None:
    pace = Pace()
    drawn(pace, 0.050)
    drawn(pace, 3.0, count=5, start_s=100.0)
    assert pace.render_s == pytest.approx(0.050)
    drawn(pace, 0.2, count=FRAMES, start_s=200.0)
    assert pace.render_s == pytest.approx(0.2)


def test_frames_are_never_seen_in_another_order() -> None:
    pace = Pace()
    drawn(pace, 2.0)
    first = pace.begin(100.0, 0.5)
    drawn_late = pace.begin(100.01, 0.0)
    assert drawn_late == first


def test_a_frame_that_was_not_measured_is_passed_over() -> None:
    pace = Pace()
    pace.begin(0.0, 0.0)
    second = pace.begin(1.0, 0.0)
    pace.landed(second, 1.25)
    assert pace.render_s == 0.25
    pace.landed(0.5, 9.0)
    assert pace.render_s == 0.25


def test_where_pictures_come_frames_late_so_do_bundles() -> None:
    pace = Pace()
    drawn(pace, 0.050)
    assert pace.every_s == pytest.approx(1.0)
    assert pace.ahead_s(0.03, behind=3) == pytest.approx(3.08 + MARGIN_S)
    assert pace.begin(float(FRAMES), 0.03, behind=3) == pytest.approx(FRAMES + 3.08)
