"""One declaration, every use of it: the rows from which parsing, checks, help and tables come.

An operator, a command or a feature is one `Row`: a name, its arguments (`Arg`) and a function.
Nothing else in the project lists operators, commands or features by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from oscbend.errors import BadValue, UnknownName

Value = float | int | str | tuple[float, ...] | tuple[str, ...]
"""What an argument holds once it is parsed."""


@dataclass(frozen=True)
class Arg:
    """One argument of a row.

    Args:
        name: as it stands in addresses and keyword arguments.
        type: OSC type: `f` number, `i` whole number, `s` string (the message's remaining atoms, joined
            with spaces), `b` switch; `*f`, `*i`, `*s` take all remaining atoms as a tuple, `*` leaves them as
            they are.
        default: value when it is not given; None where it must be given.
        help: one line.
        live: True if it is a value that may change in every frame (and be mapped); False if static.
        size: how many numbers it takes; above 1 the value is a tuple (a tensor [B, size] in operators).
        lo, hi: hard range, ends included; None where there is none.
        clip: outside the hard range, True clips (and says so), False refuses.
        musical: where pictures are worth seeing; what normalised controls and maps without a range use.
        inside: the musical range at sites inside the network, where it differs.
        scaled: True if the musical range inside the network counts in the site's standard deviations.
        neutral: the value at which the operator gives back its input; None where there is none.
        unit: as shown to people: `rad`, `s`, `°`.
        choices: the strings (or numbers) allowed; empty where any is.
        optional: True if a command may leave it out although it has no default.
        jumps: True if it takes a new value at once where nobody has given it a lag; what lies between two
            values means something else.
        words: True if it takes several atoms although others follow.
        usage: how it is written, where its name does not say it.
    """

    name: str
    type: str = "f"
    default: Value | None = None
    help: str = ""
    live: bool = False
    size: int = 1
    lo: float | None = None
    hi: float | None = None
    clip: bool = True
    musical: tuple[float, float] | None = None
    inside: tuple[float, float] | None = None
    scaled: bool = False
    neutral: float | tuple[float, ...] | None = None
    unit: str = ""
    choices: tuple[Any, ...] = ()
    optional: bool = False
    jumps: bool = False
    words: bool = False
    usage: str = ""

    @property
    def many(self) -> bool:
        """True if it takes all remaining atoms."""
        return self.type.startswith("*")

    @property
    def range_text(self) -> str:
        """The hard range (or the choices) as shown in tables; empty where there is none."""
        if self.choices:
            return " ".join(str(c) for c in self.choices)
        if self.lo is None and self.hi is None:
            return ""
        lo = "-∞" if self.lo is None else f"{self.lo:g}"
        hi = "∞" if self.hi is None else f"{self.hi:g}"
        return f"{lo}…{hi}"

    def musical_range(self, site: str = "", scale: float = 1.0) -> tuple[float, float]:
        """The range worth seeing at `site`, whose activations have standard deviation `scale`."""
        latent = not site or site.split(".")[0] in ("latent", "image", "text")
        lo, hi = (self.musical or (0.0, 1.0)) if latent or self.inside is None else self.inside
        if self.scaled and not latent:
            lo, hi = lo * scale, hi * scale
        return self.inside_hard(lo), self.inside_hard(hi)

    def inside_hard(self, number: float) -> float:
        """`number` moved into the hard range."""
        if self.lo is not None:
            number = max(self.lo, number)
        if self.hi is not None:
            number = min(self.hi, number)
        return number

    def parse(self, atoms: Sequence[Any], say: Callable[[str], None] | None = None) -> Value:
        """Turns OSC atoms into this argument's value.

        Args:
            atoms: as decoded: int, float, str, bool, None, bytes.
            say: is told, in one line, when a value was clipped.

        Raises:
            BadValue: wrong type or count, NaN or infinity, out of a range that refuses, no such choice.
        """
        kind = self.type.lstrip("*")
        if self.many:
            if not atoms and not self.optional and self.default is None:
                raise BadValue(f"{self.name} needs at least one value")
            return tuple(self._one(a, kind, say) for a in atoms)  # type: ignore[return-value]
        if kind == "s":
            return self._one(" ".join(_text(a) for a in atoms), "s", say)
        if len(atoms) != self.size:
            wants = "one value" if self.size == 1 else f"{self.size} values"
            raise BadValue(f"{self.name} takes {wants}, got {len(atoms)}")
        parsed = tuple(self._one(a, kind, say) for a in atoms)
        return parsed[0] if self.size == 1 else parsed  # type: ignore[return-value]

    def _one(self, atom: Any, kind: str, say: Callable[[str], None] | None) -> float | int | str:
        if not kind:
            return atom
        if kind == "s":
            text = _text(atom)
            if self.choices and text not in self.choices:
                raise UnknownName(self.name, text, [str(c) for c in self.choices])
            return text
        number = number_from(atom, self.name)
        if kind == "b":
            return int(number != 0)
        inside = self.inside_hard(number)
        if inside != number:
            if not self.clip:
                raise BadValue(f"{self.name} {number:g} is outside {self.range_text}")
            if say:
                say(f"{self.name} {number:g} is outside {self.range_text}: taken as {inside:g}")
            number = inside
        if kind == "i":
            if number != int(number):
                raise BadValue(f"{self.name} must be a whole number, got {number:g}")
            number = int(number)
        if self.choices and number not in self.choices:
            raise BadValue(f"{self.name} must be one of {self.range_text}, got {number:g}")
        return number


@dataclass(frozen=True)
class Row:
    """One operator, command or feature.

    Args:
        name: the operator's or feature's name, or the command's address pattern (`/bend/{id}/mix`).
        args: its arguments, in order.
        help: one line, the first sentence a user reads.
        call: the function that does it.
        tags: short marks for grouping and for what it needs (`square`, `noise` …); a command that is only
            another way to set what has an address of its own is a `view`.
        source: paper, equation or specification it comes from.
        read: for a command, the function that tells what it has set, as a tuple of atoms.
        affine, linear: for an operator that is no more than arithmetic, the function that gives its
            coefficients, as `bends.algebra` tells.
    """

    name: str
    args: tuple[Arg, ...]
    help: str
    call: Callable[..., Any]
    tags: frozenset[str] = frozenset()
    source: str = ""
    read: Callable[..., tuple[Any, ...]] | None = None
    affine: Callable[..., Any] | None = None
    linear: Callable[..., Any] | None = None

    def arg(self, name: str) -> Arg:
        """The argument called `name`.

        Raises:
            UnknownName: there is none; the error names the nearest.
        """
        for arg in self.args:
            if arg.name == name:
                return arg
        raise UnknownName(f"parameter of {self.name}", name, [a.name for a in self.args])

    @cached_property
    def live(self) -> tuple[Arg, ...]:
        """Arguments that may change in every frame."""
        return tuple(a for a in self.args if a.live)

    @cached_property
    def static(self) -> tuple[Arg, ...]:
        """Arguments that belong to the structure."""
        return tuple(a for a in self.args if not a.live)


@dataclass
class Table(Mapping[str, Row]):
    """Rows by name, in the order in which they were declared."""

    kind: str
    rows: dict[str, Row] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Row:
        try:
            return self.rows[name]
        except KeyError:
            raise UnknownName(self.kind, name, self.rows) from None

    def __contains__(self, name: object) -> bool:
        return name in self.rows

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def declare(
        self,
        name: str,
        *args: Arg,
        tags: Sequence[str] = (),
        source: str = "",
        read: Callable[..., tuple[Any, ...]] | None = None,
        affine: Callable[..., Any] | None = None,
        linear: Callable[..., Any] | None = None,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorator: puts a function into the table; its docstring's first line is the row's help."""

        def put(call: Callable[..., Any]) -> Callable[..., Any]:
            if name in self.rows:
                raise ValueError(f"{self.kind} {name} is declared twice")
            text = (call.__doc__ or "").strip().split("\n\n")[0]
            line = " ".join(part.strip() for part in text.splitlines())
            self.rows[name] = Row(name, args, line, call, frozenset(tags), source, read, affine, linear)
            return call

        return put


def number_from(atom: Any, name: str = "value") -> float:
    """A finite number from an OSC atom; text that spells a number counts.

    Raises:
        BadValue: not a number, NaN or infinite.
    """
    if isinstance(atom, str):
        try:
            atom = float(atom)
        except ValueError:
            raise BadValue(f"{name} must be a number, got {atom!r}") from None
    if not isinstance(atom, bool | int | float):
        raise BadValue(f"{name} must be a number, got {type(atom).__name__}")
    number = float(atom)
    if not math.isfinite(number):
        raise BadValue(f"{name} must be finite, got {number}")
    return number


def _text(atom: Any) -> str:
    if isinstance(atom, float):
        return f"{atom:g}"
    if isinstance(atom, bytes):
        return atom.decode("utf-8", "replace")
    return str(atom)
