"""What the monitor page is told."""

from __future__ import annotations

import io
import json
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from PIL import Image
from webbed import WAIT_S, Webbed, until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from oscbend.bends import OPERATORS
from oscbend.frame import Frame
from oscbend.server import gate, monitor
from oscbend.server.gate import ONLY_LOOK

TOKEN = "a-long_enough-1"


@pytest.fixture
def show() -> Iterator[Webbed]:
    with Webbed() as opened:
        opened.loop.changes.watchers.append(opened.web.monitor.changed)
        yield opened


@contextmanager
def page(show: Webbed, query: str = "") -> Iterator[ClientConnection]:
    origin: Any = f"http://{show.at}"
    with connect(f"ws://{show.at}/page/live{query}", origin=origin, open_timeout=WAIT_S) as socket:
        yield socket


def news(socket: ClientConnection) -> dict[str, Any]:
    """What the page is told next; the picture that follows, if one does, under `jpeg`."""
    socket.send("next")
    told: dict[str, Any] = json.loads(socket.recv(WAIT_S))
    if told["picture"]:
        told["jpeg"] = socket.recv(WAIT_S)
    return told


def test_the_page_and_all_that_it_names_is_there(show: Webbed) -> None:
    wanted, seen = ["/"], set()
    while wanted:
        path = wanted.pop()
        status, body = show.get(path, Accept="text/html,*/*")
        assert status == 200, path
        seen.add(path)
        found = re.findall(r"""(?:from|src=|href=) ?"(?:\./|/page/)([\w.]+)\"""", body.decode())
        wanted += [f"/page/{name}" for name in found if f"/page/{name}" not in seen]
    assert {f"/page/{path.name}" for path in monitor.STATIC.iterdir()} - seen == {"/page/index.html"}


def test_nothing_of_the_page_comes_from_elsewhere(show: Webbed) -> None:
    for path in monitor.STATIC.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://\w|url\(|@import", text), path.name


def test_there_are_no_other_files(show: Webbed) -> None:
    for path in ("/page/web.py", "/page/..%2fweb.py", "/page/%2e%2e/web.py"):
        assert show.get(path)[0] == 404


def test_no_page_can_put_this_one_under_its_own(show: Webbed) -> None:
    with urllib.request.urlopen(f"http://{show.at}/?HTML", timeout=WAIT_S) as answer:
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_every_operator_can_be_armed(show: Webbed) -> None:
    rows = json.loads(show.get("/page/operators.json")[1])
    assert [row["name"] for row in rows] == list(OPERATORS)
    assert all(row["help"] for row in rows)


def test_bends_and_what_they_reach_are_told(show: Webbed) -> None:
    show(("/bend/1", "add", "latent.*"), ("/bend/1/mix", 0.25), ("/bend/1/on", 0), ("/lag", 0.0))
    show(("/bend/1/r/map", "rms"), ("/bend/1/r/mod/2", "flux", 0.5))
    with page(show) as socket:
        told = news(socket)
    (bend,) = told["show"]["bends"]
    assert (bend["id"], bend["op"], bend["site"], bend["on"]) == ("1", "add", "latent.*", False)
    assert bend["sites"] == [n for n, _ in told["show"]["sites"] if n.startswith("latent.")]
    assert told["amounts"] == {"1": 0.25}
    assert told["show"]["drives"] == [
        {"address": "/bend/1/r", "feature": "rms", "mod": 0},
        {"address": "/bend/1/r", "feature": "flux", "mod": 2},
    ]


def test_what_stands_is_told_again_only_when_it_has_changed(show: Webbed) -> None:
    show()
    with page(show) as socket:
        assert "show" in news(socket)
        show(("/seed", 3.0))
        assert "show" not in news(socket)
        show(("/bend/1", "add", "latent.0"))
        assert news(socket)["show"]["bends"][0]["id"] == "1"


