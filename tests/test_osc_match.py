"""Address patterns, against the regular expressions that they spare us, and against bombs."""

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscbend import pattern
from oscbend.pattern import PATTERN_MAX, AddressTree, is_pattern, match, select

HERE = ["/bend/1/on", "/bend/1/mix", "/bend/2/on", "/bend/cloud/on", "/seed", "/noise/mode", "/on"]


@pytest.mark.parametrize(
    ("text", "address", "expected"),
    [
        ("/seed", "/seed", True),
        ("/seed", "/seeds", False),
        ("seed", "/seed", True),
        ("/s?ed", "/seed", True),
        ("/seed?", "/seed", False),
        ("/?", "/é", True),
        ("/*", "/seed", True),
        ("/*", "/bend/1", False),
        ("/se*d", "/sed", True),
        ("/*e*e*", "/seed", True),
        ("/*e*e*e*", "/seed", False),
        ("/bend/*/on", "/bend/1/on", True),
        ("/bend/*/on", "/bend/1/2/on", False),
        ("/bend/[1-3]/on", "/bend/2/on", True),
        ("/bend/[1-3]/on", "/bend/4/on", False),
        ("/bend/[3-1]/on", "/bend/2/on", True),
        ("/bend/[!1-3]/on", "/bend/2/on", False),
        ("/bend/[!1-3]/on", "/bend/4/on", True),
        ("/[ab-]", "/-", True),
        ("/[a!]", "/!", True),
        ("/[*]", "/*", True),
        ("/[]", "/a", False),
        ("/[!]", "/a", True),
        ("/{seed,noise}", "/noise", True),
        ("/{seed,noise}", "/nois", False),
        ("/{a,ab}{c,bc}", "/abbc", True),
        ("/x{,y}", "/x", True),
        ("/x{*}", "/x*", True),
        ("/x[1", "/x[1", True),
        ("/x{1", "/x{1", True),
        ("/x{1", "/x1", False),
        ("/a.c", "/abc", False),
        ("//on", "/bend/1/on", True),
        ("//on", "/on", True),
        ("//on", "/bend/1/off", False),
        ("/bend//on", "/bend/on", True),
        ("/bend//on", "/bend/a/b/on", True),
        ("/bend//b//on", "/bend/a/b/c/on", True),
        ("/bend//b//on", "/bend/a/c/on", False),
        ("/bend//", "/bend/a/b", True),
        ("/bend//", "/bend", False),
        ("///on", "/x/on", True),
        ("//", "/anything/below", True),
        ("/a*//*b", "/ax/y/zb", True),
    ],
)
def test_match(text, address, expected):
    assert match(text, address) is expected
    assert AddressTree([address]).select(text) == [address] * expected


@pytest.mark.parametrize("text", ["/a*", "/a?", "/[ab]", "/{a,b}", "//a"])
def test_is_pattern(text):
    assert is_pattern(text)


@pytest.mark.parametrize("text", ["/a", "/bend/1/on", "/a-b!", "/"])
def test_is_not_a_pattern(text):
    assert not is_pattern(text)


def test_select_keeps_the_order():
    assert select("/*/*/on", HERE) == ["/bend/1/on", "/bend/2/on", "/bend/cloud/on"]
    assert select("/nowhere/*", HERE) == []


def test_a_tree_holds_addresses():
    tree = AddressTree(HERE)
    tree.add("/bend/1/on")
    tree.add("/bend")
    assert len(tree) == len(HERE) + 1
    assert set(tree) == {*HERE, "/bend"}
    assert "/bend" in tree
    assert "/bend/1" not in tree
    assert "/bend/9/on" not in tree
    assert 7 not in tree
    assert tree.select("/bend/{1,2}/*") == ["/bend/1/on", "/bend/1/mix", "/bend/2/on"]
    for address in [*HERE, "/bend/1", "/bend/9/on"]:
        tree.discard(address)
    assert list(tree) == ["/bend"]
    tree.discard("/bend")
    assert (len(tree), list(tree)) == (0, [])
    assert tree._root.below == {}


pieces = st.sampled_from(["a", "b", "ab", "*", "?", "[ab]", "[!a]", "[a-c]", "{a,bb}", "{,a}", "/", "//"])
patterns = st.lists(pieces, max_size=8).map(lambda parts: "/" + "".join(parts))
names = st.text("abc", min_size=1, max_size=4)
address_lists = st.lists(st.lists(names, min_size=1, max_size=4).map(lambda p: "/" + "/".join(p)), max_size=8)


def as_regular_expression(text):
    """What OSC 1.0 says, in the words of `re`; safe here, where we write the patterns ourselves."""
    text = re.sub(r"//+$", "//*", text)
    out = ""
    for mark in re.findall(r"//+|\[.*?\]|\{.*?\}|.", text):
        if mark.startswith("//"):
            out += "/(?:[^/]+/)*"
        elif mark.startswith("["):
            out += mark.replace("[!", "[^/")
        elif mark.startswith("{"):
            out += f"(?:{mark[1:-1].replace(',', '|')})"
        else:
            out += {"*": "[^/]*", "?": "[^/]"}.get(mark, mark)
    return re.compile(out)


@given(patterns, address_lists)
def test_match_agrees_with_a_regular_expression(text, existing):
    existing = list(dict.fromkeys(existing))
    expected = [address for address in existing if as_regular_expression(text).fullmatch(address)]
    assert select(text, existing) == expected
    assert sorted(AddressTree(existing).select(text)) == sorted(expected)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_may_be_a_pattern(text, address):
    match(text, address)
    AddressTree([address]).select(text)


def lines_run(call):
    """How many lines of the pattern module a call executes: its cost, whatever the machine."""
    count = 0

    def trace(frame, event, _):
        nonlocal count
        if frame.f_code.co_filename != pattern.__file__:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


BOMBS = {
    "stars": "/" + "*a" * 9 + "b",
    "many stars": "/" + "*a" * 500 + "b",
    "star groups": "/" + "*{a,aa}" * 140 + "b",
    "empty texts": "/" + "{,a}" * 250 + "b",
    "one long group": "/{" + "a," * 500 + "b}",
    "classes": "/" + "*[!b]" * 200 + "b",
    "questions": "/" + "*?" * 500 + "b",
    "paths": "//*a" * 250 + "b",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_costs_pattern_times_address_at_most(bomb):
    long = "/" + "a" * 2000
    path = "/a" * 100
    assert lines_run(lambda: match(bomb, long)) < 20 * len(bomb) + 10 * len(long)
    assert lines_run(lambda: match(bomb, path)) < 60 * len(bomb) * 100
    assert not match(bomb, long)


def test_a_bomb_costs_a_big_tree_little():
    tree = AddressTree(f"/bend/{bend}/{name}" for bend in range(64) for name in ("on", "mix", "angle", "x"))
    for bomb in ("/bend/*/" + "*a*" * 300, "/bend/" + "{,1}" * 250 + "/*", "//" * 400):
        names = 64 + 4
        assert lines_run(lambda bomb=bomb: tree.select(bomb)) < 10 * len(bomb) * names


def test_a_pattern_that_is_too_long_matches_nothing():
    assert match("/" + "a" * (PATTERN_MAX - 1), "/" + "a" * (PATTERN_MAX - 1))
    assert not match("/" + "*" * PATTERN_MAX, "/a")
