"""Curves as a score, a table, an archive."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from oscbend.audio import Sound, analyze_sound, to_score, write, write_csv, write_npz
from oscbend.errors import BadAudio, BadValue
from oscbend.osc import Message
from oscbend.score import Score

CURVES = {
    "rms": np.array([0.0, 0.5, 0.25], np.float32),
    "chroma": np.arange(36, dtype=np.float32).reshape(3, 12) / 8,
}


def messages(score: Score, i: int) -> list[Message]:
    return [m for m in list(score)[i].elements if isinstance(m, Message)]


def test_one_bundle_per_frame_and_one_that_ends() -> None:
    score = to_score(CURVES, 20)
    assert len(score) == 4
    assert [bundle.time.seconds for bundle in score] == pytest.approx([0, 0.05, 0.1, 0.15], abs=1e-9)
    assert messages(score, 3) == []


def test_every_curve_is_a_message() -> None:
    first, second = messages(to_score(CURVES, 20), 1)
    assert (first.address, first.args) == ("/feature/rms", (0.5,))
    assert second.address == "/feature/chroma"
    assert second.args == tuple(k / 8 for k in range(12, 24))
    assert all(type(value) is float for value in second.args)


def test_times_do_not_drift() -> None:
    frames = 90_000  # an hour and more
    score = to_score({"rms": np.zeros(frames, np.float32)}, 23.976)
    assert score.duration_s == pytest.approx(float(Fraction(frames * 1001, 24000)), abs=1e-6)


def test_through_a_file(tmp_path: Path) -> None:
    score = to_score(CURVES, "30000/1001")
    score.write(tmp_path / "curves.osc")
    assert Score.read(tmp_path / "curves.osc") == score


def test_odd_numbers_go_through_osc_as_they_are(tmp_path: Path) -> None:
    curve = np.random.default_rng(0).standard_normal(50).astype(np.float32)
    read = Score.from_bytes(to_score({"x": curve}, 20).to_bytes())
    assert [messages(read, i)[0].args[0] for i in range(50)] == curve.tolist()


def test_no_curves() -> None:
    with pytest.raises(BadAudio, match="none"):
        to_score({}, 20)


def test_curves_of_different_lengths() -> None:
    with pytest.raises(BadAudio, match="one length"):
        to_score({"a": np.zeros(3), "b": np.zeros(4)}, 20)


def test_csv(tmp_path: Path) -> None:
    write_csv(tmp_path / "curves.csv", CURVES, "24000/1001")
    with open(tmp_path / "curves.csv", newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head == ["time_s", "rms", *(f"chroma.{k}" for k in range(12))]
    assert len(rows) == 3
    assert [float(row[0]) for row in rows] == pytest.approx([0, 1001 / 24000, 2002 / 24000], abs=1e-6)
    assert [float(row[1]) for row in rows] == CURVES["rms"].tolist()
    assert np.allclose(np.array(rows)[:, 2:].astype(float), CURVES["chroma"])


def test_npz(tmp_path: Path) -> None:
    write_npz(tmp_path / "curves.npz", CURVES, 23.976)
    with np.load(tmp_path / "curves.npz") as archive:
        assert archive["fps"].tolist() == [24000, 1001]
        assert set(archive) == {"fps", "rms", "chroma"}
        assert np.array_equal(archive["chroma"], CURVES["chroma"])


@pytest.mark.parametrize(("name", "begins"), [("a.csv", b"time_s"), ("a.NPZ", b"PK"), ("a.png", b"\x89PNG")])
def test_the_ending_names_the_format(tmp_path: Path, name: str, begins: bytes) -> None:
    sound = Sound(np.sin(np.arange(4000)), 8000, 20)
    write(tmp_path / name, sound, analyze_sound(sound, ["rms"]))
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_another_ending(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"\.csv, \.npz or \.png"):
        write(tmp_path / "a.xls", Sound(np.ones(4000), 8000, 20), CURVES)
