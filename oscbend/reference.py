"""Reference tables, made from the code's own: for the terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from oscbend.commands import usage
from oscbend.net.sites import Site
from oscbend.table import Arg, Table


@dataclass(frozen=True)
class Sheet:
    """A table of texts.

    Args:
        heads: of the columns.
        rows: as many texts each.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """The table as Markdown."""
        lines = [self.heads, ["---"] * len(self.heads), *self.rows]
        return "".join(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
        )


def argument(arg: Arg) -> str:
    """One argument as shown in a table: name, range, unit, neutral value."""
    parts = [arg.name]
    if arg.range_text:
        parts.append(arg.range_text)
    if arg.unit:
        parts.append(arg.unit)
    if arg.default is not None and arg.default != ():
        default = arg.default
        parts.append(
            f"({' '.join(_short(v) for v in default) if isinstance(default, tuple) else _short(default)})"
        )
    return " ".join(parts)


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def operators(table: Table) -> Sheet:
    """Every operator: its live parameters with range and default, its static options, what it does."""
    return Sheet(
        ("operator", "live parameters", "musical range", "static options", "what it does"),
        [
            (
                row.name,
                "; ".join(argument(a) for a in row.live),
                "; ".join(_musical(a) for a in row.live),
                "; ".join(argument(a) for a in row.static),
                row.help,
            )
            for row in table.values()
        ],
    )


def _musical(arg: Arg) -> str:
    lo, hi = arg.musical_range()
    text = f"{lo:g}…{hi:g}"
    if arg.inside is not None or arg.scaled:
        inside = arg.inside or arg.musical or (0.0, 1.0)
        text += f", inside {inside[0]:g}…{inside[1]:g}{' σ' if arg.scaled else ''}"
    return text


def commands(table: Table) -> Sheet:
    """Every OSC command: address, arguments, what it does."""
    return Sheet(
        ("address", "arguments", "what it does"),
        [(_address(row.name), f"{usage(row)}{_ranges(row.args)}", row.help) for row in table.values()],
    )


def _address(name: str) -> str:
    for part, word in (
        ("{any}", "ANY"),
        ("{id}", "ID"),
        ("{name}", "NAME"),
        ("{n}", "N"),
        ("{param}", "PARAM"),
    ):
        name = name.replace(part, word)
    return name


def _ranges(args: Iterable[Arg]) -> str:
    ranges = [f"{a.name} {a.range_text} {a.unit}".rstrip() for a in args if a.range_text]
    return f" ({'; '.join(ranges)})" if ranges else ""


def features(table: Table) -> Sheet:
    """Every feature of the analyzer: name, unit, what it is."""
    return Sheet(
        ("feature", "options", "unit", "what it is"),
        [
            (
                row.name,
                "; ".join(argument(a) for a in row.args),
                next((t.removeprefix("unit:") for t in row.tags if t.startswith("unit:")), ""),
                row.help,
            )
            for row in table.values()
        ],
    )


def sites(all_sites: Iterable[Site]) -> Sheet:
    """Every site of a model: number, name, shape."""
    return Sheet(
        ("number", "site", "channels × rows × columns"),
        [
            ("" if s.number is None else str(s.number), s.name, " × ".join(str(n) for n in s.shape))
            for s in all_sites
        ],
    )
