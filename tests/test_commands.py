"""Every command: what it changes, what it refuses, what it answers."""

from __future__ import annotations

import math
from typing import Any

import pytest
from stagehand import Stagehand

from oscbend.bends import OPERATORS
from oscbend.commands import COMMANDS, addresses, find
from oscbend.commands.base import SUFFIXES
from oscbend.commands.prompt import MIXED
from oscbend.errors import BadMessage, BadValue, UnknownName
from oscbend.state import MAX_BENDS, Map


@pytest.fixture
def send() -> Stagehand:
    return Stagehand()


SENT: dict[str, tuple[str, tuple[Any, ...]]] = {
    "{any}/norm": ("/bend/1/r/norm", (0.5,)),
    "{any}/to": ("/bend/1/r/to", (0.5, 2.0, "sin")),
    "{any}/lag": ("/bend/1/r/lag", (0.2,)),
    "{any}/mod/{n}": ("/bend/1/r/mod/2", ("rms", 0.5, "sqr")),
    "/lag": ("/lag", (0.1,)),
    "{any}/map": ("/bend/1/r/map", ("rms", 0, 1, "sin")),
    "{any}/unmap": ("/bend/1/r/unmap", ()),
    "/bend/{id}": ("/bend/2", ("rotate", "latent.2", 0.5)),
    "/bend/{id}/op": ("/bend/1/op", ("multiply",)),
    "/bend/{id}/site": ("/bend/1/site", ("unet.mid.attn",)),
    "/bend/{id}/x": ("/bend/1/x", (0.25,)),
    "/bend/{id}/mix": ("/bend/1/mix", (0.5,)),
    "/bend/{id}/on": ("/bend/1/on", (0,)),
    "/bend/{id}/select": ("/bend/1/select", ("rows", 0.4, 0.6)),
    "/bend/{id}/window": ("/bend/1/window", (0.5, 1)),
    "/bend/{id}/branch": ("/bend/1/branch", ("cond",)),
    "/bend/{id}/free": ("/bend/1/free", ()),
    "/bend/free": ("/bend/free", ()),
    "/bend/{id}/{param}": ("/bend/1/r", (2.0,)),
    "/feature/{name}": ("/feature/rms", (0.5,)),
    "/feature/{name}/range": ("/feature/rms/range", (0, 2)),
    "/feature/{name}/smooth": ("/feature/rms/smooth", (0.1, 0.2, 3, 0.1)),
    "/feature/{name}/hold": ("/feature/rms/hold", ("max",)),
    "/trig/{name}": ("/trig/rms", (0.5,)),
    "/prompt": ("/prompt", ("starry", "night")),
    "/prompt/xy": ("/prompt/xy", (0.25, 0.5)),
    "/prompt/morph": ("/prompt/morph", ("starry", "night", 2.0)),
    "/prompt/{n}": ("/prompt/2", ("forest",)),
    "/prompt/{n}/weight": ("/prompt/2/weight", (0.5,)),
    "/prompt/blend": ("/prompt/blend", ("lerp",)),
    "/prompt/negative": ("/prompt/negative", ("blurry",)),
    "/guidance": ("/guidance", (3.0,)),
    "/seed": ("/seed", (47.5,)),
    "/noise/mode": ("/noise/mode", ("walk",)),
    "/noise/angle": ("/noise/angle", (0.25,)),
    "/noise/speed": ("/noise/speed", (0.1,)),
    "/steps": ("/steps", (0, 16, 32, 45)),
    "/sampler": ("/sampler", ("euler",)),
    "/size": ("/size", (128, 64)),
    "/fps": ("/fps", (24,)),
    "/latency": ("/latency", (0.05,)),
    "/feedback": ("/feedback", (1,)),
    "/strength": ("/strength", (0.3,)),
    "/init": ("/init", ("face.png",)),
    "/model": ("/model", ("other",)),
    "/black": ("/black", (0.5,)),
    "/wet": ("/wet", (0.5,)),
    "/panic": ("/panic", ()),
    "/limit": ("/limit", (2,)),
    "/freeze": ("/freeze", (1,)),
    "/pause": ("/pause", (1,)),
    "/scene/save": ("/scene/save", ("verse",)),
    "/scene/save/all": ("/scene/save/all", ("verse",)),
    "/scene/load": ("/scene/load", ("verse",)),
    "/record/start": ("/record/start", ("evening",)),
    "/record/stop": ("/record/stop", ()),
    "/out/{name}": ("/out/max", ("null",)),
    "/out/{name}/size": ("/out/max/size", (320, 240)),
    "/out/{name}/fps": ("/out/max/fps", (12,)),
    "/out/{name}/flip": ("/out/max/flip", (1,)),
    "/out/{name}/swap": ("/out/max/swap", (1,)),
    "/out/{name}/alpha": ("/out/max/alpha", ("luma",)),
    "/out/{name}/free": ("/out/max/free", ()),
    "/capture/start": ("/capture/start", ("evening",)),
    "/capture/stop": ("/capture/stop", ()),
    "/scene/morph": ("/scene/morph", ("verse", 2.0)),
    "/xfade": ("/xfade", ("verse", "chorus", 0.25)),
    "/xfade/x": ("/xfade/x", (0.25,)),
    "/get": ("/get", ("/seed",)),
    "/list": ("/list", ("ops",)),
    "/sync": ("/sync", (3,)),
    "/status": ("/status", ()),
    "/notify": ("/notify", (1,)),
    "/frame": ("/frame", (2,)),
    "/timetags": ("/timetags", ("ignore",)),
    "/clearSched": ("/clearSched", ()),
    "/ping": ("/ping", (5,)),
    "/dumpOSC": ("/dumpOSC", (1,)),
    "/error": ("/error", (0,)),
    "/version": ("/version", ()),
    "/quit": ("/quit", ()),
}


