"""The reference tables come from the code, and the README holds them as they are."""

from __future__ import annotations

from pathlib import Path

from oscbend.bends import OPERATORS
from oscbend.commands import COMMANDS
from oscbend.reference import refreshed, sheets

README = Path(__file__).parents[1] / "README.md"


def test_the_readme_is_fresh() -> None:
    text = README.read_text(encoding="utf-8")
    assert refreshed(text) == text, "run: python -m oscbend.reference README.md"


def test_every_operator_and_command_is_in_the_readme() -> None:
    text = README.read_text(encoding="utf-8")
    assert all(f"| {name} |" in text for name in OPERATORS)
    assert text.count("| /") >= len([c for c in COMMANDS if c.startswith("/")])


def test_a_table_is_as_wide_as_its_head() -> None:
    for sheet in sheets().values():
        assert {len(row) for row in sheet.rows} == {len(sheet.heads)}


def test_a_bar_in_a_text_does_not_break_the_table() -> None:
    lines = sheets()["commands"].markdown().splitlines()
    assert all(line.replace("\\|", "").count("|") == 4 for line in lines)
