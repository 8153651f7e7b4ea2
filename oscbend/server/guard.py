"""Who may speak to the web port: pages of this server and programs, not pages of strangers.

A page from anywhere can make a browser send requests to this machine, and by a name that it lets point
here (DNS rebinding) read the answers too. So the name that was asked for (`Host`), and the page that asks
(`Origin`, which only browsers send), must be this machine's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket
from uvicorn.protocols.http.h11_impl import H11Protocol

from oscbend.errors import one_line
from oscbend.peers import ip_of

CONNECTIONS = 64
SILENT_S = 10.0
"""How long a connection may take to say what it wants, seconds."""
FAULTS = 20
"""After so many different faults no more are told."""
FULL = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Guard:
    """Lets requests through whose `Host` and `Origin` are this machine; others get 403.

    Args:
        app: what stands behind it.
        names: by which this server is known besides `localhost` and its addresses.
        allow: tells of a numeric address whether it is heard.
        say: is told, in one line and once, of a fault in what stands behind it.
    """

    def __init__(
        self,
        app: ASGIApp,
        names: Iterable[str] = (),
        say: Callable[[str], None] = lambda line: None,
        allow: Callable[[str], bool] = lambda host: True,
    ) -> None:
        self._app = app
        self._allow = allow
        self._say = say
        self._said: set[str] = set()
        self.names = {name.lower().rstrip(".") for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or hands it on."""
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            try:
                await self._app(scope, receive, send)
            except Exception as error:
                self._complain(f"{scope.get('path', '')[:80]}: {one_line(error)}")
                raise
            return
        response = PlainTextResponse(f"403: {refusal}\n", 403)
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(response)
        else:
            await response(scope, receive, send)

    def _complain(self, text: str) -> None:
        if len(self._said) < FAULTS and text not in self._said:
            self._said.add(text)
            self._say(f"web page {text}")

    def _refusal(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        here = (scope.get("server") or ("",))[0]
        host, origin = headers.get("host", ""), headers.get("origin")
        caller = (scope.get("client") or ("",))[0]
        if not self._allow(caller):
            return f"{caller or 'nobody'} is not in a network that this server hears; see --allow"
        if not self._is_here(f"//{host}", here):
            return f"{host or 'a request without Host'} is not this server; ask for it by its address"
        if origin is not None and not self._is_here(origin, here):
            return f"a page of {origin} may not talk to this server; only its own pages may"
        return None

    def _is_here(self, url: str, here: str) -> bool:
        """True if the URL's host is this machine, or the address at which the request came in."""
        try:
            parts = urlsplit(url)
            name, _ = (parts.hostname or "").rstrip("."), parts.port
        except ValueError:
            return False
        if parts.scheme not in ("", "http", "https") or parts.netloc != url.partition("//")[2] or "@" in url:
            return False
        if name == "localhost" or name in self.names:
            return True
        address = ip_of(name)
        return address is not None and (address.is_loopback or address == ip_of(here))


class BoundedHttp(H11Protocol):
    """HTTP as uvicorn speaks it, on a bounded number of connections; none may dawdle over its request."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Takes a connection, or turns it away where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.write(FULL)
            transport.close()
        else:
            self._mind()

    def data_received(self, data: bytes) -> None:
        """Takes what came; a request must be whole in good time."""
        super().data_received(data)
        self._mind()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        super().connection_lost(exc)
        if self._patience is not None:
            self._patience.cancel()

    @property
    def _waits(self) -> bool:
        """True while a request is expected; a WebSocket has taken its connection away from here."""
        return self in self.connections and (self.cycle is None or self.cycle.response_complete)

    def _mind(self) -> None:
        if not self._waits and self._patience is not None:
            self._patience.cancel()
            self._patience = None
        elif self._waits and self._patience is None:
            self._patience = self.loop.call_later(SILENT_S, self._lose_patience)

    def _lose_patience(self) -> None:
        self._patience = None
        if self._waits:
            self.transport.close()
