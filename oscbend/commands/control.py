"""What every live control can do: be set over its musical range, be driven by a feature, be let go."""

from __future__ import annotations

import numpy as np

from oscbend.bends import OPERATORS
from oscbend.commands.base import COMMANDS, Show
from oscbend.errors import BadValue, UnknownName
from oscbend.features import split
from oscbend.modulation import Control, controls, curved, find_control, musical_range
from oscbend.state import Map, State
from oscbend.table import Arg


def control_at(show: Show, address: str) -> Control:
    """The live control at an address.

    Raises:
        BadValue: the address exists, but is static.
        UnknownName: there is none.
    """
    found = find_control(show.state, address, show.stage)
    if found is not None:
        return found
    parts = address.split("/")
    bend = show.state.bend(parts[2]) if len(parts) == 4 and parts[1] == "bend" else None
    if bend is not None and parts[3] in {a.name for a in OPERATORS[bend.op].static}:
        raise BadValue(f"{address} is static: it can be set, but not mapped or normalised")
    raise UnknownName("live control", address, (c.address for c in controls(show.state, show.stage)))


@COMMANDS.declare("{any}/norm", Arg("value", "f", None, "0..1", lo=0.0, hi=1.0))
def norm(show: Show, any: str, value: float) -> State:
    """Sets any live control over its musical range."""
    return normed(show, control_at(show, any), value)


def normed(show: Show, control: Control, value: float) -> State:
    """The state with a control at `value` (0..1) of its musical range."""
    lo, hi = musical_range(show.state, control, show.stage)
    number = lo + (hi - lo) * value
    size = control.arg.size
    return show.state.with_value(control.address, number if size == 1 else (number,) * size)


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
    Arg("feature", "s", None, "a feature, or one component such as bands.3"),
    Arg("lo", "f", None, "the control's value at 0", optional=True),
    Arg("hi", "f", None, "the control's value at 1", optional=True),
    Arg("curve", "s", "lin", "lin exp sin sqr sqrt, or a number", optional=True),
    read=_driver,
)
def map_control(
    show: Show, any: str, feature: str, lo: float | None = None, hi: float | None = None, curve: str = "lin"
) -> State:
    """The feature becomes the control's value: 0..1 -> lo..hi, by default the control's musical range."""
    control = control_at(show, any)
    if (lo is None) != (hi is None):
        raise BadValue("map takes both lo and hi, or neither")
    name, _ = split(feature)
    if "/" in name or not name:
        raise BadValue(f"{feature!r} is no feature's name")
    if lo is not None and hi is not None:
        kept = tuple(control.arg.inside_hard(v) for v in (lo, hi))
        if kept != (lo, hi):
            show.notes.append(f"{any}/map: {lo:g} {hi:g} reaches outside {control.arg.range_text}: clipped")
        lo, hi = kept
        curved(np.zeros(1), lo, hi, curve)
    else:
        curved(np.zeros(1), *musical_range(show.state, control, show.stage), curve)
    return show.state.with_map(any, Map(feature, lo, hi, curve))


@COMMANDS.declare("{any}/unmap")
def unmap(show: Show, any: str) -> State:
    """Lets a control go; it keeps the value that was last set."""
    control_at(show, any)
    return show.state.without_map(any)
