"""Scores as text: readable, and the same bytes again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscbend.errors import BadScore
from oscbend.osc import Bundle, Message, TimeTag, decode, encode
from oscbend.score import Score
from oscbend.scoretext import from_text, to_text

text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=6)
addresses = st.one_of(st.sampled_from(["/prompt", "/bend/*/on", "/a b", "/é#"]), text.map(lambda t: f"/{t}"))
single = st.floats(allow_nan=False, allow_infinity=False, width=32)
atoms = st.one_of(
    st.integers(-(2**63), 2**63 - 1), single, text, st.binary(max_size=5), st.booleans(), st.none()
)
tagged = st.one_of(
    st.tuples(st.just("d"), st.floats(allow_nan=False, allow_infinity=False)),
    st.tuples(st.just("h"), st.integers(-5, 5)),
    st.tuples(st.just("t"), st.integers(0, 2**64 - 1).map(TimeTag)),
    st.tuples(st.just("r"), st.integers(0, 2**32 - 1)),
    st.tuples(st.just("m"), st.tuples(*[st.integers(0, 255)] * 4)),
    st.tuples(st.just("S"), text),
    st.tuples(st.just("c"), st.characters(exclude_categories=("Cs",))),
    st.tuples(st.just("I"), st.just(True)),
    st.tuples(st.just("[fi]"), st.tuples(single, st.integers(-9, 9))),
)
messages = st.one_of(
    st.builds(lambda a, args: Message(a, tuple(args)), addresses, st.lists(atoms, max_size=4)),
    st.builds(
        lambda a, pairs: Message(a, tuple(v for _, v in pairs), "".join(t for t, _ in pairs)),
        addresses,
        st.lists(tagged, min_size=1, max_size=3),
    ),
)
times = st.integers(0, 2**45).map(TimeTag)
bundles = st.recursive(
    st.builds(lambda t, e: Bundle(t, tuple(e)), times, st.lists(messages, max_size=3)),
    lambda inner: st.builds(
        lambda t, e: Bundle(t, tuple(e)), times, st.lists(st.one_of(messages, inner), max_size=3)
    ),
    max_leaves=4,
)


@given(st.lists(bundles, max_size=4))
def test_a_score_comes_back_to_the_bit(made: list[Bundle]) -> None:
    score = Score([decode(encode(bundle)) for bundle in made])
    assert from_text(to_text(score)).to_bytes() == score.to_bytes()


def test_text_is_as_people_write_it() -> None:
    score = Score()
    score.add(0, Message("/steps", (4,)), Message("/prompt", ("a floating orb",)))
    score.add(0.5, Message("/feature/rms", (0.1,)), Message("/black", (1.0,)))
    score.add(2)
    assert to_text(score) == (
        '0 /steps 4\n  /prompt "a floating orb"\n0.5 /feature/rms 0.1\n  /black 1.0\n2\n'
    )


def test_comments_bare_words_and_empty_lines_are_read() -> None:
    score = from_text("# a show\n\n0 /bend/1 rotate latent.2\n1.5 /bend/1/angle ,d 0.1\n\n3\n")
    first, second, third = score
    assert first.elements == (Message("/bend/1", ("rotate", "latent.2")),)
    assert second.elements[0].tags == "d"
    assert (second.time.seconds, third.time.seconds, third.elements) == (1.5, 3.0, ())


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("  /steps 4", "line 1: an indented line needs a bundle above it"),
        ("0 /steps 4\nsoon /steps 2", "line 2: a bundle begins with its time in seconds, not 'soon'"),
        ("2 /steps 4\n1 /steps 2", "line 2: its time is before the one above it"),
        ("0 steps 4", "line 1: an address begins with a slash, not 'steps'"),
        ("0 /steps ,i four", "line 1: the arguments are not what the type tags 'i' say"),
        ("0 /steps ,i 4 5", "line 1: more arguments than the type tags 'i' say"),
        ("-1 /steps 4", "line 1: a score has no time -1 s"),
        ('0 /prompt "orb', "line 1"),
        ("0 /steps ,[i 4", "line 1: the arguments are not what the type tags '[i' say"),
    ],
)
def test_a_wrong_line_is_named(lines: str, said: str) -> None:
    with pytest.raises(BadScore) as error:
        from_text(lines)
    assert str(error.value).startswith(said)
