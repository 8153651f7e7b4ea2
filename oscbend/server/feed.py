"""What goes out by itself: changes to those who asked by `/notify`, frames to those who did by `/frame`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

from oscbend.clients import Clients, Subscriber
from oscbend.commands import Change
from oscbend.frame import Frame
from oscbend.server.replies import encode_reply
from oscbend.state import State

A_FRAME = 256
"""How many changes are told in one frame, to all together; the rest follows in the next ones."""
PENDING = 4096
"""How many addresses wait at most to be told to one client."""
PROBE_EVERY_S = 5.0
PROBE_AFTER_S = 10.0
"""How long a client has been silent when it is sent a sign of life, to find out whether anybody listens."""
REFUSALS = 2
"""After so many rounds that follow each other, nobody does."""
GIVEN_UP_S = 3600.0
"""How long a client may be silent where the system does not tell whether anybody listens."""


class Feed:
    """Tells subscribers what they asked for, on the thread that draws, without waiting.

    Args:
        clients: knows who they are.
        send: sends a packet to somebody.
        say: tells whoever runs the show one line.
        refusals: gives the places where nobody took what was sent, since the last call; None if the system
            does not tell.
    """

    def __init__(
        self,
        clients: Clients,
        send: Callable[[bytes, Hashable], bool],
        say: Callable[[str], None],
        refusals: Callable[[], Iterable[Hashable]] | None,
    ) -> None:
        self.clients = clients
        self.send = send
        self.say = say
        self.refusals = refusals
        self.lost = 0
        self._turn = 0
        self._probed_s = float("-inf")
        self._refused: dict[Subscriber, int] = {}

    def changed(self, state: State, changes: Sequence[Change]) -> None:
        """Takes a frame's changes, for all but those who made them."""
        for subscriber in self.clients.subscribers:
            if not subscriber.changes:
                continue
            for change in changes:
                if change.sender is None or change.sender not in (subscriber.owner, subscriber.to):
                    self._wait(subscriber, change)
        self.flush()

    def put(self, frame: Frame) -> None:
        """Tells of a frame that is shown now, and what still waits."""
        told = None
        for subscriber in self.clients.subscribers:
            if subscriber.every and frame.number % subscriber.every == 0:
                told = told or encode_reply("/frame", (frame.number, frame.time_s))
                self.send(told, subscriber.to)
        self.flush()

    def flush(self) -> None:
        """Tells what waits: each in turn one change, until a frame's share is used up."""
        waiting = [s for s in self.clients.subscribers if s.pending]
        left = A_FRAME
        while waiting and left > 0:
            self._turn += 1
            subscriber = waiting[self._turn % len(waiting)]
            address = next(iter(subscriber.pending))
            self.send(encode_reply(address, subscriber.pending.pop(address)), subscriber.to)
            left -= 1
            if not subscriber.pending:
                waiting.remove(subscriber)

    def attend(self, now_s: float, heartbeat: Callable[[], bytes]) -> None:
        """Sends a sign of life to those who have been silent, and lets those go where nobody listens.

        Args:
            now_s: on the clock of the loop.
            heartbeat: makes the packet.
        """
        if now_s - self._probed_s < PROBE_EVERY_S:
            return
        self._probed_s = now_s
        silent = [s for s in self.clients.subscribers if now_s - s.heard_s > PROBE_AFTER_S]
        if self.refusals is None:
            gone = [s for s in silent if isinstance(s.to, tuple) and now_s - s.heard_s > GIVEN_UP_S]
        else:
            refused = set(self.refusals())
            self._refused = {s: self._refused.get(s, 0) + 1 for s in silent if s.to in refused}
            gone = [s for s, rounds in self._refused.items() if rounds >= REFUSALS]
        packet = heartbeat() if silent else b""
        for subscriber in silent:
            self.send(packet, subscriber.to)
        if gone:
            self.clients.unsubscribe(gone)
            self.say(f"nobody listens any more at {', '.join(_name(s.to) for s in gone)}: told nothing more")

    def _wait(self, subscriber: Subscriber, change: Change) -> None:
        pending = subscriber.pending
        if change.address not in pending and len(pending) >= PENDING:
            del pending[next(iter(pending))]
            self.lost += 1
        pending[change.address] = change.args


def _name(to: Hashable) -> str:
    return f"{to[0]}:{to[1]}" if isinstance(to, tuple) else str(to)
