"""What is fastest here: measured, remembered, and forgotten when it no longer fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawing import structure, values

from oscbend import tuning
from oscbend.net.load import load
from oscbend.net.setting import Setting
from oscbend.tuning import Case, Distance, Memory, Way, choices, distance, in_turn, tune

USUAL = Setting("channels_last", "float32", False, 2)
CASE = Case("a processor", 2, "2.13.0", "0.1.0", "tiny", "256x256")


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def memory(tmp_path: Path, said: list[str]) -> Memory:
    return Memory(tmp_path / "deep" / "tuning.json", said.append)


def test_what_was_found_is_found_again_for_the_same_case(memory: Memory, said: list[str]) -> None:
    assert memory.find(CASE) is None
    other = replace(CASE, size="512x512")
    memory.keep(CASE, USUAL)
    memory.keep(other, replace(USUAL, threads=1))
    assert memory.find(CASE) == USUAL
    assert memory.find(other) == replace(USUAL, threads=1)
    assert memory.find(replace(CASE, model="other")) is None
    assert memory.find(replace(CASE, cpu="another processor")) is None
    assert said == []


@pytest.mark.parametrize("change", [{"torch": "2.12.0"}, {"oscbend": "0.0.9"}, {"cpus": 8}])
def test_what_was_found_with_something_else_installed_is_not_used(
    memory: Memory, said: list[str], change: dict[str, Any]
) -> None:
    memory.keep(replace(CASE, **change), USUAL)
    assert memory.find(CASE) is None
    assert len(said) == 1
    assert str(next(iter(change.values()))) in said[0]
    memory.keep(CASE, replace(USUAL, threads=1))
    assert len(memory._read()) == 1, "the old one goes"


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "{}x", '[{"case": {}, "setting": {}}]', '[{"case": 1}]', "null"]
)
def test_a_file_that_cannot_be_read_is_one_line_and_written_anew(
    memory: Memory, said: list[str], text: str
) -> None:
    memory.path.parent.mkdir()
    memory.path.write_text(text)
    assert memory.find(CASE) is None
    assert len(said) == 1
    assert "tuning.json cannot be read" in said[0]
    memory.keep(CASE, USUAL)
    assert memory.find(CASE) == USUAL


@pytest.mark.parametrize(
    "change", [{"layout": "sideways"}, {"dtype": "int4"}, {"compiled": 1}, {"threads": 0}, {"threads": "2"}]
)
def test_a_setting_that_nobody_wrote_is_refused(change: dict[str, Any]) -> None:
    assert Setting.read(USUAL.row()) == USUAL
    with pytest.raises(ValueError, match="no setting"):
        Setting.read(USUAL.row() | change)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "file").touch()
    Memory(tmp_path / "file" / "tuning.json", said.append).keep(CASE, USUAL)
    assert len(said) == 1 or len(said) == 2
    assert "forgotten" in said[-1]


def test_pictures_are_close_if_nobody_would_see_it() -> None:
    a = np.full((1, 100, 100, 3), 100, np.uint8)
    assert distance(a, a).close
    assert distance(a, a + 1).close
    assert not distance(a, a - 2).close
    speck = a.copy()
    speck[0, :2, :20] = 120
    assert distance(a, speck) == Distance(pytest.approx(0.08), pytest.approx(0.004))
    assert not distance(a, speck).close


class Slow(Way):
    """A way whose frames take so many ms, by a clock of its own."""

    drawn = 0

    def draw(self) -> np.ndarray:
        Slow.drawn += 1
        return np.zeros((1, 4, 4, 4), np.uint8)

    def once_ms(self) -> float:
        self.draw()
        return float(self.engine)  # type: ignore[arg-type]


def test_frames_are_drawn_in_turn_and_few_of_a_hopeless_way(monkeypatch: pytest.MonkeyPatch) -> None:
    quick, slow, hopeless = (Slow(USUAL, ms, None, None) for ms in (10.0, 12.0, 50.0))  # type: ignore[arg-type]
    Slow.drawn = 0
    assert in_turn(slow, quick) == (12.0, 10.0)
    assert Slow.drawn == 2 + 2 * tuning.ROUNDS
    Slow.drawn = 0
    assert in_turn(hopeless, quick) == (50.0, 10.0)
    assert Slow.drawn == 2 + 2 * 3


def test_threads_are_left_alone_where_the_environment_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "cpus", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [c for c in choices(USUAL) if c[0] == "threads"] == [("threads", 8), ("threads", 4)]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert [field for field, _ in choices(USUAL)] == ["dtype", "layout", "compiled"]


Loads = Callable[[Setting | None], Any]


@pytest.fixture
def loads(checkpoint: Callable[[str], Path]) -> Loads:
    def loaded(setting: Setting | None) -> Any:
        options = {} if setting is None else setting.loading()
        return load(str(checkpoint("tiny")), device="cpu", **options)

    return loaded


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(tuning, "cpus", lambda: 2)
    torch.set_num_threads(2)


@pytest.mark.usefixtures("two_cores")
def test_each_change_stays_if_it_is_faster(
    loads: Loads, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cost(way: Way) -> float:
        s = way.setting
        return 40.0 - 10 * (s.threads == 1) + 5 * (s.layout != "channels_last") - 0.5 * (s.dtype != "float32")

    monkeypatch.setattr(tuning, "in_turn", lambda a, b: (cost(a), cost(b)))
    s = structure(steps=1)
    found = tune(loads, s, values(s), said.append, fixed=["compiled"])
    assert found == replace(USUAL, threads=1)
    assert torch.get_num_threads() == 1
    assert len(said) == 3
    assert "bfloat16, channels_last, 1 thread, not compiled: 29.5 ms a frame" in said[1]


@pytest.mark.usefixtures("two_cores")
def test_what_changes_the_picture_is_not_used(
    loads: Loads, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "MEAN_OFF", -1.0)
    monkeypatch.setattr(tuning, "in_turn", lambda a, b: (1.0, 2.0))
    s = structure(steps=1)
    assert tune(loads, s, values(s), said.append, fixed=["compiled"]) == USUAL
    assert len(said) == 3
    assert all("its pictures differ by" in line for line in said)


@pytest.mark.usefixtures("two_cores")
def test_what_cannot_be_compiled_is_said(
    loads: Loads, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        error = "there is no C++ compiler here"

    def loaded(setting: Setting | None) -> Any:
        plain = loads(None if setting is None else replace(setting, compiled=False))
        broken = setting is not None and setting.compiled
        return replace(plain, compiler=Broken()) if broken else plain

    monkeypatch.setattr("oscbend.engine.Engine.compiling", lambda self: torch.no_grad())
    monkeypatch.setattr("oscbend.net.model.Model._compiled", lambda self, stages: stages)
    s = structure(steps=1)
    found = tune(loaded, s, values(s), said.append, fixed=["threads", "dtype", "layout"])
    assert found == USUAL
    assert said == ["float32, channels_last, 2 threads, compiled: there is no C++ compiler here"]


@pytest.mark.usefixtures("two_cores")
def test_really_measured(loads: Loads, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "ROUNDS", 3)
    s = structure(steps=1)
    found = tune(loads, s, values(s), said.append, fixed=["compiled"])
    assert found in {
        Setting(layout, dtype, False, threads)
        for layout in ("channels_last", "contiguous_format")
        for dtype in ("float32", "bfloat16")
        for threads in (1, 2)
    }
    assert len(said) == 3
    assert torch.get_num_threads() == found.threads


def test_the_processor_has_a_name() -> None:
    assert tuning.cpu_name()
    assert tuning.cpus() >= 1
