"""The live server: a socket, a page and sinks around the loop, and frames at the pace asked for."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

from oscbend.clients import Clients
from oscbend.commands import Reply
from oscbend.engine import one_thread
from oscbend.loop import Loop
from oscbend.peers import is_local, is_loopback
from oscbend.schedule import HORIZON_S, Came, Schedule
from oscbend.server.announce import heard_at
from oscbend.server.budget import Budget
from oscbend.server.console import Console
from oscbend.server.doors import Doors
from oscbend.server.feed import Feed
from oscbend.server.inbox import Arrivals, Inbox
from oscbend.server.journal import Journal
from oscbend.server.live import Client
from oscbend.server.monitor import LINES
from oscbend.server.networks import LOOPBACK, PRIVATE, Networks
from oscbend.server.pace import Pace
from oscbend.server.replies import encode_reply, split_reply
from oscbend.server.web import Site, Web
from oscbend.sinks.outs import Outs
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
        allow: networks that are heard besides this machine; by itself private ones.
        web_token: with which pages of other machines may play; empty lets them only look.
    """

    host: str = "127.0.0.1"
    port: int = 57130
    web_port: int = 57131
    frames: str = "tcp://127.0.0.1:57132"
    name: str = "oscbend"
    allow: tuple[str, ...] = PRIVATE
    web_token: str = ""

    @property
    def local(self) -> bool:
        """True if nobody else can reach it."""
        return self.host == "localhost" or is_loopback(self.host)


@dataclass(frozen=True)
class Manners:
    """How time tags are taken.

    Args:
        horizon_s: what is tagged further ahead acts at once.
        late: what is done with a bundle whose frame has been begun: `run` or `drop`.
        timetags: `schedule` or `ignore`, for clients that have not said.
    """

    horizon_s: float = HORIZON_S
    late: str = "run"
    timetags: str = "schedule"


STRICT = Manners()


