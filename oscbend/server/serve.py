"""The live server: a socket, a page and sinks around the loop, and frames at the pace asked for."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

from oscbend.commands import Reply
from oscbend.engine import one_thread
from oscbend.loop import Loop
from oscbend.schedule import Schedule
from oscbend.server.doors import Doors, is_local
from oscbend.server.inbox import Arrivals, Inbox
from oscbend.server.live import Client
from oscbend.server.replies import split_reply
from oscbend.server.web import Site, Web
from oscbend.sinks.zmq import ZmqSink
from oscbend.stage import Stage
from oscbend.state import State
from oscbend.turns import SHARE
from oscbend.worker import Beside

LOOK_EVERY_S = 0.0005
"""How often to look whether a picture that a graphics card draws is ready."""

SWITCH_S = 0.0005
"""How long a thread may keep the interpreter to itself while another wants it."""


@dataclass(frozen=True)
class Address:
    """Where a server listens, and where its frames go.

    Args:
        host: of OSC and the page; `127.0.0.1` is this machine only.
        port: OSC over UDP and TCP; 0 takes a free one.
        web_port: of the page; 0 takes a free one.
        frames: ZeroMQ address of the frames.
        name: by which hosts know it.
    """

    host: str = "127.0.0.1"
    port: int = 57130
    web_port: int = 57131
    frames: str = "tcp://127.0.0.1:57132"
    name: str = "oscbend"


class Server:
    """A show that is played over the network.

    Args:
        stage: the model that draws.
        state: what it begins with.
        address: where it listens.
        say: tells whoever runs it one line.

    Raises:
        OscbendError: a port is in use.
    """

    def __init__(self, stage: Stage, state: State, address: Address, say: Callable[[str], None]) -> None:
        self._stack = ExitStack()
        self._began_s = time.monotonic()
        with self._unwinding():
            self.inbox = Inbox()
            self.doors = Doors(address.host, address.port, self.inbox)
            self._stack.callback(self.doors.close)
            self.worker = Beside(one_thread)
            self._stack.callback(self.worker.close)
            self.schedule = Schedule()
            self.loop = Loop(stage, self.worker, state, self.schedule, answer=self._answer, say=say)
            self.loop.dropped_packets = lambda: self.schedule.dropped + self.doors.dropped
            self.frames = self._stack.enter_context(ZmqSink(address.frames))
            site = Site(address.name, address.host, address.web_port, self.doors.port)
            self.web = Web(site, self.loop.snapshot(0.0), self._take, self._now, say)
            self._stack.callback(self.web.close)
            self.loop.sinks += [self.frames, self.web]
            self.loop.observers.append(self.web.see)
        self.address = address

    @contextmanager
    def _unwinding(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._stack.close()
            raise

    def run(self, frames: int | None = None) -> None:
        """Shows frames until it is asked to quit.

        Args:
            frames: ends by itself after so many; None never.
        """
        sys.setswitchinterval(SWITCH_S)
        next_s = self._now()
        took_s: float | None = None
        while not self.loop.over and (frames is None or self.loop.number < frames):
            self._wait(next_s)
            began_s = self._now()
            self._hear()
            compiling = self.loop.stage.compiling() if self.loop.number == 0 else nullcontext()
            with compiling, self.worker.turns.frame(took_s or 0.0):
                self.loop.step(began_s, took_s)
            took_s = self._now() - began_s
            if self.loop.number == 1:
                _tidy_up()
                print(self.ready_line(), flush=True)
            next_s = max(next_s + 1.0 / self.loop.state.fps, began_s)
            if self.worker.busy:
                next_s = max(next_s, self._now() + SHARE * took_s)

    def _wait(self, until_s: float) -> None:
        """Sleeps; a picture that gets ready meanwhile is shown at once."""
        while (left_s := until_s - self._now()) > 0:
            time.sleep(min(left_s, LOOK_EVERY_S) if self.loop.flying else left_s)
            self.loop.land(wait=False)

    def ready_line(self) -> str:
        """One line that says where everything is."""
        state, only = (
            self.loop.state,
            "" if self.address.host not in ("127.0.0.1", "::1", "localhost") else " (this machine only)",
        )
        shown = f"model={state.model} size={state.width}x{state.height}"
        if self.loop.stage.stream_batch:
            shown += f" behind={self.loop.stage.behind}"
        return (
            f"oscbend ready osc={self.doors.host}:{self.doors.port} web=http://{self.doors.host}:{self.web.port}"
            f" frames={self.frames.address} {shown}{only}"
        )

    def close(self) -> None:
        """Closes all ports and ends all threads."""
        self._stack.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _now(self) -> float:
        return time.monotonic() - self._began_s

    def _take(self, data: bytes, caller: Client) -> None:
        """Takes OSC that came over a WebSocket, as if it were a datagram."""
        self.inbox.put(Arrivals(time.monotonic(), [(data, caller)]))

    def _hear(self) -> None:
        unix_offset_s = time.time() - self._now()
        for arrivals in self.doors.drain():
            arrived_s = arrivals.time_s - self._began_s
            self.schedule.put_datagrams(arrivals.datagrams, arrived_s, unix_offset_s, is_local)

    def _answer(self, reply: Reply) -> None:
        head, rest = reply.args[: reply.head], reply.args[reply.head :]
        if not reply.head:
            self.doors.reply(reply.address, reply.args, reply.to)
            return
        for args in split_reply(reply.address, rest, head):
            self.doors.reply(reply.address, args, reply.to)


def _tidy_up() -> None:
    """Looks for garbage now, and then never again among what has been made so far: half a million objects."""
    gc.collect()
    gc.freeze()
