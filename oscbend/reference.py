"""Reference tables, made from the code's own: for the terminal and for the documentation.

python -m oscbend.reference README.md     makes the tables of the README anew
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from oscbend.audio import FEATURES, unit_of
from oscbend.bends import OPERATORS
from oscbend.bends.select import FORMS
from oscbend.commands import COMMANDS, usage
from oscbend.net.sites import Site
from oscbend.sinks import KINDS
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
                unit_of(row),
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


def sheets() -> dict[str, Sheet]:
    """The tables that the README holds, by the name that marks their place."""
    return {
        "commands": commands(COMMANDS),
        "operators": operators(OPERATORS),
        "selections": Sheet(("selection", "written"), list(FORMS.items())),
        "features": features(FEATURES),
        "sinks": sinks(KINDS),
    }


def sinks(table: Table) -> Sheet:
    """Every kind of output: its target, what it is."""
    return Sheet(
        ("output", "target", "what it is"),
        [(row.name, "; ".join(argument(a) for a in row.args), row.help) for row in table.values()],
    )


def limits() -> Sheet:
    """Everything that the server bounds, and what becomes of more."""
    from oscbend.server.limits import LIMITS

    return Sheet(("what", "at most", "beyond"), LIMITS)


def refreshed(text: str) -> str:
    """A document with every table between `<!-- table NAME -->` and `<!-- end -->` made anew."""
    for name, sheet in {**sheets(), "limits": limits()}.items():
        start, end = f"<!-- table {name} -->\n", "<!-- end -->"
        head, found, rest = text.partition(start)
        if found:
            text = head + start + sheet.markdown() + rest[rest.index(end) :]
    return text


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(refreshed(path.read_text(encoding="utf-8")), encoding="utf-8")
