"""The OSCQuery tree, from the tables and a snapshot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from watched import Watched

from oscbend.bends import OPERATORS
from oscbend.commands import COMMANDS, addresses, find
from oscbend.osc import Message, decode, encode_message
from oscbend.server.tree import ATTRIBUTES, UNITS, Changes, Tree, listed
from oscbend.snapshot import Snapshot

FULL = (
    ("/out/max", "null"),
    ("/feature/bands", 0.1, 0.2, 0.3),
    ("/feature/rms", 0.5),
    ("/bend/1", "rotate", "latent.0", 0.5),
    ("/bend/2", "erode", "unet.mid.attn"),
    ("/bend/3", "matrix", "latent.*"),
    ("/bend/4", "steer", "unet.in"),
    ("/bend/1/angle/map", "rms", 0.0, 3.0),
    ("/seed/mod/2", "rms", 5.0),
    ("/prompt/2", "a forest"),
)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def node(snapshot: Snapshot, path: str) -> dict[str, Any]:
    return Tree(snapshot).describe(path, snapshot)


def nodes(of: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield of
    for below in of.get("CONTENTS", {}).values():
        yield from nodes(below)


def test_every_address_is_in_the_tree_at_its_place(watched: Watched) -> None:
    seen = watched(*FULL)
    found = {n["FULL_PATH"]: n for n in nodes(node(seen, "/"))}
    assert set(listed(seen.show)) <= set(found)
    for path, n in found.items():
        for name, below in n.get("CONTENTS", {}).items():
            assert below["FULL_PATH"] == f"{path.rstrip('/')}/{name}"


def test_every_command_is_there_once_there_is_something_to_command(watched: Watched) -> None:
    seen = watched(*FULL)
    assert {find(a)[0].name for a in Tree(seen).leaves} == set(COMMANDS)
    left_out = set(addresses(seen.show)) - set(listed(seen.show))
    assert {find(a)[0].name for a in left_out} == {"{any}/mod/{n}"}


def test_what_is_not_an_address_is_a_container(watched: Watched) -> None:
    noise = node(watched(), "/noise")
    assert {k: v for k, v in noise.items() if k != "CONTENTS"} == {"FULL_PATH": "/noise", "ACCESS": 0}
    assert set(noise["CONTENTS"]) == {"mode", "angle", "speed"}


def test_a_control_has_all_that_the_table_says(watched: Watched) -> None:
    watched(("/bend/1", "rotate", "latent.0"))
    angle = node(watched(("/bend/1/angle", 2.0)), "/bend/1/angle")
    arg = OPERATORS["rotate"].arg("angle")
    assert angle["TYPE"] == "f"
    assert angle["ACCESS"] == 3
    assert angle["VALUE"] == [2.0]
    assert angle["RANGE"] == [{"MIN": arg.lo, "MAX": arg.hi}]
    assert angle["CLIPMODE"] == ["both"]
    assert angle["UNIT"] == ["angle.radian"]
    assert angle["MUSICAL"] == [{"MIN": 0, "MAX": pytest.approx(6.2832, abs=1e-4)}]
    assert angle["DESCRIPTION"] == f"rotate: {arg.help}"
    assert angle["TAGS"] == ["live"]
    assert {"TYPE": "i", **{k: angle[k] for k in ("RANGE", "CLIPMODE", "UNIT")}} in angle["OVERLOADS"]


def test_the_musical_range_is_that_of_the_site(watched: Watched) -> None:
    add = OPERATORS["add"].arg("r")
    outside, inside = (
        node(watched(("/bend/1", "add", site)), "/bend/1/r") for site in ("latent.0", "unet.in")
    )
    assert outside["MUSICAL"] == [dict(zip(("MIN", "MAX"), add.musical_range("latent.0")))]
    assert inside["MUSICAL"] == [dict(zip(("MIN", "MAX"), add.musical_range("unet.in", 2.0)))]
    assert inside["MUSICAL"] != outside["MUSICAL"]


def test_choices_are_values_and_are_not_clipped(watched: Watched) -> None:
    mode = node(watched(), "/noise/mode")
    assert mode["RANGE"] == [{"VALS": list(COMMANDS["/noise/mode"].args[0].choices)}]
    assert mode["VALUE"] == ["wander"]
    assert "CLIPMODE" not in mode


def test_what_refuses_does_not_clip(watched: Watched) -> None:
    assert node(watched(), "/size")["CLIPMODE"] == ["none", "none"]


def test_a_range_may_be_open(watched: Watched) -> None:
    assert "RANGE" not in node(watched(), "/noise/angle")


def test_switches_are_whole_numbers_and_take_true_and_false(watched: Watched) -> None:
    freeze = node(watched(), "/freeze")
    assert (freeze["TYPE"], freeze["VALUE"]) == ("i", [0])
    assert freeze["RANGE"] == [{"MIN": 0, "MAX": 1}]
    assert {"TYPE": "T"} in freeze["OVERLOADS"]


def test_what_takes_nothing_is_a_button(watched: Watched) -> None:
    free = node(watched(), "/bend/free")
    assert (free["TYPE"], free["ACCESS"]) == ("N", 2)
    assert "VALUE" not in free


@pytest.mark.parametrize("press", [None, True, 1, 1.0])
def test_a_button_may_be_pressed_with_something(watched: Watched, press: Any) -> None:
    watched(("/bend/1", "add", "latent.0"))
    assert not watched(("/bend/free", press)).state.bends


def test_several_arguments_have_an_entry_each(watched: Watched) -> None:
    watched(("/bend/1", "rotate", "latent.0"))
    bend = node(watched(), "/bend/1")
    assert (bend["TYPE"], bend["VALUE"]) == ("ss", ["rotate", "latent.0"])
    assert bend["OVERLOADS"] == [
        {"TYPE": "ssf", "RANGE": [None, None, {"MIN": 0.0, "MAX": 1.0}], "CLIPMODE": [None, None, "both"]}
    ]
    assert bend["TAGS"][0] == "rotate"
    assert node(watched(), "/bend/1/window")["RANGE"] == [{"MIN": 0.0, "MAX": 1.0}] * 2


def test_what_takes_many_has_as_many_as_it_holds(watched: Watched) -> None:
    assert node(watched(("/steps", 0, 16, 32)), "/steps")["TYPE"] == "iii"
    assert node(watched(("/feature/bands", 1.0, 2.0)), "/feature/bands")["TYPE"] == "ff"
    assert node(watched(("/feature/bands/range", 0.0, 2.0)), "/feature/bands/range")["TYPE"] == "ff"


def test_static_parameters_say_so(watched: Watched) -> None:
    assert node(watched(("/bend/1", "erode", "latent.0")), "/bend/1/k")["TAGS"] == ["static"]


def test_what_holds_nothing_has_no_value(watched: Watched) -> None:
    watched(("/bend/1", "add", "latent.0"))
    gone = watched(("/bend/free",))
    assert Tree(watched.seen[-2]).value("/bend/1/r", gone) == ((), "")
    assert Tree(gone).value("/bend/1/r", gone) == ((), "")


def test_a_number_that_is_none_is_null(watched: Watched) -> None:
    seen = watched()
    still = replace(seen.modulation, shown={"/seed": np.array([np.nan])})
    assert node(replace(seen, modulation=still), "/seed")["VALUE"] == [None]


def test_every_node_is_whole_and_fits_its_types(watched: Watched) -> None:
    seen = watched(*FULL)
    found = list(nodes(node(seen, "/")))
    assert len(found) > 100
    json.dumps(found, allow_nan=False)
    for n in found:
        assert set(n) <= set(ATTRIBUTES)
        for described in (n, *n.get("OVERLOADS", ())):
            for name in ("VALUE", "RANGE", "CLIPMODE", "UNIT", "MUSICAL"):
                if name in described:
                    assert len(described[name]) == len(described["TYPE"]), n["FULL_PATH"]
        if "TYPE" in n:
            assert len(n["DESCRIPTION"]) > 10
            assert set(n["TYPE"]) <= set("ifsN")


def test_values_are_what_get_answers(watched: Watched) -> None:
    seen = watched(*FULL)
    tree = Tree(seen)
    readable = [a for a in listed(seen.show) if find(a)[0].read is not None]
    assert len(readable) > 40
    for address in readable:
        told = watched.asked(address)
        value, types = tree.value(address, seen)
        assert len(types) == len(value)
        assert value == pytest.approx(told) if not isinstance(told[0], str) else value == told, address
        assert decode(encode_message(address, value, types)) == Message(
            address,
            decode(encode_message(address, told, types)).args,  # type: ignore[union-attr]
        )


def test_what_is_sent_as_it_is_described_is_taken(watched: Watched) -> None:
    """Every value, written back with the type that the tree tells, changes nothing and is not refused."""
    seen = watched(*FULL)
    for n in nodes(node(seen, "/")):
        if "VALUE" in n and "" not in n["VALUE"] and not n["FULL_PATH"].startswith("/feature/"):
            watched.replies.clear()
            data = encode_message(n["FULL_PATH"], n["VALUE"], n["TYPE"])
            message = decode(data)
            assert isinstance(message, Message)
            watched((message.address, *message.args))
            assert not [r for r in watched.replies if r.address == "/fail"], n["FULL_PATH"]


def test_units_are_those_of_oscquery_where_it_has_one() -> None:
    rows = [*OPERATORS.values(), *COMMANDS.values()]
    used = {arg.unit for row in rows for arg in row.args if arg.unit}
    assert {"rad", "s", "px"} <= used
    assert used - set(UNITS) <= {"cells", "turns", "turns/s"}


class TestChanges:
    """Between one tree and the next."""

    def differing(self, watched: Watched, *messages: tuple[Any, ...]) -> Changes:
        before = Tree(watched.seen[-1])
        return Tree(watched(*messages)).changes(before)

    def test_values_are_none(self, watched: Watched) -> None:
        watched(*FULL)
        told = self.differing(watched, ("/seed", 3.0), ("/bend/1/mix", 0.25), ("/bend/1/angle", 1.0))
        assert told == ((), (), ())

    def test_an_armed_bend_is_added_and_a_freed_one_removed(self, watched: Watched) -> None:
        watched()
        assert self.differing(watched, ("/bend/a", "add", "latent.0")) == (("/bend/a",), (), ())
        assert self.differing(watched, ("/bend/a/free",)) == ((), ("/bend/a",), ())

    def test_another_operator_has_other_parameters(self, watched: Watched) -> None:
        watched(("/bend/1", "rescale", "latent.0"))
        told = self.differing(watched, ("/bend/1/op", "add"))
        assert told.added == ("/bend/1/r",)
        assert set(told.removed) == {"/bend/1/lo", "/bend/1/hi"}
        assert told.changed == ("/bend/1",)

    def test_a_parameter_of_the_same_name_that_is_another_is_changed(self, watched: Watched) -> None:
        watched(("/bend/1", "add", "latent.0"))
        told = self.differing(watched, ("/bend/1/op", "power"))
        assert (told.added, told.removed) == ((), ())
        assert told.changed == ("/bend/1",)

    def test_another_site_has_another_musical_range(self, watched: Watched) -> None:
        watched(("/bend/1", "add", "latent.0"))
        assert self.differing(watched, ("/bend/1/site", "unet.in")).changed == ("/bend/1/r",)

    def test_an_addition_is_added(self, watched: Watched) -> None:
        watched(("/seed/mod/1", "rms", 2.0))
        assert self.differing(watched, ("/seed/mod/3", "rms", 5.0)) == (("/seed/mod/3",), (), ())

    def test_a_new_feature_is_added_and_one_of_another_size_changed(self, watched: Watched) -> None:
        watched()
        assert self.differing(watched, ("/feature/rms", 0.5)) == (("/feature", "/trig"), (), ())
        assert self.differing(watched, ("/feature/flux", 0.5)) == (
            ("/feature/flux", "/trig/flux"),
            (),
            (),
        )
        assert self.differing(watched, ("/feature/rms", 0.5, 0.5)) == ((), (), ("/feature/rms",))
