"""What the monitor page is told: the live picture, and what moves, at the page's own pace.

The page asks (`next`), and gets one text with what is new, then the newest picture as JPEG if there is a
newer one. It asks again when it has shown them: a slow telephone gets fewer, the newest, and nothing queues.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from oscbend.bends import OPERATORS
from oscbend.commands import Change
from oscbend.controls import default_of, find_control
from oscbend.errors import BadMessage
from oscbend.features import reach, unit_of
from oscbend.server.gate import Gate
from oscbend.server.journal import Journal
from oscbend.server.picture import Picture
from oscbend.server.query import Query
from oscbend.snapshot import Snapshot
from oscbend.state import State

Json = dict[str, Any]

STATUS = (
    *("fps", "frame_ms", "worst_ms", "queued", "late", "dropped"),
    *("bad", "frame", "model", "behind", "ahead_s"),
)
WATCHERS = 16
"""How many pages are told at once."""
PICTURES_S = 1 / 30
"""Shortest time from one picture to the next, seconds."""
IDLE_S = 0.25
"""How long a page waits at most where no new frame comes, seconds."""
LINES = 200
FRAMES = 300
COMPONENTS = 32
"""How many components of a feature the page is told."""
STATIC = Path(__file__).parent / "static"
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
SAFE = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob:; connect-src 'self' ws: wss:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
"""Nothing comes from elsewhere, and no other page can put this one under its own."""


class Monitor:
    """Serves the page's files, and tells each page what it shows.

    Args:
        query: holds the newest snapshot.
        picture: the newest frame.
        gate: knows which pages may play.
        lines: what whoever runs the server was told.
        over: tells whether the server is ending.
    """

    def __init__(
        self, query: Query, picture: Picture, gate: Gate, lines: Journal[str], over: Callable[[], bool]
    ) -> None:
        self._query = query
        self._picture = picture
        self._gate = gate
        self._over = over
        self._files = {path.name: path.read_bytes() for path in STATIC.iterdir() if path.suffix in KINDS}
        self._watchers = 0
        self._seen_s: float | None = None
        self._took_ms: Journal[float] = Journal(FRAMES)
        self._changes: Journal[Change] = Journal(LINES)
        self._lines = lines

    def see(self, snapshot: Snapshot) -> None:
        """Notes how long it is since the last frame; never waits."""
        if self._seen_s is not None:
            self._took_ms.add(1000.0 * (snapshot.time_s - self._seen_s))
        self._seen_s = snapshot.time_s

    def changed(self, state: State, changes: Sequence[Change]) -> None:
        """Notes what a frame has changed; never waits."""
        self._changes.add(*changes[-LINES:])

    def page(self) -> Response:
        """The page itself."""
        return self._answer("index.html")

    async def file(self, request: Request) -> Response:
        """One of the page's files."""
        return self._answer(request.path_params["name"])

    async def operators(self, request: Request) -> Response:
        """Every operator that a click can arm: name, what it does, tags."""
        rows = [{"name": n, "help": row.help, "tags": sorted(row.tags)} for n, row in OPERATORS.items()]
        return JSONResponse(rows, headers=SAFE)

    async def meet(self, websocket: WebSocket) -> None:
        """Tells one page until it goes."""
        if self._watchers >= WATCHERS:
            refusal = PlainTextResponse(f"503: {WATCHERS} pages are open already\n", 503)
            await websocket.send_denial_response(refusal)
            return
        self._watchers += 1
        try:
            await websocket.accept()
            with suppress(WebSocketDisconnect):
                await self._tell(websocket)
        finally:
            self._watchers -= 1

    def _answer(self, name: str) -> Response:
        body = self._files.get(name)
        if body is None:
            return PlainTextResponse(f"404: the page has no file {name[:80]}\n", 404)
        return Response(body, media_type=KINDS[Path(name).suffix], headers=SAFE)

    async def _tell(self, websocket: WebSocket) -> None:
        shown = -1
        told: Any = None
        counts = [0, 0, 0]
        first: Json = {"refusal": self._gate.refusal(websocket.scope), "server": self._query.name}
        while not self._over():
            await websocket.receive_text()
            began_s = time.monotonic()
            frame = await self._picture.after(shown, IDLE_S)
            snapshot = self._query.snapshot
            news = {**first, **moving(snapshot), **self._since(counts)}
            first = {}
            if told is None or not _alike(told, _standing(snapshot)):
                told = _standing(snapshot)
                news["show"] = standing(snapshot)
            news["picture"] = frame is not None
            await websocket.send_text(json.dumps(news, separators=(",", ":")))
            if frame is not None:
                shown = frame.number
                await websocket.send_bytes(await self._picture.jpeg(frame))
            await asyncio.sleep(max(0.0, began_s + PICTURES_S - time.monotonic()))

    def _since(self, counts: list[int]) -> Json:
        """What the journals hold that a page has not been told; counts on."""
        counts[0], took_ms = self._took_ms.since(counts[0])
        counts[1], changes = self._changes.since(counts[1])
        counts[2], lines = self._lines.since(counts[2])
        return {
            "took_ms": [round(ms, 2) for ms in took_ms],
            "changes": [[c.address, *map(_plain, c.args)] for c in changes],
            "lines": lines,
        }


