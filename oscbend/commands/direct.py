"""The short way for messages that only set a number: features and live values, which come by the thousand.

What it takes has the same effect as the command itself; whatever is not plainly right (a pattern, text, a
number out of range, something that does not exist) is left to the command.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from oscbend import bends
from oscbend.commands.base import find
from oscbend.controls import FIXED, hard_range
from oscbend.errors import UnknownName
from oscbend.features import Bus, Buses
from oscbend.glides import lagged
from oscbend.modulation import Modulation
from oscbend.osc import Message
from oscbend.state import MIX, WEIGHT, Glide, State
from oscbend.table import Arg, Value

KEPT = 16384
"""How many addresses are remembered."""


class _Target(NamedTuple):
    """Where an address leads: a bus of one component, or a live control with its hard range and its lag."""

    bus: Bus | None = None
    name: str = ""
    lo: float = -math.inf
    hi: float = math.inf
    lag_s: float = 0.0


class Direct:
    """Takes messages the short way and keeps what they set until `settled`.

    Args:
        modulation: with the features heard so far, and the clock of the show.
    """

    def __init__(self, modulation: Modulation) -> None:
        self._modulation = modulation
        self._buses = modulation.buses
        self._targets: dict[str, _Target | None] = {}
        self._made_for: tuple[object, ...] = ()
        self._live: dict[str, Value] = {}
        self._glides: dict[str, Glide] = {}
        self._near: dict[str, tuple[Glide | None, Value, float]] = {}
        self._near_s = -math.inf
        self._heard: list[tuple[str, Bus]] = []

    def take(self, state: State, message: Message, time_s: float) -> bool:
        """Takes a message, or leaves it to its command.

        Args:
            state: the state now.
            message: what came.
            time_s: its time on the clock of the loop.
        """
        seen = self._made_for
        if (
            not seen
            or seen[0] is not state.bends
            or seen[1] is not state.prompts
            or seen[2] is not state.maps
            or seen[3] is not state.lags
            or seen[4:] != (self._buses.made, state.lag, state.pause, state.fade is None)
        ):
            self._targets.clear()
            self._made_for = (
                state.bends, state.prompts, state.maps, state.lags, self._buses.made, state.lag, state.pause,
                state.fade is None,
            )  # fmt: skip
        try:
            target = self._targets[message.address]
        except KeyError:
            target = self._look_up(state, message.address)
        if target is None or len(message.args) != 1:
            return False
        number = message.args[0]
        kind = type(number)
        if kind is int:
            number = float(number)
        elif kind is not float:
            return False
        bus, name, lo, hi, lag_s = target
        if bus is not None:
            if not -math.inf < number < math.inf:
                return False
            if not bus.inbox:
                self._heard.append((name, bus))
            bus.inbox.append((time_s, number))
            return True
        if not lo <= number <= hi or number - number != 0:
            return False
        if lag_s > 0:
            self._note_near(state, message.address, lag_s)
        self._live[message.address] = number
        return True

    def _note_near(self, state: State, address: str, lag_s: float) -> None:
        """Notes where a control is before it is set; what is set twice at one moment glides once."""
        if self._near_s != self._modulation.show_s:
            self._draw_near()
            self._near_s = self._modulation.show_s
        if address in self._near:
            return
        if address in self._live:
            self._near[address] = self._glides.pop(address, None), self._live[address], lag_s
        elif address in state.live:
            self._near[address] = state.glides.get(address), state.live[address], lag_s

    def _draw_near(self) -> None:
        """Does what `set_live` does for controls that nothing drives."""
        for address, (glide, before, lag_s) in self._near.items():
            moving = lagged(glide, before, self._live[address], self._near_s, lag_s)
            if moving is not None:
                self._glides[address] = moving
        self._near.clear()

    def settled(self, state: State) -> State:
        """The state with all that was taken since the last call; features have heard theirs."""
        if self._heard:
            for name, bus in self._heard:
                bus.settle(state.listening_to(name))
            self._heard.clear()
        if self._live:
            self._draw_near()
            live, self._live = self._live, {}
            glides, self._glides = self._glides, {}
            return state.with_values(live, glides)
        return state

    def _look_up(self, state: State, address: str) -> _Target | None:
        if len(self._targets) >= KEPT:
            self._targets.clear()
        target = self._targets[address] = _target(state, address, self._buses)
        return target


def _target(state: State, address: str, buses: Buses) -> _Target | None:
    try:
        row, captured = find(address)
    except UnknownName:
        return None
    if row.name == "/feature/{name}":
        name = captured["name"]
        return _Target(buses[name], name) if name in buses and buses[name].size == 1 else None
    arg = _live_arg(state, row.name, address, captured)
    if arg is None or arg.type != "f" or arg.size != 1 or arg.choices:
        return None
    lo, hi = hard_range(arg)
    lag_s = 0.0 if state.pause else state.lag_of(address, arg)
    slowed = address in state.maps or state.fade is not None
    return None if lag_s > 0 and slowed else _Target(None, "", lo, hi, lag_s)


def _live_arg(state: State, command: str, address: str, captured: Mapping[str, str]) -> Arg | None:
    """The argument of a live control that a message at `address` sets, and nothing else."""
    if command in FIXED:
        return FIXED[command]
    if command == "/prompt/{n}/weight":
        exists = any(address == f"/prompt/{n}/weight" for n in state.prompts)
        return WEIGHT if exists else None
    bend = state.bend(captured["id"]) if command.startswith("/bend/{id}/") else None
    if bend is None:
        return None
    if command == "/bend/{id}/mix":
        return MIX
    if command == "/bend/{id}/{param}":
        return next((a for a in bends.OPERATORS[bend.op].live if a.name == captured["param"]), None)
    return None