class Server:
    """A show that is played over the network.

    Args:
        stage: the model that draws.
        state: what it begins with.
        address: where it listens.
        say: tells whoever runs it one line.
        manners: how time tags are taken.

    Raises:
        OscbendError: a port is in use.
        BadValue: a network that is none.
    """

    def __init__(
        self,
        stage: Stage,
        state: State,
        address: Address,
        say: Callable[[str], None],
        manners: Manners = STRICT,
    ) -> None:
        networks = Networks((*LOOPBACK, *address.allow))
        self.pace = Pace()
        self.budget = Budget()
        self.clients = Clients(manners.timetags, networks.allow)
        self.schedule = Schedule(manners.horizon_s, late=manners.late, clients=self.clients)
        self._stack = ExitStack()
        self._began_s = time.monotonic()
        self._ahead_s = 0.0
        with self._unwinding():
            lines: Journal[str] = Journal(LINES)

            def tell(line: str) -> None:
                lines.add(line)
                say(line)

            self.console = Console(tell)
            self._stack.callback(self.console.close)
            self.inbox = Inbox()
            self.doors = Doors(address.host, address.port, self.inbox, networks.allow)
            self._stack.callback(self.doors.close)
            self.worker = Beside(one_thread)
            self._stack.callback(self.worker.close)
            self.loop = Loop(
                stage, self.worker, state, self.schedule, answer=self._answer, say=self.console.say
            )
            self._stack.callback(lambda: self.loop.tape.close(self._now()))
            outs = Outs(stage.root, self.loop.sinks)
            self._stack.callback(outs.close)
            self.loop.outs, self.loop.gone = outs, outs.gone
            self.loop.dropped_packets = lambda: self.schedule.dropped + self.doors.dropped
            self.loop.ahead_s = lambda: self.pace.ahead_s(self.loop.state.latency, stage.behind)
            self.feed = Feed(
                self.clients,
                self.doors.send,
                self.console.say,
                self.doors.refusals if self.doors.reports else None,
            )
            self.loop.changes.watchers.append(self.feed.changed)
            self.frames = self._stack.enter_context(ZmqSink(address.frames))
            site = Site(address.name, address.host, address.web_port, self.doors.port, address.web_token)
            begin = self.loop.snapshot(0.0)
            self.web = Web(site, begin, self._take, self._seen, networks, self.console.say, lines)
            self._stack.callback(self.web.close)
            self.loop.sinks += [self.frames, self.web, self.feed]
            self.loop.observers.append(self.web.see)
            self.loop.changes.watchers.append(self.web.monitor.changed)
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
            seen_s = self.pace.begin(began_s, self.loop.state.latency, self.loop.stage.behind)
            self._ahead_s = seen_s - began_s
            self._hear(self._ahead_s)
            compiling = self.loop.stage.compiling() if self.loop.number == 0 else nullcontext()
            with compiling, self.worker.turns.frame(took_s or 0.0):
                self.loop.step(seen_s, took_s)
            self._measure()
            self.feed.attend(seen_s, lambda: encode_reply("/status.reply", self.loop.status()))
            took_s = self._now() - began_s
            if self.loop.number == 1:
                _tidy_up()
                print(self.ready_line(), flush=True)
                if not self.address.local:
                    self._say_where()
            next_s = max(next_s + 1.0 / self.loop.state.fps, began_s)
            if self.worker.busy:
                next_s = max(next_s, self._now() + SHARE * took_s)

    def _wait(self, until_s: float) -> None:
        """Sleeps; a picture that gets ready meanwhile is shown at once."""
        while (left_s := until_s - self._now()) > 0:
            time.sleep(min(left_s, LOOK_EVERY_S) if self.loop.flying else left_s)
            self.loop.land(wait=False)
            self._measure()

    def _measure(self) -> None:
        """Notes how long the frame took that has just been given out, if it had to be drawn."""
        if self.loop.drawn_s is not None:
            self.pace.landed(self.loop.drawn_s, self._now())
            self.loop.drawn_s = None

    def ready_line(self) -> str:
        """One line that says where everything is."""
        state, only = self.loop.state, " (this machine only)" if self.address.local else ""
        shown = f"model={state.model} size={state.width}x{state.height}"
        if self.loop.stage.stream_batch:
            shown += f" behind={self.loop.stage.behind}"
        return (
            f"oscbend ready osc={self.doors.host}:{self.doors.port} web=http://{self.doors.host}:{self.web.port}"
            f" frames={self.frames.address} {shown}{only}"
        )

    def _say_where(self) -> None:
        """Says at which addresses other machines find it, and who is heard."""
        for host in heard_at(self.doors.host):
            self.console.say(f"send OSC to {host}, port {self.doors.port} (UDP or TCP)")
            token = f"/#token={self.address.web_token}" if self.address.web_token else " (to look only)"
            self.console.say(f"the page is http://{host}:{self.web.port}{token}")
        self.console.say(f"heard are {' '.join(self.address.allow)}; all others are not")

    def close(self) -> None:
        """Closes all ports and ends all threads."""
        self._stack.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _now(self) -> float:
        return time.monotonic() - self._began_s

    def _seen(self) -> float:
        """When that is seen which comes now and bears no time, on the clock of the loop."""
        return self._now() + self._ahead_s

    def _take(self, data: bytes, caller: Client) -> None:
        """Takes OSC that came over a WebSocket, as if it were a datagram."""
        self.inbox.put(Arrivals(time.monotonic(), [(data, caller)]))

    def _hear(self, ahead_s: float) -> None:
        """Takes what has come; what bears no time acts on the next frame, which is seen so much later."""
        for peer in (*self.doors.gone(), *self.web.gone()):
            self.clients.gone(peer)
        unix_offset_s = time.time() - self._now()
        for arrivals in self.doors.drain():
            arrived_s = arrivals.time_s - self._began_s
            came = Came(arrived_s + ahead_s, arrived_s + unix_offset_s, unix_offset_s)
            self.schedule.put_datagrams(arrivals.datagrams, came, is_local)

    def _answer(self, reply: Reply) -> None:
        head, rest = reply.args[: reply.head], reply.args[reply.head :]
        parts = split_reply(reply.address, rest, head) if reply.head else [reply.args]
        now_s = self._now()
        for to in self.clients.places(reply.to):
            for args in parts:
                if self.budget.spend(to, now_s):
                    self.doors.send(encode_reply(reply.address, args), to)


def _tidy_up() -> None:
    """Looks for garbage now, and then never again among what has been made so far: half a million objects."""
    gc.collect()
    gc.freeze()
