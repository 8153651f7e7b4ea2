"""The stage: models beside each other, files below the root, what is slow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawing import furthest
from PIL import Image

from oscbend.engine import Engine
from oscbend.errors import BadModel, BadValue, OutOfMemory, UnknownName
from oscbend.features import Buses
from oscbend.frame import Frame, Structure
from oscbend.loop import Loop
from oscbend.modulation import Modulation
from oscbend.osc import Message
from oscbend.schedule import Schedule
from oscbend.stage import Stage
from oscbend.state import Bend, State
from oscbend.worker import Beside, InPlace

STATE = State(model="random", width=64, height=64, steps=2, prompts={1: "an orb"}, noise="hold")


@pytest.fixture
def stage(engine_of: Callable[[str], Any], tmp_path: Path) -> Stage:
    made = Stage(engine_of("tiny"), "random", root=tmp_path)
    made.encode("an orb")
    return made


@pytest.fixture
def checkpoints(stage: Stage, checkpoint: Callable[[str], Path]) -> Callable[[str], str]:
    """Checkpoints below the stage's root."""
    stage.root = checkpoint("sd1").parent.resolve()
    return lambda kind: str(checkpoint(kind))


def drawn(stage: Stage, state: State = STATE) -> np.ndarray:
    shot = Modulation(Buses()).shot(state, 0.0, stage)
    return stage.render(shot.structure, shot.values).pictures[0]


def test_sites_are_resolved_for_the_model_and_steps(stage: Stage) -> None:
    assert stage.resolve("latent.*", STATE) == ("latent.0", "latent.1", "latent.end")
    assert "unet.mid.attn" in stage.site_names(STATE)
    with pytest.raises(UnknownName, match=r"unet\.mid\.attn"):
        stage.resolve("unet.mid.atn", STATE)


def test_an_operator_that_cannot_act_at_a_site_is_refused(stage: Stage) -> None:
    stage.check("rotate", {"plane": "0,3"}, "latent.0", STATE)
    with pytest.raises(BadValue, match="channel"):
        stage.check("rotate", {"plane": "0,9"}, "latent.0", STATE)


def test_the_scale_of_a_site_is_what_its_activations_measure(stage: Stage) -> None:
    scales = [stage.scale(s, STATE) for s in stage.site_names(STATE) if not s.startswith("latent.")]
    assert all(0 < s < 1000 for s in scales)
    assert len(set(scales)) > len(scales) // 2, "sites differ"
    assert stage.scale("nowhere", STATE) == 1.0


def test_a_model_is_loaded_beside_the_one_that_runs(stage: Stage, checkpoints: Callable[[str], str]) -> None:
    before = drawn(stage)
    key = stage.load(checkpoints("sd1"), STATE)
    assert np.array_equal(drawn(stage), before), "the old one goes on"
    after = drawn(stage, replace(STATE, model=key))
    assert after.shape == before.shape
    assert not np.array_equal(after, before)


def test_a_new_prompt_is_encoded_by_the_worker_while_frames_go_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = stage.engine(STATE).model.prompts
    encode, gate, threads = prompts._encode, threading.Event(), []

    def slow(text: str) -> Any:
        threads.append(threading.current_thread().name)
        gate.wait(20)
        return encode(text)

    monkeypatch.setattr(prompts, "_encode", slow)
    worker, schedule = Beside(), Schedule()
    loop = Loop(stage, worker, replace(STATE, noise="fresh"), schedule)
    schedule.put(0.0, (Message("/prompt/2", ("a prompt of this show",)),))
    before = [loop.step(0.1 * n).picture.tobytes() for n in range(3)]
    assert len(set(before)) == 3, "frames go on"
    assert loop.state.prompts == {**STATE.prompts, 2: ""}, "its place is there, and empty"
    gate.set()
    worker.close()
    worker._thread.join(20)
    schedule.put(0.3, (Message("/prompt/2/weight", (0.5,)),))
    monkeypatch.setattr(prompts, "_encode", None)
    after = [loop.step(0.3 + 0.1 * n).picture.tobytes() for n in range(3)]
    assert loop.state.prompts == {1: "an orb", 2: "a prompt of this show"}
    assert loop.failed == 0
    assert len({*before, *after}) == 6
    assert threads == ["jobs"]


