"""Scenes: what they keep, what they leave alone, and that a faulty one changes nothing."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import pytest
from fakes import FakeStage
from stagehand import Stagehand

from oscbend.commands import Show
from oscbend.commands.telling import told
from oscbend.errors import BadMessage
from oscbend.features import Buses
from oscbend.loop import Loop
from oscbend.modulation import Modulation
from oscbend.osc import Message
from oscbend.schedule import Schedule
from oscbend.state import Map, Mod, State
from oscbend.worker import InPlace

PLAYED: list[tuple[Any, ...]] = [
    ("/prompt", "starry night"),
    ("/prompt/3", "a forest"),
    ("/prompt/3/weight", 0.25),
    ("/prompt/negative", "blurry"),
    ("/prompt/blend", "lerp"),
    ("/seed", 7.5),
    ("/seed/mod/2", "flux", 3.0, "sqr"),
    ("/steps", 0, 16, 32, 45),
    ("/sampler", "euler"),
    ("/noise/mode", "walk"),
    ("/noise/speed", -0.5),
    ("/guidance", 3.0),
    ("/limit", 2.5),
    ("/wet", 0.75),
    ("/init", "face.png"),
    ("/strength", 0.25),
    ("/bend/lead", "rotate", "latent.2", 0.5),
    ("/bend/lead/plane", "r2"),
    ("/bend/lead/select", "rows 0.25 0.5"),
    ("/bend/lead/window", 0.25, 0.75),
    ("/bend/lead/angle", 1.5),
    ("/bend/lead/angle/lag", 0.25),
    ("/bend/2", "add", "unet.mid.attn"),
    ("/bend/2/r", 0.5),
    ("/bend/2/r/map", "rms", 0, 2, "sin"),
    ("/bend/2/mix/map", "rms"),
    ("/bend/2/on", 0),
    ("/bend/2/branch", "cond"),
    ("/feature/kick/range", 0, 4),
    ("/feature/kick/smooth", 0.5, 1.5, 3, 0.25),
    ("/feature/kick/hold", "max"),
]


@pytest.fixture
def send() -> Stagehand:
    return Stagehand()


def play(send: Stagehand, messages: list[tuple[Any, ...]] = PLAYED) -> State:
    for message in messages:
        send(*message)
    return send.show.state


def put(send: Stagehand, text: str) -> None:
    send.stage.scenes.write("verse", f"version = 1\n{text}")


def test_a_scene_brings_back_all_that_was_set(send: Stagehand) -> None:
    before = play(send)
    send("/scene/save", "verse")
    for message in (
        ("/prompt", "other"), ("/bend/free",), ("/bend/9", "add", "image"), ("/bend/9/r/map", "rms"),
        ("/steps", 3), ("/seed/map", "flux"), ("/wet", 0), ("/limit", 0), ("/init",), ("/guidance/lag", 1),
        ("/noise/angle", 2), ("/feature/kick/range", "hold"), ("/prompt/xy", 0.5, 0.5),
    ):  # fmt: skip
        send(*message)
    after = send("/scene/load", "verse")
    assert replace(after, scene="") == before
    assert [b.id for b in after.bends] == ["lead", "2"]


def test_what_it_holds_reads_well(send: Stagehand) -> None:
    play(send)
    send("/scene/save", "verse")
    scene = tomllib.loads(send.stage.scenes.read("verse"))
    assert scene["version"] == 1
    assert scene["prompt"] == {
        "1": "starry night", "3": "a forest", "3/weight": 0.25, "negative": "blurry", "blend": "lerp",
    }  # fmt: skip
    assert scene["bend"]["lead"] == {
        "op": "rotate", "site": "latent.2", "plane": "r2", "select": "rows 0.25 0.5", "mix": 0.5,
        "window": [0.25, 0.75], "angle": 1.5, "angle/lag": 0.25,
    }  # fmt: skip
    assert scene["bend"]["2"]["r/map"] == ["rms", 0.0, 2.0, "sin"]
    assert scene["steps"] == [0, 16, 32, 45]
    assert not scene.keys() & {"model", "size", "fps", "latency", "lag", "black", "freeze", "pause"}


HALL = [("/model", "other"), ("/size", 128, 64), ("/fps", 12.0), ("/latency", 0.5), ("/lag", 0.25)]
MASTERS = [("/black", 0.5), ("/black/map", "rms"), ("/freeze", 1), ("/pause", 1)]


def test_it_leaves_alone_what_it_does_not_hold(send: Stagehand) -> None:
    play(send)
    send("/scene/save", "verse")
    send("/bend/free")
    now = play(send, [*HALL, *MASTERS, ("/feature/other/hold", "mean")])
    after = send("/scene/load", "verse")
    for name in ("model", "width", "height", "fps", "latency", "lag", "freeze", "pause"):
        assert getattr(after, name) == getattr(now, name)
    assert after.live["/black"] == 0.5
    assert after.maps["/black"] == Map("rms")
    assert after.listening["other"].hold == "mean"
    assert after.listening["kick"].hold == "max"
    assert [b.id for b in after.bends] == ["lead", "2"]


def test_asked_for_it_holds_model_size_and_rate_too(send: Stagehand) -> None:
    before = play(send, [*PLAYED, *HALL])
    send("/scene/save/all", "verse")
    play(send, [("/model", "tiny"), ("/size", 64, 64), ("/fps", 30), ("/latency", 0), ("/lag", 0)])
    assert replace(send("/scene/load", "verse"), scene="") == before


def test_a_file_from_another_hand_needs_no_order_and_not_everything(send: Stagehand) -> None:
    put(send, '"seed/mod/1" = ["rms", 2]\nseed = 5\n[bend.1]\nr = 0.5\nsite = "image"\nop = "add"')
    state = send("/scene/load", "verse")
    assert (state.live["/seed"], state.mods["/seed"]) == (5.0, {1: Mod("rms", 2.0)})
    assert state.live["/bend/1/r"] == 0.5
    assert state.steps == State().steps


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("seed = 'loud'", "seed"),
        ("seed = 1\nsed = 2", "sed"),
        ("steps = 0", "steps"),
        ("seed = inf", "seed"),
        ("[bend.1]\nop = 'add'", "[bend.1] op"),
        ("[bend.1]\nop = 'ad'\nsite = 'image'", "[bend.1] op"),
        ("[bend.1]\nop = 'add'\nsite = 'moon'", "[bend.1] op"),
        ("[bend.1]\nop = 'add'\nsite = 'image'\nrr = 2", "[bend.1] rr"),
        ("[bend.1]\nr = 2", "[bend.1] r"),
        ('"seed/map" = ["rms", 0]', "seed/map"),
        ("[prompt]\n9 = 'x'", "[prompt] 9"),
        ("[scene]\nload = 'verse'", "[scene] load"),
        ("quit = 1", "quit"),
        ("panic = 1", "panic"),
        ("black = 1", "black"),
        ("model = 'nowhere'", "model"),
        ("init = '../secret.png'", "init"),
        ("seed = = 2", "line 2"),
    ],
)
def test_a_fault_changes_nothing_and_is_named(text: str, told: str, send: Stagehand) -> None:
    before = play(send)
    put(send, f"limit = 3\n{text}" if "line" not in told else text)
    with pytest.raises(BadMessage) as caught:
        send("/scene/load", "verse")
    assert str(caught.value).startswith("verse: ")
    assert told in str(caught.value)
    assert send.show.state is before


def test_words_that_the_model_does_not_know_are_told(send: Stagehand) -> None:
    put(send, "[prompt]\n1 = 'a qqfloating orb'")
    send("/scene/load", "verse")
    assert any("qqfloating" in note for note in send.show.notes)


def test_prompts_that_are_shown_meanwhile_are_not_forgotten() -> None:
    asked: list[set[str]] = []

    class Listening(FakeStage):
        def encode(self, text: str, beside: Any = ()) -> list[str]:
            asked.append({text, *beside})
            return super().encode(text, beside)

    send = Stagehand()
    send("/prompt", "shown now")
    put(send, "[prompt]\n1 = 'comes in'\n2 = 'too'\nnegative = 'never'")
    listening = Listening()
    listening.scenes = send.stage.scenes
    send.show.stage = listening
    send("/scene/load", "verse")
    assert asked[0] == {"", "shown now", "comes in", "too", "never"}


def test_scenes_are_listed(send: Stagehand) -> None:
    send("/scene/save", "verse")
    send("/scene/save", "act 2/chorus")
    assert send.asks("/list", "scenes") == [("/list.reply", "scenes", "act 2/chorus", "verse")]


def test_what_is_told_of_a_state_makes_it_again(send: Stagehand) -> None:
    before = play(send, [*PLAYED, *HALL, *MASTERS])
    other = Stagehand()
    other.show.state = State(prompts={})
    for address, args in told(Show(before, Modulation(Buses()), send.stage)):
        other(address, *args)
    assert replace(other.show.state, glides={}) == replace(before, glides={})


def test_a_list_that_takes_time_is_answered_before_it_is_done() -> None:
    answers: list[tuple[Any, ...]] = []
    schedule = Schedule()
    loop = Loop(
        FakeStage(),
        InPlace(),
        State(),
        schedule,
        answer=lambda reply: answers.append((reply.address, *reply.args)),
    )
    schedule.put(0.0, (Message("/scene/save", ("verse",)), Message("/list", ("scenes",))))
    loop.step(0.0)
    assert answers == [
        ("/done", "/scene/save", "verse"), ("/list.reply", "scenes", "verse"), ("/done", "/list", "scenes"),
    ]  # fmt: skip
