"""How a message becomes a change: the table of commands, what a command may touch, and dispatch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from oscbend import bends, osc, pattern
from oscbend.commands.house import House, NoHouse
from oscbend.controls import Control, Network, controls, find_control
from oscbend.errors import BadMessage, BadValue, UnknownName
from oscbend.fades import touched
from oscbend.glides import lagged
from oscbend.modulation import Modulation
from oscbend.scenes import Scenes
from oscbend.state import MAX_MODS, Glide, State
from oscbend.table import Arg, Row, Table, Value

COMMANDS = Table("address")

SUFFIXES = ("norm", "to", "lag", "map", "unmap")
"""What every live control has below its address, besides `mod/N`."""

LONGEST = 512
"""Longest address that anything can have, in characters."""


class Stage(Network, Protocol):
    """What commands may ask of the outside; the engine stands behind it."""

    def site_names(self, state: State) -> Sequence[str]:
        """Every site of the model that draws, in order."""

    def knows(self, text: str) -> bool:
        """True if a prompt is encoded already."""

    def encode(self, text: str, beside: Iterable[str] = ()) -> list[str]:
        """Encodes a prompt, forgetting none of those in use beside it; tells the words that are not known."""

    @property
    def prepares(self) -> bool:
        """True if another size is slow to get ready."""

    def prepare_size(self, state: State) -> None:
        """Makes what frames of the state's size need; raises OutOfMemory if there is no room for it."""

    def check_steps(self, state: State) -> None:
        """Raises BadValue if the model has no such steps."""

    def check_feedback(self) -> None:
        """Raises BadValue if no frame can wait for the one before it."""

    def load(self, source: str, state: State) -> str:
        """Loads a model beside the one that runs, its prompts encoded; gives its key."""

    def read_picture(self, name: str) -> str:
        """Reads a picture or film below the root, to start from or to mask with; gives its key."""

    @property
    def scenes(self) -> Scenes:
        """The scenes below the root."""

    @property
    def root(self) -> Path:
        """The folder below which all files named over OSC lie."""

    def prepare(self, state: State) -> None:
        """Makes what a frame of this state needs and is slow to make."""


@dataclass(frozen=True)
class Reply:
    """An answer to whoever sent a message.

    Args:
        address: of the reply.
        args: `i f s`; what is too long for one reply is split into several.
        to: who sent the message.
        head: how many of the arguments each of several replies begins with.
    """

    address: str
    args: tuple[Any, ...]
    to: Hashable | None = None
    head: int = 0


@dataclass(frozen=True)
class Job:
    """Slow work for the worker; frames go on meanwhile.

    Args:
        address: of the command, for `/done` and `/fail`.
        work: done off the render thread; gives the change to make when it has ended, and notes to tell.
        args: what `/done` carries after the address.
        to: who sent it.
        quiet: True if nobody is told of its end.
        replies: what the work has to answer besides, before `/done`.
        aside: True if it changes nothing that is drawn, and belongs to no score.
    """

    address: str
    work: Callable[[], tuple[Callable[[State], State], Sequence[str]]]
    args: tuple[Any, ...] = ()
    to: Hashable | None = None
    quiet: bool = False
    replies: list[Reply] = field(default_factory=list)
    aside: bool = False


@dataclass
class Show:
    """What a command may touch: the state to replace, and the things around it.

    Args:
        state: the state; a command gives a new one.
        modulation: features and what moves by itself.
        stage: the model that draws, and what is slow.
        now_s: the message's time on the clock of the loop, seconds.
        sender: who sent it; None for the score itself.
        local: True if the sender is on this machine.
        came_s: Unix time at which the message came; 0 for a score.
        house: whatever runs the show.
    """

    state: State
    modulation: Modulation
    stage: Stage
    now_s: float = 0.0
    sender: Hashable | None = None
    local: bool = True
    came_s: float = 0.0
    house: House = field(default_factory=NoHouse)
    replies: list[Reply] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    syncs: list[tuple[int, Hashable | None]] = field(default_factory=list)
    over: bool = False

    def reply(self, address: str, *args: Any, head: int = 0) -> None:
        """Answers the sender."""
        self.replies.append(Reply(address, args, self.sender, head))


