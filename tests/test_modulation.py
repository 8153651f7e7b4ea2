"""From state and features to what a frame needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fakes import FakeStage
from hypothesis import given
from hypothesis import strategies as st

from oscbend.curves import curved
from oscbend.errors import BadValue
from oscbend.features import Buses
from oscbend.modulation import Modulation, collate, weight
from oscbend.state import Bend, Listening, Map, Mod, State

STAGE = FakeStage()
HEARD = {"rms": Listening(range=(0.0, 1.0), attack_s=0.0, release_s=0.0)}


def modulation(**features: float) -> Modulation:
    buses = Buses()
    for name, value in features.items():
        buses.feed(name, (value,), 0.0, HEARD["rms"])
    return Modulation(buses)


@pytest.mark.parametrize(
    ("curve", "middle"),
    [("lin", 5.5), ("exp", 10**0.5), ("sin", 5.5), ("sqr", 3.25), ("sqrt", 1 + 9 * 0.5**0.5), ("0", 5.5)],
)
def test_curves_go_from_lo_to_hi(curve: str, middle: float) -> None:
    assert curved(np.array([0.0, 0.5, 1.0]), 1.0, 10.0, curve) == pytest.approx([1.0, middle, 10.0])


@given(st.floats(-20, 20), st.floats(0, 1), st.floats(0, 1))
def test_a_bow_keeps_order(bow: float, a: float, b: float) -> None:
    ends = curved(np.array(sorted((a, b))), -1.0, 2.0, str(bow))
    assert ends[0] <= ends[1] + 1e-9
    assert np.all((ends >= -1.0 - 1e-9) & (ends <= 2.0 + 1e-9))


def test_a_bow_is_that_of_supercollider() -> None:
    """Env: (1 - e^(c·u)) / (1 - e^c)."""
    assert curved(np.array([0.5]), 0.0, 1.0, "-4")[0] == pytest.approx((1 - np.exp(-2)) / (1 - np.exp(-4)))


@pytest.mark.parametrize(
    ("lo", "hi", "curve"), [(0, 1, "exp"), (-1, 1, "exp"), (0, 1, "loud"), (0, 1, "99"), (0, 1, "nan")]
)
def test_curves_that_cannot_be(lo: float, hi: float, curve: str) -> None:
    with pytest.raises(BadValue):
        curved(np.zeros(1), lo, hi, curve)


def test_weights_are_the_share_of_each_step_in_the_window() -> None:
    w = weight(0.5, (0.25, 0.625), "both", 4, split=True)
    assert w.shape == (5, 2, 1)
    assert w[:, 0, 0] == pytest.approx([0.0, 0.5, 0.25, 0.0, 0.0])


@given(st.integers(1, 12), st.floats(0, 1), st.floats(0, 1))
def test_a_window_covers_as_much_of_the_schedule_as_it_is_long(steps: int, a: float, b: float) -> None:
    w = weight(1.0, (a, b), "both", steps, split=True)
    assert w[:-1, 0, 0].sum() / steps == pytest.approx(abs(a - b), abs=1e-5)


def test_branches_count_inside_the_network_only() -> None:
    assert weight(1.0, (0, 1), "cond", 1, split=True)[0, :, 0].tolist() == [0.0, 1.0]
    assert weight(1.0, (0, 1), "uncond", 1, split=True)[0, :, 0].tolist() == [1.0, 0.0]
    assert weight(1.0, (0, 1), "uncond", 1, split=False)[0, :, 0].tolist() == [1.0, 1.0]


def test_a_map_drives_its_control() -> None:
    state = (
        State(listening=HEARD)
        .with_bend(Bend("1", "add", "latent.0"))
        .with_map("/bend/1/r", Map("rms", -1.0, 3.0))
    )
    shot = modulation(rms=0.25).shot(state, 0.0, STAGE)
    assert shot.values.params[0]["r"] == pytest.approx([0.0])


def test_a_map_without_a_range_uses_the_musical_one_of_the_site() -> None:
    latent = State(listening=HEARD).with_bend(Bend("1", "add", "latent.0")).with_map("/bend/1/r", Map("rms"))
    inside = (
        State(listening=HEARD).with_bend(Bend("1", "add", "unet.mid.attn")).with_map("/bend/1/r", Map("rms"))
    )
    at_latent = modulation(rms=1.0).shot(latent, 0.0, STAGE).values.params[0]["r"][0]
    at_unet = modulation(rms=1.0).shot(inside, 0.0, STAGE).values.params[0]["r"][0]
    assert at_latent == pytest.approx(5.0)
    assert at_unet == pytest.approx(2.0), "1 standard deviation, which is 2 there"


def test_a_mapped_value_stays_within_the_hard_range() -> None:
    state = (
        State(listening=HEARD)
        .with_bend(Bend("1", "add", "latent.0"))
        .with_map("/bend/1/mix", Map("rms", 0.0, 5.0))
    )
    weights = modulation(rms=1.0).shot(state, 0.0, STAGE).values.weights
    assert weights.max() <= 1.0


def test_a_vector_drives_a_vector() -> None:
    how = Listening(range=(0.0, 1.0), attack_s=0.0, release_s=0.0)
    buses = Buses()
    buses.feed("v", tuple(n / 10 for n in range(6)), 0.0, how)
    state = State(listening={"v": how}).with_bend(Bend("1", "rotate6", "latent.0"))
    state = state.with_map("/bend/1/angles", Map("v", 0.0, 10.0))
    params = Modulation(buses).shot(state, 0.0, STAGE).values.params[0]["angles"]
    assert params.shape == (1, 6)
    assert params[0] == pytest.approx([0, 1, 2, 3, 4, 5])


def test_a_pattern_arms_the_bend_at_every_site() -> None:
    state = State(steps=3).with_bend(Bend("1", "add", "latent.*"))
    shot = modulation().shot(state, 0.0, STAGE)
    assert [a.site for a in shot.structure.bends] == ["latent.0", "latent.1", "latent.2", "latent.end"]
    assert shot.values.weights.shape == (4, 4, 1, 1)


def test_a_bend_whose_site_is_gone_lies_dormant() -> None:
    state = State(steps=2).with_bend(Bend("1", "add", "latent.7"))
    shot = modulation().shot(state, 0.0, STAGE)
    assert shot.dormant == ("1",)
    assert not shot.structure.bends


def test_a_bend_that_is_off_is_not_in_the_structure() -> None:
    state = State().with_bend(Bend("1", "add", "latent.0", on=False))
    assert not modulation().shot(state, 0.0, STAGE).structure.bends


def test_with_guidance_the_weights_have_two_branches() -> None:
    state = State().with_bend(Bend("1", "add", "unet.in", branch="cond")).with_value("/guidance", 3.0)
    shot = modulation().shot(state, 0.0, STAGE)
    assert shot.structure.guided
    assert shot.values.weights[0, 0, :, 0].tolist() == [0.0, 1.0]


def test_a_parameter_changes_values_but_no_structure() -> None:
    state = State().with_bend(Bend("1", "add", "latent.0"))
    one = modulation().shot(state.with_value("/bend/1/r", 1.0), 0.0, STAGE)
    two = modulation().shot(state.with_value("/bend/1/r", 2.0), 0.0, STAGE)
    assert one.structure == two.structure
    assert one.values.params[0]["r"] != two.values.params[0]["r"]


def test_prompts_are_blended_by_weight() -> None:
    state = (
        State(prompts={1: "a", 2: "b", 3: ""})
        .with_value("/prompt/1/weight", 3.0)
        .with_value("/prompt/2/weight", 1.0)
    )
    assert dict(modulation().shot(state, 0.0, STAGE).values.prompts[0]) == {"a": 0.75, "b": 0.25}


def test_a_new_prompt_comes_in_at_weight_0() -> None:
    state = State(prompts={1: "a", 2: "b"})
    assert modulation().shot(state, 0.0, STAGE).values.prompts[0] == (("a", 1.0),)


def test_with_all_weights_at_0_the_first_prompt_is_shown() -> None:
    state = State(prompts={1: "a", 2: "b"}).with_value("/prompt/1/weight", 0.0)
    assert modulation().shot(state, 0.0, STAGE).values.prompts[0] == (("a", 1.0),)


def test_the_noise_moves_with_time_and_stands_when_paused() -> None:
    mover = modulation()
    state = State(noise="walk").with_value("/noise/speed", 0.5)
    first = mover.shot(state, 10.0, STAGE).values.noise
    second = mover.shot(state, 10.1, STAGE).values.noise
    third = mover.shot(replace(state, pause=True), 10.2, STAGE).values.noise
    assert first != second
    assert second == third


def test_the_clock_of_the_show_stands_exactly_while_it_is_paused() -> None:
    mover = modulation()
    state = State(noise="walk").with_value("/noise/speed", 1.0)
    paused = replace(state, pause=True)
    mover.shot(state, 1.0, STAGE)
    mover.advance(state, 1.02)
    mover.shot(paused, 1.1, STAGE)
    mover.advance(paused, 1.15)
    mover.shot(state, 1.2, STAGE)
    assert mover.show_s == pytest.approx(1.07)
    assert mover.turns == pytest.approx(0.07)
    mover.advance(state, 0.5)
    assert mover.show_s == pytest.approx(1.07), "time never goes back"


def test_features_stand_while_the_show_is_paused() -> None:
    mover = modulation(rms=0.25)
    state = State(listening=HEARD).with_bend(Bend("1", "add", "latent.0"))
    state = state.with_map("/bend/1/r", Map("rms", 0.0, 1.0)).with_mod("/bend/1/mix", 1, Mod("rms", -1.0))
    first = mover.shot(state, 0.0, STAGE).values
    mover.buses.feed("rms", (0.75,), 0.05, HEARD["rms"])
    paused = mover.shot(replace(state, pause=True), 0.1, STAGE).values
    later = mover.shot(state, 0.2, STAGE).values
    assert [v.params[0]["r"][0] for v in (first, paused, later)] == [0.25, 0.25, 0.75]
    assert [v.weights.max() for v in (first, paused, later)] == [0.75, 0.75, 0.25]


def test_the_spectrum_stands_while_the_show_is_paused() -> None:
    mover = Modulation(Buses())
    state = State(noise="spectrum")
    mixes = []
    for n, bands in enumerate([(1.0, 0.0, 0.0), (0.0, 0.0, 1.0)]):
        mover.buses.feed("spectrum", bands, n / 10, HEARD["rms"])
        mixes.append(mover.shot(replace(state, pause=n == 1), n / 10, STAGE).values.noise)
    assert mixes[0] == mixes[1]
    assert mover.shot(state, 0.2, STAGE).values.noise != mixes[0]


def test_a_vector_is_added_to_a_vector() -> None:
    buses = Buses()
    buses.feed("v", (0.5, 1.0), 0.0, HEARD["rms"])
    state = State(listening={"v": HEARD["rms"]}).with_bend(Bend("1", "rotate6", "latent.0"))
    state = state.with_value("/bend/1/angles", (1.0,) * 6).with_mod("/bend/1/angles", 1, Mod("v", 2.0))
    params = Modulation(buses).shot(state, 0.0, STAGE).values.params[0]["angles"]
    assert params[0].tolist() == [2.0, 3.0, 1.0, 1.0, 1.0, 1.0]


def test_a_component_is_added_to_all_of_a_vector() -> None:
    buses = Buses()
    buses.feed("v", (0.5, 1.0), 0.0, HEARD["rms"])
    state = State(listening={"v": HEARD["rms"]}).with_bend(Bend("1", "rotate6", "latent.0"))
    state = state.with_mod("/bend/1/angles", 1, Mod("v.1", 2.0)).with_mod("/bend/1/angles", 2, Mod("w", 5.0))
    assert Modulation(buses).shot(state, 0.0, STAGE).values.params[0]["angles"].tolist() == [[2.0] * 6]


def test_wet_scales_every_mix() -> None:
    state = State().with_bend(Bend("1", "add", "latent.0")).with_bend(Bend("2", "add", "latent.end"))
    state = state.with_value("/bend/2/mix", 0.5).with_value("/wet", 0.5)
    weights = modulation().shot(state, 0.0, STAGE).values.weights
    assert [weights[0, 0].max(), weights[1, -1].max()] == [0.5, 0.25]
    assert not modulation().shot(state.with_value("/wet", 0.0), 0.0, STAGE).values.weights.any()


def test_fresh_noise_is_new_in_every_frame_and_the_same_in_every_run() -> None:
    one, two = modulation(), modulation()
    state = State(noise="fresh")
    frames = [one.shot(state, n / 10, STAGE).values.noise for n in range(3)]
    again = [two.shot(state, n / 10, STAGE).values.noise for n in range(3)]
    assert len(set(frames)) == 3
    assert frames == again


def test_the_spectrum_makes_the_noise() -> None:
    how = Listening(range=(0.0, 1.0), attack_s=0.0, release_s=0.0)
    mixes = []
    for bands in ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)):
        buses = Buses()
        buses.feed("spectrum", bands, 0.0, how)
        mixes.append(Modulation(buses).shot(State(noise="spectrum"), 0.0, STAGE).values.noise)
    assert mixes[0] != mixes[1]


def test_recast_runs_other_steps_and_another_size() -> None:
    mover = Modulation(Buses(), steps=8, size=(128, 64))
    shot = mover.shot(State(steps=4).with_bend(Bend("1", "add", "latent.2")), 0.0, STAGE)
    assert shot.structure.steps == 8
    assert (shot.structure.width, shot.structure.height) == (128, 64)
    assert shot.structure.bends[0].site == "latent.4"


def test_a_batch_is_padded_by_its_last_frame() -> None:
    mover = modulation()
    state = State().with_bend(Bend("1", "add", "latent.0"))
    shots = [mover.shot(state.with_value("/bend/1/r", float(n)), n / 10, STAGE) for n in range(3)]
    structure, values = collate(shots, 4)
    assert structure.batch == 4
    assert values.params[0]["r"].tolist() == [0.0, 1.0, 2.0, 2.0]
    assert values.weights.shape[-1] == 4
    assert len(values.noise) == len(values.prompts) == 4
