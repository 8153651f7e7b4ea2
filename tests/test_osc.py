"""Packets: ours and python-osc's must agree; the network can raise nothing but BadPacket."""

import math
import shutil
import socket
import struct
import subprocess

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_bundle_builder import IMMEDIATELY as THEIRS_NOW
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from oscbend import osc
from oscbend.errors import BadMessage, BadPacket, BadValue
from oscbend.osc import (
    IMMEDIATELY,
    NESTING,
    Bundle,
    Message,
    TimeTag,
    decode,
    encode,
    encode_bundle,
    encode_message,
    flatten,
)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
addresses = texts.map(lambda text: "/" + text)
floats32 = st.floats(width=32, allow_nan=False)
ints = st.integers(-(2**63), 2**63 - 1)
scalars = st.one_of(ints, floats32, texts, st.booleans(), st.none(), st.binary(min_size=1, max_size=20))
arrays = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=8)
messages = st.builds(Message, addresses, st.lists(arrays, max_size=6).map(tuple))
tags64 = st.integers(0, 2**64 - 1).map(TimeTag)
packets = st.recursive(
    messages,
    lambda inner: st.builds(Bundle, tags64, st.lists(inner, max_size=4).map(tuple)),
    max_leaves=6,
)


def lists(args):
    """python-osc has lists where we have tuples."""
    return [lists(arg) if isinstance(arg, tuple) else arg for arg in args]


def deep(depth, inside=b""):
    for _ in range(depth):
        size = struct.pack(">i", len(inside)) if inside else b""
        inside = b"#bundle\0" + struct.pack(">Q", 1) + size + inside
    return inside


# -- messages ----------------------------------------------------------------------------------------


@given(messages)
def test_what_we_write_python_osc_reads(message):
    theirs = OscMessage(encode(message))
    assert (theirs.address, theirs.params) == (message.address, lists(message.args))


@given(addresses, st.lists(scalars, max_size=6))
def test_what_python_osc_writes_we_read(address, args):
    builder = OscMessageBuilder(address)
    for arg in args:
        builder.add_arg(arg)
    datagram = builder.build().dgram
    message = decode(datagram)
    assert message == Message(address, tuple(args))
    assert encode(message) == datagram


@given(messages)
def test_a_message_survives_encoding(message):
    assert decode(encode(message)) == message


def test_every_type_tag_is_read():
    body = (
        struct.pack(">if", -2, 0.5)
        + b"abc\0"
        + struct.pack(">i", 3)
        + b"\x01\x02\x03\0"
        + struct.pack(">qd", 2**40, 0.1)
        + struct.pack(">Q", 7 << 32)
        + struct.pack(">I", ord("é"))
        + bytes([255, 128, 0, 1])
        + bytes([0, 144, 60, 127])
        + b"sym\0"
    )
    tags = "ifsbhdtcrmSTFNI[]"
    message = decode(b"/all\0\0\0\0" + b"," + tags.encode() + b"\0\0" + body)
    midi = (0, 144, 60, 127)
    expected = (-2, 0.5, "abc", b"\1\2\3", 2**40, 0.1, 7 << 32, "é", 0xFF800001, midi, "sym")
    assert message.args == (*expected, True, False, None, True, ())
    assert message.tags == tags
    assert encode(message) == b"/all\0\0\0\0" + b"," + tags.encode() + b"\0\0" + body
    assert isinstance(message.args[6], TimeTag)


@pytest.mark.parametrize("code", [0xD800, 0x110000, 0xFFFFFFFF])
def test_a_character_that_does_not_exist_is_replaced(code):
    assert decode(b"/c\0\0,c\0\0" + struct.pack(">I", code)).args == ("\ufffd",)


def test_not_a_number_arrives_as_it_is():
    args = decode(b"/n\0\0,fd\0" + struct.pack(">fd", math.nan, math.inf)).args
    assert math.isnan(args[0])
    assert args[1] == math.inf


def test_a_missing_slash_is_put_before_the_address():
    assert decode(b"seed\0\0\0\0,i\0\0\0\0\0\7") == Message("/seed", (7,))


