"""The small clients in examples/clients, run as they are."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
from performance import HERE, Performance, program, run
from PIL import Image
from servers import Served

CLIENTS = HERE.parents[1] / "examples" / "clients"


def command(name: str) -> tuple[str, str]:
    """What runs a client."""
    file = CLIENTS / name
    return (sys.executable if file.suffix == ".py" else program("node")), str(file)


@pytest.mark.parametrize("name", ["send.py", "send.mjs"])
def test_a_sender_changes_the_picture(name: str, performance: Performance, served: Served) -> None:
    start = performance.begin()
    assert run(*command(name), str(served.port)) == ""
    performance.client.sync()
    performance.audience.settled()
    turned = {shown.picture.tobytes() for shown in performance.audience.shown[start:]}
    assert len(turned) > 10, "a feature that moves turns the picture"
    answer = performance.client.ask("/get", "/bend/1/angle/map", reply="/bend/1/angle/map")
    assert answer.args[0] == "wave"


def test_python_receives_the_very_picture(performance: Performance, served: Served) -> None:
    performance.begin()
    mean = performance.audience.settled()[..., :3].mean()
    output = run(*command("receive.py"), "5", served.frames)
    assert len(re.findall(r"^frame \d+: 64 x 64", output, flags=re.MULTILINE)) == 5
    assert f"mean {mean:.1f}" in output


def test_node_receives_the_picture_as_jpeg(performance: Performance, served: Served) -> None:
    performance.begin()
    picture = performance.audience.settled()[..., :3]
    newest = HERE / "newest.jpg"
    try:
        output = run(*command("receive.mjs"), "3", served.web.rpartition(":")[2])
        seen = np.asarray(Image.open(newest)).astype(float)
    finally:
        newest.unlink(missing_ok=True)
    assert re.findall(r"^picture (\d): \d+ bytes", output, flags=re.MULTILINE) == ["1", "2", "3"]
    assert seen.shape == (64, 64, 3)
    assert np.abs(seen - picture).mean() < 10
