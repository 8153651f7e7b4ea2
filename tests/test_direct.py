"""The short way has the same effect as the command."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from fakes import FakeStage
from hypothesis import given, settings
from hypothesis import strategies as st

from oscbend.commands import Reply, direct
from oscbend.commands.direct import Direct
from oscbend.features import Buses
from oscbend.loop import Loop
from oscbend.modulation import Modulation
from oscbend.osc import Message
from oscbend.schedule import Schedule
from oscbend.state import Bend, State
from oscbend.worker import InPlace

ARMED = State(width=64, height=64, noise="hold", lag=0.03, prompts={1: "orb", 2: "mesh"}).with_bend(
    Bend("1", "rotate", "latent.0", static={"plane": "r1"})
)

numbers = st.one_of(
    st.floats(-3, 40, width=32),
    st.integers(-3, 40),
    st.sampled_from([math.nan, math.inf, True, None, "0.25", "x", b"1", 2**70]),
)
messages = st.one_of(
    st.builds(
        Message,
        st.sampled_from(
            [
                "/feature/rms",
                "/feature/onset",
                "/feature/a/b",
                "/bend/1/angle",
                "/bend/1/mix",
                "/bend/1/plane",
                "/bend/1/window",
                "/bend/1/nothing",
                "/bend/2/r",
                "/bend/*/mix",
                "/prompt/1/weight",
                "/prompt/01/weight",
                "/prompt/xy",
                "/prompt/7/weight",
                "/prompt/9/weight",
                "/seed",
                "/guidance",
                "/noise/angle",
                "/strength",
                "/nowhere",
                "//mix",
            ]
        ),
        st.lists(numbers, max_size=2).map(tuple),
    ),
    st.sampled_from(
        [
            Message("/bend/1", ("add", "latent.1")),
            Message("/bend/1", ("rotate", "latent.0")),
            Message("/bend/2", ("multiply", "unet.in")),
            Message("/bend/2/free"),
            Message("/bend/1/mix/map", ("rms", 0.0, 1.0)),
            Message("/bend/1/mix/unmap"),
            Message("/bend/1/mix/to", (0.5, 0.02, "sin")),
            Message("/bend/1/angle/lag", (0.1,)),
            Message("/lag", (0.0,)),
            Message("/lag", (0.05,)),
            Message("/prompt/xy", (0.5, 0.25)),
            Message("/prompt/morph", ("a tree", 0.03)),
            Message("/pause", (1,)),
            Message("/pause", (0,)),
            Message("/seed/map", ("onset",)),
            Message("/feature/rms/smooth", (0.1, 0.5)),
            Message("/feature/rms/smooth", (0.0, 0.0, 3)),
            Message("/feature/rms/range", ("hold",)),
            Message("/feature/rms/hold", ("max",)),
            Message("/prompt/2", ("a tree",)),
            Message("/get", ("/feature/rms",)),
            Message("/get", ("/bend/1/mix",)),
        ]
    ),
)


def played(sequence: list[Message], short: bool) -> tuple[Any, ...]:
    """Everything that a sequence of messages leaves behind, 5 ms apart and three to a frame."""
    replies: list[Reply] = []
    schedule = Schedule()
    loop = Loop(FakeStage(), InPlace(), ARMED, schedule, answer=replies.append)  # type: ignore[arg-type]
    if not short:
        loop._direct.take = lambda *_: False  # type: ignore[method-assign]
    for n, message in enumerate(sequence):
        schedule.put(n * 0.005, (message,), "host")
    frames = []
    for n in range(-(-len(sequence) // 3) + 1):
        loop.step(n * 0.015)
        frames.append({name: (b.frame.tolist(), b.lo.tolist()) for name, b in loop.modulation.buses.items()})
    values = loop.stage.drawn  # type: ignore[attr-defined]
    drawn = [(s, v.noise, v.prompts, v.weights.tolist(), str(v.params)) for s, v in values]
    return loop.state, frames, replies, drawn


@settings(max_examples=300, deadline=None)
@given(st.lists(messages, max_size=20))
def test_nobody_can_tell_which_way_a_message_went(sequence: list[Message]) -> None:
    assert played(sequence, short=True) == played(sequence, short=False)


@pytest.mark.parametrize(
    "message",
    [
        Message("/bend/1/angle", (0.123456789,)),
        Message("/bend/1/mix", (1,)),
        Message("/prompt/2/weight", (0.5,)),
        Message("/seed", (4.5,)),
    ],
)
def test_live_values_go_the_short_way(message: Message) -> None:
    short = Direct(Modulation(Buses()))
    assert short.take(ARMED, message, 0.0)
    assert short.settled(ARMED).live == {message.address: message.args[0]}
    assert short.settled(ARMED) is ARMED


def test_features_go_the_short_way_once_they_exist() -> None:
    buses = Buses()
    short = Direct(Modulation(buses))
    assert not short.take(ARMED, Message("/feature/rms", (0.5,)), 0.0)
    buses.feed("rms", (0.5,), 0.0, ARMED.listening_to("rms"))
    assert short.take(ARMED, Message("/feature/rms", (0.75,)), 0.1)
    short.settled(ARMED)
    assert buses["rms"].value == pytest.approx(0.75, abs=1e-4)
    buses.feed("rms", (0.1, 0.2), 0.2, ARMED.listening_to("rms"))
    assert not short.take(ARMED, Message("/feature/rms", (0.75,)), 0.3), "it is a vector now"


def test_a_bend_that_has_gone_or_changed_is_not_taken_for_the_old_one() -> None:
    short = Direct(Modulation(Buses()))
    turn = Message("/bend/1/angle", (1.0,))
    assert short.take(ARMED, turn, 0.0)
    assert not short.take(ARMED.without_bend("1"), turn, 0.0)
    assert not short.take(ARMED.with_bend(Bend("1", "add", "latent.0")), turn, 0.0)
    assert short.take(ARMED, turn, 0.0)


def test_a_flood_of_addresses_is_not_remembered_for_ever() -> None:
    short = Direct(Modulation(Buses()))
    for n in range(2 * direct.KEPT + 10):
        assert not short.take(ARMED, Message(f"/feature/n{n}", (0.5,)), 0.0)
    assert len(short._targets) <= direct.KEPT
    assert short.take(ARMED, Message("/seed", (1.0,)), 0.0)


def test_what_many_messages_leave_is_what_numpy_makes_of_them() -> None:
    how = ARMED.listening_to("x")
    buses = Buses()
    rng = np.random.default_rng(0)
    buses.feed("x", (0.5,), 0.0, how)
    value, bus = 0.5, buses["x"]
    for n, number in enumerate(rng.uniform(size=50).tolist(), 1):
        bus.inbox.append((n * 0.01, number))
        tau = how.attack_s if number > value else how.release_s
        value += (number - value) * (1 - np.exp(-0.01 / tau))
    bus.settle(how)
    assert bus.value == pytest.approx([value])
    assert bus.count == 51