def test_prompts_in_use_outlive_any_number_of_others(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = stage.engine(STATE).model.prompts
    monkeypatch.setattr(prompts, "room", 8)
    for n in range(20):
        stage.encode(f"passing {n}", ("", "an orb"))
    assert prompts.knows("an orb")
    assert prompts.knows("passing 19")
    assert not prompts.knows("passing 2")


def test_the_old_model_is_let_go_when_the_new_one_draws(
    stage: Stage, checkpoints: Callable[[str], str]
) -> None:
    first = stage.load(checkpoints("sd1"), STATE)
    second = stage.load(checkpoints("sd2"), STATE)
    drawn(stage, replace(STATE, model=first))
    with pytest.raises(KeyError):
        stage.engine(STATE)
    drawn(stage, replace(STATE, model=second))
    with pytest.raises(KeyError):
        stage.engine(replace(STATE, model=first))


def test_a_model_that_cannot_be_loaded_changes_nothing(stage: Stage, tmp_path: Path) -> None:
    before = drawn(stage)
    (tmp_path / "broken.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    for source in ("nowhere/at/all/really", str(tmp_path / "broken.safetensors")):
        with pytest.raises(BadModel):
            stage.load(source, STATE)
    assert np.array_equal(drawn(stage), before)


def test_a_model_whose_frames_have_no_room_is_let_go(
    stage: Stage, checkpoints: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = drawn(stage)
    key = stage.load(checkpoints("sd1"), STATE)
    other = stage.engine(replace(STATE, model=key))

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(other, "_draw", full)
    with pytest.raises(OutOfMemory, match="64 x 64"):
        drawn(stage, replace(STATE, model=key))
    with pytest.raises(KeyError):
        stage.engine(replace(STATE, model=key))
    assert np.array_equal(drawn(stage), before), "the old one stays"


def test_a_model_that_has_no_room_is_refused(
    stage: Stage, checkpoints: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("oscbend.net.load.load", full)
    with pytest.raises(OutOfMemory, match="not enough memory for the model"):
        stage.load(checkpoints("sd1"), STATE)


def test_a_size_is_prepared_as_the_last_frame_was_drawn(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not stage.prepares
    drawn(stage)
    asked: list[Structure] = []
    monkeypatch.setattr(stage.engine(STATE), "prepare", asked.append)
    stage.prepare_size(replace(STATE, width=128))
    assert [(s.width, s.height, s.steps) for s in asked] == [(128, 64, 2)]


def test_a_model_outside_the_root_is_refused(stage: Stage, checkpoint: Callable[[str], Path]) -> None:
    with pytest.raises(BadValue, match="--root"):
        stage.load(str(checkpoint("sd1")), STATE)


@pytest.mark.parametrize("name", ["~/model", "model", "../root/model", "./model"])
def test_a_model_is_looked_for_below_the_root_and_nowhere_else(
    stage: Stage,
    checkpoint: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """A folder of that name lies in the home, and in the folder where the server was started."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "model").symlink_to(checkpoint("sd1"))
    (tmp_path / "root").mkdir()
    stage.root = tmp_path / "root"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(home)
    with pytest.raises((BadValue, BadModel)):
        stage.load(name, STATE)


def test_a_model_below_the_root_is_found_wherever_the_server_was_started(
    stage: Stage, checkpoints: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoints("sd1")
    assert stage.load("sd1", STATE) == "sd1"


def test_one_picture_is_kept_once_however_it_is_named(stage: Stage, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (9, 9, 9)).save(tmp_path / "a.png")
    before = set(stage.engine(STATE).pictures)
    names = {stage.read_picture("./" * n + "a.png") for n in range(40)}
    assert names == {"a.png"}
    assert set(stage.engine(STATE).pictures) == before | {"a.png"}


def test_files_lie_below_the_root(
    stage: Stage, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    Image.new("RGB", (64, 64), (9, 9, 9)).save(outside / "secret.png")
    (tmp_path / "link.png").symlink_to(outside / "secret.png")
    for name in ("../x.png", str(outside / "secret.png"), "link.png"):
        with pytest.raises(BadValue, match="outside the root"):
            stage.read_picture(name)


def test_a_picture_to_start_from_is_seen_in_what_is_drawn(stage: Stage, tmp_path: Path) -> None:
    for name, level in (("dark.png", 20), ("light.png", 230)):
        Image.new("RGB", (100, 80), (level,) * 3).save(tmp_path / name)
        assert stage.read_picture(name) == name
    assert stage.init(STATE, None, 0.0) is None
    pictures = [stage.init(replace(STATE, init=name), None, 0.0) for name in ("dark.png", "light.png")]
    assert [int(p.mean()) for p in pictures if p is not None] == [20, 230]
    assert pictures[0] is not None
    assert pictures[0].shape == (1, 64, 64, 3)


def test_feedback_wants_a_picture_of_the_same_size(stage: Stage) -> None:
    state = replace(STATE, feedback=True)
    last = np.zeros((64, 64, 4), np.uint8)
    assert stage.init(state, None, 0.0) is None
    assert stage.init(state, np.zeros((32, 32, 4), np.uint8), 0.0) is None
    assert stage.init(state, last, 0.0) is not None
    assert stage.start(state) == 1


def test_a_picture_is_a_mask(stage: Stage, tmp_path: Path) -> None:
    half = np.zeros((64, 64, 3), np.uint8)
    half[:, 32:] = 255
    Image.fromarray(half).save(tmp_path / "half.png")
    stage.read_picture("half.png")
    bend = Bend("1", "add", "image", select="mask half.png")
    state = STATE.with_bend(bend).with_value("/bend/1/r", 0.8)
    changed = np.abs(drawn(stage, state).astype(int) - drawn(stage)).max(axis=(0, 2))
    assert changed[:28].max() == 0
    assert changed[36:].max() > 20


def test_steering_is_prepared_for_every_step(stage: Stage) -> None:
    bend = Bend("1", "steer", "unet.mid.attn", static={"a": "night", "b": "day"})
    state = STATE.with_bend(bend).with_value("/bend/1/amount", 3.0)
    stage.prepare(state)
    assert not np.array_equal(drawn(stage, state), drawn(stage))


def test_what_decides_the_bytes_is_told(stage: Stage) -> None:
    assert {"device", "dtype", "layout", "threads"} <= set(stage.setting())


def test_a_bend_that_spoils_the_picture_is_found(stage: Stage) -> None:
    state = STATE.with_bend(Bend("fine", "add", "latent.0")).with_bend(
        Bend("bad", "multiply", "unet.mid.attn")
    )
    state = replace(state, live={"/bend/bad/r": float("inf")})
    shot = Modulation(Buses()).shot(state, 0.0, stage)
    assert not stage.render(shot.structure, shot.values).finite[0]
    _, notes = stage.blame_job(shot.structure, shot.values, "the picture is not finite").work()
    assert "bad" in notes[0]
    assert "unet.mid.attn" in notes[0]


@pytest.fixture
def streaming(engine_of: Callable[[str], Any], tmp_path: Path) -> Stage:
    made = Stage(Engine(engine_of("tiny").model), "random", root=tmp_path, stream_batch=True)
    made.encode("an orb")
    return made


def shown(stage: Stage, *bundles: Sequence[tuple[Any, ...]], **state: Any) -> list[np.ndarray]:
    """The frames of a show in which these messages come, as one bundle before each frame."""
    schedule, sink = Schedule(), Reel()
    loop = Loop(stage, InPlace(), replace(STATE, noise="wander", **state), schedule, sinks=[sink])
    for n, bundle in enumerate(bundles):
        schedule.put(0.1 * n, tuple(Message(a, args) for a, *args in bundle))
        loop.step(0.1 * n)
    assert loop.failed == 0
    return sink.pictures


class Reel:
    """A sink that keeps all pictures."""

    def __init__(self) -> None:
        self.pictures: list[np.ndarray] = []

    def put(self, frame: Frame) -> None:
        self.pictures.append(frame.picture)


PIECE: list[list[tuple[Any, ...]]] = [
    [("/bend/1", "rotate", "latent.1"), ("/bend/2", "multiply", "unet.mid.attn"), ("/bend/2/r", 1.5)],
    [("/bend/1/angle", 2.0)],
    [("/bend/2/window", 0.3, 1.0)],
    [("/seed", 7)],
    [("/bend/3", "add", "image"), ("/bend/3/r", 0.3), ("/bend/1/free",)],
    [("/prompt", "a red orb")],
    [("/bend/2/select", "rows 0 0.5")],
    [],
    [],
]


@pytest.mark.parametrize("changes", [{"steps": 3}, {"steps": 2, "live": {"/guidance": 4.0}}])
def test_a_streamed_show_is_the_plain_one_some_frames_later(
    stage: Stage, streaming: Stage, changes: dict[str, Any]
) -> None:
    plain, late = shown(stage, *PIECE, **changes), shown(streaming, *PIECE, **changes)
    behind = streaming.behind
    assert behind == changes["steps"] - 1
    assert len(late) == len(plain)
    assert [furthest(a, b) <= 1 for a, b in zip(late[behind:], plain)] == [True] * (len(PIECE) - behind)
    assert len({picture.tobytes() for picture in plain}) > 5


def test_the_first_frame_of_a_streamed_show_is_a_picture(stage: Stage, streaming: Stage) -> None:
    (plain,), (first,) = shown(stage, []), shown(streaming, [])
    assert furthest(first, plain) <= 1


def test_while_the_rows_fill_again_the_last_picture_stays(stage: Stage, streaming: Stage) -> None:
    piece = [*PIECE[:3], [("/steps", 4)], *[[("/noise/angle", 0.1 * n)] for n in range(5)]]
    plain, late = shown(stage, *piece, steps=2), shown(streaming, *piece, steps=2)
    assert [np.array_equal(late[3 + n], late[2]) for n in range(4)] == [True, True, True, False]
    assert all(furthest(a, b) <= 1 for a, b in zip(late[6:], plain[3:]))


def test_a_streamed_show_changes_its_model(
    stage: Stage, streaming: Stage, checkpoints: Callable[[str], str]
) -> None:
    streaming.root = stage.root
    piece = [*PIECE[:3], [("/model", checkpoints("sd1"))], *PIECE[3:]]
    plain, late = shown(stage, *piece), shown(streaming, *piece)
    assert np.array_equal(late[3], late[2])
    assert all(furthest(a, b) <= 1 for a, b in zip(late[4:], plain[3:]))


def test_a_streamed_show_in_which_nothing_changes_draws_nothing(
    streaming: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed = []
    push = streaming.engine(STATE).stream.push
    monkeypatch.setattr(
        streaming.engine(STATE).stream, "push", lambda s, v: pushed.append(v.noise) or push(s, v)
    )
    piece = [[("/noise/mode", "hold")], [], [], [], [("/seed", 7)], [], [], []]
    pictures = shown(streaming, *piece, steps=3)
    assert [noise[0][0][0] for noise in pushed] == [46] * 3 + [7] * 3
    assert [np.array_equal(p, pictures[0]) for p in pictures] == [True] * 6 + [False] * 2
    assert np.array_equal(pictures[6], pictures[7])


def test_feedback_is_refused_with_stream_batch(stage: Stage, streaming: Stage) -> None:
    stage.check_feedback()
    with pytest.raises(BadValue, match="without it"):
        streaming.check_feedback()


def test_a_streamed_show_starts_from_pictures(stage: Stage, streaming: Stage, tmp_path: Path) -> None:
    Image.fromarray(np.full((64, 64, 3), 200, np.uint8)).save(tmp_path / "grey.png")
    piece = [[("/init", "grey.png"), ("/strength", 0.5)], [("/seed", 3)], [], [("/seed", 9)], []]
    plain, late = shown(stage, *piece, steps=4), shown(streaming, *piece, steps=4)
    assert streaming.behind == 1
    assert all(furthest(a, b) <= 1 for a, b in zip(late[1:], plain))
