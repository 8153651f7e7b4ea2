"""Bends: which operator acts where, with which options."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from oscbend.bends import OPERATORS
from oscbend.bends.select import parse as parse_select
from oscbend.commands.base import COMMANDS, SUFFIXES, Job, Show, live_control, read_live, set_live
from oscbend.commands.control import normed, read_normed
from oscbend.controls import Control
from oscbend.errors import BadMessage, BadValue, UnknownName
from oscbend.state import MAX_BENDS, MIX, WINDOW, Bend, State
from oscbend.table import Arg

OP = Arg("op", "s", None, "operator")
SITE = Arg("site", "s", None, "name, number or pattern")
RESERVED = frozenset({"free", "mod", *SUFFIXES})
BRANCHES = ("both", "cond", "uncond")


def bend_called(show: Show, id: str) -> Bend:
    """The bend `id`.

    Raises:
        UnknownName: there is none.
    """
    bend = show.state.bend(id)
    if bend is None:
        raise UnknownName("bend", id, (b.id for b in show.state.bends))
    return bend


def checked(show: Show, bend: Bend) -> Bend:
    """The bend, if its operator can act at every site that it reaches.

    Raises:
        BadMessage: unknown operator or site, or the two do not go together.
    """
    OPERATORS[bend.op]
    for site in show.stage.resolve(bend.site, show.state):
        show.stage.check(bend.op, full_static(bend), site, show.state)
    return bend


def full_static(bend: Bend) -> dict[str, Any]:
    """All static options of a bend: those that were set, and the defaults of the others."""
    defaults = {a.name: a.default for a in OPERATORS[bend.op].static if a.default is not None}
    return {**defaults, **bend.static}


def steers(bend: Bend) -> bool:
    """True if the bend needs a direction between two prompts, which is slow to make."""
    if "steer" not in OPERATORS[bend.op].tags:
        return False
    static = full_static(bend)
    return all(static.get(name) for name in ("a", "b"))


def _onto(now: Bend | None, before: Bend | None, bend: Bend) -> Bend:
    """A bend as it stands now, with what a command has changed of it: another may have been faster."""
    if now is None or before is None or now.op != bend.op:
        return bend
    changed = {f.name: getattr(bend, f.name) for f in fields(Bend)}
    changed = {name: value for name, value in changed.items() if value != getattr(before, name)}
    if "static" in changed:
        own = {name: value for name, value in bend.static.items() if before.static.get(name) != value}
        changed["static"] = {**now.static, **own}
    return replace(now, **changed)


def put(show: Show, bend: Bend) -> State | Job:
    """The state with the bend in it; a job first, where the bend needs something that is slow to make."""
    state = show.state.with_bend(checked(show, bend))
    if not steers(bend):
        return state

    before = show.state.bend(bend.id)

    def work() -> tuple[Any, list[str]]:
        show.stage.prepare(state)
        return (lambda now: now.with_bend(_onto(now.bend(bend.id), before, bend))), []

    return Job(f"/bend/{bend.id}", work, to=show.sender)


@COMMANDS.declare(
    "/bend/{id}",
    OP,
    SITE,
    Arg("mix", "f", None, "how much", lo=0.0, hi=1.0, optional=True),
    read=lambda show, id: (bend_called(show, id).op, bend_called(show, id).site),
)
def arm(show: Show, id: str, op: str, site: str, mix: float | None = None) -> State | Job:
    """Arms a bend under a name or number of your choice; again with the same words, nothing is lost."""
    if id in RESERVED:
        raise BadValue(f"a bend cannot be called {id!r}: the word is taken")
    before = show.state.bend(id)
    if before is None and len(show.state.bends) >= MAX_BENDS:
        raise BadValue(f"there are {MAX_BENDS} bends already; free one first")
    OPERATORS[op]
    bend = Bend(id, op, site) if before is None else replace(with_op(show, before, op), site=site)
    checked(show, bend)
    if mix is not None:
        address = bend.address("mix")
        show.state = show.state.with_value(address, mix) if before is None else set_live(show, address, mix)
    return put(show, bend)


def with_op(show: Show, bend: Bend, op: str) -> Bend:
    """The bend with another operator; what the two have in common stays, the rest goes."""
    if op == bend.op:
        return bend
    row = OPERATORS[op]
    shared = {bend.address(a.name) for a in (*row.live, MIX, WINDOW)}
    state = show.state.without(lambda a: a.startswith(bend.address("")) and a not in shared)
    live, glides = dict(state.live), dict(state.glides)
    for arg in row.live:
        address = bend.address(arg.name)
        value = live.get(address)
        if value is not None:
            glides.pop(address, None)
            try:
                live[address] = arg.parse(value if isinstance(value, tuple) else (value,))
            except BadMessage:
                del live[address]
    show.state = replace(state, live=live, glides=glides)
    return replace(bend, op=op, static={})


@COMMANDS.declare("/bend/{id}/op", OP, read=lambda show, id: (bend_called(show, id).op,))
def change_op(show: Show, id: str, op: str) -> State | Job:
    """Changes the operator; parameters of the same name stay."""
    bend = bend_called(show, id)
    OPERATORS[op]
    checked(show, replace(bend, op=op, static={}))
    return put(show, with_op(show, bend, op))


@COMMANDS.declare("/bend/{id}/site", SITE, read=lambda show, id: (bend_called(show, id).site,))
def change_site(show: Show, id: str, site: str) -> State | Job:
    """Changes the site: its name, its number or a pattern."""
    return put(show, replace(bend_called(show, id), site=site))


def first_live(show: Show, id: str) -> Control:
    """The first live parameter of a bend's operator.

    Raises:
        BadValue: it has none.
    """
    bend = bend_called(show, id)
    live = OPERATORS[bend.op].live
    if not live:
        raise BadValue(f"{bend.op} has no live parameter; use /bend/{id}/mix")
    return live_control(show, bend.address(live[0].name))


@COMMANDS.declare(
    "/bend/{id}/x",
    Arg("value", "f", None, "0..1", lo=0.0, hi=1.0),
    tags=("view",),
    read=lambda show, id: read_normed(show, first_live(show, id))[:1],
)
def x(show: Show, id: str, value: float) -> State:
    """The operator's first parameter over its musical range: for faders and MIDI."""
    return normed(show, first_live(show, id), (value,))