def perform(show: Show, message: osc.Message) -> None:
    """Carries out one message: changes the show, or raises and changes nothing.

    Raises:
        BadMessage: what was wrong, fit to be sent back.
    """
    before = show.state
    if not pattern.is_pattern(message.address):
        _perform(show, message.address, message.atoms)
        show.state = touched(before, show.state)
        return
    reached = select(show, message.address)
    if not reached:
        raise UnknownName("address", message.address, ())
    try:
        for address in reached:
            _perform(show, address, message.atoms)
        show.state = touched(before, show.state)
    except BadMessage:
        show.state = before
        raise


def _perform(show: Show, address: str, atoms: Sequence[Any]) -> None:
    row, captured = find(address)
    args = parse_args(row, atoms, show.notes.append)
    outcome = row.call(show, **captured, **args)
    if isinstance(outcome, State):
        show.state = outcome
    elif isinstance(outcome, Job):
        show.jobs.append(outcome)


def find(address: str) -> tuple[Row, Mapping[str, str]]:
    """The row that an address belongs to, and the parts of the address that stand for names.

    Raises:
        UnknownName: no such address.
    """
    found = _find(address)
    if found is None:
        raise UnknownName("address", address, known_addresses())
    return found


def _find(address: str) -> tuple[Row, Mapping[str, str]] | None:
    return _looked_up(address) if len(address) <= LONGEST else None


@functools.lru_cache(maxsize=8192)
def _looked_up(address: str) -> tuple[Row, Mapping[str, str]] | None:
    parts = address.split("/")
    best: tuple[int, Row, dict[str, str]] | None = None
    for wanted, row in _rows(len(COMMANDS)).get((len(parts), *parts[:2]), ()):
        captured = {w[1:-1]: p for w, p in zip(wanted, parts) if w.startswith("{")}
        if any(w != p for w, p in zip(wanted, parts) if not w.startswith("{")) or "" in captured.values():
            continue
        literal = len(parts) - len(captured)
        if best is None or literal > best[0]:
            best = literal, row, captured
    if best is not None:
        return best[1:]
    *head, last = parts
    if last in SUFFIXES and len(head) > 1:
        return COMMANDS[f"{{any}}/{last}"], {"any": "/".join(head)}
    if head[-1:] == ["mod"] and len(head) > 2:
        return COMMANDS["{any}/mod/{n}"], {"any": "/".join(head[:-1]), "n": last}
    return None


@functools.lru_cache(maxsize=1)
def _rows(rows: int) -> Mapping[tuple[int | str, ...], list[tuple[list[str], Row]]]:
    """The commands with their addresses cut into parts, by how many these are and how they begin.

    Args:
        rows: how many are declared.
    """
    found: dict[tuple[int | str, ...], list[tuple[list[str], Row]]] = {}
    for name, row in COMMANDS.rows.items():
        parts = name.split("/")
        found.setdefault((len(parts), *parts[:2]), []).append((parts, row))
    return found


def known_addresses() -> Iterator[str]:
    """The patterns of all rows, as they are shown when an address is unknown."""
    for name in COMMANDS:
        yield name.replace("{", "").replace("}", "")


def parse_args(row: Row, atoms: Sequence[Any], say: Callable[[str], None]) -> dict[str, Value]:
    """Atoms to keyword arguments; an optional number is left out where the atom is no number.

    Raises:
        BadValue: too many, too few, or wrong ones.
    """
    rest = list(atoms)
    if not row.args and rest in ([None], [True]):  # what a button sends that must send something
        rest = []
    if len(rest) == 1 and isinstance(rest[0], str) and len(row.args) > 1:
        rest = list(rest[0].split())
    values: dict[str, Value] = {}
    for i, arg in enumerate(row.args):
        last = i == len(row.args) - 1
        if arg.optional and (not rest or (arg.type == "f" and not _numeric(rest[0]))):
            if arg.default is not None:
                values[arg.name] = arg.default
            continue
        if not rest and arg.type != "*f":
            raise BadValue(f"{row.name} needs {usage(row)}")
        count = len(rest) if arg.many or (last and arg.type == "s") else arg.size
        if arg.words:
            count = max(1, len(rest) - sum(not a.optional for a in row.args[i + 1 :]))
        values[arg.name] = arg.parse(rest[:count], say)
        rest = rest[count:]
    if rest:
        raise BadValue(f"{row.name} takes {usage(row) or 'nothing'}; too much: {' '.join(map(str, rest))}")
    return values


def _numeric(atom: Any) -> bool:
    if isinstance(atom, str):
        try:
            float(atom)
        except ValueError:
            return False
        return True
    return isinstance(atom, int | float)


