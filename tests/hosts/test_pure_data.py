"""The patches for Pure Data, run by a real Pd."""

from __future__ import annotations

from pathlib import Path

import pytest
from performance import Performance
from pure_data import PATCHES, Patch, messages
from servers import Served
from test_hosts import heard

HELP = sorted(PATCHES.glob("*-help.pd"))


def test_the_patches_play_the_performance(performance: Performance, served: Served, tmp_path: Path) -> None:
    start = performance.begin()
    patch = Patch(
        f"#X obj 0 0 oscbend {served.port};",
        "#X obj 0 0 print heard;",
        "#X obj 0 0 r one;",
        "#X obj 0 0 oscbend-bend 1;",
        "#X obj 0 0 r two;",
        "#X obj 0 0 oscbend-bend 2;",
        *("#X connect 0 1 1 0;", "#X connect 2 0 3 0;", "#X connect 4 0 5 0;"),
    )
    patch.at(0.3, "oscbend", "start")
    patch.at(0.4, "one", "arm add image")
    patch.at(0.5, "one", "r/map rms -1.5 1.5")
    patch.at(3, "oscbend", "/feature/rms 0")
    patch.at(6, "one", "free")
    patch.at(6, "two", "arm rotate latent.end")
    patch.at(6, "two", "angle 1.5")
    patch.at(9, "oscbend", "/prompt a red orb")
    patch.at(9, "oscbend", "/sync 4")
    patch.at(12, "two", "on 0")
    patch.at(12, "one", "arm no_such_operator image")
    patch.at(13, "oscbend", "/status")
    patch.at(13, "two", "0.5")
    patch.at(13.5, "oscbend", "/get /bend/2/angle")
    output = patch.play(tmp_path / "play.pd", 15)
    heard(output, "heard: done /notify", "heard: synced 4", "heard: status.reply")
    heard(output, "heard: fail /bend/1 .*no_such_operator", r"heard: bend 2 angle 3.14")
    performance.seen(start)


def test_sound_becomes_features(performance: Performance, served: Served, tmp_path: Path) -> None:
    patch = Patch(
        f"#X obj 0 0 oscbend {served.port};",
        "#X obj 0 0 print heard;",
        "#X obj 0 0 osc~ 440;",
        "#X obj 0 0 *~ 0.5;",
        "#X obj 0 0 oscbend-listen;",
        "#X obj 0 0 r strength;",
        *("#X connect 0 1 1 0;", "#X connect 2 0 3 0;", "#X connect 3 0 4 0;", "#X connect 5 0 3 1;"),
    )
    performance.begin()
    patch.at(0.2, "strength", "0")
    patch.at(0.3, "pd", "dsp 1")
    patch.at(1.5, "strength", "0.5")
    for feature in ("rms", "pitch", "low", "high", "onset"):
        patch.at(4, "oscbend", f"/get /feature/{feature}")
    output = patch.play(tmp_path / "sound.pd", 5)
    heard(
        output, r"heard: feature rms 0\.35", r"heard: feature pitch 4(3[5-9]|4[0-5])", "heard: feature onset"
    )
    heard(output, r"heard: feature low 0\.\d+", r"heard: feature high 0\.0\d+")


@pytest.mark.parametrize("file", HELP, ids=lambda file: file.stem)
def test_a_help_patch_says_nothing_wrong(
    file: Path, performance: Performance, served: Served, tmp_path: Path
) -> None:
    performance.begin()
    patch = Patch(
        f"#X obj 0 0 oscbend {served.port};",
        "#X obj 0 0 print heard;",
        "#X obj 0 0 r one;",
        "#X obj 0 0 oscbend-bend 1;",
        f"#X obj 0 0 {file.stem};",
        *("#X connect 0 1 1 0;", "#X connect 2 0 3 0;"),
    )
    sent = [text for text in messages(file) if not text.startswith(("connect", "stop", "\\;"))]
    assert any(text.startswith(("/", "arm")) for text in sent)
    time_s = 0.5
    for text in sorted(sent, key=lambda text: (text.startswith("free"), not text.startswith("arm"))):
        receiver = "oscbend" if text.startswith(("/", "start")) else "one"
        patch.at(time_s, receiver, text)
        time_s += 0.1
    patch.at(time_s, "oscbend", "/sync 9")
    output = patch.play(tmp_path / "help.pd", time_s + 3)
    heard(output, "heard: synced 9")
    assert "fail" not in output
