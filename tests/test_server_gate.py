"""Which pages may play."""

from __future__ import annotations

from typing import Any

import pytest

from oscbend.errors import BadValue
from oscbend.server.gate import ONLY_LOOK, Gate

TOKEN = "a-long_enough-1"


def scope(host: str, origin: str | None = "http://here", query: str = "") -> dict[str, Any]:
    headers = [] if origin is None else [(b"origin", origin.encode())]
    return {"type": "websocket", "client": (host, 5), "headers": headers, "query_string": query.encode()}


def test_pages_on_this_machine_play() -> None:
    for host in ("127.0.0.1", "::1", "127.3.2.1"):
        assert Gate().refusal(scope(host)) == ""
        assert Gate(TOKEN).refusal(scope(host)) == ""


def test_pages_elsewhere_only_look() -> None:
    assert Gate().refusal(scope("192.168.1.5")) == ONLY_LOOK
    assert Gate().refusal(scope("192.168.1.5", query="token=")) == ONLY_LOOK


@pytest.mark.parametrize(
    "query", ["", "token=", "token=wrong", f"token={TOKEN}1", f"Token={TOKEN}", "token=%ff"]
)
def test_with_another_token_they_only_look(query: str) -> None:
    assert Gate(TOKEN).refusal(scope("192.168.1.5", query=query)) == ONLY_LOOK


def test_with_the_token_they_play() -> None:
    assert Gate(TOKEN).refusal(scope("192.168.1.5", query=f"token={TOKEN}")) == ""


def test_programs_are_no_pages() -> None:
    assert Gate(TOKEN).refusal(scope("192.168.1.5", origin=None)) == ""


@pytest.mark.parametrize("token", ["short", "with space in it", "schlüssel-lang", "under&oath=1"])
def test_a_token_must_be_long_and_plain(token: str) -> None:
    with pytest.raises(BadValue, match="--web-token: take at least 8"):
        Gate(token)