def test_every_address_in_the_table_is_sent_here() -> None:
    assert set(SENT) == set(COMMANDS)


@pytest.mark.parametrize("row", sorted(SENT))
def test_every_command_does_something(row: str, send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    if row.endswith("unmap"):
        send("/bend/1/r/map", "rms")
    if row.startswith("/out/{name}/"):
        send("/out/max", "null")
    if row == "/record/stop":
        send("/record/start", "evening")
    if row in ("/scene/load", "/scene/morph", "/xfade"):
        send("/scene/save", "verse")
        send("/scene/save", "chorus")
    before, told = send.show.state, len(send.show.replies)
    address, args = SENT[row]
    after = send(address, *args)
    heard = "rms" in send.show.modulation.buses or (row.startswith("/scene") and send.stage.scenes.names())
    assert after != before or heard or len(send.show.replies) > told or send.show.syncs or send.show.over


@pytest.mark.parametrize("row", sorted(r for r in SENT if COMMANDS[r].read is not None))
def test_whatever_can_be_set_can_be_asked(row: str, send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    send("/scene/save", "verse")
    send("/scene/save", "chorus")
    send("/out/max", "zmq", "tcp://127.0.0.1:*")
    address, args = SENT[row]
    send(address, *args)
    answers = send.asks("/get", address)
    assert answers[0][0] == address
    joined = " ".join(str(a) for a in args)
    got = " ".join(str(a) for a in answers[0][1:])
    assert got.startswith(joined[:3]) or [float(a) for a in answers[0][1:]] == pytest.approx(
        [float(a) for a in args]
    )


@pytest.mark.parametrize("row", sorted(COMMANDS))
def test_every_command_says_what_it_does(row: str) -> None:
    assert len(COMMANDS[row].help) > 10
    assert COMMANDS[row].help.rstrip(")").endswith((".", "…", "`")) or "…" in COMMANDS[row].help


def test_no_parameter_of_an_operator_hides_a_command() -> None:
    taken = {name.split("/")[3] for name in COMMANDS if name.startswith("/bend/{id}/")} | {"mod", *SUFFIXES}
    for row in OPERATORS.values():
        assert not taken & {a.name for a in row.args}, row.name


def test_arming_again_with_the_same_words_loses_nothing(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1", 0.5)
    send("/bend/1/r", 3.0)
    send("/bend/1/select", "rows 0.4 0.6")
    before = send.show.state
    assert send("/bend/1", "add", "latent.1") == before


def test_another_operator_keeps_what_both_have(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    send("/bend/1/r", 3.0)
    send("/bend/1/mix", 0.5)
    state = send("/bend/1/op", "rotate")
    assert state.live == {"/bend/1/mix": 0.5}
    send("/bend/1/op", "add")
    send("/bend/1/r/map", "rms", 0, 1)
    assert send("/bend/1/op", "multiply").maps["/bend/1/r"] == Map("rms", 0.0, 1.0)


def test_one_symbol_may_hold_all_words(send: Stagehand) -> None:
    state = send("/bend/1", "rotate latent.2 0.5")
    assert (state.bends[0].op, state.bends[0].site) == ("rotate", "latent.2")
    assert state.live["/bend/1/mix"] == 0.5


def test_a_site_may_be_a_number(send: Stagehand) -> None:
    assert send("/bend/1", "add", 3).bends[0].site == "3"


@pytest.mark.parametrize(
    ("address", "args", "error", "says"),
    [
        ("/bend/1", ("rotat", "latent.1"), UnknownName, "rotate"),
        ("/bend/1", ("add", "unet.mid.atn"), UnknownName, "unet.mid.attn"),
        ("/bend/1", ("add",), BadValue, "op site"),
        ("/bend/9/r", (1.0,), UnknownName, "bend '9'"),
        ("/bend/a/q", (1.0,), UnknownName, "parameter of add 'q'"),
        ("/bend/a/r", (float("nan"),), BadValue, "finite"),
        ("/bend/a/r", (float("inf"),), BadValue, "finite"),
        ("/bend/a/r", ("loud",), BadValue, "number"),
        ("/bend/a/r", (1, 2), BadValue, "one value"),
        ("/bend/a/branch", ("left",), UnknownName, "branch"),
        ("/bend/a/select", ("rows 0.4",), BadMessage, "rows"),
        ("/bend/free", (2,), BadValue, "too much"),
        ("/bend/to", ("add", "latent.0"), BadValue, "taken"),
        ("/bend/a/k/map", ("rms",), UnknownName, "live control"),
        ("/bend/d/k/map", ("rms",), BadValue, "static"),
        ("/bend/a/r/map", ("rms", 1), BadValue, "both lo and hi"),
        ("/bend/a/r/to", (1,), BadValue, "seconds"),
        ("/bend/a/r/to", (1, 2, "lin", 4), BadValue, "seconds"),
        ("/bend/a/r/to", (1, "soon"), BadValue, "number"),
        ("/bend/a/r/to", (1, 2, "loud"), BadValue, "curve"),
        ("/bend/a/r/to", (1, 2, "exp"), BadValue, "from 0 to 1"),
        ("/bend/a/window/to", (1, 2), BadValue, "2 values"),
        ("/bend/d/k/to", (1, 2), BadValue, "static"),
        ("/bend/a/r/lag", ("slow",), BadValue, "number"),
        ("/bend/a/q/lag", (1,), UnknownName, "live control"),
        ("/bend/a/r/mod/0", ("rms", 1), BadValue, "1 to 8"),
        ("/bend/a/r/mod/9", ("rms", 1), BadValue, "1 to 8"),
        ("/bend/a/r/mod/²", ("rms", 1), BadValue, "1 to 8"),
        ("/bend/a/r/mod/1", ("rms",), BadValue, "depth"),
        ("/bend/a/r/mod/1", ("rms", 1, "exp"), BadValue, "from 0 to 1"),
        ("/bend/a/r/mod/1", ("a/b", 1), BadValue, "feature"),
        ("/bend/a/q/mod/1", ("rms", 1), UnknownName, "live control"),
        ("/mod/1", ("rms", 1), UnknownName, "address"),
        ("/bend/a/r/map", ("rms", 0, 1, "loud"), BadValue, "curve"),
        ("/bend/i/r", (0.0,), BadValue, "outside"),
        ("/feature/rms", (), BadValue, "value"),
        ("/feature/rms", (float("nan"),), BadValue, "finite"),
        ("/feature/rms/range", (1, 1), BadValue, "empty"),
        ("/feature/rms/range", ("auto", 1), BadValue, "number"),
        ("/feature/rms/hold", ("min",), UnknownName, "hold"),
        ("/prompt", (), BadValue, "text"),
        ("/prompt/9", ("x",), BadValue, "1 to 8"),
        ("/prompt/morph", ("an orb",), BadValue, "number"),
        ("/prompt/morph", (5.0,), BadValue, "text seconds"),
        ("/prompt/morph", (), BadValue, "text seconds"),
        ("/prompt/xy", (0.5,), BadValue, "2 values"),
        ("/prompt/0", ("x",), BadValue, "1 to 8"),
        ("/prompt/²", ("x",), BadValue, "1 to 8"),
        ("/prompt/01/weight/map", ("rms",), UnknownName, "live control"),
        ("/steps", (0,), BadValue, "1 or more"),
        ("/steps", (5, 3), BadValue, "rise"),
        ("/steps", (0, 60), BadValue, "50"),
        ("/sampler", ("ddpm",), UnknownName, "ddim"),
        ("/size", (100, 100), BadValue, "96 96"),
        ("/size", (8, 8), BadValue, "outside"),
        ("/model", ("nowhere",), Exception, "no such folder"),
        ("/init", ("../secret.png",), BadValue, "outside the root"),
        ("/get", ("/nothing",), UnknownName, "address"),
        ("/get", ("/sync",), BadValue, "nothing to ask"),
        ("/list", ("bends",), UnknownName, "what"),
        ("/nowhere", (), UnknownName, "/nowhere"),
        ("/bend/*/q", (1,), UnknownName, "address"),
        ("/pause/x", (1,), UnknownName, "address"),
        ("/black", ("dark",), BadValue, "number"),
        ("/black", (1, 2, 3), BadValue, "too much"),
        ("/limit", (0.5,), BadValue, "0 .none. or at least 1"),
        ("/panic", (2,), BadValue, "too much"),
        ("/out/a", ("null", b"x"), BadValue, "text and numbers"),
    ],
)
def test_what_is_wrong_changes_nothing(
    address: str, args: tuple[Any, ...], error: type[Exception], says: str, send: Stagehand
) -> None:
    send("/bend/a", "add", "latent.1")
    send("/bend/d", "dilate", "latent.1")
    send("/bend/i", "invert", "latent.1")
    before = send.show.state
    with pytest.raises(error, match=says.replace("(", r"\(")):
        send(address, *args)
    assert send.show.state == before


def test_a_value_outside_its_range_is_clipped_and_said(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    assert send("/bend/1/mix", 3.0).live["/bend/1/mix"] == 1.0
    assert "taken as 1" in send.show.notes[0]


def test_a_pattern_reaches_every_address_that_exists(send: Stagehand) -> None:
    for name in ("a", "b", "c"):
        send(f"/bend/{name}", "add", "latent.1")
    state = send("/bend/[ab]/on", 0)
    assert [b.on for b in state.bends] == [False, False, True]
    send("/bend/{a,c}/r", 2.0)
    assert send("/bend/*/r/map", "rms").maps.keys() == {"/bend/a/r", "/bend/b/r", "/bend/c/r"}


def test_a_pattern_reaches_what_came_and_no_more_what_went(send: Stagehand) -> None:
    for n in range(3):
        send(f"/bend/{n}", "add", "latent.0")
        send("/bend/*/r", 0.5)
        assert send.show.state.live[f"/bend/{n}/r"] == 0.5
    send("/bend/1/free")
    assert send("/bend/?/r", 0.25).live.keys() >= {"/bend/0/r", "/bend/2/r"}
    send("/bend/0/op", "rotate")
    send("/bend/*/angle", 1.0)
    assert send.show.state.live["/bend/0/angle"] == 1.0


def test_a_pattern_that_fails_at_one_address_changes_none(send: Stagehand) -> None:
    send("/bend/a", "add", "latent.1")
    send("/bend/b", "invert", "latent.1")
    before = send.show.state
    with pytest.raises(BadValue):
        send("/bend/*/r", 0.0)
    assert send.show.state == before


def test_bends_are_bounded(send: Stagehand) -> None:
    for n in range(MAX_BENDS):
        send(f"/bend/{n}", "add", "latent.1")
    with pytest.raises(BadValue, match="64"):
        send("/bend/more", "add", "latent.1")


def test_a_new_prompt_replaces_all_others(send: Stagehand) -> None:
    send("/prompt/2", "forest")
    send("/prompt/2/weight", 1.0)
    state = send("/prompt", "an orb")
    assert dict(state.prompts) == {1: "an orb"}
    assert "/prompt/2/weight" not in state.live


def shown(send: Stagehand, now_s: float) -> dict[str, float]:
    """The prompts that are shown at a time, and their shares."""
    send.show.modulation.advance(send.show.state, now_s)
    return dict(send.show.modulation.blend(send.show.state, send.stage))


def test_a_prompt_that_morphs_comes_from_what_is_shown_and_then_stands_alone(send: Stagehand) -> None:
    send("/prompt", "a")
    send("/prompt/2", "b")
    send("/prompt/2/weight", 1.0)
    encoded = len(send.stage.texts)
    send("/prompt/morph", "new", "one", 4.0)
    assert len(send.stage.texts) == encoded + 1
    assert shown(send, 0.0) == {"a": 0.5, "b": 0.5}
    assert shown(send, 1.0) == pytest.approx({"a": 0.375, "b": 0.375, "new one": 0.25})
    assert send.asks("/get", "/prompt/morph") == [("/prompt/morph", "new one", 3.0)]
    assert shown(send, 4.0) == {"new one": 1.0}
    assert shown(send, 9.0) == {"new one": 1.0}
    assert dict(send.show.state.prompts) == {1: "new one"}
    assert "/prompt/2/weight" not in send.show.state.live


def test_morphs_in_a_row_go_on_from_half_way(send: Stagehand) -> None:
    send("/prompt", "a")
    send("/prompt/morph", "b 2")
    assert shown(send, 1.0) == {"a": 0.5, "b": 0.5}
    send("/prompt/morph", "c 2")
    assert shown(send, 1.0) == {"a": 0.5, "b": 0.5}
    assert shown(send, 1.5) == pytest.approx({"a": 0.375, "b": 0.375, "c": 0.25})
    send("/prompt/morph", "a 1")
    assert shown(send, 1.5) == pytest.approx({"a": 0.375, "b": 0.375, "c": 0.25})
    assert shown(send, 2.0) == pytest.approx({"a": 0.6875, "b": 0.1875, "c": 0.125})
    assert shown(send, 2.5) == {"a": 1.0}
    send("/prompt/morph", "d", 5)
    send("/prompt", "e")
    assert shown(send, 2.6) == {"e": 1.0}


def test_a_morph_in_no_time_is_a_change_of_prompt(send: Stagehand) -> None:
    send("/prompt/morph", "b 0")
    assert shown(send, 0.0) == {"b": 1.0}


def test_prompts_that_are_overtaken_for_ever_are_bounded(send: Stagehand) -> None:
    for n in range(40):
        send("/prompt/morph", f"prompt {n}", 1.0)
        before = shown(send, 0.01 * n)
        assert sum(before.values()) == pytest.approx(1.0)
        assert len(before) <= MIXED + 1
    assert {"", *before} <= send.show.state.texts


def test_the_walk_between_four_prompts(send: Stagehand) -> None:
    for n, text in enumerate("abcd", 1):
        send(f"/prompt/{n}", text)
    send("/prompt/xy", 0.25, 0.5)
    assert shown(send, 0.0) == pytest.approx({"a": 0.375, "b": 0.125, "c": 0.375, "d": 0.125})
    assert send.asks("/get", "/prompt/3/weight") == [("/prompt/3/weight", 0.375)]
    for xy, text in (((0, 0), "a"), ((1, 0), "b"), ((0, 1), "c"), ((1, 1), "d")):
        send("/prompt/xy", *xy)
        assert shown(send, 0.0) == {text: 1.0}
    send("/prompt/xy/to", 0, 0, 2)
    assert shown(send, 1.0) == pytest.approx({"a": 0.25, "b": 0.25, "c": 0.25, "d": 0.25})


def test_a_walk_towards_a_corner_without_a_prompt_keeps_the_others_shares(send: Stagehand) -> None:
    send("/prompt", "a")
    send("/prompt/2", "b")
    send("/prompt/xy", 0.25, 0.5)
    assert shown(send, 0.0) == pytest.approx({"a": 0.75, "b": 0.25})
    send("/prompt/xy", 0.25, 1)
    assert shown(send, 0.0) == pytest.approx({"a": 0.75, "b": 0.25})
    send("/prompt/xy", 0, 0)
    assert shown(send, 0.0) == {"a": 1.0}


def test_setting_the_weight_of_a_prompt_ends_the_walk(send: Stagehand) -> None:
    for n, text in enumerate("abcd", 1):
        send(f"/prompt/{n}", text)
    send("/prompt/xy/lag", 0.5)
    send("/prompt/xy", 1, 1)
    send("/prompt/2/weight", 1.0)
    assert shown(send, 0.0) == {"a": 0.5, "b": 0.5}
    send("/prompt/xy", 1, 1)
    assert shown(send, 0.0) == {"d": 1.0}
    send("/prompt/3/weight/map", "rms")
    assert shown(send, 0.0) == {"a": 0.5, "b": 0.5}
    assert send.asks("/get", "/prompt/xy/lag") == [("/prompt/xy/lag", 0.5)]
    send("/prompt/xy", 1, 1)
    send("/prompt", "e")
    assert shown(send, 0.0) == {"e": 1.0}


def test_black_and_wet_fade_and_can_be_driven(send: Stagehand) -> None:
    send("/black", 1, 4)
    assert send.at(1.0, "/black") == 0.25
    assert send.at(4.0, "/black") == 1.0
    send("/black", 0)
    assert send.at(4.0, "/black") == 0.0
    send("/wet", "0.5 1")
    assert send.at(4.5, "/wet") == 0.75
    send("/feature/rms/range", 0, 1)
    send("/feature/rms", 0.25)
    send.show.modulation.buses.close_frame(send.show.state.listening, 0.0)
    send("/wet/map", "rms", 0, 1)
    assert send.at(5.0, "/wet") == 0.25


def test_panic_is_dry_at_once_whatever_drives_and_comes_back(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    send("/feature/rms", 1.0)
    send("/lag", 2.0)
    send("/wet", 0.5)
    send("/wet", 0.75)
    send("/wet/mod/1", "rms", 1.0)
    send("/wet/map", "rms", 0.5, 1)
    before = send.show.state.bends
    send("/panic")
    assert send.at(0.0, "/wet") == 0.0
    assert send.show.state.bends == before
    send("/wet", 1, 2)
    assert send.at(1.0, "/wet") == 0.5
    assert send.at(2.0, "/wet") == 1.0


def test_words_that_the_model_does_not_know_are_told(send: Stagehand) -> None:
    send("/prompt", "an qqorb")
    assert "'qqorb'" in send.show.notes[0]


def test_a_weight_may_come_before_its_prompt(send: Stagehand) -> None:
    send("/prompt/3/weight", 0.5)
    assert send("/prompt/3", "waves").live["/prompt/3/weight"] == 0.5


def test_x_moves_the_first_parameter_over_its_musical_range(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    assert send("/bend/1/x", 1.0).live["/bend/1/r"] == pytest.approx(5.0)
    send("/bend/2", "negate", "latent.1")
    with pytest.raises(BadValue, match="no live parameter"):
        send("/bend/2/x", 1.0)


def test_x_and_norm_tell_where_in_its_range_a_control_is(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    send("/bend/1/r", 2.5)
    assert send.asks("/get", "/bend/1/x") == [("/bend/1/x", pytest.approx(0.75))]
    assert send.asks("/get", "/bend/1/r/norm") == [("/bend/1/r/norm", pytest.approx(0.75))]


def test_norm_of_a_vector_sets_all_of_it(send: Stagehand) -> None:
    send("/bend/1", "rotate6", "latent.1")
    value = send("/bend/1/angles/norm", 0.5).live["/bend/1/angles"]
    assert isinstance(value, tuple)
    assert len(set(value)) == 1


def test_norm_of_a_vector_takes_what_it_tells(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    send("/bend/1/window/norm", 0.25, 0.75)
    assert send.show.state.live["/bend/1/window"] == (0.25, 0.75)
    assert send.asks("/get", "/bend/1/window/norm") == [("/bend/1/window/norm", 0.25, 0.75)]
    with pytest.raises(BadValue, match="takes one value or 2, got 3"):
        send("/bend/1/window/norm", 0.1, 0.2, 0.3)


def test_what_takes_nothing_may_be_pressed_like_a_button(send: Stagehand) -> None:
    for press in (None, True, 1, 1.0):
        send("/bend/1", "add", "latent.1")
        assert not send("/bend/1/free", press).bends
    for word in (0, False, "now"):
        with pytest.raises(BadValue, match="takes nothing"):
            send("/bend/free", word)


def test_setting_unmaps(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    send("/bend/1/r/map", "rms", 0, 1)
    assert not send("/bend/1/r", 0.5).maps


def test_asking_for_a_mapped_control_tells_its_present_value(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    send("/feature/rms/range", 0, 1)
    send("/feature/rms", 0.5)
    send("/bend/1/r/map", "rms", 0, 4)
    send.show.modulation.buses.close_frame(send.show.state.listening, 0.0)
    assert send.asks("/get", "/bend/1/r") == [("/bend/1/r", pytest.approx(2.0))]


def test_a_glide_starts_from_what_is_shown_and_setting_ends_it(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    send("/bend/1/r", 1.0)
    state = send("/bend/1/r/to", 3.0, 4.0)
    assert send.at(1.0, "/bend/1/r") == pytest.approx(1.5)
    assert send.asks("/get", "/bend/1/r/to") == [("/bend/1/r/to", 3.0, 3.0, "lin")]
    send("/bend/1/r/to", "0 1 sin")
    assert send.at(1.0, "/bend/1/r") == pytest.approx(1.5)
    assert send.at(1.5, "/bend/1/r") == pytest.approx(0.75)
    assert send.at(9.0, "/bend/1/r") == 0.0
    assert state.live["/bend/1/r"] == 3.0, "the state holds where it goes"
    send("/bend/1/r/to", 3.0, 4.0)
    send("/bend/1/r", 2.0)
    assert send.at(9.5, "/bend/1/r") == 2.0


def test_a_glide_takes_over_from_a_map(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    send("/feature/rms/range", 0, 1)
    send("/feature/rms", 0.5)
    send.show.modulation.buses.close_frame(send.show.state.listening, 0.0)
    send("/bend/1/r/map", "rms", 0, 4)
    send("/bend/1/r/to", 4.0, 1.0)
    assert send.at(0.0, "/bend/1/r") == pytest.approx(2.0)
    assert send.at(0.5, "/bend/1/r") == pytest.approx(3.0)


def test_a_glide_of_a_vector_needs_all_of_it(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    send("/bend/1/window/to", 0.5, 0.75, 2.0)
    send.at(1.0, "/bend/1/mix")
    assert send.asks("/get", "/bend/1/window") == [("/bend/1/window", 0.25, 0.875)]


def test_a_glide_stays_within_the_hard_range(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    assert send("/bend/1/mix/to", 7.0, 1.0).live["/bend/1/mix"] == 1.0
    assert "taken as 1" in send.show.notes[0]


def test_a_lag_follows_from_one_value_to_the_next(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    send("/bend/1/r/lag", 0.5)
    send("/bend/1/r", 1.0)
    assert send.at(0.0, "/bend/1/r") == 1.0, "the first value jumps"
    send("/bend/1/r", 2.0)
    assert send.at(0.5, "/bend/1/r") == pytest.approx(2 - math.exp(-1))
    send("/bend/1/r", 0.0)
    assert send.at(1.0, "/bend/1/r") == pytest.approx((2 - math.exp(-1)) * math.exp(-1))
    assert send.at(30.0, "/bend/1/r") == 0.0


def test_the_lag_of_all_is_for_those_without_their_own(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    send("/lag", 0.5)
    assert send.asks("/get", "/bend/1/r/lag") == [("/bend/1/r/lag", 0.5)]
    assert send.asks("/get", "/seed/lag") == [("/seed/lag", 0.0)], "between two seeds lies another picture"
    send("/bend/1/r/lag", 0)
    send("/seed/lag", 1)
    for address in ("/bend/1/r", "/bend/1/mix", "/seed"):
        send(address, 0.25)
        send(address, 0.75)
    assert set(send.show.state.glides) == {"/bend/1/mix", "/seed"}


def test_a_map_is_not_slowed_by_a_lag(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    send("/lag", 0.5)
    send("/bend/1/r", 1.0)
    send("/bend/1/r", 2.0)
    send("/feature/rms/range", 0, 1)
    send("/bend/1/r/map", "rms", 0, 4)
    assert send.at(0.1, "/bend/1/r") == 0.0
    send("/feature/rms", 1.0)
    send.show.modulation.buses.close_frame(send.show.state.listening, 0.0)
    assert send.at(0.1, "/bend/1/r") == 4.0
    send("/bend/1/r", 0.0)
    assert send.at(0.6, "/bend/1/r") == pytest.approx(4 * math.exp(-1)), "from where the map had it"


def test_what_is_added_survives_setting(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    send("/feature/rms/range", 0, 1)
    send("/feature/rms", 0.5)
    send("/feature/flux/range", 0, 1)
    send("/feature/flux", 1.0)
    send.show.modulation.buses.close_frame(send.show.state.listening, 0.0)
    send("/bend/1/r/mod/1", "rms", 2.0, "sqr")
    send("/bend/1/r/mod/2", "flux", -1.0)
    send("/bend/1/r", 3.0)
    assert send.at(0.0, "/bend/1/r") == pytest.approx(3.0 + 2.0 * 0.25 - 1.0)
    assert send.asks("/get", "/bend/1/r/mod/1") == [("/bend/1/r/mod/1", "rms", 2.0, "sqr")]
    send("/bend/1/r/mod/1")
    send("/bend/1/r/mod/2", "flux", 0)
    assert send.show.state.mods == {}
    assert send.at(0.0, "/bend/1/r") == 3.0
    assert send.asks("/get", "/bend/1/r/mod/1") == [("/bend/1/r/mod/1", "")]


def test_what_is_added_stays_within_the_hard_range(send: Stagehand) -> None:
    send("/bend/1", "add", "latent.1")
    send("/feature/rms/range", 0, 1)
    send("/feature/rms", 1.0)
    send.show.modulation.buses.close_frame(send.show.state.listening, 0.0)
    send("/bend/1/mix/mod/1", "rms", -5.0)
    assert send.at(0.0, "/bend/1/mix") == 0.0


def test_a_pattern_adds_to_many(send: Stagehand) -> None:
    for name in ("a", "b"):
        send(f"/bend/{name}", "add", "latent.1")
    assert set(send("/bend/*/r/mod/3", "rms", 1.0).mods) == {"/bend/a/r", "/bend/b/r"}


def test_a_freed_bend_leaves_nothing_behind(send: Stagehand) -> None:
    before = send.show.state
    send("/bend/1", "add", "latent.1")
    send("/bend/1/r/mod/1", "rms", 1.0)
    send("/bend/1/r/lag", 1.0)
    send("/bend/1/r/to", 1.0, 1.0)
    assert send("/bend/1/free") == before


def test_words_of_controls_may_name_features(send: Stagehand) -> None:
    for name in (*SUFFIXES, "mod"):
        send(f"/feature/{name}", 0.5)
        assert name in send.show.modulation.buses


def test_asking_with_a_pattern_answers_for_each(send: Stagehand) -> None:
    send("/bend/1", "rotate", "latent.1")
    answers = {a[0]: a[1:] for a in send.asks("/get", "/bend/1/*")}
    assert answers["/bend/1/op"] == ("rotate",)
    assert answers["/bend/1/plane"] == ("r1",)


@pytest.mark.parametrize(
    ("what", "some"),
    [("ops", "rotate"), ("sites", "unet.mid.attn"), ("commands", "/sync"), ("features", "rms")],
)
def test_lists(what: str, some: str, send: Stagehand) -> None:
    send("/feature/rms", 0.1)
    answers = send.asks("/list", what)
    assert some in answers[0]
    assert answers[-1] == ("/done", "/list", what)


def test_version_and_status_answer(send: Stagehand) -> None:
    assert send.asks("/version")[0][:2] == ("/version.reply", "oscbend")
    assert send.asks("/status") == [("/status.reply", 30.0, 7)]


def test_quit_is_heard_from_this_machine_only(send: Stagehand) -> None:
    send.show.local = False
    with pytest.raises(BadValue, match="this machine only"):
        send("/quit")
    assert not send.show.over
    send.show.local = True
    send("/quit")
    assert send.show.over


def test_a_literal_part_wins_over_a_name() -> None:
    assert find("/bend/free")[0].name == "/bend/free"
    assert find("/prompt/blend")[0].name == "/prompt/blend"
    assert find("/bend/7/r/map") == (COMMANDS["{any}/map"], {"any": "/bend/7/r"})


def test_addresses_that_exist_are_found_again(send: Stagehand) -> None:
    send("/bend/1", "rotate", "latent.1")
    send("/feature/rms", 0.1)
    listed = addresses(send.show)
    assert {
        "/bend/1/angle",
        "/bend/1/angle/map",
        "/feature/rms/hold",
        "/prompt/1/weight",
        "/seed/norm",
    } <= set(listed)
    for address in listed:
        find(address)


def test_steering_waits_for_its_vectors(send: Stagehand) -> None:
    send("/bend/1", "steer", "unet.mid.attn")
    assert "prepared" not in send.stage.texts
    send("/bend/1/a", "night")
    send("/bend/1/b", "day")
    assert "prepared" in send.stage.texts
    assert dict(send.show.state.bends[0].static) == {"a": "night", "b": "day"}


@pytest.mark.parametrize("message", [("/steps", 3), ("/sampler", "lcm"), ("/size", 72, 64)])
def test_steering_is_made_anew_before_what_it_depends_on_changes(
    send: Stagehand, message: tuple[Any, ...]
) -> None:
    send(*message)
    assert "prepared" not in send.stage.texts, "nothing steers"
    send("/bend/1", "steer", "unet.mid.attn")
    send("/bend/1/a", "night")
    send("/bend/1/b", "day")
    send.stage.texts.clear()
    send(*message)
    assert send.stage.texts == ["prepared"]
    read = {"/steps": "steps", "/sampler": "sampler", "/size": "width"}[message[0]]
    assert getattr(send.show.state, read) == message[1]
