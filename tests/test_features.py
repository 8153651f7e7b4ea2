"""Feature buses: following, holding, ranges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from oscbend.errors import BadValue, UnknownName
from oscbend.features import ALL_COMPONENTS, MAX_BUSES, MAX_COMPONENTS, Buses, follow, split
from oscbend.state import Listening

RAW = Listening(range=(0.0, 1.0), attack_s=0.0, release_s=0.0)


def test_a_bus_is_made_by_its_first_message() -> None:
    buses = Buses()
    buses.feed("rms", (0.5,), 0.0, RAW)
    buses.close_frame({"rms": RAW}, 0.0)
    assert buses.unit("rms", {"rms": RAW}) == pytest.approx([0.5])


def test_an_unknown_feature_is_silent_in_a_map_and_an_error_when_asked() -> None:
    buses = Buses()
    assert buses.unit("nothing", {}) == pytest.approx([0.0])
    with pytest.raises(UnknownName):
        buses["nothing"]


def test_components_of_a_vector() -> None:
    buses = Buses()
    buses.feed("bands", (0.1, 0.2, 0.3), 0.0, RAW)
    buses.close_frame({"bands": RAW}, 0.0)
    heard = {"bands": RAW}
    assert buses.unit("bands", heard) == pytest.approx([0.1, 0.2, 0.3])
    assert buses.unit("bands.2", heard) == pytest.approx([0.3])
    assert buses.unit("bands.7", heard) == pytest.approx([0.0])


@pytest.mark.parametrize(
    ("name", "parts"), [("rms", ("rms", None)), ("b.3", ("b", 3)), ("librosa.rms", ("librosa.rms", None))]
)
def test_names_of_components(name: str, parts: tuple[str, int | None]) -> None:
    assert split(name) == parts


@pytest.mark.parametrize("rate", [30, 60, 1000])
def test_following_does_not_depend_on_the_rate_of_messages(rate: int) -> None:
    how = Listening(range=(0.0, 1.0), attack_s=0.1, release_s=0.5)
    buses = Buses()
    buses.feed("x", (0.0,), 0.0, how)
    for n in range(1, rate + 1):
        buses.feed("x", (1.0,), n / rate, how)
    assert buses["x"].value[0] == pytest.approx(1 - np.exp(-1 / 0.1), abs=1e-6)
    for n in range(1, rate + 1):
        buses.feed("x", (0.0,), 1 + n / rate, how)
    assert buses["x"].value[0] == pytest.approx(np.exp(-1 / 0.5), rel=1e-3)


def test_attack_and_release_differ_per_component() -> None:
    out = follow(np.array([0.0, 1.0]), np.array([1.0, 0.0]), 0.1, 0.0, 0.1)
    assert out == pytest.approx([1.0, np.exp(-1.0)])


@pytest.mark.parametrize(("hold", "seen"), [("latest", 0.2), ("max", 0.9), ("mean", 0.4)])
def test_what_a_frame_sees_of_several_messages(hold: str, seen: float) -> None:
    how = Listening(range=(0.0, 1.0), attack_s=0.0, release_s=0.0, hold=hold)
    buses = Buses()
    for n, value in enumerate((0.1, 0.9, 0.2)):
        buses.feed("onset", (value,), n / 100, how)
    buses.close_frame({"onset": how}, 0.0)
    assert buses.unit("onset", {"onset": how}) == pytest.approx([seen])
    buses.close_frame({"onset": how}, 0.0)
    assert buses.unit("onset", {"onset": how}) == pytest.approx([0.2])


def test_the_automatic_range_is_the_5th_to_95th_percentile_of_the_last_20_seconds() -> None:
    how = Listening(attack_s=0.0, release_s=0.0)
    buses = Buses()
    rng = np.random.default_rng(0)
    values = rng.uniform(10, 20, 2000)
    for n, value in enumerate(values):
        buses.feed("x", (value,), n * 0.02, how)
    last = values[-1001:]
    bus = buses["x"]
    assert bus.lo[0] == pytest.approx(np.percentile(last, 5), abs=0.2)
    assert bus.hi[0] == pytest.approx(np.percentile(last, 95), abs=0.2)


def test_silence_is_not_amplified() -> None:
    how = Listening(attack_s=0.0, release_s=0.0)
    buses = Buses()
    rng = np.random.default_rng(0)
    for n in range(1000):
        buses.feed("x", (rng.uniform(0, 1),), n * 0.02, how)
    for n in range(1000, 2200):
        buses.feed("x", (rng.uniform(0, 0.001),), n * 0.02, how)
    buses.close_frame({"x": how}, 0.0)
    assert buses.unit("x", {"x": how})[0] < 0.02


def test_hold_freezes_the_range() -> None:
    auto = Listening(attack_s=0.0, release_s=0.0)
    buses = Buses()
    for n in range(200):
        buses.feed("x", (n / 200,), n * 0.02, auto)
    before = buses["x"].hi.copy()
    held = Listening(range="hold", attack_s=0.0, release_s=0.0)
    for n in range(200, 400):
        buses.feed("x", (9.0,), n * 0.02, held)
    assert buses["x"].hi == pytest.approx(before)


def test_a_median_filter_removes_a_single_click() -> None:
    how = Listening(range=(0.0, 1.0), attack_s=0.0, release_s=0.0, median=3)
    buses = Buses()
    for n, value in enumerate((0.1, 0.1, 1.0, 0.1)):
        buses.feed("x", (value,), n / 100, how)
        assert buses["x"].value[0] == pytest.approx(0.1)


def test_a_median_may_come_and_go_while_the_range_follows() -> None:
    buses = Buses()
    for n in range(200):
        how = Listening(median=3 if n % 2 else 1)
        buses.feed("x", (n / 100,), n / 30, how)
        buses.close_frame({"x": how}, n / 30)
    assert 0.9 < buses["x"].unit(Listening())[0] <= 1.0


def test_a_gate_silences_what_is_below_it() -> None:
    how = Listening(range=(0.0, 1.0), attack_s=0.0, release_s=0.0, gate=0.3)
    buses = Buses()
    buses.feed("x", (0.2, 0.4), 0.0, how)
    buses.close_frame({"x": how}, 0.0)
    assert buses.unit("x", {"x": how}) == pytest.approx([0.0, 0.4])


def test_a_vector_of_another_length_starts_anew() -> None:
    buses = Buses()
    buses.feed("x", (1.0, 2.0), 0.0, RAW)
    buses.feed("x", (1.0, 2.0, 3.0), 0.1, RAW)
    assert buses["x"].size == 3


def test_the_number_of_buses_is_bounded() -> None:
    buses = Buses()
    for n in range(512):
        buses.feed(f"f{n}", (0.0,), 0.0, RAW)
    with pytest.raises(BadValue, match="512 features"):
        buses.feed("one.more", (0.0,), 0.0, RAW)
    with pytest.raises(BadValue, match="at least one"):
        buses.feed("f1", (), 0.0, RAW)


class TestOnsets:
    HOW = Listening(range=(2.0, 6.0), release_s=0.5)

    def seen(self, buses: Buses, time_s: float, how: Listening = HOW) -> float:
        buses.close_frame({"kick": how}, time_s)
        return float(buses.unit("kick", {"kick": how})[0])

    def test_the_feature_jumps_and_falls_with_its_release_whatever_the_frame_rate(self) -> None:
        often, seldom = Buses(), Buses()
        for buses in (often, seldom):
            buses.hit("kick", 0.8, 1.0, self.HOW)
        for n in range(30):
            assert self.seen(often, 1.0 + n / 30) == pytest.approx(0.8 * np.exp(-n / 30 / 0.5))
        assert self.seen(seldom, 2.0) == pytest.approx(self.seen(often, 2.0))

    def test_whichever_is_more_is_seen_the_feature_or_its_onset(self) -> None:
        buses = Buses()
        buses.feed("kick", (4.0,), 0.0, self.HOW)
        assert self.seen(buses, 0.0) == pytest.approx(0.5)
        buses.hit("kick", 1.0, 1.0, self.HOW)
        assert self.seen(buses, 1.0) == pytest.approx(1.0)
        assert self.seen(buses, 9.0) == pytest.approx(0.5)

    def test_a_soft_one_cuts_off_no_loud_one(self) -> None:
        buses = Buses()
        buses.hit("kick", 1.0, 0.0, self.HOW)
        buses.hit("kick", 0.1, 0.05, self.HOW)
        assert self.seen(buses, 0.05) == pytest.approx(np.exp(-0.1))
        buses.hit("kick", 0.9, 0.5, self.HOW)
        assert self.seen(buses, 0.5) == pytest.approx(0.9)

    @pytest.mark.parametrize("how", [replace(HOW, hold="max"), replace(HOW, release_s=0.0)])
    def test_one_frame_sees_the_whole_of_it(self, how: Listening) -> None:
        buses = Buses()
        buses.hit("kick", 1.0, 0.99, how)
        assert self.seen(buses, 1.0, how) == 1.0
        assert self.seen(buses, 1.03, how) < 0.95

    def test_all_components_of_a_vector_jump(self) -> None:
        buses = Buses()
        buses.feed("bands", (0.0, 0.9), 0.0, RAW)
        buses.hit("bands", 0.5, 0.0, RAW)
        buses.close_frame({"bands": RAW}, 0.0)
        assert buses.unit("bands", {"bands": RAW}) == pytest.approx([0.5, 0.9])

    def test_it_is_seen_although_its_range_is_not_known_yet(self) -> None:
        buses = Buses()
        buses.hit("kick", 1.0, 0.0, Listening())
        assert self.seen(buses, 0.0, Listening()) == 1.0

    def test_features_are_bounded(self) -> None:
        buses = Buses()
        for n in range(MAX_BUSES):
            buses.hit(f"f{n}", 1.0, 0.0, RAW)
        with pytest.raises(BadValue):
            buses.hit("one more", 1.0, 0.0, RAW)

    def test_their_components_are_bounded_together(self) -> None:
        buses = Buses()
        widest = (0.5,) * MAX_COMPONENTS
        for n in range(ALL_COMPONENTS // MAX_COMPONENTS):
            buses.feed(f"f{n}", widest, 0.0, RAW)
        with pytest.raises(BadValue):
            buses.hit("one more", 1.0, 0.0, RAW)
        buses.feed("f0", widest, 0.1, RAW)
        buses.feed("f0", (0.5,), 0.2, RAW)
        buses.hit("one more", 1.0, 0.3, RAW)
