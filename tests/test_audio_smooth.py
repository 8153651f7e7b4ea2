"""Smoothing: its formulas, its order, and the same shape at every frame rate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from oscbend.audio import scale, smooth
from oscbend.audio.smooth import follow, gated, odd
from oscbend.errors import BadValue


def plucks(fps: int) -> np.ndarray:
    """Notes of 0.3 s that begin at 0.5, 1.5 and 2.2 s, over 4 s."""
    time_s = np.arange(4 * fps) / fps
    return sum(
        level * ((time_s >= at) & (time_s < at + 0.3)) for at, level in ((0.5, 1.0), (1.5, 0.4), (2.2, 0.8))
    ) + np.zeros(4 * fps)


def test_nothing_asked_changes_nothing() -> None:
    curve = np.random.default_rng(0).uniform(size=(50, 3)).astype(np.float32)
    smoothed = smooth(curve, fps=20)
    assert np.array_equal(smoothed, curve)
    assert smoothed.dtype == np.float32


@pytest.mark.parametrize(
    "settings",
    [
        {"release_s": 0.25},
        {"attack_s": 0.1, "release_s": 0.5},
        {"alpha": 0.8},
        {"alpha": 0.5, "gate": 0.2},
        {"median": 3, "alpha": 0.7},
    ],
)
def test_equal_at_30_and_60_fps(settings: dict[str, Any]) -> None:
    slow = smooth(plucks(30), fps=30, **settings)
    fast = smooth(plucks(60), fps=60, **settings)[::2]
    off = np.abs(slow - fast)
    assert off.mean() < 0.02
    assert np.quantile(off, 0.9) < 0.06  # one frame of the slower rate, at an edge


@pytest.mark.parametrize("fps", [20, 23.976, 30, 60, 120])
def test_release_is_a_time_constant(fps: float) -> None:
    curve = np.zeros(round(2 * fps))
    curve[0] = 1
    y = smooth(curve, fps=fps, release_s=0.5)
    k = round(0.5 * fps)
    assert y[k] == pytest.approx(math.exp(-k / fps / 0.5), rel=1e-2)


def test_alpha_at_20_fps_is_the_papers_formula() -> None:
    x = np.random.default_rng(1).uniform(size=100)
    y, expected = x[0], []
    for value in x:
        y = value if value > y else (1 - 0.7) * value + 0.7 * y
        expected.append(y)
    assert np.allclose(smooth(x, fps=20, alpha=0.7), expected, atol=1e-6)


def test_alpha_at_60_fps_falls_as_far_in_50_ms() -> None:
    curve = np.zeros(13)
    curve[0] = 1
    assert smooth(curve, fps=60, alpha=0.7)[[3, 6, 12]] == pytest.approx([0.7, 0.49, 0.7**4], rel=1e-5)


def test_it_rises_at_once() -> None:
    curve = np.array([0, 0, 1, 1, 0], np.float32)
    assert smooth(curve, fps=20, release_s=1)[:4].tolist() == [0, 0, 1, 1]


def test_attack_is_a_time_constant() -> None:
    curve = np.ones(100)
    curve[0] = 0
    assert smooth(curve, fps=50, attack_s=0.4)[20] == pytest.approx(1 - math.exp(-1), rel=1e-4)


def test_the_median_takes_out_a_spike_and_keeps_an_edge() -> None:
    curve = np.array([0, 0, 9, 0, 0, 1, 1, 1, 1], float)
    assert smooth(curve, fps=20, median=3).tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1]


def test_the_median_counts_in_50_ms() -> None:
    assert [odd(3 * fps / 20) for fps in (20, 30, 60, 10, 2)] == [3, 5, 9, 1, 1]
    spike = np.zeros(60)
    spike[30:33] = 1  # 50 ms at 60 fps
    assert not smooth(spike, fps=60, median=3).any()


def test_no_median_at_any_frame_rate() -> None:
    curve = np.random.default_rng(2).uniform(size=60)
    assert np.allclose(smooth(curve, fps=60, median=1), curve)


def test_the_gate() -> None:
    curve = np.array([1, 2, 3, 5])
    assert gated(curve, 0.5).tolist() == [0, 0, 3, 5]
    assert gated(curve, 0).tolist() == [1, 2, 3, 5]


def test_the_gate_follows_each_component() -> None:
    curve = np.array([[0, 0], [0.4, 40], [1, 100], [0.6, 60]])
    assert gated(curve, 0.5).tolist() == [[0, 0], [0, 0], [1, 100], [0.6, 60]]


def test_median_then_follower_then_gate() -> None:
    spike = np.zeros(40)
    spike[20] = 1
    assert not smooth(spike, fps=20, median=3, alpha=0.9).any()  # a follower first would have kept it
    step = np.zeros(40)
    step[10:20] = 1
    y = smooth(step, fps=20, alpha=0.9, gate=0.5)
    assert y[20:26].all()  # a gate first would have let the tail through whole
    assert not y[30:].any()


def test_components_do_not_mix() -> None:
    curve = np.random.default_rng(3).uniform(size=(60, 4))
    whole = smooth(curve, fps=30, median=3, alpha=0.6, gate=0.1)
    for k in range(4):
        assert np.allclose(whole[:, k], smooth(curve[:, k], fps=30, median=3, alpha=0.6, gate=0.1))


def test_the_input_is_left_alone() -> None:
    curve = np.random.default_rng(4).uniform(size=30)
    before = curve.copy()
    follow(curve, 0.1, 0.5)
    smooth(curve, fps=20, release_s=1, gate=0.3)
    assert np.array_equal(curve, before)


@pytest.mark.parametrize(
    "settings",
    [
        {"median": 2},
        {"median": 0},
        {"alpha": 1.0},
        {"alpha": -0.1},
        {"gate": 1.5},
        {"release_s": -1},
        {"attack_s": math.inf},
        {"alpha": 0.5, "release_s": 0.5},
        {"fps": 0},
    ],
)
def test_impossible_settings(settings: dict[str, Any]) -> None:
    with pytest.raises(BadValue):
        smooth(np.ones(5), **{"fps": 20, **settings})


def test_scale() -> None:
    assert scale(np.array([2, 3, 4]), 0, 10).tolist() == [0, 5, 10]
    assert scale(np.array([2, 3, 4]), 1, -1).tolist() == [1, 0, -1]


@pytest.mark.parametrize("value", [0.0, 7.0, -1e9])
def test_a_constant_becomes_lo(value: float) -> None:
    assert scale(np.full(4, value), 0.5, 3).tolist() == [0.5] * 4


def test_scale_each_or_together() -> None:
    curve = np.array([[0, 0], [1, 10]])
    assert scale(curve, 0, 1).tolist() == [[0, 0], [1, 1]]
    assert scale(curve, 0, 1, together=True) == pytest.approx(np.array([[0, 0], [0.1, 1]]))
