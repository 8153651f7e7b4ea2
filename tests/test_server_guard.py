"""Who may speak to the web port, and how long and how many."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from webbed import WAIT_S, Webbed, until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from oscbend.server import guard
from oscbend.server.guard import Guard


@pytest.fixture
def show() -> Iterator[Webbed]:
    with Webbed() as opened:
        yield opened


def status(
    host: str | None,
    origin: str | None = None,
    here: str = "127.0.0.1",
    client: tuple[str, int] = ("127.0.0.1", 4321),
    **options: Any,
) -> int:
    """What a request gets that came in at the address `here`."""
    headers = [(k, v.encode()) for k, v in ((b"host", host), (b"origin", origin)) if v is not None]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers, "client": client}
    scope["server"] = here, 57131
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Guard(app, **options)(scope, None, send))  # type: ignore[arg-type]
    return int(sent[0]["status"])


def test_machines_of_other_networks_get_nothing() -> None:
    strangers = ("8.8.8.8", 4321)
    assert status("127.0.0.1", client=strangers, allow=lambda host: host != "8.8.8.8") == 403
    assert status("127.0.0.1", client=("10.0.0.7", 4321), allow=lambda host: host != "8.8.8.8") == 200


OWN = [
    "127.0.0.1:57131",
    "127.0.0.1",
    "localhost:57131",
    "LocalHost",
    "localhost.",
    "[::1]:57131",
    "127.9.9.9:80",
    "[::ffff:127.0.0.1]",
]
STRANGE = [
    "evil.example",
    "evil.example:57131",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "0.0.0.0:57131",
    "192.168.1.7:57131",
    "evil@127.0.0.1",
    "127.0.0.1:port",
    "[::1",
    "127.0.0.1/x",
    "127.0.0.1?x",
    "2130706433",
]


@pytest.mark.parametrize("host", OWN)
def test_names_of_this_machine_are_let_in(host: str) -> None:
    assert status(host) == 200
    assert status("127.0.0.1", f"http://{host}") == 200


@pytest.mark.parametrize("host", STRANGE)
def test_other_names_are_not(host: str) -> None:
    assert status(host) == 403
    assert status("127.0.0.1", f"http://{host}") == 403


@pytest.mark.parametrize("origin", ["null", "file://", "chrome-extension://localhost", "", "localhost"])
def test_pages_from_nowhere_are_not_let_in(origin: str) -> None:
    assert status("127.0.0.1", origin) == 403


def test_without_a_name_nothing_is_let_in() -> None:
    assert status(None) == 403


@pytest.mark.parametrize(
    ("here", "host"),
    [("192.168.1.7", "192.168.1.7:57131"), ("::ffff:192.168.1.7", "192.168.1.7"), ("fe80::1", "[fe80::1]")],
)
def test_the_address_at_which_a_request_came_in_is_let_in(here: str, host: str) -> None:
    assert status(host, f"http://{host}", here=here) == 200
    assert status("192.168.1.8", here=here) == 403


def test_names_that_the_server_was_given_are_let_in() -> None:
    assert status("Studio.local:57131", "http://studio.local:57131", names=["studio.LOCAL"]) == 200
    assert status("studio.local.evil.example", names=["studio.local"]) == 403


def test_the_refusal_says_why(show: Webbed) -> None:
    code, body = show.get("/seed?VALUE", Host="evil.example:57131")
    assert (code, body) == (403, b"403: evil.example:57131 is not this server; ask for it by its address\n")
    code, body = show.get("/", Origin="https://evil.example")
    assert code == 403
    assert b"https://evil.example may not talk" in body


@pytest.mark.parametrize(("host", "origin"), [("localhost", "http://evil.example"), ("evil.example", None)])
def test_a_strange_page_gets_no_websocket(show: Webbed, host: str, origin: Any) -> None:
    with (
        opened(show) as socket,
        pytest.raises(InvalidStatus) as refused,
        connect(f"ws://{host}/", sock=socket, origin=origin),
    ):
        pass
    assert refused.value.response.status_code == 403
    assert b"evil.example" in refused.value.response.body


def test_an_own_page_gets_one(show: Webbed) -> None:
    with show.connected(origin=f"http://{show.at}") as client:
        client.settle()


def test_a_fault_behind_it_is_told_once() -> None:
    said: list[str] = []

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("what was that")

    once = Guard(broken, say=said.append)
    scope = {"type": "http", "path": "/x", "headers": [(b"host", b"localhost")], "server": ("127.0.0.1", 1)}
    for _ in range(3):
        with pytest.raises(RuntimeError):
            asyncio.run(once(scope, None, None))  # type: ignore[arg-type]
    assert said == ["web page /x: RuntimeError: what was that"]


def opened(show: Webbed) -> socket.socket:
    return socket.create_connection(("127.0.0.1", show.web.port), WAIT_S)


def test_connections_are_bounded(show: Webbed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "CONNECTIONS", 3)
    held = [opened(show) for _ in range(3)]
    until(lambda: len(show.web._server.server_state.connections) == 3)
    with opened(show) as more:
        assert more.recv(100).startswith(b"HTTP/1.1 503")
        assert more.recv(100) == b""
    for one in held:
        one.close()
    until(lambda: not show.web._server.server_state.connections)
    assert show.get("/seed")[0] == 200


@pytest.mark.parametrize("first", [b"", b"GET /seed HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_a_request_may_not_dawdle(show: Webbed, monkeypatch: pytest.MonkeyPatch, first: bytes) -> None:
    monkeypatch.setattr(guard, "SILENT_S", 0.2)
    with opened(show) as slow:
        slow.sendall(first + b"GET /seed HTTP/1.1\r\nX: ")
        came = b"-"
        while came:
            came = slow.recv(4096)
            if came:
                slow.sendall(b"x")


def test_a_websocket_may_be_silent(show: Webbed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "SILENT_S", 0.1)
    with show.connected() as client:
        time.sleep(0.3)
        client.settle()


def test_a_request_with_an_endless_head_is_refused(show: Webbed) -> None:
    with opened(show) as long:
        long.sendall(b"GET /seed HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 40_000)
        assert b" 400 " in long.recv(100)
