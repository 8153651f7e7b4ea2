"""Feature buses: what a host tells about the sound."""

from __future__ import annotations

from typing import Any

from oscbend.commands.base import COMMANDS, Show
from oscbend.errors import BadValue
from oscbend.state import State
from oscbend.table import Arg, number_from


def _range(show: Show, name: str) -> tuple[Any, ...]:
    heard = show.state.listening_to(name).range
    return heard if isinstance(heard, tuple) else (heard,)


def _smooth(show: Show, name: str) -> tuple[Any, ...]:
    how = show.state.listening_to(name)
    return how.attack_s, how.release_s, how.median, how.gate


@COMMANDS.declare(
    "/feature/{name}",
    Arg("value", "*f", help="one value, or a vector"),
    read=lambda show, name: tuple(float(v) for v in show.modulation.buses[name].value),
)
def feature(show: Show, name: str, value: tuple[float, ...]) -> None:
    """A feature bus: one value or a vector; made by its first message, its components are NAME.0, NAME.1 …"""
    show.modulation.buses.feed(name, value, show.now_s, show.state.listening_to(name))


@COMMANDS.declare(
    "/feature/{name}/range",
    Arg("range", "*s", help="lo hi, or auto, or hold", usage="lo hi | auto | hold"),
    read=_range,
)
def feature_range(show: Show, name: str, range: tuple[str, ...]) -> State:
    """What counts as 0..1 when mapped: lo hi, auto (5th to 95th percentile of the last 20 s),
    or hold (which freezes it).
    """
    if range in (("auto",), ("hold",)):
        return show.state.hearing(name, range=range[0])
    if len(range) != 2:
        raise BadValue("range takes lo hi, auto, or hold")
    lo, hi = (number_from(v, "range") for v in range)
    if lo == hi:
        raise BadValue(f"range {lo:g} {hi:g} is empty")
    return show.state.hearing(name, range=(lo, hi))


@COMMANDS.declare(
    "/feature/{name}/smooth",
    Arg("attack", "f", None, "time constant of rising", lo=0.0, hi=60.0, unit="s"),
    Arg("release", "f", None, "time constant of falling", lo=0.0, hi=60.0, unit="s"),
    Arg("median", "i", 1, "messages in the median filter", lo=1, hi=99, optional=True),
    Arg("gate", "f", 0.0, "share of the range that counts as silence", lo=0.0, hi=1.0, optional=True),
    read=_smooth,
)
def feature_smooth(
    show: Show, name: str, attack: float, release: float, median: int = 1, gate: float = 0.0
) -> State:
    """Follows the feature with attack and release, after a median filter; then a gate.
    Independent of the frame rate.
    """
    return show.state.hearing(name, attack_s=attack, release_s=release, median=median, gate=gate)


@COMMANDS.declare(
    "/feature/{name}/hold",
    Arg("hold", "s", None, "which", choices=("latest", "max", "mean")),
    read=lambda show, name: (show.state.listening_to(name).hold,),
)
def feature_hold(show: Show, name: str, hold: str) -> State:
    """What a frame sees of several messages (for onsets: max)."""
    return show.state.hearing(name, hold=hold)


@COMMANDS.declare(
    "/trig/{name}",
    Arg("level", "f", 1.0, "part of the feature's range that it jumps to", lo=0.0, hi=1.0, optional=True),
    tags=("view",),
    read=lambda show, name: (show.modulation.buses[name].struck,),
)
def trig(show: Show, name: str, level: float = 1.0) -> None:
    """An onset: the feature jumps up in its range, and falls back with the release of its smoothing."""
    show.modulation.buses.hit(name, level, show.now_s, show.state.listening_to(name))