@pytest.mark.parametrize("rest", [b"", b"\0\0\0\7"])
def test_missing_type_tags_are_tolerated(rest):
    assert decode(b"/panic\0\0" + rest) == Message("/panic")


def test_text_that_is_not_utf8_is_replaced():
    assert decode(b"/p\0\0,s\0\0caf\xe9\0\0\0\0").args == ("caf\ufffd",)


def test_padding_beyond_need_is_tolerated_but_nothing_else():
    assert decode(b"/p\0\0,s\0\0abc\0\0\0\0\0").args == ("abc",)
    with pytest.raises(BadPacket, match="too many"):
        decode(b"/p\0\0,s\0\0abc\0\0\0\0\1")


def test_atoms_are_the_arguments_without_arrays():
    assert Message("/a", (1, (2.0, ("x", True)), ())).atoms == (1, 2.0, "x", True)


@pytest.mark.parametrize(
    ("args", "tags"),
    [
        ((1, 2**31, -(2**31)), "ihi"),
        ((0.5, True, False, None), "fTFN"),
        (("x", b"y", [1, (2.5,)]), "sb[i[f]]"),
        ((np.float32(0.5), np.int64(3), np.float64(1)), "fif"),
        ((TimeTag(5),), "t"),
    ],
)
def test_type_tags_follow_the_python_types(args, tags):
    assert decode(encode_message("/a", args)).tags == tags


def test_tags_may_be_given():
    message = decode(encode_message("a", (1, 2, "x"), "dhS"))
    assert (message.address, message.args, message.tags) == ("/a", (1.0, 2, "x"), "dhS")


@pytest.mark.parametrize("number", [1e39, -1e39])
def test_a_float_beyond_32_bits_becomes_infinite(number):
    assert decode(encode_message("/a", (number,))).args == (math.copysign(math.inf, number),)


def test_empty_blobs_and_odd_text_are_written():
    assert decode(encode_message("/a", (b"", "a\0b", "\ud800"))).args == (b"", "ab", "?")


@pytest.mark.parametrize(
    ("args", "tags"),
    [
        ((1,), "q"),
        ((1,), "ii"),
        ((1, 2), "i"),
        (("x",), "i"),
        ((1,), "s"),
        ((1,), "[i]"),
        (((1, 2),), "[i]"),
        (((1,),), "[i"),
        ((), "]"),
        ((2**40,), "i"),
        ((-1,), "t"),
        ((2**64,), ""),
        ((object(),), ""),
    ],
)
def test_arguments_that_do_not_fit_are_refused(args, tags):
    with pytest.raises(BadMessage):
        encode_message("/a", args, tags)


# -- bundles and time --------------------------------------------------------------------------------


@given(packets)
def test_a_packet_survives_encoding(packet):
    datagram = encode(packet)
    assert decode(datagram) == packet
    assert encode(decode(datagram)) == datagram


@given(st.lists(messages, max_size=4))
def test_bundles_agree_with_python_osc(elements):
    builder = OscBundleBuilder(THEIRS_NOW)
    for element in elements:
        builder.add_content(OscMessage(encode(element)))
    theirs = builder.build()
    ours = encode_bundle(IMMEDIATELY, elements)
    assert theirs.dgram == ours
    assert decode(theirs.dgram) == Bundle(IMMEDIATELY, tuple(elements))
    assert [content.address for content in OscBundle(ours)] == [element.address for element in elements]


def test_a_message_with_an_unknown_tag_is_left_out_of_its_bundle_and_counted():
    bad = b"/bad\0\0\0\0,iZ\0\0\0\0\1"
    good = encode_message("/good", (1,))
    sized = [struct.pack(">i", len(part)) + part for part in (bad, good)]
    inner = b"#bundle\0" + struct.pack(">Q", 1) + b"".join(sized)
    outer = b"#bundle\0" + struct.pack(">Q", 1) + sized[0] + struct.pack(">i", len(inner)) + inner
    bundle = decode(outer)
    assert bundle == Bundle(IMMEDIATELY, (Bundle(IMMEDIATELY, (Message("/good", (1,)),)),))
    assert (bundle.skipped, bundle.elements[0].skipped) == (2, 1)
    with pytest.raises(BadPacket, match="'Z'"):
        decode(bad)


