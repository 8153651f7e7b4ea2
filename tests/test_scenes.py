"""Scene files: what they look like, and where they lie."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscbend.errors import BadValue, UnknownName
from oscbend.scenes import Scenes, from_text, to_text

TOLD = [
    ("/seed", (46.0,)),
    ("/seed/map", ("rms", 0.0, 2.0, "lin")),
    ("/steps", (0, 16, 32, 45)),
    ("/noise/speed", (0.5,)),
    ("/prompt/1", ("a floating orb",)),
    ("/prompt/1/weight", (0.25,)),
    ("/bend/lead/op", ("rotate",)),
    ("/bend/lead/angle/map", ("rms",)),
    ("/feature/kick/range", (0.0, 1.0)),
]


def test_a_scene_reads_as_people_would_write_it() -> None:
    assert to_text(TOLD) == (
        "version = 1\n"
        "seed = 46.0\n"
        '"seed/map" = ["rms", 0.0, 2.0, "lin"]\n'
        "steps = [0, 16, 32, 45]\n\n"
        "[noise]\n"
        "speed = 0.5\n\n"
        "[prompt]\n"
        '1 = "a floating orb"\n'
        '"1/weight" = 0.25\n\n'
        "[bend.lead]\n"
        'op = "rotate"\n'
        '"angle/map" = "rms"\n\n'
        "[feature.kick]\n"
        "range = [0.0, 1.0]\n"
    )


def test_what_is_written_is_read_again() -> None:
    assert [(said.address, said.args) for said in from_text(to_text(TOLD))] == TOLD


names = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs", "Cc"]), min_size=1)
atoms = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**31), 2**31 - 1), names)


@given(st.dictionaries(st.tuples(names, names), st.lists(atoms, min_size=2, max_size=4).map(tuple)))
def test_any_names_and_values_come_back(things: dict[tuple[str, str], tuple[float | int | str, ...]]) -> None:
    told = [(f"/bend/{id}/{param}", values) for (id, param), values in things.items()]
    back = {said.address: said.args for said in from_text(to_text(told))}
    assert back.keys() == dict(told).keys()
    for address, values in told:
        for was, is_now in zip(values, back[address], strict=True):
            assert was == is_now or (
                isinstance(was, float) and math.isclose(was, float(is_now), rel_tol=2**-23, abs_tol=1e-44)
            )


def test_a_number_that_came_as_32_bits_is_written_as_it_was_typed() -> None:
    assert "speed = 0.3\n" in to_text([("/noise/speed", (float(np.float32(0.3)),))])


def test_a_key_says_where_it_stands() -> None:
    assert [said.where for said in from_text('version = 1\nseed = 1\n[bend.1]\n"r/lag" = 2')] == [
        "seed",
        "[bend.1] r/lag",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("seed = 1", "version = 1"),
        ("version = '1'", "version = 1"),
        ("version = true", "version = 1"),
        ("version = 2", "version 2"),
        ("version = 1\nseed = = 2", "line 2"),
        ("version = 1\n[bend.1]\nr = 2020-01-01", "[bend.1] r"),
        ("version = 1\n[bend.1]\nr = [[1]]", "[bend.1] r"),
    ],
)
def test_what_is_no_scene_is_refused_and_the_fault_named(text: str, told: str) -> None:
    with pytest.raises(BadValue) as caught:
        from_text(text)
    assert told in str(caught.value)


class TestFiles:
    def test_a_scene_lies_below_the_root_and_can_be_listed(self, tmp_path: Path) -> None:
        scenes = Scenes(tmp_path)
        assert scenes.names() == []
        scenes.write("verse", "one")
        scenes.write("act 2/chorus", "two")
        assert (tmp_path / "scenes" / "verse.toml").read_text() == "one"
        assert scenes.read("act 2/chorus") == "two"
        assert scenes.names() == ["act 2/chorus", "verse"]

    @pytest.mark.parametrize("name", ["../out", "/etc/passwd", "", " ", "a/../../../b", "x\n", "x" * 600])
    def test_no_name_leads_out(self, name: str, tmp_path: Path) -> None:
        for scenes in (Scenes(tmp_path), Scenes(tmp_path, dry=True)):
            with pytest.raises(BadValue):
                scenes.write(name, "version = 1")
            with pytest.raises(BadValue):
                scenes.read(name)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.skipif(os.name == "nt", reason="links need rights there")
    def test_no_link_leads_out(self, tmp_path: Path) -> None:
        root, outside = tmp_path / "root", tmp_path / "outside"
        root.mkdir()
        outside.mkdir()
        (root / "scenes").symlink_to(outside)
        with pytest.raises(BadValue):
            Scenes(root).write("verse", "version = 1")
        assert list(outside.iterdir()) == []

    def test_a_missing_one_names_the_nearest(self, tmp_path: Path) -> None:
        scenes = Scenes(tmp_path)
        scenes.write("chorus", "")
        with pytest.raises(UnknownName, match="chorus"):
            scenes.read("chors")

    def test_what_cannot_be_written_leaves_the_old_one(self, tmp_path: Path) -> None:
        scenes = Scenes(tmp_path)
        scenes.write("verse", "old")
        (tmp_path / "scenes" / "verse.toml.part").mkdir()
        with pytest.raises(BadValue, match="cannot be written"):
            scenes.write("verse", "new")
        assert scenes.read("verse") == "old"

    def test_a_film_changes_no_file_and_sees_what_it_has_saved(self, tmp_path: Path) -> None:
        Scenes(tmp_path).write("verse", "old")
        film = Scenes(tmp_path).in_memory()
        film.write("verse", "new")
        film.write("bridge", "other")
        assert film.read("verse") == "new"
        assert film.names() == ["bridge", "verse"]
        assert Scenes(tmp_path).read("verse") == "old"