def moving(snapshot: Snapshot) -> Json:
    """What may differ in every frame: figures, features, and how much of each bend there is."""
    return {
        "status": dict(zip(STATUS, snapshot.status)),
        "features": dict(_features(snapshot)),
        "amounts": {bend.id: _amount(snapshot, bend.address("mix")) for bend in snapshot.state.bends},
        "wet": _amount(snapshot, "/wet"),
    }


def standing(snapshot: Snapshot) -> Json:
    """What only messages change: sites, bends and where they reach, what drives what."""
    state = snapshot.state
    return {
        "sites": [[site.name, list(site.shape)] for site in snapshot.stage.sites],
        "bends": [
            {"id": b.id, "op": b.op, "site": b.site, "on": b.on, "sites": _reached(snapshot, b.site)}
            for b in state.bends
        ],
        "drives": [
            *({"address": a, "feature": m.feature, "mod": 0} for a, m in state.maps.items()),
            *(
                {"address": a, "feature": m.feature, "mod": n}
                for a, mods in state.mods.items()
                for n, m in mods.items()
            ),
        ],
        "fps": state.fps,
        "recording": state.recording,
        "capturing": state.capturing,
        "scene": state.scene,
    }


def _standing(snapshot: Snapshot) -> tuple[Any, ...]:
    """What decides `standing`, to be compared cheaply."""
    s = snapshot.state
    return snapshot.stage.sites, s.bends, s.maps, s.mods, s.fps, s.recording, s.capturing, s.scene


def _alike(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return all(a is b or a == b for a, b in zip(one, other))


def _features(snapshot: Snapshot) -> Iterator[tuple[str, Json]]:
    for name, heard in snapshot.modulation.buses.items():
        how = snapshot.state.listening_to(name)
        lo, span = reach(heard, how)
        numbers = {"value": heard.frame, "lo": lo, "hi": lo + span, "unit": unit_of(heard, how)}
        told: Json = {key: [float(f"{v:.4g}") for v in n[:COMPONENTS]] for key, n in numbers.items()}
        yield name, {**told, "size": heard.frame.size}


def _amount(snapshot: Snapshot, address: str) -> float:
    """The value of a live control in this frame."""
    shown = snapshot.modulation.shown.get(address)
    if shown is not None:
        return float(shown[0])
    control = find_control(snapshot.state, address, snapshot.stage)  # type: ignore[arg-type]
    held = snapshot.state.live.get(address)
    value = held if held is not None or control is None else default_of(snapshot.state, control)
    return float(value) if isinstance(value, int | float) else 1.0


def _reached(snapshot: Snapshot, site: str) -> list[str]:
    try:
        return list(snapshot.stage.resolve(site, snapshot.state))
    except BadMessage:
        return []


def _plain(atom: Any) -> Any:
    return (
        atom
        if isinstance(atom, str | int)
        else float(f"{atom:.6g}")
        if isinstance(atom, float)
        else str(atom)
    )