def test_a_bundle_of_one_time_is_one_group_in_order():
    one, two, three, four = (Message(f"/{n}") for n in "1234")
    inner = Bundle(IMMEDIATELY, (two,))
    earlier = Bundle(TimeTag(5 << 32), (three,))
    later = Bundle(TimeTag(11 << 32), (four,))
    time = TimeTag(10 << 32)
    packet = Bundle(time, (one, inner, later, earlier, two))
    assert flatten(packet) == [(time, (one, two, three, two)), (TimeTag(11 << 32), (four,))]


def test_now_is_written_in_two_ways():
    message = Message("/a")
    assert flatten(message) == flatten(Bundle(TimeTag(0), (message,))) == [(IMMEDIATELY, (message,))]
    assert TimeTag(0).immediate
    assert IMMEDIATELY.immediate
    assert not TimeTag(2).immediate


@given(st.integers(0, 2**53 - 1))
@example(2**32)
def test_seconds_are_exact(raw):
    assert TimeTag.from_seconds(TimeTag(raw).seconds) == raw


def test_times_are_ntp_on_the_network():
    tag = TimeTag.from_unix(1.5)
    assert (tag >> 32, tag & 0xFFFFFFFF) == (2_208_988_801, 2**31)
    assert tag.unix_s == 1.5
    theirs = OscBundle(encode_bundle(TimeTag.from_unix(1_700_000_000.25)))
    assert theirs.timestamp == pytest.approx(1_700_000_000.25, abs=1e-6)


@given(st.floats(0, 4e9).map(lambda unix_s: round(unix_s * 4096) / 4096))
@example(2_085_978_495.75)  # the last moment of NTP's first era, and the first of the next
@example(2_085_978_496.0)
def test_unix_times_are_kept_beyond_2036(unix_s):
    tag = TimeTag.from_unix(unix_s)
    assert 0 <= tag < 2**64
    assert tag.unix_s == unix_s


@given(st.floats(0, 1e6))
def test_a_time_is_never_rounded_up(seconds):
    assert seconds - 2**-31 <= TimeTag.from_seconds(seconds).seconds <= seconds


@pytest.mark.parametrize("seconds", [-1e-9, math.nan, math.inf, 2.0**32])
def test_a_time_beyond_the_format_is_refused(seconds):
    with pytest.raises(BadValue):
        TimeTag.from_seconds(seconds)


# -- what hurts --------------------------------------------------------------------------------------

BAD = {
    "empty": b"",
    "three bytes": b"/a\0",
    "no end of address": b"/abc",
    "no address": b"\0\0\0\0,i\0\0\0\0\0\1",
    "tags for an address": b",i\0\0\0\0\0\1",
    "no end of tags": b"/a\0\0,iii",
    "int cut off": b"/a\0\0,i\0\0",
    "double cut off": b"/a\0\0,d\0\0\0\0\0\0",
    "string cut off": b"/a\0\0,is\0\0\0\0\1abcd",
    "string missing": b"/a\0\0,s\0\0",
    "blob size missing": b"/a\0\0,b\0\0",
    "blob too long": b"/a\0\0,b\0\0\0\0\0\5abcd",
    "blob negative": b"/a\0\0,b\0\0\xff\xff\xff\xfcabcd",
    "blob huge": b"/a\0\0,b\0\0\x7f\xff\xff\xffabcd",
    "array not closed": b"/a\0\0,[[\0",
    "array not open": b"/a\0\0,]\0\0",
    "unknown tag": b"/a\0\0,Q\0\0",
    "hash": b"#bundlX\0\0\0\0\0\0\0\0\1",
    "bundle without time": b"#bundle\0",
    "element of negative size": bytes.fromhex("2362756e646c65000000000000000001fffffffc"),
    "element of size 0": b"#bundle\0" + struct.pack(">Qi", 1, 0),
    "element of odd size": b"#bundle\0" + struct.pack(">Qi", 1, 6) + b"/a\0\0,\0\0\0",
    "element too long": b"#bundle\0" + struct.pack(">Qi", 1, 2**31 - 4) + b"/a\0\0",
    "element reaching outside": b"#bundle\0"
    + struct.pack(">Qi", 1, 8)
    + b"/a\0\0,i\0\0"
    + struct.pack(">i", 8)
    + b"/a\0\0,\0\0\0",
    "nested too deep": deep(NESTING + 1),
    "nested far too deep": deep(3000),
    "arrays too deep": b"/a\0\0," + b"[" * 9 + b"]" * 9 + b"\0",
    "thousands of arrays": b"/a\0\0," + b"[" * 60000 + b"\0\0\0",
    "thousands of numbers": b"/a\0\0," + b"d" * 60000 + b"\0\0\0",
}


