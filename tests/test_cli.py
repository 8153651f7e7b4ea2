"""The command line, called as from a shell."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from oscbend.bends import OPERATORS
from oscbend.cli import main
from oscbend.cli.draw import serve
from oscbend.cli.options import below, pair, size_of, steps_of
from oscbend.errors import BadValue
from oscbend.score import Score
from oscbend.server.serve import Manners


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command; gives exit code, stdout and stderr."""

    def command(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["oscbend", *args])
        try:
            main()
            code = 0
        except SystemExit as leave:
            code = int(leave.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return command


Run = Callable[..., tuple[int, str, str]]


def test_help_names_every_command(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    for name in (
        "serve",
        "image",
        "render",
        "send",
        "play",
        "watch",
        "analyze",
        "score",
        "demo",
        "testcard",
        "bench",
        "ops",
        "sites",
    ):
        assert name in out


def test_ops_lists_every_operator(run: Run) -> None:
    out = run("ops")[1]
    assert all(name in out for name in OPERATORS)


def test_commands_and_features_are_listed(run: Run) -> None:
    assert "/bend/ID/select" in run("commands")[1]
    assert "centroid" in run("features")[1]


def test_sites_lists_numbers_names_and_shapes(run: Run, checkpoint: Callable[[str], Path]) -> None:
    out = run("sites", "--model", str(checkpoint("sd1")), "--size", "64x64", "--steps", "3")[1]
    assert "latent.2" in out
    assert "latent.3" not in out
    assert "unet.mid.attn" in out
    assert "3 × 64 × 64" in out


def test_an_image_is_drawn_and_bent(run: Run, checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    common = ("--model", str(checkpoint("tiny")), "--size", "72x64", "--steps", "2", "--seed", "46")
    assert run("image", *common, "-o", str(tmp_path / "a.png"))[0] == 0
    assert run("image", *common, "--bend", "add image r=0.8", "-o", str(tmp_path / "deep" / "b.png"))[0] == 0
    a, b = (np.asarray(Image.open(p)).astype(int) for p in (tmp_path / "a.png", tmp_path / "deep" / "b.png"))
    assert a.shape == (64, 72, 3)
    assert np.abs(a - b).max() > 20


def test_a_picture_to_start_from_may_lie_anywhere(
    run: Run, checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    Image.new("RGB", (100, 100), (200, 30, 30)).save(tmp_path / "red.png")
    common = (
        "--model",
        str(checkpoint("tiny")),
        "--size",
        "64x64",
        "--steps",
        "4",
        "--init",
        str(tmp_path / "red.png"),
    )
    assert run("image", *common, "--strength", "0.5", "-o", str(tmp_path / "a.png"))[0] == 0
    assert run("image", *common, "--strength", "1.0", "-o", str(tmp_path / "b.png"))[0] == 0
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("image", "--bend", "rotat latent.2"), "nearest: rotate"),
        (("image", "--bend", "rotate latent.2 angel=1"), "nearest: angle"),
        (("image", "--bend", "rotate latent.2 angle=rms"), "hears no music"),
        (("image", "--bend", "add unet.mid.atn"), "unet.mid.attn"),
        (("image", "--bend", "add latent.9"), "latent.9"),
        (("image", "--size", "100x100"), "nearest: 96x96"),
        (("image", "--size", "big"), "WIDTHxHEIGHT"),
        (("image", "--steps", "0"), "1 to 1000"),
        (("image", "--steps", "0 99"), "99"),
        (("image", "--sampler", "ddpm"), "nearest: ddim"),
        (("image", "--init", "nothing.png"), "no such file"),
        (("image", "-o", "picture.gif"), "no name for a picture"),
        (("image", "--model", "/nowhere/at/all"), "/nowhere/at/all"),
        (("image", "--precision", "fp23"), "fp16"),
        (("render", "nothing.wav"), "nothing.wav"),
        (("render", "nothing.osc"), "nothing.osc"),
        (("analyze", "nothing.wav"), "nothing.wav"),
        (("send", "/x", "--port", "1", "--wait", "0.2"), "nothing listens"),
        (("serve", "--late", "maybe"), "run, drop"),
        (("serve", "--timetags", "mine"), "schedule, ignore"),
        (("serve", "--horizon", "-1"), "0 to 3600"),
        (("serve", "--allow", "nowhere"), "192.168.0.0/16"),
    ],
)
def test_a_mistake_is_one_line(
    args: tuple[str, ...], says: str, run: Run, checkpoint: Callable[[str], Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    model = (
        () if "--model" in args or args[0] in ("analyze", "send") else ("--model", str(checkpoint("tiny")))
    )
    code, _, err = run(*args, *model)
    assert code == 1
    lines = [line for line in err.splitlines() if line.startswith("oscbend: ")]
    assert lines
    assert says in lines[-1]
    assert len(lines) == len(set(lines)), "nothing is said twice"
    assert "Traceback" not in err


def test_a_film_from_a_sound_and_from_its_score(
    run: Run, checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    t = np.arange(4000) / 8000
    soundfile.write(tmp_path / "s.wav", np.sin(2 * np.pi * 300 * t) * t, 8000)
    model = str(checkpoint("tiny"))
    code, out, _ = run(
        "render", str(tmp_path / "s.wav"), "-o", str(tmp_path / "a.mp4"), "--model", model, "--size", "64x64",
        "--steps", "2", "--fps", "10", "--bend", "rotate latent.1 plane=r1 angle=rms:0:6.283",
        "--save-score", str(tmp_path / "s.osc"),
    )  # fmt: skip
    assert code == 0
    assert "5 frames" in out
    code, _, err = run(
        "render", str(tmp_path / "s.osc"), "-o", str(tmp_path / "b.mp4"), "--audio", str(tmp_path / "s.wav")
    )
    assert code == 0, err
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_a_score_becomes_text_and_text_a_score(run: Run, tmp_path: Path) -> None:
    text, binary = tmp_path / "show.txt", tmp_path / "show.osc"
    text.write_text('0 /steps 4\n  /prompt "a floating orb"\n1.5\n')
    assert run("score", str(text), "-o", str(binary))[0] == 0
    assert Score.read(binary).duration_s == 1.5
    assert run("score", str(binary)) == (0, text.read_text(), "")
    code, _, err = run("score", str(text))
    assert (code, err.count("\n")) == (1, 1)
    assert "-o" in err


def test_a_test_card_is_written_and_shown(run: Run, tmp_path: Path) -> None:
    card = tmp_path / "card.png"
    assert run("testcard", "-o", str(card), "--size", "256x128")[0] == 0
    plain = np.asarray(Image.open(card))
    assert plain.shape == (128, 256, 4)
    look = ("--flip", "--swap", "--alpha", "luma")
    assert run("testcard", "-o", str(card), "--size", "256x128", "--frames", "2", *look)[0] == 0
    turned = np.asarray(Image.open(tmp_path / "card_000000.png"))
    assert np.array_equal(turned[::-1, :, [2, 1, 0]], plain[..., :3])
    assert turned[..., 3].min() == 0
    assert (tmp_path / "card_000001.png").exists()
    code, out, _ = run("testcard", "--out", "null", "--frames", "3", "--fps", "200", "--size", "64x64")
    assert code == 0
    assert out.startswith("null: ")
    for wrong, told in (
        (("7474",), "--out"),
        (("--out", "jiter"), "jitter"),
        (("--alpha", "no"), "luma"),
        (("--out", "null", "x"), "at most"),
    ):
        code, _, err = run("testcard", *wrong)
        assert code == 1
        assert told in err


def test_analyze_writes_a_table(run: Run, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "s.wav", np.random.default_rng(0).normal(0, 0.1, 8000), 8000)
    assert (
        run("analyze", str(tmp_path / "s.wav"), "-o", str(tmp_path / "f.csv"), "--features", "rms,flux")[0]
        == 0
    )
    assert len((tmp_path / "f.csv").read_text().splitlines()) == 21


def test_how_options_are_read(tmp_path: Path) -> None:
    assert size_of("512x384") == (512, 384)
    assert steps_of("4") == 4
    assert steps_of("0, 16 32") == (0, 16, 32)
    assert pair("0.01 0.25", "--smooth") == (0.01, 0.25)
    with pytest.raises(BadValue, match="two numbers"):
        pair("1", "--smooth")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").touch()
    assert below(tmp_path, str(tmp_path / "in" / "a.png")) == (tmp_path.resolve(), "in/a.png")
    assert below(tmp_path / "other", str(tmp_path / "in" / "a.png")) == ((tmp_path / "in").resolve(), "a.png")


def test_time_tags_are_taken_as_the_code_takes_them_by_itself() -> None:
    given = {name: one.default for name, one in inspect.signature(serve).parameters.items()}
    assert Manners(given["horizon"], given["late"], given["timetags"]) == Manners()
