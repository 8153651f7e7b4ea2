"""What a state is, told in messages; and the state that messages make, before a show has it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from oscbend.commands.base import COMMANDS, Show, Stage, find, perform
from oscbend.errors import BadMessage, BadValue, OscbendError
from oscbend.features import Buses
from oscbend.modulation import Modulation
from oscbend.osc import Message
from oscbend.scenes import Said, Told
from oscbend.state import ATTACHED, OPAQUE, Bend, Listening, State

MASTER, HALL, TALK, PLACE = "master", "hall", "talk", "place"
"""Tags of what a scene never holds (freeze, pause, black), of what it holds only if asked (size …), of
what sets nothing that is drawn, and of what decides where pictures go."""

_HALL = ("model", "width", "height", "fps", "latency", "lag")
_KEPT = ("pause", "freeze", "recording", "capturing", "outs")
_NOT_SET = {MASTER, TALK}

_BEND = ("on", "select", "branch")
_HEARD = {"range": ("range",), "smooth": ("attack_s", "release_s", "median", "gate"), "hold": ("hold",)}


@dataclass(frozen=True)
class Made:
    """What messages have made.

    Args:
        state: with all that they set.
        start: what it was set on.
        notes: what there is to say about it.
    """

    state: State
    start: State
    notes: tuple[str, ...] = ()


def told(show: Show, without: Iterable[str] = ()) -> list[Told]:
    """The messages that make a state out of one without prompts and bends, in an order in which they can.

    Where a control is on its way, it is told where it is going.

    Args:
        show: whose state.
        without: tags of commands that are left out.
    """
    left_out = {*without, "view", TALK}
    found = [
        *_fields(show),
        *_prompts(show.state),
        *_heard(show.state),
        *_bends(show),
        *_outs(show.state),
        *_controls(show.state),
    ]
    return [(address, args) for address, args in found if left_out.isdisjoint(find(address)[0].tags)]


def _fields(show: Show) -> Iterator[Told]:
    for name, row in COMMANDS.items():
        if "{" in name or row.read is None or "view" in row.tags or (row.args and row.args[0].live):
            continue
        if name != "/prompt":
            yield name, row.read(show)


def _prompts(state: State) -> Iterator[Told]:
    for n, text in sorted(state.prompts.items()):
        yield f"/prompt/{n}", (text,)


def _heard(state: State) -> Iterator[Told]:
    fresh = Listening()
    for name, how in state.listening.items():
        for word, fields in _HEARD.items():
            values = tuple(getattr(how, field) for field in fields)
            if values != tuple(getattr(fresh, field) for field in fields):
                yield f"/feature/{name}/{word}", values[0] if isinstance(values[0], tuple) else values


def _bends(show: Show) -> Iterator[Told]:
    for bend in show.state.bends:
        yield f"/bend/{bend.id}", (bend.op, bend.site)
        for word in _BEND:
            if getattr(bend, word) != getattr(Bend("", "", ""), word):
                value = getattr(bend, word)
                yield bend.address(word), (int(value) if isinstance(value, bool) else value,)
        for name, value in bend.static.items():
            yield bend.address(name), value if isinstance(value, tuple) else (value,)


def _outs(state: State) -> Iterator[Told]:
    for name, out in state.outs.items():
        yield f"/out/{name}", (out.kind, *out.target)
        switches = (out.size or (), (out.fps,), (int(out.flip),), (int(out.swap),))
        for word, values in zip(("size", "fps", "flip", "swap"), switches):
            if any(values):
                yield f"/out/{name}/{word}", values
        if out.alpha != OPAQUE:
            yield f"/out/{name}/alpha", (out.alpha,)


def _controls(state: State) -> Iterator[Told]:
    for address, value in state.live.items():
        yield address, value if isinstance(value, tuple) else (value,)
    for address, seconds in state.lags.items():
        yield f"{address}/lag", (seconds,)
    for address, map in state.maps.items():
        ends: tuple[Any, ...] = () if map.lo is None or map.hi is None else (map.lo, map.hi)
        yield f"{address}/map", (map.feature, *ends, map.curve)
    for address, mods in state.mods.items():
        for n, mod in mods.items():
            yield f"{address}/mod/{n}", (mod.feature, mod.depth, mod.curve)


def blank(now: State) -> State:
    """What a scene is set on: the running show without anything that a scene holds."""
    kept = {name: getattr(now, name) for name in _HALL}
    return State(**kept, prompts={})


def made(told: Iterable[Said], start: State, stage: Stage, in_use: Iterable[str] = ()) -> Made:
    """The state that messages make; everything slow is done before this returns.

    Args:
        told: what is set, in any order.
        start: what it is set on, from `blank`.
        stage: the model that draws.
        in_use: prompts that are shown meanwhile, which must not be forgotten.

    Raises:
        BadMessage: what cannot be done, and where it stands.
    """
    messages = sorted(_armed(told), key=_place)
    stage.encode("", {*in_use, *(" ".join(map(str, m.args)) for m in messages if _is_prompt(m))})
    show = Show(replace(start, lag=0.0), Modulation(Buses()), stage)
    for where, address, args in messages:
        try:
            perform(show, Message(address, args))
            for job in show.jobs:
                change, notes = job.work()
                show.state = change(show.state)
                show.notes += notes
        except OscbendError as error:
            raise BadValue(f"{where}: {error}") from error
        show.jobs.clear()
    lag = show.state.lag if any(m.address == "/lag" for m in messages) else start.lag
    return Made(replace(show.state, lag=lag, morph=None, glides={}), start, tuple(show.notes))


def merged(now: State, made: Made) -> State:
    """The running show with a scene in place of what it was; what scenes do not hold stays as it is."""
    scene, start = made.state, made.start
    kept: dict[str, Any] = {name: getattr(now, name) for name in _KEPT}
    for name in _HALL:
        if getattr(scene, name) == getattr(start, name):
            kept[name] = getattr(now, name)
    masters = _masters()
    for name in ATTACHED:
        held = {a: thing for a, thing in getattr(now, name).items() if a in masters}
        kept[name] = {**{a: t for a, t in getattr(scene, name).items() if a not in masters}, **held}
    return replace(scene, **kept, listening={**now.listening, **scene.listening})


def _masters() -> frozenset[str]:
    return frozenset(name for name, row in COMMANDS.items() if MASTER in row.tags)


def _armed(told: Iterable[Said]) -> Iterator[Said]:
    """The same, with the operator and the site of a bend in one message, as they must come."""
    halves: dict[str, dict[str, Said]] = {}
    for said in told:
        try:
            row = find(said.address)[0]
        except BadMessage as error:
            raise BadValue(f"{said.where}: {error}") from None
        if row.read is None or not _NOT_SET.isdisjoint(row.tags):
            raise BadValue(f"{said.where}: {said.address} is nothing that a scene can set")
        head, _, word = said.address.rpartition("/")
        if row.name in ("/bend/{id}/op", "/bend/{id}/site"):
            halves.setdefault(head, {})[word] = said
        else:
            yield said
    for head, half in halves.items():
        if len(half) < 2:
            raise BadValue(f"{next(iter(half.values())).where}: a bend needs both op and site")
        yield Said(half["op"].where, head, (*half["op"].args[:1], *half["site"].args))


def _place(said: Said) -> int:
    """When a message must come so that what it needs is there: settings, prompts, things, controls, maps."""
    name = find(said.address)[0].name
    if name in ("/model", "/size", "/steps"):
        return 0
    if name.startswith("{any}"):
        return 5
    return {"/prompt/{n}": 2, "/bend/{id}": 3, "/out/{name}": 3}.get(name, 4 if "{" in name else 1)


def _is_prompt(said: Said) -> bool:
    return find(said.address)[0].name in ("/prompt/{n}", "/prompt/negative")