@pytest.mark.parametrize("datagram", BAD.values(), ids=BAD.keys())
def test_a_bad_packet_is_refused_whole(datagram):
    with pytest.raises(BadPacket):
        decode(datagram)


def test_the_deepest_nesting_allowed():
    assert isinstance(decode(deep(NESTING)), Bundle)
    assert decode(b"/a\0\0," + b"[" * 8 + b"]" * 8 + b"\0\0\0").atoms == ()


def decodes_or_refuses(datagram):
    try:
        packet = decode(datagram)
    except BadPacket:
        return
    flatten(packet)
    hash(packet)
    assert decode(encode(packet)) is not None


@given(st.binary(max_size=200))
def test_random_bytes_never_do_harm(data):
    decodes_or_refuses(data)


@given(st.binary(max_size=50), st.sampled_from([b"#bundle\0\0\0\0\0\0\0\0\1", b"/a\0\0,"]))
def test_random_bytes_after_a_good_beginning_never_do_harm(data, beginning):
    data = beginning + data
    decodes_or_refuses(data + bytes(-len(data) % 4))


@given(packets, st.data())
def test_damaged_packets_never_do_harm(packet, data):
    datagram = bytearray(encode(packet))
    for _ in range(data.draw(st.integers(1, 4))):
        datagram[data.draw(st.integers(0, len(datagram) - 1))] = data.draw(st.integers(0, 255))
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(datagram) // 4)] * 2)))
    decodes_or_refuses(bytes(datagram))
    decodes_or_refuses(bytes(datagram[start * 4 : end * 4]))


def outcome(datagram):
    """What comes of a datagram, as text."""
    try:
        packet = decode(datagram)
    except BadPacket as error:
        return str(error)
    return repr(packet)


heads = st.sampled_from(
    [b"/a\0\0,f\0\0", b"/a\0\0,ff\0", b"/a\0\0,\0\0\0", b"a\0\0\0,i\0\0", b"/a\0,,f\0\0", b"/{a,b}\0\0,f\0\0"]
)


@given(
    heads,
    st.binary(max_size=12),
    heads,
    st.lists(st.tuples(st.integers(0, 19), st.integers(0, 255)), max_size=2),
)
def test_what_is_remembered_of_one_message_changes_no_other(first, rest, second, damage):
    datagram = bytearray(second + rest)
    for place, byte in damage:
        if place < len(datagram):
            datagram[place] = byte
    datagram = bytes(datagram)
    osc._HEADS.clear()
    fresh = outcome(datagram)
    for known in (first + bytes(4), first + bytes(8), second + bytes(4), second + bytes(8)):
        outcome(known)
    assert outcome(datagram) == fresh
    assert outcome(bytearray(datagram)) == fresh


def test_a_flood_of_addresses_is_not_remembered_for_ever():
    for number in range(3 * osc.HEADS):
        decode(encode_message(f"/n/{number}", (0.5,)))
    decode(encode_message("/" + "n" * 2 * osc.HEAD_MAX, (0.5,)))
    assert len(osc._HEADS) <= osc.HEADS
    assert max(map(len, osc._HEADS)) <= osc.HEAD_MAX


@pytest.mark.skipif(not shutil.which("oscsend"), reason="needs liblo-tools")
def test_liblo_sends_what_we_read():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        door.settimeout(5)
        words = ["/x", "ifsdhTFNI", "3", "0.5", "an orb", "0.25", "99"]
        subprocess.run(["oscsend", "127.0.0.1", str(door.getsockname()[1]), *words], check=True)
        message = decode(door.recv(65507))
    assert message == Message("/x", (3, 0.5, "an orb", 0.25, 99, True, False, None, True))
