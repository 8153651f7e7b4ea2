"""What every live control can do: go over its musical range, glide, lag, be driven by features, be let go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from oscbend.bends import OPERATORS
from oscbend.commands.base import COMMANDS, Show, base_of, live_control, set_live
from oscbend.controls import Control, musical_range
from oscbend.curves import curved
from oscbend.errors import BadValue, UnknownName
from oscbend.features import split
from oscbend.state import MAX_MODS, Glide, Map, Mod, State
from oscbend.table import Arg, Value

LONGEST_S = 86_400.0
LAG_MAX_S = 60.0
FEATURE = Arg("feature", "s", None, "a feature, or one component such as bands.3")
CURVE = Arg("curve", "s", "lin", "lin exp sin sqr sqrt, or a number", optional=True)
SECONDS = Arg("seconds", "f", None, "how long it takes", lo=0.0, hi=LONGEST_S, unit="s")


def control_at(show: Show, address: str) -> Control:
    """The live control at an address.

    Raises:
        BadValue: the address exists, but is static.
        UnknownName: there is none.
    """
    try:
        return live_control(show, address)
    except UnknownName:
        parts = address.split("/")
        bend = show.state.bend(parts[2]) if len(parts) == 4 and parts[1] == "bend" else None
        if bend is not None and parts[3] in {a.name for a in OPERATORS[bend.op].static}:
            raise BadValue(f"{address} is static: it can be set, but not moved or driven") from None
        raise


def read_normed(show: Show, control: Control) -> tuple[float, ...]:
    """A control's present value over its musical range."""
    lo, hi = musical_range(show.state, control, show.stage)
    value = show.modulation.value(show.state, control, show.stage)
    return tuple(((value - lo) / (hi - lo)).tolist()) if hi != lo else (0.0,) * value.size


@COMMANDS.declare(
    "{any}/norm",
    Arg("value", "*f", None, "0..1, for all components or for each", lo=0.0, hi=1.0),
    tags=("view",),
    read=lambda show, any: read_normed(show, control_at(show, any)),
)
def norm(show: Show, any: str, value: tuple[float, ...]) -> State:
    """Sets any live control over its musical range."""
    return normed(show, control_at(show, any), value)