def test_features_are_told_with_their_ranges(show: Webbed) -> None:
    for name in ("rms", "flux"):
        show((f"/feature/{name}/range", 2.0, 6.0), (f"/feature/{name}/smooth", 0.0, 0.0))
    show(("/feature/rms", 3.0), ("/feature/flux", 1.0, 9.0))
    with page(show) as socket:
        told = news(socket)["features"]
    assert told["rms"] == {"value": [3.0], "lo": [2.0], "hi": [6.0], "unit": [0.25], "size": 1}
    assert told["flux"]["unit"] == [0.0, 1.0]


def test_a_long_vector_is_told_in_part(show: Webbed) -> None:
    show(("/feature/spectrum", *np.linspace(0, 1, 100)))
    with page(show) as socket:
        told = news(socket)["features"]["spectrum"]
    assert len(told["unit"]) == monitor.COMPONENTS
    assert told["size"] == 100


def test_pictures_come_once_each_and_the_newest(show: Webbed) -> None:
    with page(show) as socket:
        assert not news(socket)["picture"]
        for number, grey in enumerate((10, 200)):
            show.web.put(Frame(2 * number, 0.0, np.zeros((8, 16, 4), np.uint8)))
            show.web.put(Frame(2 * number + 1, 0.0, np.full((8, 16, 4), grey, np.uint8)))
            picture = Image.open(io.BytesIO(news(socket)["jpeg"]))
            assert picture.size == (16, 8)
            assert picture.getpixel((0, 0)) == pytest.approx((grey,) * 3, abs=2)
        assert not news(socket)["picture"]


def test_who_does_not_ask_is_told_nothing(show: Webbed) -> None:
    with page(show) as socket:
        show.web.put(Frame(1, 0.0, np.zeros((8, 8, 4), np.uint8)))
        show(("/seed", 1.0))
        with pytest.raises(TimeoutError):
            socket.recv(0.1)


def test_frames_and_changes_and_lines_are_told_once(show: Webbed) -> None:
    show()
    with page(show) as socket:
        news(socket)
        show(("/seed", 7.0))
        show()
        told = news(socket)
        assert told["took_ms"] == [50.0, 50.0]
        assert told["changes"] == [["/seed", 7.0]]
        show.lines.add("something was wrong")
        told = news(socket)
        assert (told["lines"], told["changes"], told["took_ms"]) == (["something was wrong"], [], [])


def test_a_page_of_another_machine_hears_that_it_may_only_look(
    show: Webbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with page(show) as socket:
        assert news(socket)["refusal"] == ""
    monkeypatch.setattr(gate, "is_loopback", lambda host: False)
    with page(show) as socket:
        assert news(socket)["refusal"] == ONLY_LOOK
        assert "refusal" not in news(socket)
    with show.connected(origin=f"http://{show.at}") as client:
        client.listen("/seed")
        client.send("/seed", 3.0)
        assert client.receive() == ("/fail", "/", ONLY_LOOK)
        show(("/seed", 4.0))
        assert client.receive() == ("/seed", 4.0)
    assert show.inbox.received == 0


def test_with_the_token_it_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "is_loopback", lambda host: False)
    with Webbed(token=TOKEN) as show:
        with page(show, f"?token={TOKEN}") as socket:
            assert news(socket)["refusal"] == ""
        origin: Any = f"http://{show.at}"
        with connect(f"ws://{show.at}/?token={TOKEN}", origin=origin, open_timeout=WAIT_S) as client:
            client.send(b"/seed\0\0\0,f\0\0\x40\x40\0\0")
            show.heard(1)
        assert show().state.live == {"/seed": 3.0}


def test_pages_are_bounded(show: Webbed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "WATCHERS", 1)
    with page(show) as socket:
        news(socket)
        with pytest.raises(InvalidStatus) as refused, page(show):
            pass
        assert refused.value.response.status_code == 503
    until(lambda: show.web.monitor._watchers == 0)
    with page(show) as socket:
        news(socket)


def test_a_page_that_is_open_ends_with_the_server(show: Webbed) -> None:
    with page(show) as socket:
        news(socket)
        show.web.close()
        assert not show.web._thread.is_alive()