@COMMANDS.declare("/bend/{id}/mix", MIX, read=lambda show, id: read_live(show, f"/bend/{id}/mix"))
def mix(show: Show, id: str, mix: float) -> State:
    """How much of the bend, 0 none, 1 all."""
    return set_live(show, bend_called(show, id).address("mix"), mix)


@COMMANDS.declare(
    "/bend/{id}/on",
    Arg("on", "b", None, "1 or 0"),
    read=lambda show, id: (int(bend_called(show, id).on),),
)
def on(show: Show, id: str, on: int) -> State:
    """Off keeps the bend, and costs nothing."""
    return show.state.with_bend(replace(bend_called(show, id), on=bool(on)))


@COMMANDS.declare(
    "/bend/{id}/select",
    Arg(
        "select",
        "s",
        None,
        "all | channels 0-15 | fraction 0.05 SEED | rows a b | cols a b | region x y w h | mask NAME",
    ),
    read=lambda show, id: (bend_called(show, id).select,),
)
def selection(show: Show, id: str, select: str) -> State | Job:
    """Which elements the bend touches; rows, columns and regions are fractions of the picture."""
    bend = replace(bend_called(show, id), select=select)
    name = parse_select(select).name
    if not name:
        return show.state.with_bend(bend)

    def work() -> tuple[Any, list[str]]:
        read = f"mask {show.stage.read_picture(name)}"
        return (lambda now: now.with_bend(replace(now.bend(id) or bend, select=read))), []

    return Job(f"/bend/{id}/select", work, to=show.sender)


@COMMANDS.declare("/bend/{id}/window", WINDOW, read=lambda show, id: read_live(show, f"/bend/{id}/window"))
def window(show: Show, id: str, window: tuple[float, float]) -> State:
    """The part of the schedule in which the bend acts: 0 is noise, 1 the picture."""
    return set_live(show, bend_called(show, id).address("window"), window)


@COMMANDS.declare(
    "/bend/{id}/branch",
    Arg("branch", "s", None, "with guidance", choices=BRANCHES),
    read=lambda show, id: (bend_called(show, id).branch,),
)
def branch(show: Show, id: str, branch: str) -> State:
    """With guidance, which of its two branches is bent."""
    return show.state.with_bend(replace(bend_called(show, id), branch=branch))


@COMMANDS.declare("/bend/{id}/free")
def free(show: Show, id: str) -> State:
    """Removes the bend."""
    return show.state.without_bend(bend_called(show, id).id)


@COMMANDS.declare("/bend/free")
def free_all(show: Show) -> State:
    """Removes all bends."""
    state = show.state
    for bend in state.bends:
        state = state.without_bend(bend.id)
    return state


def _read_param(show: Show, id: str, param: str) -> tuple[Any, ...]:
    bend = bend_called(show, id)
    arg = OPERATORS[bend.op].arg(param)
    if arg.live:
        return read_live(show, bend.address(param))
    value = full_static(bend).get(param)
    return () if value is None else value if isinstance(value, tuple) else (value,)


@COMMANDS.declare(
    "/bend/{id}/{param}",
    Arg("value", "*", None, "in the parameter's unit"),
    read=_read_param,
)
def parameter(show: Show, id: str, param: str, value: tuple[Any, ...]) -> State | Job:
    """A parameter of the bend's operator, in its unit; what drove it lets go."""
    bend = bend_called(show, id)
    arg = OPERATORS[bend.op].arg(param)
    parsed = arg.parse(value, show.notes.append)
    if arg.live:
        return set_live(show, bend.address(param), parsed)
    return put(show, replace(bend, static={**bend.static, param: parsed}))
