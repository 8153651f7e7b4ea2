"""A show without a network, frame by frame, behind a real web port."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from watched import Watched
from websockets.sync.client import ClientConnection, connect

from oscbend.commands import Reply
from oscbend.osc import Message, decode, encode_message
from oscbend.schedule import Came
from oscbend.server.doors import Peer
from oscbend.server.inbox import Arrivals, Inbox
from oscbend.server.journal import Journal
from oscbend.server.networks import LOOPBACK, Networks
from oscbend.server.replies import encode_reply
from oscbend.server.web import Site, Web
from oscbend.snapshot import Snapshot

WAIT_S = 20.0
OSC_PORT = 57130


class Webbed(Watched):
    """What is sent over a WebSocket is heard in the next frame."""

    def __init__(self, **site: Any) -> None:
        super().__init__()
        self.inbox = Inbox()
        self.said: list[str] = []
        place = Site(**{"name": "a show", "host": "127.0.0.1", "port": 0, "osc_port": OSC_PORT, **site})
        networks = Networks(LOOPBACK)
        self.lines: Journal[str] = Journal(10)
        begin = self.loop.snapshot(0.0)
        self.web = Web(place, begin, self.hear, lambda: self.now_s, networks, self.said.append, self.lines)
        self.loop.observers.append(self.web.see)
        self.loop.answer = self.answer
        self.at = f"127.0.0.1:{self.web.port}"

    def __enter__(self) -> Webbed:
        return self

    def __exit__(self, *_: object) -> None:
        self.web.close()

    def hear(self, data: bytes, caller: Peer) -> None:
        self.inbox.put(Arrivals(self.now_s, [(data, caller)]))

    def __call__(self, *messages: tuple[Any, ...]) -> Snapshot:
        self.hand_over()
        return super().__call__(*messages)

    def hand_over(self) -> None:
        """Hands what has come in to the next frame."""
        for arrivals in self.inbox.drain():
            came = Came(arrivals.time_s, arrivals.time_s, 0.0)
            self.schedule.put_datagrams(arrivals.datagrams, came, lambda sender: True)

    def heard(self, count: int) -> None:
        """Waits until so many packets have come in all."""
        until(lambda: self.inbox.received >= count)

    def answer(self, reply: Reply) -> None:
        self.replies.append(reply)
        if isinstance(reply.to, Peer):
            reply.to.send(encode_reply(reply.address, reply.args))

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Status and body of `GET path`."""
        return get(f"http://{self.at}{path}", **headers)

    def json(self, path: str) -> Any:
        """What OSCQuery answers."""
        status, body = self.get(path)
        assert status == 200, body
        return json.loads(body)

    @contextmanager
    def connected(self, **options: Any) -> Iterator[Listener]:
        """A client at the WebSocket."""
        with connect(f"ws://{self.at}/", open_timeout=WAIT_S, **options) as socket:
            yield Listener(socket)


class Listener:
    """A client at a WebSocket, in the test's own words."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def tell(self, command: str, data: Any) -> None:
        self.socket.send(json.dumps({"COMMAND": command, "DATA": data}))

    def send(self, address: str, *args: Any) -> None:
        self.socket.send(encode_message(address, args))

    def listen(self, *addresses: str) -> None:
        """Listens, and returns when the server knows."""
        for address in addresses:
            self.tell("LISTEN", address)
        self.settle()

    def settle(self) -> None:
        """Returns when all that was told so far has been carried out: a wrong command is answered in turn."""
        self.tell("SETTLE", "/")
        while (came := self.receive()) != (
            "/fail",
            "/",
            "unknown command 'SETTLE'; there are LISTEN and IGNORE",
        ):
            raise AssertionError(f"{came} came first")

    def receive(self) -> tuple[Any, ...]:
        """The next message: (address, argument …), or (command, path)."""
        came = self.socket.recv(WAIT_S)
        if isinstance(came, str):
            told = json.loads(came)
            return told["COMMAND"], told["DATA"]
        message = decode(came)
        assert isinstance(message, Message)
        return message.address, *message.args

    def quiet(self) -> bool:
        """True if nothing has come, once all that was told so far has been carried out."""
        self.settle()
        return True


def get(url: str, **headers: str) -> tuple[int, bytes]:
    """Status and body of a GET request."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=WAIT_S) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def until(true: Callable[[], bool]) -> None:
    """Waits for something that happens in another thread."""
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)
