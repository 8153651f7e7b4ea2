"""OSCQuery over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from webbed import OSC_PORT, Webbed

from oscbend.server.query import EXTENSIONS
from oscbend.server.tree import ATTRIBUTES, listed


@pytest.fixture
def show() -> Iterator[Webbed]:
    with Webbed() as opened:
        yield opened


def test_an_address_is_described_with_its_value(show: Webbed) -> None:
    show(("/seed", 3.5))
    seed = show.json("/seed")
    assert (seed["FULL_PATH"], seed["TYPE"], seed["VALUE"]) == ("/seed", "f", [3.5])


def test_values_are_those_of_the_newest_frame(show: Webbed) -> None:
    for number in (1.0, 2.0, 3.0):
        show(("/seed", number))
        assert show.json("/seed?VALUE") == {"VALUE": [number]}
        assert show.json("/")["CONTENTS"]["seed"]["VALUE"] == [number]


def test_the_root_holds_everything(show: Webbed) -> None:
    seen = show(("/bend/1", "add", "latent.0"), ("/feature/rms", 0.5))
    found = set()

    def walk(node: dict) -> None:
        found.add(node["FULL_PATH"])
        for below in node.get("CONTENTS", {}).values():
            walk(below)

    walk(show.json("/"))
    assert set(listed(seen.show)) <= found


def test_arming_and_freeing_change_the_tree(show: Webbed) -> None:
    assert show.get("/bend/1")[0] == 404
    show(("/bend/1", "add", "latent.0"))
    assert {"r", "mix", "free"} <= set(show.json("/bend/1")["CONTENTS"])
    show(("/bend/1/free",))
    assert show.get("/bend/1/r")[0] == 404


def test_names_are_unquoted_and_a_slash_at_the_end_means_nothing(show: Webbed) -> None:
    show(("/bend/été 1", "add", "latent.0"))
    assert show.json("/bend/%C3%A9t%C3%A9%201/mix/")["FULL_PATH"] == "/bend/été 1/mix"


@pytest.mark.parametrize("attribute", [a for a in ATTRIBUTES if a not in ("CONTENTS", "UNIT")])
def test_single_attributes(show: Webbed, attribute: str) -> None:
    show()
    assert show.json(f"/seed?{attribute}") == {attribute: show.json("/seed")[attribute]}
    assert show.json(f"/seed?{attribute}=") == {attribute: show.json("/seed")[attribute]}


def test_contents_alone(show: Webbed) -> None:
    show()
    assert show.json("/noise?CONTENTS") == {"CONTENTS": show.json("/noise")["CONTENTS"]}


@pytest.mark.parametrize(
    "path",
    [
        "/seed?UNIT",
        "/noise?TYPE",
        "/noise?VALUE",
        "/bend/free?VALUE",
        "/seed?EXTENDED_TYPE",
        "/seed/norm?CONTENTS",
    ],
)
def test_an_attribute_that_is_not_there_is_204(show: Webbed, path: str) -> None:
    show()
    assert show.get(path) == (204, b"")


@pytest.mark.parametrize(
    "path", ["/nothing", "/nothing?VALUE", "/seed/nothing", "/seed//norm", "/" + "x" * 9000]
)
def test_an_unknown_address_is_404(show: Webbed, path: str) -> None:
    status, body = show.get(path)
    assert status == 404
    assert b"no address" in body


def test_an_attribute_that_there_is_not_is_400(show: Webbed) -> None:
    status, body = show.get("/seed?COLOUR")
    assert status == 400
    assert b"COLOUR" in body
    assert b"VALUE" in body


@pytest.mark.parametrize("path", ["/?HOST_INFO", "/seed?HOST_INFO", "/not/there?HOST_INFO="])
def test_host_info(show: Webbed, path: str) -> None:
    assert show.json(path) == {
        "NAME": "a show",
        "EXTENSIONS": EXTENSIONS,
        "OSC_IP": "127.0.0.1",
        "OSC_PORT": OSC_PORT,
        "OSC_TRANSPORT": "UDP",
        "WS_IP": "127.0.0.1",
        "WS_PORT": show.web.port,
    }


def test_extensions_are_told_truthfully(show: Webbed) -> None:
    show(("/bend/1", "rotate", "latent.0"), ("/bend/1/angle", 1.0))
    told = show.json("/bend/1/angle")
    optional = {"ACCESS", "VALUE", "RANGE", "DESCRIPTION", "TAGS", "UNIT", "CLIPMODE", "OVERLOADS"}
    assert optional <= set(told)
    assert optional <= {name for name, has in EXTENSIONS.items() if has}
    assert not {name for name, has in EXTENSIONS.items() if not has} & set(told)
    assert "OSC_STREAMING" not in EXTENSIONS


def test_many_who_ask_at_once_are_all_answered(show: Webbed) -> None:
    show(*((f"/bend/{n}", "add", "latent.0") for n in range(16)))
    answers: list[int] = []
    asking = [threading.Thread(target=lambda: answers.append(show.get("/")[0])) for _ in range(12)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert answers == [200] * 12
