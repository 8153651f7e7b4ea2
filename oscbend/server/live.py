"""OSCQuery over WebSocket: clients listen to addresses, hear what comes and goes, and send OSC.

A client gets the newest values when it is ready for them, each address once per frame at most; what it misses
it never gets. So a slow one costs nothing but what it listens to, and the thread that draws never waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable, Iterator

from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from oscbend import osc
from oscbend.commands.base import LONGEST
from oscbend.errors import BadPacket
from oscbend.server.gate import Gate
from oscbend.server.query import Query
from oscbend.server.replies import encode_reply
from oscbend.server.tree import Atoms, Changes, Tree
from oscbend.snapshot import Snapshot

CLIENTS = 32
LISTENS = 1024
"""How many addresses one client may listen to."""
REPLIES = 256
"""How many replies wait for one client at most."""
PATHS = 256
"""How many paths are told one by one when the tree changes; beyond, clients are told that all of it has."""
MESSAGE_MAX = 65536
"""Longest message from a client, in bytes."""


class Live:
    """All clients that are connected.

    Args:
        query: gives the newest snapshot, and its tree.
        hear: takes an OSC packet that came, and who sent it.
        now_s: when that is seen which comes now, on the clock of the loop.
        gate: knows which of them may play.
    """

    def __init__(
        self, query: Query, hear: Callable[[bytes, Client], None], now_s: Callable[[], float], gate: Gate
    ) -> None:
        self.query = query
        self.gate = gate
        self.hear = hear
        self.now_s = now_s
        self._clients: set[Client] = set()
        self._gone: deque[Client] = deque(maxlen=16 * CLIENTS)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = False
        self._values: dict[str, tuple[Atoms, bytes]] = {}
        self._values_of: Snapshot | None = None
        self._compared: tuple[Tree, Tree, Changes] | None = None

    async def meet(self, websocket: WebSocket) -> None:
        """Speaks with one client until it goes."""
        if len(self._clients) >= CLIENTS:
            refusal = PlainTextResponse(f"503: {CLIENTS} clients are connected already\n", 503)
            await websocket.send_denial_response(refusal)
            return
        self._loop = asyncio.get_running_loop()
        client = Client(self, websocket)
        self._clients.add(client)
        try:
            await client.run()
        finally:
            self._clients.discard(client)
            self._gone.append(client)

    def gone(self) -> list[Client]:
        """The clients that have gone since the last call."""
        found = []
        while self._gone:
            found.append(self._gone.popleft())
        return found

    def wake(self) -> None:
        """Lets clients know that there is something new; from any thread, without waiting."""
        if self._clients and self._loop is not None and not self._rung:
            self._rung = True
            with contextlib.suppress(RuntimeError):  # the server is closing
                self._loop.call_soon_threadsafe(self._ring)

    def look(self) -> tuple[Tree, Snapshot]:
        """The newest snapshot, and its tree or, where they change fast, an older one until there is time."""
        tree, snapshot = self.query.tree(patient=True)
        if tree.structure != snapshot.structure and self._loop is not None:
            self._loop.call_later(self.query.rest_s, self._ring)
        return tree, snapshot

    def _ring(self) -> None:
        self._rung = False
        for client in self._clients:
            client.bell.set()

    def value(self, tree: Tree, snapshot: Snapshot, address: str) -> tuple[Atoms, bytes]:
        """What is set at an address, and the message that says so; read once for all clients."""
        if self._values_of is not snapshot:
            self._values, self._values_of = {}, snapshot
        found = self._values.get(address)
        if found is None:
            value, types = tree.value(address, snapshot)
            packet = osc.encode_message(address, value, types) if value else b""
            found = self._values[address] = value, packet
        return found

    def changes(self, before: Tree, after: Tree) -> Changes:
        """How one tree differs from another; compared once for all clients."""
        if self._compared is None or self._compared[0] is not before or self._compared[1] is not after:
            self._compared = before, after, after.changes(before)
        return self._compared[2]


class Client:
    """One client, what it listens to and what it knows; a peer, as senders of OSC are.

    Args:
        live: all clients.
        websocket: leads to it.
    """

    def __init__(self, live: Live, websocket: WebSocket) -> None:
        self.host, self.port = websocket.client or ("", 0)
        self.bell = asyncio.Event()
        self._replies: deque[bytes] = deque()
        self._gone = False
        self._live = live
        self._websocket = websocket
        self._refusal = live.gate.refusal(websocket.scope)
        self._known: dict[str, Atoms] = {}
        self._sent: dict[str, tuple[Atoms, float]] = {}
        self._tree = live.query.tree()[0]

    def __str__(self) -> str:
        return f"{self.host}:{self.port} (WebSocket)"

    def send(self, packet: bytes) -> bool:
        """Sends a packet, from any thread, without waiting; False if there is no room, or nobody."""
        if self._gone or len(self._replies) >= REPLIES:
            return False
        self._replies.append(packet)
        self._live.wake()
        return True

    async def run(self) -> None:
        """Receives and sends until the client goes."""
        await self._websocket.accept()
        try:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(self._send())
                await self._receive()
                sending.cancel()
        except* WebSocketDisconnect:
            pass
        finally:
            self._gone = True

    async def _receive(self) -> None:
        while (message := await self._websocket.receive())["type"] != "websocket.disconnect":
            packet, text = message.get("bytes"), message.get("text")
            if packet is not None and self._refusal:
                await self._websocket.send_bytes(encode_reply("/fail", ("/", self._refusal)))
            elif packet is not None:
                self._take(packet)
            elif text is not None and (complaint := self._obey(text)):
                await self._websocket.send_bytes(encode_reply("/fail", complaint))

    def _take(self, packet: bytes) -> None:
        """Hands on OSC, and remembers what the client knows because it has set it."""
        self._live.hear(packet, self)
        sent_s = self._live.now_s()
        with contextlib.suppress(BadPacket):
            for _, messages in osc.flatten(osc.decode(packet)):
                for message in messages:
                    if message.address in self._known:
                        self._sent[message.address] = message.atoms, sent_s

    def _obey(self, text: str) -> tuple[str, ...]:
        """Carries out LISTEN or IGNORE; gives what to complain about."""
        try:
            asked = json.loads(text)
            command, address = asked["COMMAND"], asked["DATA"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return "/", 'commands look like {"COMMAND": "LISTEN", "DATA": "/seed"}'
        if command not in ("LISTEN", "IGNORE"):
            return "/", f"unknown command {str(command)[:40]!r}; there are LISTEN and IGNORE"
        if not isinstance(address, str) or not address.startswith("/") or len(address) > LONGEST:
            return "/", f"{command} needs an address, such as /seed"
        address = address.rstrip("/")
        if command == "IGNORE":
            self._known.pop(address, None)
            self._sent.pop(address, None)
        elif address not in self._known:
            if len(self._known) >= LISTENS:
                return address, f"one client listens to {LISTENS} addresses at most"
            tree, snapshot = self._live.query.tree()
            self._known[address] = tree.value(address, snapshot)[0]
        return ()

    async def _send(self) -> None:
        while True:
            await self.bell.wait()
            self.bell.clear()
            while self._replies:
                await self._websocket.send_bytes(self._replies.popleft())
            tree, snapshot = self._live.look()
            for command, path in self._news(tree):
                await self._websocket.send_text(json.dumps({"COMMAND": command, "DATA": path}))
            for address in list(self._known):
                value, packet = self._live.value(tree, snapshot, address)
                if self._is_news(address, value, snapshot):
                    await self._websocket.send_bytes(packet)

    def _news(self, tree: Tree) -> Iterator[tuple[str, str]]:
        """What to tell of paths that came, went or changed since the client was told last."""
        before, self._tree = self._tree, tree
        if tree is before:
            return
        changes = self._live.changes(before, tree)
        if sum(map(len, changes)) > PATHS:
            yield "PATH_CHANGED", "/"
            return
        for command, paths in zip(("PATH_ADDED", "PATH_REMOVED", "PATH_CHANGED"), changes):
            for path in paths:
                yield command, path

    def _is_news(self, address: str, value: Atoms, snapshot: Snapshot) -> bool:
        """True if a value has to be told: the client listens, knows another, and did not set this one."""
        if not value or value == self._known.get(address, value):
            return False
        atoms, sent_s = self._sent.get(address, ((), -1.0))
        if snapshot.time_s <= sent_s:
            return False  # what the client sent has not been carried out yet
        self._known[address] = value
        if atoms == snapshot.set_value(address, value):
            return False  # it is there, or on its way
        self._sent.pop(address, None)
        return True
