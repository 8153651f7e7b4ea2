"""Which pages may play: those on this machine, and those that bring the token.

A page is open to whoever is in the network and has a browser, the audience too. Programs prove nothing here:
they could send datagrams as well, and are heard from the same networks.
"""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers, QueryParams
from starlette.types import Scope

from oscbend.errors import BadValue
from oscbend.peers import is_loopback

SHORTEST = 8
"""Fewest characters of a token."""
ONLY_LOOK = "this page may only look; open it on the machine that draws, or with the token of --web-token"


class Gate:
    """Tells of a page at a WebSocket whether it may play.

    Args:
        token: that pages of other machines bring; empty lets none of them play.

    Raises:
        BadValue: a token that is guessed too easily, or cannot stand in an address.
    """

    def __init__(self, token: str = "") -> None:
        plain = token.isascii() and token.replace("-", "").replace("_", "").isalnum()
        if token and not (plain and len(token) >= SHORTEST):
            raise BadValue(
                f"--web-token: take at least {SHORTEST} letters and digits (A-Z a-z 0-9 - _) and nothing else"
            )
        self._token = token.encode()

    def refusal(self, scope: Scope) -> str:
        """Why what comes over a WebSocket is not heard; empty if it is.

        Args:
            scope: of the WebSocket; the token is the `token` of its query.
        """
        if "origin" not in Headers(scope=scope) or is_loopback((scope.get("client") or ("",))[0]):
            return ""
        brought = QueryParams(scope.get("query_string", b"")).get("token", "").encode()
        return "" if self._token and hmac.compare_digest(brought, self._token) else ONLY_LOOK