def normed(show: Show, control: Control, value: tuple[float, ...]) -> State:
    """The state with a control at `value` (0..1) of its musical range.

    Raises:
        BadValue: neither one value nor as many as the control has.
    """
    size = control.arg.size
    if len(value) not in (1, size):
        raise BadValue(
            f"{control.address}/norm takes one value{f' or {size}' if size > 1 else ''}, got {len(value)}"
        )
    lo, hi = musical_range(show.state, control, show.stage)
    numbers = tuple(lo + (hi - lo) * v for v in value)
    return set_live(show, control.address, numbers[0] if size == 1 else numbers * (size // len(value)))


def _glide_left(show: Show, any: str) -> tuple[Any, ...]:
    """Where a control is going, how many seconds are left, and along which curve."""
    control = control_at(show, any)
    glide = show.state.glides.get(any)
    if glide is None or glide.lag or any in show.state.maps:
        return (*show.modulation.value(show.state, control, show.stage).tolist(), 0.0, "lin")
    left = max(0.0, glide.since_s + glide.seconds - show.modulation.show_s)
    return (*np.atleast_1d(show.state.live[any]).tolist(), left, glide.curve)


@COMMANDS.declare(
    "{any}/to",
    Arg("value", "*", None, "where to, then how many seconds, then the curve", usage="value seconds [curve]"),
    tags=("view",),
    read=_glide_left,
)
def glide(show: Show, any: str, value: tuple[Any, ...]) -> State:
    """Glides to a value in so many seconds, from what is shown now; setting the control ends it."""
    control = control_at(show, any)
    size = control.arg.size
    atoms = value[0].split() if len(value) == 1 and isinstance(value[0], str) else list(value)
    if not size + 1 <= len(atoms) <= size + 2:
        values = "a value" if size == 1 else f"{size} values"
        raise BadValue(f"{any}/to takes {values}, seconds and, if you like, a curve; got {len(atoms)} words")
    target = control.arg.parse(atoms[:size], show.notes.append)
    seconds = SECONDS.parse(atoms[size : size + 1], show.notes.append)
    curve = CURVE.parse(atoms[size + 1 :]) if len(atoms) > size + 1 else "lin"
    return glided(show, control, target, float(seconds), str(curve))  # type: ignore[arg-type]


def glided(show: Show, control: Control, target: Value, seconds: float, curve: str = "lin") -> State:
    """The state in which a control glides from where it is now.

    Raises:
        BadValue: no such curve, or an exponential one through 0.
    """
    start = base_of(show, control)
    curved(0.0, np.asarray(start, np.float64), np.asarray(target, np.float64), curve)
    moving = Glide(start, show.modulation.show_s, seconds, curve) if seconds > 0 and start != target else None
    return show.state.with_value(control.address, target, moving)


@COMMANDS.declare(
    "{any}/lag",
    Arg("seconds", "f", None, "time constant", lo=0.0, hi=LAG_MAX_S, unit="s"),
    read=lambda show, any: (show.state.lag_of(any, control_at(show, any).arg),),
)
def lag(show: Show, any: str, seconds: float) -> State:
    """How long the control takes to follow what is set, exponentially; what drives it is not slowed.
    Without one of its own it has that of /lag.
    """
    control_at(show, any)
    return show.state.with_lag(any, seconds)


@COMMANDS.declare(
    "/lag",
    Arg("seconds", "f", None, "time constant", lo=0.0, hi=LAG_MAX_S, unit="s"),
    tags=("hall",),
    read=lambda show: (show.state.lag,),
)
def lag_of_all(show: Show, seconds: float) -> State:
    """The lag of every live control that has none of its own: 0.03 on stage, 0 in a film.
    The seed jumps, and so does the first value that a control is given.
    """
    return replace(show.state, lag=seconds)


def checked_feature(feature: str) -> str:
    """`feature`, if a feature may be called so.

    Raises:
        BadValue: it may not.
    """
    name, _ = split(feature)
    if "/" in name or not name:
        raise BadValue(f"{feature!r} is no feature's name")
    return feature


def _driver(show: Show, any: str) -> tuple[float | str, ...]:
    """What drives a control, as `map` takes it; an empty name if nothing does."""
    control_at(show, any)
    driver = show.state.maps.get(any)
    if driver is None:
        return ("",)
    if driver.lo is None or driver.hi is None:
        return driver.feature, driver.curve
    return driver.feature, driver.lo, driver.hi, driver.curve


@COMMANDS.declare(
    "{any}/map",
    FEATURE,
    Arg("lo", "f", None, "the control's value at 0", optional=True),
    Arg("hi", "f", None, "the control's value at 1", optional=True),
    CURVE,
    read=_driver,
)
def map_control(
    show: Show, any: str, feature: str, lo: float | None = None, hi: float | None = None, curve: str = "lin"
) -> State:
    """The feature becomes the control's value: 0..1 -> lo..hi, by default the control's musical range."""
    control = control_at(show, any)
    if (lo is None) != (hi is None):
        raise BadValue("map takes both lo and hi, or neither")
    checked_feature(feature)
    if lo is not None and hi is not None:
        kept = tuple(control.arg.inside_hard(v) for v in (lo, hi))
        if kept != (lo, hi):
            show.notes.append(f"{any}/map: {lo:g} {hi:g} reaches outside {control.arg.range_text}: clipped")
        lo, hi = kept
        curved(0.0, lo, hi, curve)
    else:
        curved(0.0, *musical_range(show.state, control, show.stage), curve)
    return show.state.with_map(any, Map(feature, lo, hi, curve))


@COMMANDS.declare("{any}/unmap")
def unmap(show: Show, any: str) -> State:
    """Lets a control go; it keeps the value that was last set."""
    control_at(show, any)
    return show.state.without_map(any)


def mod_number(n: str) -> int:
    """The number of something that is added to a control.

    Raises:
        BadValue: not 1..8.
    """
    if not n.isdecimal() or not 1 <= int(n) <= MAX_MODS:
        raise BadValue(f"what is added to a control is numbered 1 to {MAX_MODS}, not {n!r}")
    return int(n)


def read_mod(show: Show, any: str, n: str) -> tuple[Any, ...]:
    control_at(show, any)
    mod = show.state.mods.get(any, {}).get(mod_number(n))
    return ("",) if mod is None else (mod.feature, mod.depth, mod.curve)


@COMMANDS.declare(
    "{any}/mod/{n}",
    replace(FEATURE, default="", optional=True),
    Arg("depth", "f", None, "what is added where the feature is 1, in the control's unit", optional=True),
    CURVE,
    read=read_mod,
)
def mod(
    show: Show, any: str, n: str, feature: str = "", depth: float | None = None, curve: str = "lin"
) -> State:
    """Adds depth · feature to whatever the control's value is, and goes on when it is set; a vector is added
    to a vector. Without arguments, or with depth 0, adds nothing any more.
    """
    control_at(show, any)
    number = mod_number(n)
    if feature and depth is None:
        raise BadValue(f"{any}/mod/{n} needs a depth after the feature, in the control's unit")
    if not feature or not depth:
        return show.state.with_mod(any, number, None)
    curved(0.0, 0.0, depth, curve)
    return show.state.with_mod(any, number, Mod(checked_feature(feature), depth, curve))
