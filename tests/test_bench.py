from __future__ import annotations

import json
from pathlib import Path

import pytest

from oscbend import bench
from oscbend.bench import Figure, Settings, peers_of
from oscbend.errors import BadValue, OscbendError


def test_a_goal_is_reached_from_its_side() -> None:
    assert Figure("f", 1.0, "ms").ok is None
    assert Figure("f", 1.0, "ms", 1.5).ok
    assert not Figure("f", 2.0, "ms", 1.5).ok
    assert Figure("f", 2.0, "1/s", 1.5, higher=True).ok


def test_a_row_tells_a_goal_only_where_there_is_one() -> None:
    assert Figure("f", 1.0, "ms").row() == {"name": "f", "value": 1.0, "unit": "ms"}
    assert Figure("f", 1.0, "ms", 1.5).row() == {
        "name": "f", "value": 1.0, "unit": "ms", "goal": 1.5, "ok": True
    }  # fmt: skip


def test_what_cannot_be_measured_is_a_row_that_says_why() -> None:
    figure = Figure("theirs", None, "×", note="it cannot be imported")
    assert figure.row() == {"name": "theirs", "value": None, "unit": "×", "note": "it cannot be imported"}
    assert bench.line(figure).split() == ["theirs", "not", "measured:", "it", "cannot", "be", "imported"]
    assert Figure("theirs", None, "×", 1.2, higher=True).ok is False


def test_peers_are_named_with_their_folders(tmp_path: Path) -> None:
    assert peers_of([f"streamdiffusion={tmp_path}"]) == {"streamdiffusion": tmp_path.resolve()}
    for wrong, says in (("comfyui=.", "streamdiffusion"), ("streamdiffusion", "NAME=DIR")):
        with pytest.raises(BadValue, match=says):
            peers_of([wrong])
    with pytest.raises(BadValue, match="no folder"):
        peers_of([f"streamdiffusion={tmp_path / 'gone'}"])


def test_files_are_run_with_the_settings_and_their_figures_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bench_one.py").write_text(
        "from oscbend.bench import Figure\n"
        "def measure(settings):\n    yield Figure(settings.model, settings.rounds(3, 9), 'ms', 4)\n"
    )
    (tmp_path / "bench_two.py").write_text("def measure(settings):\n    raise AssertionError\n")
    monkeypatch.setattr(bench, "FOLDER", tmp_path)
    monkeypatch.setattr(bench, "device", lambda settings: "a machine")
    bench.run(Settings(quick=True, model="m"), json_path=tmp_path / "out.json", only="one")
    written = json.loads((tmp_path / "out.json").read_text())
    assert set(written) == {"device", "version", "commit", "rows"}
    assert written["rows"] == [{"name": "m", "value": 3, "unit": "ms", "goal": 4, "ok": True}]
    assert "reached" in capsys.readouterr().out
    with pytest.raises(OscbendError, match="no benchmark"):
        bench.run(Settings(), only="nothing of the kind")


def test_the_goals_are_for_the_machine_and_model_that_they_name() -> None:
    assert Settings(device="cpu").at_home
    assert not Settings(device="cpu", size=(128, 128)).at_home
    assert not Settings(device="cpu").on_card


def test_calls_are_timed_in_turn_and_settled() -> None:
    done: list[str] = []

    calls = [lambda: done.append("a"), lambda: done.append("b")]
    taken = bench.times_ms(calls, 2, warm_up=1, settle=lambda: done.append("settle"))
    assert [len(t) for t in taken] == [2, 2]
    assert done == ["a", "b", "settle", *["a", "settle", "b", "settle"] * 2]
