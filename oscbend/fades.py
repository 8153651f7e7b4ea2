"""From one scene to another: the two sides of a show that is on its way, and what lies between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from oscbend.state import ATTACHED, Bend, Fade, State

_SWITCHED = ("steps", "sampler", "blend", "feedback", "init")
"""Fields with nothing between two values: they change half-way."""


class Piece(NamedTuple):
    """A bend in a frame.

    Args:
        bend: as it is armed.
        there: how much of it, besides its own mix, 0..1.
        left: the scene that it belongs to alone, if that is the one that is left.
    """

    bend: Bend
    there: float = 1.0
    left: State | None = None


def touched(before: State, after: State) -> State:
    """The state after a command: what was set while a scene comes in is so at once, not half-way.

    Live controls tell by themselves what was set; here are settings and bends.
    """
    fade = after.fade
    if fade is None or before.fade is not fade or before is after:
        return after
    changes: dict[str, Any] = {}
    for name in State.__dataclass_fields__:
        if name not in ATTACHED and name not in ("bends", "fade"):
            value = getattr(after, name)
            if value is not getattr(before, name):
                changes[name] = value
    start = replace(fade.start, **changes) if changes else fade.start
    if after.bends is not before.bends:
        if not after.bends:
            start = replace(start, bends=())
        old, new = ({bend.id: bend for bend in state.bends} for state in (before, after))
        for id in dict.fromkeys((*old, *new)):
            if id not in new:
                start = start.without_bend(id)
            elif old.get(id) is not new[id]:
                start = with_bend_of(start, after, new[id])
    return after if start is fade.start else replace(after, fade=replace(fade, start=start))


def with_bend_of(start: State, after: State, bend: Bend) -> State:
    """A state with a bend and all its values as another state has them."""
    prefix = bend.address("")
    start = start.without(lambda address: address.startswith(prefix)).with_bend(bend)
    kept: dict[str, Any] = {}
    for name in ATTACHED:
        own = {a: thing for a, thing in getattr(after, name).items() if a.startswith(prefix)}
        kept[name] = {**getattr(start, name), **own}
    return replace(start, **kept)


def played(state: State, share: float) -> State:
    """The state that a frame is drawn with: without the fade where it is over, else with the settings of the
    nearer side.

    Args:
        state: with a fade.
        share: 0 is all of the side that is left, 1 all of the state.
    """
    assert state.fade is not None
    if share >= 1.0:
        return replace(state, fade=None)
    start = state.fade.start
    settings = {} if share >= 0.5 else {name: getattr(start, name) for name in _SWITCHED}
    strength = start.strength + (state.strength - start.strength) * share
    return replace(state, **settings, strength=strength, limit=limit_between(start.limit, state.limit, share))


def sides(state: State, steps: int | tuple[int, ...]) -> tuple[State, State]:
    """What is left and what comes in, at the same steps and size, so that their bends can stand in one frame.

    Args:
        state: with a fade.
        steps: of the frame.
    """
    assert state.fade is not None
    start = replace(state.fade.start, model=state.model).recast(steps, (state.width, state.height))
    return start, replace(state, fade=None).recast(steps, None)


def pieces(start: State, target: State, share: float) -> Iterator[Piece]:
    """Every bend of the two sides: first those that are left, in their order, then those that are new.

    A bend that both have in the same way is one; one that differs in more than its values goes and comes.
    The mix of one that comes holds the share already.
    """
    for bend in start.bends:
        other = target.bend(bend.id)
        if other is None or not alike(bend, other):
            there = bend.on * (1.0 - share)
            yield Piece(bend, there, start)
        else:
            yield Piece(other, bend.on * (1.0 - share) + other.on * share)
    for bend in target.bends:
        other = start.bend(bend.id)
        if other is None or not alike(other, bend):
            yield Piece(bend, float(bend.on and share > 0.0))


def same_bend(start: State, target: State, address: str) -> bool:
    """True if the bend that an address belongs to is one and the same on both sides."""
    id = address.split("/")[2]
    one, other = start.bend(id), target.bend(id)
    return one is not None and other is not None and alike(one, other)


def alike(a: Bend, b: Bend) -> bool:
    """True if two bends differ in nothing but values, and whether they are on."""
    return replace(a, on=True) == replace(b, on=True)


def limit_between(a: float, b: float, share: float) -> float:
    """A limit between two; 0 is none, which is the same as one without end."""
    inverse = sum(part / k for k, part in ((a, 1.0 - share), (b, share)) if k > 0)
    return 1.0 / inverse if inverse > 0 else 0.0


def share_of(fade: Fade, show_s: float) -> float:
    """How far a fade that moves by itself has come."""
    if fade.seconds <= 0:
        return 1.0
    return min(1.0, max(0.0, (show_s - fade.since_s) / fade.seconds))
