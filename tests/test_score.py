"""Score files: scsynth's format to the byte, and one clear line for whatever breaks it."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscbend.errors import BadScore
from oscbend.osc import Bundle, Message, TimeTag, encode
from oscbend.score import Score, pack, read_bundles

# What sclang makes of [[0.0, ["steps", 4]], [0.1, ['/bend/1/mix', 0.25]], [1.5, ['/c_set', 0, 0]]]: an
# address that is a String stays bare, times are cut to 32.32 (`makeSynthBundle` in OSCData.cpp).
SCLANG = (
    struct.pack(">i", 36)
    + b"#bundle\0"
    + bytes(8)
    + struct.pack(">i", 16)
    + b"steps\0\0\0,i\0\0\0\0\0\4"
    + struct.pack(">i", 40)
    + b"#bundle\0"
    + struct.pack(">Q", int(0.1 * 2**32))
    + struct.pack(">i", 20)
    + b"/bend/1/mix\0,f\0\0\x3e\x80\0\0"
    + struct.pack(">i", 40)
    + b"#bundle\0"
    + struct.pack(">II", 1, 2**31)
    + struct.pack(">i", 20)
    + b"/c_set\0\0,ii\0"
    + bytes(8)
)


def made_by_hand():
    score = Score()
    score.add(1.5, Message("/c_set", (0, 0)))
    score.add(0, Message("/steps", (4,)))
    score.add(0.1, Message("/bend/1/mix", (0.25,)))
    return score


def test_reads_what_sclang_writes(tmp_path):
    path = tmp_path / "piece.osc"
    path.write_bytes(SCLANG)
    score = Score.read(path)
    assert score == made_by_hand()
    assert score.duration_s == 1.5
    assert [bundle.time.seconds for bundle in score] == pytest.approx([0, 0.1, 1.5], abs=2**-32)


def test_writes_what_scsynth_reads(tmp_path):
    made_by_hand().write(tmp_path / "piece.osc")
    with_slash = SCLANG.replace(b"steps\0\0\0", b"/steps\0\0")
    assert (tmp_path / "piece.osc").read_bytes() == with_slash


times = st.integers(0, 2**40).map(TimeTag)
args = st.one_of(st.integers(-(2**31), 2**31 - 1), st.floats(width=32, allow_nan=False), st.just("an orb"))
bundles = st.builds(
    Bundle,
    times,
    st.lists(st.builds(Message, st.just("/a/b"), st.lists(args, max_size=3).map(tuple)), max_size=3).map(
        tuple
    ),
)


@given(st.lists(bundles, max_size=8))
def test_a_score_survives_the_file(content):
    score = Score(content)
    data = score.to_bytes()
    assert Score.from_bytes(data) == score
    assert Score.from_bytes(data).to_bytes() == data
    assert b"".join(map(pack, read_bundles(io.BytesIO(data)))) == data


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 99)), max_size=12))
def test_adding_keeps_time_order_and_within_it_the_order_of_adding(events):
    score = Score()
    for time_s, number in events:
        score.add(time_s, Message("/n", (number,)))
    in_order = sorted(events, key=lambda event: TimeTag.from_seconds(event[0]))
    assert [bundle.elements[0].args[0] for bundle in score] == [number for _, number in in_order]
    assert len(score) == len(events)


def test_an_empty_bundle_ends_a_score():
    score = Score()
    assert score.duration_s == 0
    score.add(4)
    assert Score.from_bytes(score.to_bytes()).duration_s == 4


def test_nested_bundles_are_kept():
    inner = Bundle(TimeTag.from_seconds(2), (Message("/a"),))
    score = Score()
    score.add(1, inner)
    assert next(iter(Score.from_bytes(score.to_bytes()))).elements == (inner,)


def test_bundles_come_while_the_file_is_read():
    reading = read_bundles(io.BytesIO(SCLANG + b"rubbish!"))
    assert next(reading).elements[0].address == "/steps"
    next(reading)
    next(reading)
    with pytest.raises(BadScore):
        next(reading)


@pytest.mark.parametrize("time_s", [-0.1, float("nan"), float("inf"), 2.0**32])
def test_a_time_that_no_score_has_is_refused(time_s):
    with pytest.raises(BadScore, match="no time"):
        Score().add(time_s)


FIRST = pack(Bundle(TimeTag.from_seconds(2), (Message("/a"),)))
EARLIER = pack(Bundle(TimeTag.from_seconds(1.5)))
LONE = encode(Message("/lonely/message"))
BAD = {
    "size cut off": (b"\0\0", "byte 32: ends within the size"),
    "bundle cut off": (FIRST[:-4], "byte 32: ends 4 bytes short"),
    "size 0": (bytes(4), "byte 32: a bundle cannot be 0 bytes"),
    "negative size": (b"\xff\xff\xff\xfc", "byte 32: a bundle cannot be -4 bytes"),
    "odd size": (struct.pack(">i", 18) + bytes(18), "byte 32: a bundle cannot be 18 bytes"),
    "huge size": (b"\x7f\xff\xff\xfc", "byte 32: a bundle cannot be 2147483644 bytes"),
    "text": (b"[0.0, [/steps, 4]]", "is this a score file"),
    "a message": (struct.pack(">i", len(LONE)) + LONE, "byte 32: /lonely/message stands outside a bundle"),
    "a broken bundle": (struct.pack(">i", 20) + b"#bundle\0" + bytes(8) + b"\xff" * 4, "byte 32: an element"),
    "time goes back": (EARLIER, "byte 32: time goes back, from 2 s to 1.5 s"),
}


@pytest.mark.parametrize(("rest", "words"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_refused_in_one_line(tmp_path, rest, words):
    path = tmp_path / "bad.osc"
    path.write_bytes(FIRST + rest)
    with pytest.raises(BadScore) as caught:
        Score.read(path)
    assert words in str(caught.value)
    assert "bad.osc" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_or_empty_file_is_refused(tmp_path):
    with pytest.raises(BadScore, match="No such file"):
        Score.read(tmp_path / "none.osc")
    (tmp_path / "empty.osc").touch()
    with pytest.raises(BadScore, match="an empty file"):
        Score.read(tmp_path / "empty.osc")
    with pytest.raises(BadScore, match="none"):
        made_by_hand().write(tmp_path / "none" / "piece.osc")


@given(st.binary(max_size=80))
def test_random_bytes_are_a_bad_score_or_none(data):
    try:
        score = Score.from_bytes(FIRST + data)
    except BadScore:
        return
    assert len(score) >= 1
