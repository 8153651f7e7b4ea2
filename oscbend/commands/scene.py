"""Scenes: what a show is set to, kept under a name and brought back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from oscbend.commands.base import COMMANDS, Job, Show, live, read_live, set_live
from oscbend.commands.control import SECONDS
from oscbend.commands.prompt import heaviest
from oscbend.commands.telling import HALL, MASTER, TALK, Made, blank, made, merged, told
from oscbend.controls import Control, controls, default_of, weight_of
from oscbend.errors import BadMessage, BadValue, OscbendError
from oscbend.fades import with_bend_of
from oscbend.peers import host_of
from oscbend.scenes import from_text, to_text
from oscbend.state import (
    MAX_BENDS,
    MAX_PROMPTS,
    MIX,
    WEIGHT,
    XFADE,
    XFADE_ADDRESS,
    XY_ADDRESS,
    Fade,
    Out,
    State,
)
from oscbend.table import Arg, Value

NAME = Arg("name", "s", None, "of the scene; several atoms are joined with spaces")

Work = tuple[Callable[[State], State], Sequence[str]]


def kept(show: Show, address: str, name: str, without: Sequence[str]) -> Job:
    """A job that keeps the scene that is shown.

    Args:
        show: what is shown.
        address: of the command.
        name: of the scene.
        without: tags of what is left out.
    """
    fade = show.state.fade
    state = show.state if fade is None or fade.between is None else left_of(show, show.state)
    text = to_text(told(replace(show, state=state), without))

    def work() -> Work:
        show.stage.scenes.write(name, text)
        return (lambda now: now), []

    return Job(address, work, (name,), show.sender)


def fetched(show: Show, name: str) -> Made:
    """A scene, ready to be shown; slow.

    Raises:
        BadValue: there is none, or it cannot be shown; what stands where in it is named.
    """
    text = show.stage.scenes.read(name)
    try:
        return made(from_text(text), blank(show.state), show.stage, show.state.texts)
    except BadMessage as error:
        raise BadValue(f"{name}: {error}") from error


def opened(show: Show, scene: Made) -> tuple[Callable[[State], State], list[str]]:
    """Opens the outputs of a scene; slow.

    Returns:
        What makes them get frames, and what is to be said of those that cannot be opened.
    """
    outs, notes = show.house.outs, []
    fresh: dict[str, Out] = {}
    for name, out in scene.state.outs.items():
        if show.state.outs.get(name) == out:
            continue
        try:
            outs.open(name, out, host_of(show.sender))
            fresh[name] = out
        except OscbendError as error:
            notes.append(f"/out/{name}: {error}")

    def taken(now: State) -> State:
        for name in fresh:
            outs.take(name)
        return replace(now, outs={**now.outs, **fresh})

    return taken, notes


@COMMANDS.declare("/scene/save", NAME)
def save(show: Show, name: str) -> Job:
    """Keeps what is shown as a scene: the file scenes/NAME.toml below the root, which people can read and
    change. It holds neither model, size, fps, latency, lag and outputs, nor /black, /freeze and /pause.
    """
    return kept(show, "/scene/save", name, (MASTER, HALL))


@COMMANDS.declare("/scene/save/all", NAME)
def save_all(show: Show, name: str) -> Job:
    """Keeps a scene with model, size, fps, latency, lag and outputs, which it then sets, too."""
    return kept(show, "/scene/save/all", name, (MASTER,))


def left_of(show: Show, now: State) -> State:
    """What is shown now, to be left for something else; between two scenes, as it stands there."""
    fade = now.fade
    share = show.modulation.share(now, show.stage)
    if fade is None or share >= 1.0:
        return replace(now, fade=None)
    live = dict(now.live)
    for control in controls(now, show.stage):
        value = number(show.modulation.base(now, control, show.stage))
        if control.arg is not WEIGHT and value != default_of(now, control):
            live[control.address] = value
    prompts = heaviest(show.modulation.blend(now, show.stage))[:MAX_PROMPTS]
    still = replace(now, live=live, maps={}, glides={}, morph=None, fade=None)
    still = still.let_go({XY_ADDRESS, *map(weight_of, now.prompts)})
    still = replace(still, prompts={n: text for n, (text, _) in enumerate(prompts, 1)})
    still = still.with_values({weight_of(n): weight for n, (_, weight) in enumerate(prompts, 1)}, {})
    for bend in fade.start.bends:
        if now.bend(bend.id) is None and len(still.bends) < MAX_BENDS:
            control = Control(bend.address("mix"), MIX)
            mix = float(show.modulation.base(fade.start, control, show.stage)[0])
            still = with_bend_of(still, fade.start, bend).with_value(control.address, mix * (1.0 - share))
    return still


def number(values: np.ndarray) -> Value:
    """A control's numbers as its value."""
    numbers = values.tolist()
    return numbers[0] if len(numbers) == 1 else tuple(numbers)


