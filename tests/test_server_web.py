"""What the web port shows beside OSCQuery."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from webbed import Webbed, get

from oscbend.errors import OscbendError
from oscbend.frame import Frame


@pytest.fixture
def show() -> Iterator[Webbed]:
    with Webbed() as opened:
        yield opened


def test_a_browser_gets_the_page_and_a_program_the_tree(show: Webbed) -> None:
    page = show.get("/", Accept="text/html,application/xhtml+xml,*/*;q=0.8")[1]
    assert b'src="/page/main.js"' in page
    assert show.get("/?HTML")[1] == page
    assert show.json("/")["FULL_PATH"] == "/"
    assert show.get("/?HOST_INFO", Accept="text/html")[1].startswith(b'{"NAME"')


def test_the_newest_frame_is_a_picture(show: Webbed) -> None:
    assert show.get("/frame.png")[0] == 503
    for grey in (10, 200):
        show.web.put(Frame(grey, 0.0, np.full((8, 16, 4), grey, np.uint8)))
        picture = Image.open(io.BytesIO(show.get("/frame.png")[1]))
        assert picture.size == (16, 8)
        assert picture.getpixel((0, 0)) == (grey, grey, grey)


def test_the_status_is_that_of_the_newest_frame(show: Webbed) -> None:
    show(("/seed", 3.0))
    show()
    status = json.loads(show.get("/status.json")[1])
    assert (status["frame"], status["model"]) == (1, "tiny")
    assert show.json("/status")["FULL_PATH"] == "/status"


def test_a_port_in_use_is_told(show: Webbed) -> None:
    with pytest.raises(OscbendError, match=f"web port {show.web.port}: it is in use"):
        Webbed(port=show.web.port)


def test_the_port_is_free_again_afterwards() -> None:
    with Webbed() as one:
        port = one.web.port
    with Webbed(port=port) as again:
        assert get(f"http://127.0.0.1:{port}/seed")[0] == 200
        assert again.web.port == port


def test_closing_ends_those_who_listen_and_those_who_watch(show: Webbed) -> None:
    with show.connected() as client:
        client.listen("/seed")
        show.web.close()
        assert not show.web._thread.is_alive()
        show(("/seed", 3.0))
