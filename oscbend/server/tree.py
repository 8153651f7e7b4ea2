"""The OSCQuery tree: every address that exists, described from the tables, with the values of a snapshot.

Source: the OSCQuery proposal, https://github.com/Vidvox/OSCQueryProposal. The attribute MUSICAL is our own:
where a live control gives pictures worth seeing, while RANGE is what it can take at all.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from oscbend.bends import OPERATORS
from oscbend.commands import COMMANDS, Show, addresses, find, usage
from oscbend.controls import controls, musical_range
from oscbend.errors import BadMessage
from oscbend.snapshot import Snapshot
from oscbend.table import Arg, Row

Json = dict[str, Any]
Atoms = tuple[Any, ...]

ATTRIBUTES = (
    "FULL_PATH", "CONTENTS", "TYPE", "ACCESS", "VALUE", "RANGE", "DESCRIPTION", "UNIT", "CLIPMODE", "TAGS",
    "OVERLOADS", "MUSICAL",
)  # fmt: skip

UNITS = {
    "rad": "angle.radian",
    "°": "angle.degree",
    "s": "time.second",
    "ms": "time.ms",
    "Hz": "time.hz",
    "1/s": "time.hz",
    "px": "distance.pixels",
    "dB": "gain.db",
}
"""Units as OSCQuery spells them; others stay as people read them."""

READABLE, WRITABLE = 1, 2
TRIGGER = "N"
"""The type of what takes no arguments: a button."""


class Changes(NamedTuple):
    """How a tree differs from an earlier one: the topmost paths that came, went, or are described anew."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(eq=False)
class Kind:
    """What addresses have in common that differ in nothing but names and values.

    Args:
        args: what they take; for a parameter of a bend, the operator's own argument.
        access: whether they can be read and written.
        help: one line.
        musical: of a live control, its musical range.
        tags: marks to search by.
    """

    args: tuple[Arg, ...]
    access: int
    help: str
    musical: tuple[float, float] | None
    tags: tuple[str, ...]
    _types: dict[tuple[type, ...], str] = field(default_factory=dict)
    _forms: dict[str, Json] = field(default_factory=dict)

    @property
    def many(self) -> bool:
        """True if its type depends on how much it holds."""
        return any(arg.many for arg in self.args)

    def types(self, value: Atoms) -> str:
        """Type tags of a value, as the arguments have them; only `i f s`, as in replies."""
        classes = tuple(map(type, value))
        types = self._types.get(classes)
        if types is None:
            spread = zip(_spread(self.args, len(value)), value)
            types = self._types[classes] = "".join(_tag(arg, isinstance(v, str)) for arg, v in spread)
        return types

    def form(self, value: Atoms) -> Json:
        """The attributes that come from the tables, with a value or none; for equal types the same object."""
        types = self.types(value)
        form = self._forms.get(types)
        if form is None:
            form = self._forms[types] = _form(self, types)
        return form


class Leaf(NamedTuple):
    """One address that takes messages: its command, the names in it, and what it shares with others."""

    address: str
    row: Row
    captured: Mapping[str, str]
    kind: Kind

    def value(self, snapshot: Snapshot) -> Atoms:
        """What `/get` answers; empty where nothing can be asked, or nothing is set."""
        shown = snapshot.modulation.shown.get(self.address)
        if shown is not None:
            return tuple(shown.tolist())
        if self.row.read is None:
            return ()
        try:
            return self.row.read(snapshot.show, **self.captured)
        except BadMessage:
            return ()


