"""The frozen state."""

from __future__ import annotations

import pytest

from oscbend.state import Bend, Map, State, moved


def test_setting_a_value_lets_its_feature_go() -> None:
    state = State().with_map("/seed", Map("rms")).with_value("/seed", 7.0)
    assert state.live["/seed"] == 7.0
    assert not state.maps


def test_a_bend_keeps_its_place_when_it_changes() -> None:
    state = State().with_bend(Bend("a", "add", "latent.0")).with_bend(Bend("b", "add", "latent.0"))
    state = state.with_bend(Bend("a", "multiply", "latent.0"))
    assert [b.id for b in state.bends] == ["a", "b"]
    assert state.bends[0].op == "multiply"


def test_a_freed_bend_takes_its_values_and_maps_along() -> None:
    state = State().with_bend(Bend("a", "add", "latent.0")).with_bend(Bend("aa", "add", "latent.0"))
    state = (
        state.with_value("/bend/a/r", 1.0).with_value("/bend/aa/r", 2.0).with_map("/bend/a/mix", Map("rms"))
    )
    state = state.without_bend("a")
    assert state.live == {"/bend/aa/r": 2.0}
    assert not state.maps


@pytest.mark.parametrize(
    ("site", "steps", "other", "there"),
    [
        ("latent.2", 4, 8, "latent.4"),
        ("latent.40", 50, 4, "latent.3"),
        ("latent.49", 50, 4, "latent.end"),
        ("latent.0", 4, 1, "latent.0"),
        ("latent.end", 4, 8, "latent.end"),
        ("unet.mid.attn", 4, 8, "unet.mid.attn"),
        ("latent.*", 4, 8, "latent.*"),
        ("latent.50%", 4, 8, "latent.50%"),
    ],
)
def test_a_latent_site_keeps_its_fraction_of_the_schedule(
    site: str, steps: int, other: int, there: str
) -> None:
    assert moved(site, steps, other) == there


def test_recasting_moves_the_bends() -> None:
    state = State(steps=4).with_bend(Bend("a", "add", "latent.2")).recast(8, (512, 384))
    assert state.steps == 8
    assert state.bends[0].site == "latent.4"
    assert (state.width, state.height) == (512, 384)
    assert State().recast(None, None) == State()
