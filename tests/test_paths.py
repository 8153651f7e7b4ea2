"""Names of files that come over the network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscbend.errors import BadValue
from oscbend.paths import LONGEST, below, could_be_a_file, name_below


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with files in it, and one beside it that is nobody's business."""
    (tmp_path / "root" / "inner").mkdir(parents=True)
    (tmp_path / "root" / "a.png").write_text("a")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.png").write_text("secret")
    return tmp_path / "root"


@pytest.mark.parametrize(
    "name", ["a.png", "./a.png", "inner", "inner/new.toml", "inner//new.toml", "not/yet"]
)
def test_a_name_stands_for_a_file_below_the_root(root: Path, name: str) -> None:
    assert below(root, name) == root / Path(name)


def test_an_absolute_name_within_the_root_is_taken(root: Path) -> None:
    assert below(root, str(root / "a.png")) == root / "a.png"


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../root/a.png",
        "inner/../../outside/secret.png",
        "inner/../a.png",
        "/etc/passwd",
        "//host/share",
    ],
)
def test_what_could_leave_the_root_is_refused(root: Path, name: str) -> None:
    with pytest.raises(BadValue, match="outside the root"):
        below(root, name)


@pytest.mark.parametrize("name", ["", "  ", "x" * (LONGEST + 1), "a\0b", "a\nb"])
def test_what_names_no_file_is_refused(root: Path, name: str) -> None:
    with pytest.raises(BadValue, match="no name of a file"):
        below(root, name)


@pytest.mark.parametrize("name", ["file.png", "folder/secret.png", "chain.png", "folder/new.toml"])
def test_a_symbolic_link_out_is_refused(root: Path, name: str) -> None:
    (root / "file.png").symlink_to(root.parent / "outside" / "secret.png")
    (root / "folder").symlink_to(root.parent / "outside")
    (root / "chain.png").symlink_to(root / "file.png")
    with pytest.raises(BadValue, match="outside the root"):
        below(root, name)


def test_a_symbolic_link_that_stays_inside_is_followed(root: Path) -> None:
    (root / "link.png").symlink_to("a.png")
    assert below(root, "link.png") == root / "a.png"
    assert name_below(root, below(root, "link.png")) == "a.png"


def test_a_symbolic_link_to_itself_is_refused_or_stays(root: Path) -> None:
    (root / "loop").symlink_to("loop")
    try:
        assert below(root, "loop").is_relative_to(root)
    except BadValue:
        return


def test_a_root_that_is_a_link_is_the_folder_that_it_leads_to(root: Path) -> None:
    (root.parent / "door").symlink_to(root)
    assert below(root.parent / "door", "a.png") == root / "a.png"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_no_text_leads_outside(name: str) -> None:
    root = Path(__file__).parent.resolve()
    try:
        assert below(root, name).is_relative_to(root)
    except BadValue:
        return


def test_one_file_has_one_name(root: Path) -> None:
    (root / "inner" / "b.png").write_text("b")
    names = ["inner/b.png", "./inner/b.png", "inner/./b.png", str(root / "inner" / "b.png")]
    assert {name_below(root, below(root, n)) for n in names} == {"inner/b.png"}


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a.png", True),
        ("~/models", True),
        ("../x", True),
        ("/abs/olute", True),
        ("C:\\models", True),
        ("\\\\host\\share", True),
        ("owner/name", False),
        ("tiny", False),
    ],
)
def test_a_models_name_is_told_from_a_files(root: Path, name: str, file: bool) -> None:
    assert could_be_a_file(root, name) is file


def test_a_file_in_the_working_folder_is_a_file(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert could_be_a_file(root, os.path.join("outside", "secret.png"))
