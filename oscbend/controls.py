"""The live controls: which there are now, what they are set to by default, and over which range they go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from oscbend import bends
from oscbend.errors import BadMessage, BadValue
from oscbend.state import (
    ANGLE,
    BLACK,
    GUIDANCE,
    MIX,
    SEED,
    SPEED,
    WEIGHT,
    WET,
    WINDOW,
    XFADE,
    XFADE_ADDRESS,
    XY,
    XY_ADDRESS,
    Bend,
    State,
)
from oscbend.table import Arg, Value


class Network(Protocol):
    """What modulation has to know about the model that draws."""

    def resolve(self, site: str, state: State) -> tuple[str, ...]:
        """The sites a name, number or pattern reaches; raises UnknownName."""

    def check(self, op: str, static: Mapping[str, Value], site: str, state: State) -> None:
        """Raises BadValue if the operator cannot act at the site."""

    def scale(self, site: str, state: State) -> float:
        """Standard deviation of the site's activations."""

    def start(self, state: State) -> int:
        """First step that runs, given the strength of image-to-image."""


@dataclass(frozen=True)
class Control:
    """A live control that exists now: its address, its argument, and the site it acts at, if any."""

    address: str
    arg: Arg
    site: str = ""


def find_control(state: State, address: str, network: Network) -> Control | None:
    """The live control at an address, or None."""
    fixed = FIXED.get(address)
    if fixed is not None:
        return Control(address, fixed)
    parts = address.split("/")
    if len(parts) == 4 and parts[1] == "prompt":
        exists = any(address == weight_of(n) for n in state.prompts)
        return Control(address, WEIGHT) if exists else None
    if len(parts) == 4 and parts[1] == "bend":
        bend = state.bend(parts[2])
        if bend is None:
            return None
        for arg in (MIX, WINDOW, *bends.OPERATORS[bend.op].live):
            if arg.name == parts[3]:
                return Control(address, arg, first_site(bend, state, network))
    return None


def controls(state: State, network: Network) -> list[Control]:
    """Every live control that exists now."""
    found = [Control(a, arg) for a, arg in FIXED.items()]
    found += [Control(weight_of(n), WEIGHT) for n in sorted(state.prompts)]
    for bend in state.bends:
        site = first_site(bend, state, network)
        args = (MIX, WINDOW, *bends.OPERATORS[bend.op].live)
        found += [Control(bend.address(a.name), a, site) for a in args]
    return found


FIXED = {
    "/seed": SEED,
    "/guidance": GUIDANCE,
    "/noise/angle": ANGLE,
    "/noise/speed": SPEED,
    XY_ADDRESS: XY,
    "/black": BLACK,
    "/wet": WET,
    XFADE_ADDRESS: XFADE,
}


def weight_of(n: int) -> str:
    """The address of a prompt's weight."""
    return f"/prompt/{n}/weight"


def first_site(bend: Bend, state: State, network: Network) -> str:
    """The first site a bend reaches; empty if it lies dormant."""
    try:
        return network.resolve(bend.site, state)[0]
    except BadMessage:
        return ""


def default_of(state: State, control: Control) -> Value:
    """A control's value where nobody set it."""
    if control.arg is WEIGHT:
        return 1.0 if control.address == "/prompt/1/weight" else 0.0
    if control.arg.default is None:
        raise BadValue(f"{control.address} has no value yet")
    return control.arg.default


def musical_range(state: State, control: Control, network: Network) -> tuple[float, float]:
    """Where a control gives pictures worth seeing, in its unit."""
    scale = network.scale(control.site, state) if control.site else 1.0
    return control.arg.musical_range(control.site, scale)


def hard_range(arg: Arg) -> tuple[float, float]:
    """An argument's hard range; infinite where it has none."""
    return (-np.inf if arg.lo is None else arg.lo), (np.inf if arg.hi is None else arg.hi)