@COMMANDS.declare("/scene/load", NAME, tags=(TALK,), read=lambda show: (show.state.scene,))
def load(show: Show, name: str) -> Job:
    """Shows a scene, all of it in one frame; one that has a fault changes nothing, and `/fail` says where."""

    def work() -> Work:
        scene = fetched(show, name)
        taken, notes = opened(show, scene)
        return (lambda now: taken(replace(merged(now, scene), scene=name))), [*scene.notes, *notes]

    return Job("/scene/load", work, (name,), show.sender)


def _coming(show: Show) -> tuple[Any, ...]:
    """The scene that was loaded last, and in how many seconds it is all there."""
    fade = show.state.fade
    timed = fade is not None and fade.between is None
    left = max(0.0, fade.since_s + fade.seconds - show.modulation.show_s) if fade and timed else 0.0
    return show.state.scene, left


@COMMANDS.declare("/scene/morph", replace(NAME, words=True), SECONDS, tags=(TALK,), read=_coming)
def morph(show: Show, name: str, seconds: float) -> Job:
    """Goes over to a scene in so many seconds: numbers glide, prompts and noise blend, bends come and go by
    their mix; steps, sampler and the like change half-way. What is set meanwhile is so at once.
    """

    def change(now: State, scene: Made) -> State:
        left = left_of(show, now)
        fade = Fade(left, show.modulation.show_s, seconds) if seconds > 0 else None
        return replace(merged(now, scene), scene=name, fade=fade)

    def work() -> Work:
        scene = fetched(show, name)
        taken, notes = opened(show, scene)
        return (lambda now: taken(change(now, scene))), [*scene.notes, *notes]

    return Job("/scene/morph", work, (name,), show.sender)


live(
    XFADE_ADDRESS,
    XFADE,
    "How far it is from the first scene of /xfade to the second; it can glide and be driven.",
    tags=(TALK,),
)


def _faded(show: Show) -> tuple[Any, ...]:
    """The two scenes, and where between them the show is; no scenes if it is not between any."""
    fade = show.state.fade
    names = ("", "") if fade is None or fade.between is None else fade.between
    return (*names, *read_live(show, XFADE_ADDRESS))


@COMMANDS.declare(
    "/xfade",
    Arg("a", "s", None, "a scene"),
    Arg("b", "s", None, "another one"),
    XFADE,
    tags=("view",),
    read=_faded,
)
def xfade(show: Show, a: str, b: str, x: float) -> State | Job:
    """Lies between two scenes as if /scene/morph went from one to the other: 0 is the first, 1 the second.
    What is set meanwhile stays so.
    """
    fade = show.state.fade
    if fade is not None and fade.between == (a, b):
        return set_live(show, XFADE_ADDRESS, x)

    def change(now: State, one: Made, other: Made) -> State:
        start, target = merged(now, one), merged(now, other)
        fade = Fade(replace(start, fade=None), between=(a, b))
        state = replace(target, scene=b, fade=None).let_go({XFADE_ADDRESS}).with_value(XFADE_ADDRESS, x)
        return replace(state, fade=fade)

    def work() -> Work:
        one, other = fetched(show, a), fetched(show, b)
        return (lambda now: change(now, one, other)), (*one.notes, *other.notes)

    return Job("/xfade", work, (a, b), show.sender)
