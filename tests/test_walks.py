"""Walks through noise: unit variance, continuity, where they pass."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscbend.frame import Mix
from oscbend.walks import at_seed, spectrum, walk, wander

turns = st.floats(-50, 50, allow_nan=False)
seeds = st.floats(0, 1e6, allow_nan=False)


def power(mix: Mix) -> float:
    return sum(c * c for _, c in mix)


def apart(a: Mix, b: Mix) -> float:
    left, right = dict(a), dict(b)
    return float(np.sqrt(sum((left.get(k, 0) - right.get(k, 0)) ** 2 for k in {*left, *right})))


@given(seeds, turns)
def test_every_noise_has_unit_variance(seed: float, turn: float) -> None:
    for mix in (at_seed(seed), walk(seed, turn), wander(seed, turn)):
        assert power(mix) == pytest.approx(1.0)


@given(seeds, turns)
def test_a_small_turn_is_a_small_change(seed: float, turn: float) -> None:
    assert apart(walk(seed, turn), walk(seed, turn + 1e-3)) < 0.01
    assert apart(wander(seed, turn), wander(seed, turn + 1e-3)) < 0.02


def test_a_whole_seed_is_its_own_noise() -> None:
    assert at_seed(46.0) == ((46, 1.0),)
    assert wander(46.0, 0.0) == ((46, 1.0),)
    assert walk(46.0, 0.0) == ((46, 1.0),)


def test_a_fractional_seed_lies_between_two() -> None:
    assert dict(at_seed(46.5)) == pytest.approx({46: 0.5**0.5, 47: 0.5**0.5})


def test_a_walk_closes_and_a_wander_does_not() -> None:
    assert apart(walk(3, 0.0), walk(3, 1.0)) == pytest.approx(0.0, abs=1e-9)
    assert apart(wander(3, 0.0), wander(3, 1.0)) > 1.0


def test_half_a_turn_is_the_opposite() -> None:
    assert dict(walk(3, 0.5))[3] == pytest.approx(-1.0)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=40))
def test_the_spectrum_walk_has_unit_variance(bands: list[float]) -> None:
    assert power(spectrum(46, np.array(bands))) == pytest.approx(1.0)


def test_the_spectrum_walk_smooths_the_fields_as_the_formula_says() -> None:
    rng = np.random.default_rng(0)
    fields = rng.normal(size=(5, 1000))
    weights = rng.uniform(size=5)
    smooth = fields.copy()
    for _ in range(2):
        smooth[1:] = 0.34 * smooth[:-1] + 0.66 * smooth[1:]
        smooth[0] = 0.66 * smooth[0]
    wanted = weights @ smooth
    mix = spectrum(0, weights)
    ours = sum(c * fields[s // 7919] for s, c in mix)
    assert np.corrcoef(wanted, ours)[0, 1] == pytest.approx(1.0, abs=1e-6)
