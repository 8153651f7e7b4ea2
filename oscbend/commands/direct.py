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
from oscbend.errors import UnknownName
from oscbend.features import Bus, Buses
from oscbend.modulation import FIXED
from oscbend.osc import Message
from oscbend.state import MIX, WEIGHT, State
from oscbend.table import Arg, Value

KEPT = 4096
"""How many addresses are remembered."""


class _Target(NamedTuple):
    """Where an address leads: a bus of one component, or a live control within its hard range."""

    bus: Bus | None = None
    lo: float = -math.inf
    hi: float = math.inf


class Direct:
    """Takes messages the short way and keeps what they set until `settled`.

    Args:
        buses: the features heard so far.
    """

    def __init__(self, buses: Buses) -> None:
        self._buses = buses
        self._targets: dict[str, _Target | None] = {}
        self._made_for: tuple[object, object, int] = (None, None, -1)
        self._live: dict[str, Value] = {}
        self._heard = False

    def take(self, state: State, message: Message, time_s: float) -> bool:
        """Takes a message, or leaves it to its command.

        Args:
            state: the state now.
            message: what came.
            time_s: its time on the clock of the loop.
        """
        bends_now, prompts, made = self._made_for
        if bends_now is not state.bends or prompts is not state.prompts or made != self._buses.made:
            self._targets.clear()
            self._made_for = state.bends, state.prompts, self._buses.made
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
        bus, lo, hi = target
        if bus is not None:
            if not -math.inf < number < math.inf:
                return False
            bus.inbox.append((time_s, number))
            self._heard = True
            return True
        if not lo <= number <= hi or number - number != 0:
            return False
        self._live[message.address] = number
        return True

    def settled(self, state: State) -> State:
        """The state with all that was taken since the last call; features have heard theirs."""
        if self._heard:
            self._heard = False
            self._buses.settle(state.listening)
        if self._live:
            live, self._live = self._live, {}
            return state.with_values(live)
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
        return _Target(buses[name]) if name in buses and buses[name].size == 1 else None
    arg = _live_arg(state, row.name, address, captured)
    if arg is None or arg.type != "f" or arg.size != 1 or arg.choices:
        return None
    return _Target(None, -math.inf if arg.lo is None else arg.lo, math.inf if arg.hi is None else arg.hi)


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
