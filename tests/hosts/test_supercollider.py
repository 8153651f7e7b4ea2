"""The quark: its classes and examples, run by a real sclang with a real scsynth."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from performance import Performance, program, run
from servers import Served
from supercollider import QUARK, oscbend_program, sclang
from test_hosts import heard

from oscbend.demo import free_port, oscbend_process
from oscbend.score import Score

EXAMPLES = sorted((QUARK / "Examples").glob("*.scd"))


@pytest.fixture(scope="module")
def jack() -> Iterator[str]:
    """The name of a sound system without sound, for scsynth."""
    jackd, name = program("jackd"), "oscbend-tests"
    command = (jackd, "--no-realtime", "--no-mlock", "--name", name, "-d", "dummy", "-r", "44100")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1)
    yield name
    process.terminate()
    process.wait(10)


def blocks(example: Path) -> list[str]:
    """What a performer runs, one after the other: blocks in parentheses, and the lines between them."""
    text = example.read_text()
    return re.findall(r"^\(\n(?:.*\n)*?\)$|^[^\s/()].*$", text, flags=re.MULTILINE)


def test_the_quark_plays_the_performance(performance: Performance, served: Served, tmp_path: Path) -> None:
    start = performance.begin()
    output = sclang("quark.scd", served.port, home=tmp_path)
    heard(output, "running true true", *(f"synced {n} true" for n in range(1, 6)))
    heard(output, "angle 1.5", "queued 1 model tiny true", "ops true true")
    heard(output, "told /fail /bend/1 .*no_such_operator")
    performance.seen(start)


WATCHED = {
    "1-first-picture": {"/bend/1/mix": r"0\.5"},
    "2-heard-and-seen": {"/feature/amp": r"0\.\d*[1-9]", "/feature/drift": r"0\.\d*[1-9]"},
    "3-pattern-in-time": {"/bend/note/degrees": r"-?\d*[1-9]"},
}
"""What each example changes while it plays, and to what."""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_runs(example: Path, jack: str, tmp_path: Path) -> None:
    program("scsynth")
    pieces = tmp_path / "pieces"
    pieces.mkdir()
    for number, block in enumerate(blocks(example)):
        (pieces / f"{number:02}.scd").write_text(block)
    ports = free_port(57230), free_port(57210)
    output = sclang(
        "examples.scd",
        *(oscbend_program(tmp_path), *ports, pieces, *WATCHED[example.stem]),
        home=tmp_path,
        timeout_s=240,
        JACK_DEFAULT_SERVER=jack,
    )
    assert "ERROR" not in output, output
    assert not re.search("told /fail (?!/get)", output), output
    heard(output, "stage draws at 127.0.0.1", "booted true true", "gone", "ended true")
    assert "synced false" not in output
    heard(output, *(f"value {address} {value}" for address, value in WATCHED[example.stem].items()))
    if "s.waitForBoot" in example.read_text():
        heard(output, "sounds true")
    if "writeScore" in example.read_text():
        film(tmp_path / "mesh.osc", tmp_path)


def film(score: Path, folder: Path) -> None:
    """A score that sclang has written renders, and its bends are seen."""
    picture = folder / "film.mp4"
    run(*oscbend_process("render", str(score), "-o", str(picture), "--size", "64x64", "--fps", "2"))
    assert Score.read(score).duration_s == 8
    with av.open(str(picture)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 16


def test_a_program_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    output = sclang("no_program.scd", free_port(57230), home=tmp_path)
    heard(output, "failed false nil", "Is /no/such/oscbend the program", "Set Oscbend.program")
    assert "booted" not in output
