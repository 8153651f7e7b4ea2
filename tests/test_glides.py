"""Controls on their way."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscbend.glides import lagged, place
from oscbend.state import Glide

seconds = st.floats(0.001, 100)
numbers = st.floats(-1000, 1000)


def test_a_glide_begins_and_ends_on_the_point() -> None:
    glide = Glide(1.0, 2.0, 4.0, "sin")
    assert [place(glide, 3.0, t) for t in (0.0, 2.0, 4.0, 6.0, 99.0)] == [1.0, 1.0, 2.0, 3.0, 3.0]


def test_a_glide_may_be_exponential() -> None:
    assert place(Glide(1.0, 0.0, 2.0, "exp"), 100.0, 1.0) == pytest.approx(10.0)


def test_vectors_glide_together() -> None:
    assert place(Glide((0.0, 1.0), 0.0, 2.0), (1.0, 0.0), 0.5) == (0.25, 0.75)
    assert place(Glide((0.0, 1.0), 0.0, 1.0, lag=True), (0.0, 1.0), 0.5) == (0.0, 1.0)
    assert place(None, (1.0, 2.0), 0.5) == (1.0, 2.0)


@given(numbers, numbers, seconds, seconds)
def test_a_lag_goes_the_same_way_in_one_step_or_in_many(a: float, b: float, tau: float, wait: float) -> None:
    whole = place(Glide(a, 0.0, tau, lag=True), b, wait)
    halves = Glide(place(Glide(a, 0.0, tau, lag=True), b, wait / 2), wait / 2, tau, lag=True)
    assert place(halves, b, wait) == pytest.approx(whole, abs=1e-9)


@given(numbers, numbers, seconds)
def test_a_lag_has_gone_all_but_a_third_after_its_time(a: float, b: float, tau: float) -> None:
    assert place(Glide(a, 0.0, tau, lag=True), b, tau) == pytest.approx(b + (a - b) / math.e, abs=1e-9)
    assert place(Glide(a, 0.0, tau, lag=True), b, 41 * tau) == b


@given(numbers, numbers, numbers, seconds, seconds)
def test_a_new_value_starts_from_where_the_last_one_had_come(
    a: float, b: float, c: float, tau: float, when: float
) -> None:
    first = Glide(a, 0.0, tau, lag=True)
    second = lagged(first, b, c, when, tau)
    assert place(second, c, when) == pytest.approx(place(first, b, when), abs=1e-9)


def test_without_a_lag_or_a_way_to_go_nothing_moves() -> None:
    assert lagged(None, 1.0, 2.0, 0.0, 0.0) is None
    assert lagged(None, 2.0, 2.0, 0.0, 1.0) is None