class Tree:
    """Every address of a show.

    Args:
        snapshot: the show as it stands; one of another structure needs another tree.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.structure = snapshot.structure
        self.leaves: dict[str, Leaf] = {}
        self._forms: dict[str, Json] = {}
        self._below: dict[str, list[str]] = {"/": []}
        show = snapshot.show
        musical = {
            c.address: musical_range(show.state, c, show.stage) if c.arg.musical else None
            for c in controls(show.state, show.stage)
        }
        ops = {bend.id: bend.op for bend in show.state.bends}
        for address in listed(show):
            row, captured = find(address)
            op = ops.get(captured.get("id", ""), "")
            param = captured.get("param", "") if op else ""
            kind = _kind(row.name, op, param, address in musical, musical.get(address))
            leaf = self.leaves[address] = Leaf(address, row, captured, kind)
            self._forms[address] = kind.form(leaf.value(snapshot) if kind.many else ())
            self._hang(address)

    def __contains__(self, path: str) -> bool:
        return path in self._below

    def node(self, path: str, snapshot: Snapshot) -> Json:
        """The attributes of the node at a path that exists, as OSCQuery writes them, but for CONTENTS.

        Args:
            path: an address, or what addresses begin with; `/` for the root.
            snapshot: of the same structure, from which values are read.
        """
        node: Json = {"FULL_PATH": path, "ACCESS": 0}
        leaf = self.leaves.get(path)
        if leaf is not None:
            value = leaf.value(snapshot)
            node.update(leaf.kind.form(value))
            if value:
                node["VALUE"] = [_json(v) for v in value]
        return node

    def value(self, address: str, snapshot: Snapshot) -> tuple[Atoms, str]:
        """What is set at an address, and its type tags; empty where nothing is, or no such address."""
        leaf = self.leaves.get(address)
        value = () if leaf is None else leaf.value(snapshot)
        return value, leaf.kind.types(value) if leaf is not None else ""

    def describe(self, path: str, snapshot: Snapshot) -> Json:
        """The node at a path that exists, with all that is below it."""
        node = self.node(path, snapshot)
        if self._below[path]:
            node["CONTENTS"] = {
                child.rpartition("/")[2]: self.describe(child, snapshot) for child in self._below[path]
            }
        return node

    def changes(self, before: Tree) -> Changes:
        """What is different from an earlier tree."""
        return Changes(
            _topmost(path for path in self._below if path not in before),
            _topmost(path for path in before._below if path not in self),
            _topmost(
                p for p, form in self._forms.items() if p in before and form is not before._forms.get(p)
            ),
        )

    def _describes(self, path: str, form: Json) -> bool:
        own = self._forms.get(path)
        return own is form or own == form

    def _hang(self, path: str) -> None:
        """Puts a path, and whatever it begins with, into the tree."""
        if path not in self._below:
            self._below[path] = []
            parent = path.rpartition("/")[0] or "/"
            self._hang(parent)
            self._below[parent].append(path)


def listed(show: Show) -> list[str]:
    """Every address that exists; but of the places for additions to a control, only those that are taken."""
    taken = {f"{address}/mod/{n}" for address, mods in show.state.mods.items() for n in mods}
    return [a for a in addresses(show) if "/mod/" not in a or a in taken]


@functools.lru_cache(maxsize=4096)
def _kind(command: str, op: str, param: str, live: bool, musical: tuple[float, float] | None) -> Kind:
    """What the addresses of a command take; for those of a bend, its operator tells.

    Args:
        command: name of the row.
        op: the bend's operator; empty for none.
        param: the operator's parameter; empty for none.
        live: True for a live control.
        musical: its musical range.
    """
    row = COMMANDS[command]
    args, help, tags = row.args, row.help, sorted(row.tags)
    if param:
        args = (OPERATORS[op].arg(param),)
        help = f"{op}: {args[0].help}"
        tags = [] if live else ["static"]
    elif op and command == "/bend/{id}":
        tags = [op, *sorted(OPERATORS[op].tags)]
    if len(row.args) > 1:
        help = f"{help} Arguments: {usage(row)}"
    if live:
        tags = ["live", *tags]
    access = WRITABLE if row.read is None else READABLE | WRITABLE
    return Kind(args, access, help, musical, tuple(tags))


def _topmost(paths: Iterable[str]) -> tuple[str, ...]:
    """Those of the paths that lie below none of the others."""
    found = dict.fromkeys(paths)
    return tuple(p for p in found if not any(above in found for above in _above(p)))


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _spread(args: tuple[Arg, ...], count: int) -> tuple[Arg, ...]:
    """One argument for each of `count` atoms; the last one takes what is left over."""
    spread = tuple(arg for arg in args for _ in range(arg.size))
    return (spread + args[-1:] * count)[:count]


def _tag(arg: Arg, text: bool) -> str:
    if text:
        return "s"
    return "i" if arg.type.endswith(("i", "b")) else "f"


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _form(kind: Kind, types: str) -> Json:
    """The attributes that do not depend on values.

    Args:
        kind: of address.
        types: of its value; empty if there is none.
    """
    needed = _types(a for a in kind.args if not a.optional)
    taken = types or needed or _types(kind.args) or TRIGGER
    form: Json = {
        "TYPE": taken,
        "ACCESS": kind.access,
        "DESCRIPTION": kind.help,
        **_details(kind.args, taken),
    }
    if kind.musical is not None:
        lo, hi = kind.musical
        form["MUSICAL"] = [{"MIN": lo, "MAX": hi}] * len(taken)
    if kind.tags:
        form["TAGS"] = list(kind.tags)
    others = dict.fromkeys((needed, _types(kind.args), *_alike(kind.args, taken)))
    overloads = [{"TYPE": t, **_details(kind.args, t)} for t in others if t and t != taken]
    if overloads:
        form["OVERLOADS"] = overloads
    return form


def _types(args: Iterable[Arg]) -> str:
    """Type tags of a message that gives every argument, and one atom where there may be many."""
    return "".join(_tag(a, a.type.endswith("s")) * a.size for a in args)


def _alike(args: tuple[Arg, ...], taken: str) -> tuple[str, ...]:
    """Other types that are taken as well where one number is."""
    if taken == "f":
        return ("i",)
    if taken == "i":
        return ("f", "T") if args[0].type == "b" else ("f",)
    return ()


def _details(args: tuple[Arg, ...], types: str) -> Json:
    """RANGE, CLIPMODE and UNIT, an entry for each type; left out where there is nothing to tell."""
    spread = _spread(args, len(types)) if types != "T" else ()
    details: dict[str, list[Any]] = {
        "RANGE": [_range(a) for a in spread],
        "CLIPMODE": [_clipmode(a) for a in spread],
        "UNIT": [UNITS.get(a.unit, a.unit) or None for a in spread],
    }
    return {name: entries for name, entries in details.items() if any(e is not None for e in entries)}


def _range(arg: Arg) -> Json | None:
    if arg.choices:
        return {"VALS": list(arg.choices)}
    if arg.type == "b":
        return {"MIN": 0, "MAX": 1}
    kind = int if arg.type.endswith("i") else float
    ends = {"MIN": arg.lo, "MAX": arg.hi}
    return {name: kind(end) for name, end in ends.items() if end is not None} or None


def _clipmode(arg: Arg) -> str | None:
    ends = (arg.lo is not None, arg.hi is not None)
    if arg.choices or not any(ends):
        return None
    return {(True, True): "both", (True, False): "low", (False, True): "high"}[ends] if arg.clip else "none"