def usage(row: Row) -> str:
    """The arguments of a row as shown to people: `op site [mix]`."""
    return " ".join(
        a.usage or (f"[{a.name}]" if a.optional else f"{a.name} …" if a.many else a.name) for a in row.args
    )


def addresses(show: Show) -> list[str]:
    """Every address that exists now: fixed ones, and those of the bends, features and prompts."""
    found = [name for name in COMMANDS if "{" not in name]
    state = show.state
    for name in COMMANDS:
        if name.startswith("/bend/{id}") and "{param}" not in name:
            able = [b for b in state.bends if name != "/bend/{id}/x" or bends.OPERATORS[b.op].live]
            found += [name.replace("{id}", b.id) for b in able]
        elif name.startswith(("/feature/{name}", "/trig/{name}")):
            found += [name.replace("{name}", n) for n in show.modulation.buses]
        elif name.startswith("/out/{name}"):
            found += [name.replace("{name}", n) for n in state.outs]
        elif name.startswith("/prompt/{n}"):
            found += [name.replace("{n}", str(n)) for n in state.prompts]
    for bend in state.bends:
        found += [bend.address(a.name) for a in bends.OPERATORS[bend.op].args]
    below = [*SUFFIXES, *(f"mod/{n}" for n in range(1, MAX_MODS + 1))]
    for control in controls(state, show.stage):
        found += [f"{control.address}/{suffix}" for suffix in below]
    return found


class _Known:
    """The addresses that exist, as a tree; made anew when others do."""

    def __init__(self) -> None:
        self._made: tuple[tuple[Any, ...], pattern.AddressTree] = ((), pattern.AddressTree())

    def tree(self, show: Show) -> pattern.AddressTree:
        state = show.state
        bent = tuple((bend.id, bend.op) for bend in state.bends)
        standing = (
            bent,
            tuple(state.prompts),
            tuple(show.modulation.buses),
            tuple(state.outs),
            len(COMMANDS),
        )
        made_for, tree = self._made
        if made_for != standing:
            tree = pattern.AddressTree(addresses(show))
            self._made = standing, tree
        return tree


_KNOWN = _Known()


def select(show: Show, text: str) -> list[str]:
    """The addresses that exist now and that a pattern stands for."""
    return _KNOWN.tree(show).select(text)


def set_live(show: Show, address: str, value: Value) -> State:
    """The state with a live control set; if it has a lag, it draws near from where it is now.

    The first value that it is ever given jumps: there is nothing yet that a hand could have moved.
    """
    state = show.state
    control = live_control(show, address)
    seconds = 0.0 if state.pause else state.lag_of(address, control.arg)
    glide: Glide | None = None
    if seconds > 0:
        if address in state.maps or state.fade is not None:
            glide = lagged(None, base_of(show, control), value, show.modulation.show_s, seconds)
        elif address in state.live:
            before = state.glides.get(address), state.live[address]
            glide = lagged(*before, value, show.modulation.show_s, seconds)
    return state.with_value(address, value, glide)


def base_of(show: Show, control: Control) -> Value:
    """Where a control is now, before anything is added to it."""
    numbers = show.modulation.base(show.state, control, show.stage).tolist()
    return numbers[0] if control.arg.size == 1 else tuple(numbers)


def live_control(show: Show, address: str) -> Control:
    """The live control at an address.

    Raises:
        UnknownName: there is none.
    """
    control = find_control(show.state, address, show.stage)
    if control is None:
        raise UnknownName("live control", address, (c.address for c in controls(show.state, show.stage)))
    return control


def read_live(show: Show, address: str) -> tuple[Any, ...]:
    """The present value of a live control: with its glide, its map, and what is added."""
    control = live_control(show, address)
    return tuple(show.modulation.value(show.state, control, show.stage).tolist())


def live(address: str, arg: Arg, help: str, tags: Sequence[str] = ()) -> None:
    """Declares a command that sets one live control."""

    def call(show: Show, **values: Value) -> State:
        return set_live(show, address, values[arg.name])

    call.__doc__ = help
    COMMANDS.declare(address, arg, tags=tags, read=lambda show: read_live(show, address))(call)


__all__ = [
    "COMMANDS",
    "Arg",
    "Job",
    "Reply",
    "Show",
    "Stage",
    "addresses",
    "base_of",
    "find",
    "live",
    "live_control",
    "parse_args",
    "perform",
    "read_live",
    "select",
    "set_live",
    "usage",
]  # fmt: skip
