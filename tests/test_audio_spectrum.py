"""The spectrum walk: its bands, its formula, and what it must not depend on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from oscbend.audio import Sound, analyze_sound
from oscbend.audio.spectrum import band_edges, walk
from oscbend.errors import BadValue

RATE = 8000


def tone(hertz: float, length_s: float = 3.0, rate: int = RATE) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(length_s * rate)) / rate)).astype(np.float32)


def noise(length_s: float = 2.0, rate: int = RATE) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(round(length_s * rate))).astype(np.float32)


def test_bands_begin_at_skip_and_widen() -> None:
    edges = band_edges(16, 1.015, 4292)
    widths = np.diff(edges)
    assert edges[0] == 16
    assert edges[-1] <= 4292
    assert edges[-1] + widths[-1] * 1.015 > 4292 - 1
    assert widths.min() == 1  # the narrow bands are there
    assert widths[:40].max() <= 2
    assert widths[-1] == pytest.approx(1.015 ** (len(widths) - 1), abs=1)
    assert len(widths) == 280


def test_bands_of_one_width() -> None:
    assert np.array_equal(band_edges(0, 1.0, 10), np.arange(11))


@pytest.mark.parametrize("rate", [8000, 44100])
@pytest.mark.parametrize("growth", [1.0, 1.01, 1.1])
def test_bands_stay_below_half_the_rate(rate: int, growth: float) -> None:
    sound = Sound(noise(0.2, rate), rate, 20)
    weights = walk(sound, growth=growth, highest=1e6)
    assert weights.shape == (4, len(band_edges(16, growth, rate / 2)) - 1)
    assert np.isfinite(weights).all()


def test_no_room_for_a_band() -> None:
    with pytest.raises(BadValue, match="no band"):
        walk(Sound(noise(0.2), RATE, 20), skip=5000)


@pytest.mark.parametrize("detail", [0.0, 0.6, 0.9])
def test_the_formula(detail: float) -> None:
    """Written out for a frame in the middle, window and all."""
    samples = noise() + tone(440, 2.0)
    sound = Sound(samples, RATE, 20)
    i = 20
    centre = (sound.borders[i] + sound.borders[i + 1]) // 2
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(RATE) / RATE)
    x = samples[centre - RATE // 2 : centre + RATE // 2].astype(np.float64) * window
    decibels = 20 * np.log10(np.abs(np.fft.rfft(x)))
    p = np.exp(decibels - decibels.max())
    q = (p / p.sum()) ** (1 - detail)
    edges = band_edges(16, 1.015, 4000)
    expected = [q[lo:hi].mean() for lo, hi in pairwise(edges)]
    assert np.allclose(walk(sound, detail=detail)[i], expected, rtol=1e-3, atol=1e-9)


def test_softmax_adds_up_to_one() -> None:
    weights = walk(Sound(noise(), RATE, 20), detail=0, skip=0, growth=1.0)
    assert weights.shape[1] == RATE // 2  # all bins but the last
    assert weights.sum(axis=1) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("hertz", [30, 440, 2500])
def test_a_tone_is_in_its_band(hertz: int) -> None:
    weights = walk(Sound(tone(hertz), RATE, 20))
    edges = band_edges(16, 1.015, 4000)
    expected = np.searchsorted(edges, hertz, side="right") - 1
    assert (np.abs(weights[15:-15].argmax(axis=1) - expected) <= 1).all()


def test_level_changes_nothing() -> None:
    samples = noise()
    assert np.allclose(walk(Sound(samples, RATE)), walk(Sound(4 * samples, RATE)), rtol=1e-3)


def test_the_window_is_centred() -> None:
    samples = np.concatenate([tone(300, 2.0), tone(1500, 2.0)])
    weights = walk(Sound(samples, RATE, 20))
    edges = band_edges(16, 1.015, 4000)
    low, high = (np.searchsorted(edges, h, side="right") - 1 for h in (300, 1500))
    ahead = weights[:, high] > weights[:, low]
    assert abs(int(ahead.argmax()) - 40) <= 1


def test_silence_is_even_and_finite() -> None:
    weights = walk(Sound(np.zeros(RATE, np.float32), RATE, 20))
    assert np.isfinite(weights).all()
    assert (weights > 0).all()
    assert np.ptp(weights) == pytest.approx(0, abs=1e-12)


def test_the_walk_stands_still_in_a_pause() -> None:
    pause = np.zeros(3 * RATE, np.float32)
    samples = np.concatenate([pause, tone(300, 2.0), pause, tone(1500, 2.0)])
    weights = walk(Sound(samples, RATE, 20))
    loudest = weights.argmax(axis=1)
    edges = band_edges(16, 1.015, 4000)
    low, high = (np.searchsorted(edges, h, side="right") - 1 for h in (300, 1500))
    assert set(loudest.tolist()) == {low, high}
    assert (np.diff(loudest) != 0).sum() == 1
    assert np.array_equal(weights[0], weights[40])
    assert np.array_equal(weights[120], weights[140])


def test_detail_one_lets_all_bands_count_alike() -> None:
    assert np.allclose(walk(Sound(noise(), RATE, 20), detail=1.0), 1.0)


def test_it_is_a_feature() -> None:
    sound = Sound(noise(), RATE, 30)
    curves = analyze_sound(sound, ["spectrum:0.9,16,1.01,11000"])
    assert np.allclose(curves["spectrum"], walk(sound, 0.9, 16, 1.01, 11000), atol=1e-6)
