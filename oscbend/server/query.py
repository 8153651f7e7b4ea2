"""OSCQuery over HTTP: `GET /any/address` describes it and all that is below it.

Source: the OSCQuery proposal, https://github.com/Vidvox/OSCQueryProposal.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from oscbend.server.tree import ATTRIBUTES, Json, Tree
from oscbend.snapshot import Snapshot

EXTENSIONS = {
    "ACCESS": True,
    "VALUE": True,
    "RANGE": True,
    "DESCRIPTION": True,
    "TAGS": True,
    "UNIT": True,
    "CLIPMODE": True,
    "OVERLOADS": True,
    "HTML": True,
    "LISTEN": True,
    "PATH_CHANGED": True,
    "PATH_ADDED": True,
    "PATH_REMOVED": True,
    "PATH_RENAMED": False,
    "EXTENDED_TYPE": False,
    "CRITICAL": False,
}
"""What the proposal leaves to each server, and whether this one has it."""

REST = 9.0
"""After work on the tree that took t seconds, the next waits for so many times t: whoever asks all the time
must not take the processor from the picture."""


class Query:
    """Describes the show as it stands in its newest snapshot.

    Args:
        snapshot: the first.
        name: of this server.
        osc_port: where it listens to OSC over UDP.
    """

    def __init__(self, snapshot: Snapshot, name: str, osc_port: int) -> None:
        self.snapshot = snapshot
        self.name = name
        self.osc_port = osc_port
        self._tree = Tree(snapshot)
        self._turn = asyncio.Lock()
        self._rested_s = 0.0

    @property
    def rest_s(self) -> float:
        """How long to wait before more work on the tree is fair, seconds."""
        return max(0.0, self._rested_s - time.monotonic())

    def tree(self, *, patient: bool = False) -> tuple[Tree, Snapshot]:
        """The tree of the newest snapshot, and that snapshot.

        Args:
            patient: True if an older tree will do for the moment, where trees change faster than is good.
        """
        snapshot = self.snapshot
        if self._tree.structure != snapshot.structure and not (patient and self.rest_s > 0):
            with self._working():
                self._tree = Tree(snapshot)
        return self._tree, snapshot

    async def answer(self, request: Request) -> Response:
        """Answers `GET /path`, `?ATTRIBUTE` and `?HOST_INFO`.

        404 where there is no such address, 204 where it lacks the attribute, 400 for no attribute at all.
        """
        wanted = list(request.query_params)
        if "HOST_INFO" in wanted:
            return _json(self.host_info(request.scope["server"]))
        path = request.scope["path"].rstrip("/") or "/"
        tree, snapshot = self.tree()
        if path not in tree:
            return _missing(path)
        unknown = [name for name in wanted if name not in ATTRIBUTES and name not in EXTENSIONS]
        if unknown:
            known = " ".join(ATTRIBUTES)
            return PlainTextResponse(f"400: no attribute {unknown[0]}; there are HOST_INFO {known}\n", 400)
        if wanted and "CONTENTS" not in wanted:
            node = tree.node(path, snapshot)
            told = {name: node[name] for name in wanted if name in node}
            return _json(told) if told else Response(status_code=204)
        return await self._whole(path, wanted)

    def host_info(self, here: tuple[str, int]) -> Json:
        """What this server is and can do.

        Args:
            here: address and port at which the request came in.
        """
        host, port = here
        return {
            "NAME": self.name,
            "EXTENSIONS": EXTENSIONS,
            "OSC_IP": host,
            "OSC_PORT": self.osc_port,
            "OSC_TRANSPORT": "UDP",
            "WS_IP": host,
            "WS_PORT": port,
        }

    async def _whole(self, path: str, wanted: Sequence[str]) -> Response:
        """A node with all that is below it."""
        async with self._turn:
            await asyncio.sleep(self.rest_s)
            tree, snapshot = self.tree()
            if path not in tree:
                return _missing(path)
            with self._working():
                node = tree.describe(path, snapshot)
                if wanted:
                    node = {name: node[name] for name in wanted if name in node}
                return _json(node) if node else Response(status_code=204)

    @contextmanager
    def _working(self) -> Iterator[None]:
        began_s = time.monotonic()
        yield
        now_s = time.monotonic()
        self._rested_s = now_s + REST * (now_s - began_s)


def _missing(path: str) -> Response:
    return PlainTextResponse(f"404: there is no address {path}\n", 404)


def _json(node: Json) -> Response:
    body = json.dumps(node, allow_nan=False, separators=(",", ":"))
    return Response(body, media_type="application/json", headers={"cache-control": "no-store"})
