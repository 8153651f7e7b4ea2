"""Bends written on one line."""

from __future__ import annotations

import pytest

from oscbend.errors import BadValue, UnknownName
from oscbend.osc import Message
from oscbend.words import bend_words


def test_a_bend_with_parameters() -> None:
    words = bend_words("rotate latent.2 plane=r1 angle=1.57", "1")
    assert words.messages == (
        Message("/bend/1", ("rotate", "latent.2")),
        Message("/bend/1/plane", ("r1",)),
        Message("/bend/1/angle", (1.57,)),
    )
    assert words.features == ()


@pytest.mark.parametrize(
    ("value", "args", "feature"),
    [
        ("rms:0:6.283", ("rms", 0.0, 6.283), "rms"),
        ("rms", ("rms",), "rms"),
        ("bands.3:-1:1:sin", ("bands.3", -1.0, 1.0, "sin"), "bands"),
        ("librosa.rms:0:1", ("librosa.rms", 0.0, 1.0), "librosa.rms"),
    ],
)
def test_a_feature_in_place_of_a_number_is_a_map(value: str, args: tuple[object, ...], feature: str) -> None:
    words = bend_words(f"rotate latent.2 angle={value}", "1")
    assert words.messages[1] == Message("/bend/1/angle/map", args)
    assert words.features == (feature,)


def test_vectors_selections_and_windows() -> None:
    words = bend_words(
        'rotate6 latent.1 angles=0,1,2,3,4,5 window=0.5,1 select="rows 0.4 0.6" mix=rms:0:1', "b"
    )
    assert words.messages[1].args == (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    assert words.messages[2] == Message("/bend/b/window", (0.5, 1.0))
    assert words.messages[3] == Message("/bend/b/select", ("rows 0.4 0.6",))
    assert words.messages[4] == Message("/bend/b/mix/map", ("rms", 0.0, 1.0))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rotate", "OPERATOR SITE"),
        ("rotat latent.2", "nearest: rotate"),
        ("rotate latent.2 angel=1", "nearest: angle"),
        ("rotate latent.2 angle", "NAME=VALUE"),
        ("rotate latent.2 angle=rms:0", "FEATURE:LO:HI"),
        ("rotate latent.2 'angle=1", "quotation"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, says: str) -> None:
    with pytest.raises((BadValue, UnknownName), match=says):
        bend_words(text, "1")
