"""What a frame has changed: which addresses, to what, and who set them; for all who follow the show.

A change is an address with its new value, as `/get` tells it; `/bend/ID/free` and `ANY/unmap` where something
has gone. Values that only move (glides, maps, features) are no changes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from oscbend.commands.base import COMMANDS, Show, Stage
from oscbend.controls import default_of, find_control
from oscbend.errors import BadMessage
from oscbend.modulation import Modulation
from oscbend.state import State

_FIELDS = tuple(f.name for f in fields(State))
_NAMED = {
    "bends": "/bend/{id}",
    "prompts": "/prompt/{n}",
    "listening": "/feature/{name}",
    "outs": "/out/{name}",
}
"""Fields of the state that hold things with names, and where these stand in addresses."""


@dataclass(frozen=True)
class Change:
    """One address that has a new value.

    Args:
        address: of the command.
        args: its arguments.
        sender: who set it; None if nobody did, or if several may have.
    """

    address: str
    args: tuple[Any, ...]
    sender: Hashable | None = None


Watcher = Callable[[State, Sequence[Change]], None]
"""Is told the new state and what changed in it, on the thread that draws: it must not wait."""


class Changes:
    """Compares the state of each frame with that of the frame before, and tells those who watch.

    Args:
        state: what the show begins with.
    """

    def __init__(self, state: State) -> None:
        self.watchers: list[Watcher] = []
        self._state = state
        self._set_by: dict[str, Hashable | None] = {}
        self._senders: set[Hashable | None] = set()

    def heard(self, address: str, sender: Hashable | None) -> None:
        """Notes who asked for a change; the message may be a pattern, and may change other addresses."""
        self._set_by[address] = sender
        self._senders.add(sender)

    def set_by(self, address: str, sender: Hashable | None) -> None:
        """Notes who has set an address, where the message can have changed no other."""
        self._set_by[address] = sender

    def tell(self, state: State, modulation: Modulation, stage: Stage) -> None:
        """Tells what has changed since the last call, if anything has."""
        before, self._state = self._state, state
        if before is not state and self.watchers:
            shows = Show(before, modulation, stage), Show(state, modulation, stage)
            changes = [Change(a, args, self._who(a)) for a, args in differences(*shows)]
            if changes:
                for watcher in self.watchers:
                    watcher(state, changes)
        self._set_by.clear()
        self._senders.clear()

    def _who(self, address: str) -> Hashable | None:
        only = next(iter(self._senders)) if len(self._senders) == 1 else None
        head = address.rpartition("/")[0]
        return self._set_by.get(address, self._set_by.get(head, only))


def differences(before: Show, after: Show) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The messages that lead from one state to another, each address once."""
    differing = [f for f in _FIELDS if not _same(getattr(before.state, f), getattr(after.state, f))]
    if any(f != "live" for f in differing):
        yield from _compared(before, after, [name for name in COMMANDS if "{" not in name], {})
    if "live" in differing or "maps" in differing:
        yield from _live(before, after)
    attached: dict[str, None] = {}
    for field in differing:
        old, new = getattr(before.state, field), getattr(after.state, field)
        if field in _NAMED:
            if field == "bends":
                old, new = {b.id: b for b in old}, {b.id: b for b in new}
            for key in _keys(old, new):
                yield from _named(before, after, _NAMED[field], str(key), gone=key not in new)
        elif field == "mods":
            for address in _keys(old, new):
                yield from _added(after, address, _keys(old.get(address, {}), new.get(address, {})))
        elif field in ("maps", "lags"):
            attached |= dict.fromkeys(_keys(old, new))
    for address in attached:
        yield from _attached(before, after, address)


def _same(old: Any, new: Any) -> bool:
    return old is new or old == new


def _keys(old: Mapping[Any, Any], new: Mapping[Any, Any]) -> list[Any]:
    """The keys at which two mappings differ."""
    both = {**old, **new}
    return [key for key in both if key not in old or key not in new or not _same(old[key], new[key])]


def _live(before: Show, after: Show) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Live controls that were set, and those that are back at their default or were let go."""
    let_go = before.state.maps.keys() - after.state.maps.keys()
    for address in dict.fromkeys((*_keys(before.state.live, after.state.live), *sorted(let_go))):
        value = after.state.live.get(address)
        if value is None:
            control = find_control(after.state, address, after.stage)
            if control is None:
                continue
            value = default_of(after.state, control)
        yield address, value if isinstance(value, tuple) else (value,)


def _named(
    before: Show, after: Show, prefix: str, name: str, *, gone: bool
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """What belongs to one bend, prompt or feature."""
    part = prefix[prefix.index("{") + 1 : -1]
    if gone and f"{prefix}/free" in COMMANDS:
        yield f"{prefix}/free".replace(f"{{{part}}}", name), ()
        return
    rows = [row for row in COMMANDS if row.startswith(prefix) and row.count("{") == 1]
    if prefix == "/feature/{name}":
        rows.remove(prefix)
    yield from _compared(before, after, rows, {part: name})
    old, new = (show.state.bend(name) if part == "id" else None for show in (before, after))
    if new is not None:
        known = {} if old is None else old.static
        for option in _keys(known, new.static):
            if option in new.static:
                value = new.static[option]
                yield new.address(option), value if isinstance(value, tuple) else (value,)


def _attached(before: Show, after: Show, address: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """What is attached to a live control: its map, its lag."""
    if find_control(after.state, address, after.stage) is None:
        return
    rows = [row for row in COMMANDS if row.startswith("{any}/") and row.count("{") == 1]
    for changed, args in _compared(before, after, rows, {"any": address}):
        head, _, last = changed.rpartition("/")
        if args == ("",) and f"{{any}}/un{last}" in COMMANDS:
            yield f"{head}/un{last}", ()
        else:
            yield changed, args


def _added(after: Show, address: str, numbers: Sequence[int]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """What is added to a live control, or is no more."""
    if find_control(after.state, address, after.stage) is None:
        return
    for n in numbers:
        mod = after.state.mods.get(address, {}).get(n)
        yield f"{address}/mod/{n}", () if mod is None else (mod.feature, mod.depth, mod.curve)


def _compared(
    before: Show, after: Show, rows: Sequence[str], named: Mapping[str, str]
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Commands whose value can be asked for, and is not what it was."""
    for name in rows:
        row = COMMANDS[name]
        if row.read is None or "view" in row.tags or (row.args and row.args[0].live):
            continue
        new = _read(after, row.read, named)
        if new is not None and new != _read(before, row.read, named):
            for part, text in named.items():
                name = name.replace(f"{{{part}}}", text)
            yield name, new


def _read(
    show: Show, read: Callable[..., tuple[Any, ...]], named: Mapping[str, str]
) -> tuple[Any, ...] | None:
    try:
        return read(show, **named)
    except BadMessage:
        return None
