"""The web port: OSCQuery over HTTP and WebSocket, and the page with the live picture."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from oscbend.errors import OscbendError
from oscbend.frame import Frame
from oscbend.peers import is_loopback
from oscbend.server.announce import announced, heard_at, machine
from oscbend.server.gate import Gate
from oscbend.server.guard import BoundedHttp, Guard
from oscbend.server.journal import Journal
from oscbend.server.live import MESSAGE_MAX, Client, Live
from oscbend.server.monitor import STATUS, Monitor
from oscbend.server.networks import Networks
from oscbend.server.picture import Picture
from oscbend.server.query import Query
from oscbend.snapshot import Snapshot

HEADERS_MAX = 16384
"""Longest head of a request, in bytes."""


@dataclass(frozen=True)
class Site:
    """What the web port tells of its server.

    Args:
        name: of the server.
        host: where it listens; `127.0.0.1` is this machine only.
        port: of the web; 0 takes a free one.
        osc_port: where the server listens to OSC over UDP.
        token: with which pages of other machines may play; empty lets them only look.
    """

    name: str
    host: str
    port: int
    osc_port: int
    token: str = ""


class Web:
    """A web server in a thread of its own: it reads snapshots and frames, and never touches the show.

    Args:
        site: where it is, and whose.
        snapshot: the show as it begins.
        hear: takes OSC that comes over a WebSocket.
        now_s: when that is seen which comes now, on the clock of the loop.
        networks: from which it answers.
        say: takes one line for whoever runs the server.
        lines: what whoever runs the server was told, for the page.

    Raises:
        OscbendError: the port is in use.
        BadValue: no such token.
    """

    def __init__(
        self,
        site: Site,
        snapshot: Snapshot,
        hear: Callable[[bytes, Client], None],
        now_s: Callable[[], float],
        networks: Networks,
        say: Callable[[str], None],
        lines: Journal[str],
    ) -> None:
        self._site = site
        self._say = say
        self.picture = Picture(lambda: self._server.should_exit)
        self.query = Query(snapshot, site.name, site.osc_port)
        gate = Gate(site.token)
        self.live = Live(self.query, hear, now_s, gate)
        self.monitor = Monitor(self.query, self.picture, gate, lines, lambda: self._server.should_exit)
        routes = [
            Route("/live.mjpg", self.picture.live),
            Route("/frame.png", self.picture.still),
            Route("/status.json", self._status),
            Route("/page/operators.json", self.monitor.operators),
            Route("/page/{name}", self.monitor.file),
            WebSocketRoute("/page/live", self.monitor.meet),
            Route("/{address:path}", self._answer),
            WebSocketRoute("/{address:path}", self.live.meet),
        ]
        app = Starlette(routes=routes, lifespan=self._announcing)
        self._guard = Guard(app, [site.host], say, networks.allow)
        config = uvicorn.Config(
            self._guard,
            host=site.host,
            port=site.port,
            http=BoundedHttp,
            proxy_headers=False,
            ws="websockets-sansio",
            ws_max_size=MESSAGE_MAX,
            ws_per_message_deflate=False,
            h11_max_incomplete_event_size=HEADERS_MAX,
            log_level="critical",
            timeout_graceful_shutdown=1,
        )
        try:
            self._socket = config.bind_socket()
            self._socket.listen()
        except (OSError, SystemExit) as error:
            raise OscbendError(
                f"cannot open web port {site.port}: it is in use; take another --web-port"
            ) from error
        self.host, self.port = self._socket.getsockname()[:2]
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="web", daemon=True
        )
        self._thread.start()

    def put(self, frame: Frame) -> None:
        """Takes the newest frame; never waits."""
        self.picture.put(frame)

    def see(self, snapshot: Snapshot) -> None:
        """Takes the newest state of the show; never waits."""
        self.query.snapshot = snapshot
        self.monitor.see(snapshot)
        self.live.wake()

    def gone(self) -> list[Client]:
        """Clients at the WebSocket that have gone since the last call."""
        return self.live.gone()

    def close(self) -> None:
        """Closes the port and ends the thread."""
        self._server.should_exit = True
        self._thread.join(timeout=3)

    async def _status(self, request: Request) -> Response:
        return JSONResponse(dict(zip(STATUS, self.query.snapshot.status)))

    async def _answer(self, request: Request) -> Response:
        asks = request.query_params
        page = request.url.path == "/" and not asks and "text/html" in request.headers.get("accept", "")
        return self.monitor.page() if page or "HTML" in asks else await self.query.answer(request)

    @contextlib.asynccontextmanager
    async def _announcing(self, app: Starlette) -> AsyncIterator[None]:
        announcing = None if is_loopback(self.host) else asyncio.create_task(self._announce())
        yield
        if announcing is not None:
            announcing.cancel()
            await asyncio.wait([announcing])

    async def _announce(self) -> None:
        """Makes the server known on the network until it ends."""
        site = self._site
        self._guard.names.add(machine().lower())
        try:
            async with announced(site.name, self.port, site.osc_port, heard_at(self.host)) as name:
                self.query.name = name
                await asyncio.Event().wait()
        except OscbendError as error:
            self._say(f"hosts will not find this server by themselves: {error}")
