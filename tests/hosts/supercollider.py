"""Runs sclang with the quark of patches/supercollider in its class library."""

from __future__ import annotations

from pathlib import Path

from performance import HERE, program, run

from oscbend.demo import oscbend_process

QUARK = HERE.parents[1] / "patches" / "supercollider"


def sclang(script: Path | str, *args: object, home: Path, timeout_s: float = 120, **environment: str) -> str:
    """What a script printed, run by an sclang that has compiled the quark and nothing else of this user's."""
    configuration = home / "sclang_conf.yaml"
    configuration.write_text(f"includePaths:\n    - {QUARK}\nexcludePaths: []\npostInlineWarnings: true\n")
    places = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    headless = {"QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_DISABLE_SANDBOX": "1"}
    command = (program("sclang"), "-u", "0", "-l", str(configuration), str(script), *map(str, args))
    output = run(*command, timeout_s=timeout_s, **places, **headless, **environment)
    assert "ERROR: There is a discrepancy" not in output
    assert "Library has not been compiled successfully" not in output, output
    return output


def oscbend_program(folder: Path) -> Path:
    """An executable file that is `oscbend` as it is being tested."""
    words = " ".join(f"'{word}'" for word in oscbend_process())
    file = folder / "oscbend"
    file.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    file.chmod(0o755)
    return file
