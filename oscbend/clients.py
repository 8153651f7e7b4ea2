"""Who plays: what is remembered of each client, and who is told what. All of it is bounded.

Nothing here opens a socket or looks at a clock.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from oscbend.errors import BadValue
from oscbend.peers import host_of, ip_of, is_local, is_loopback

SUBSCRIBERS = 64
"""How many are told of changes or frames at most."""
REMEMBERED = 256
"""Of how many clients something is remembered; those that asked longest ago are forgotten."""
SILENT_S = 60.0
"""How long a subscriber has been silent when it may have to go for another."""
PINGS = 16
AGREE_S = 0.005
"""Clocks that differ by less are taken for the same: the way of a packet takes as long."""
TIMETAGS = ("schedule", "ignore")

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A mapping of so many things; what was used longest ago goes first."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._kept: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> V | None:
        """What is kept under a key, which counts as used; None if nothing is."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def put(self, key: K, value: V) -> None:
        """Keeps something."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        while len(self._kept) > self.capacity:
            self._kept.popitem(last=False)

    def pop(self, key: K) -> None:
        """Forgets what is kept under a key."""
        self._kept.pop(key, None)


class Clock:
    """How far another machine's clock is behind ours, from the times that its pings tell.

    A ping comes as much later than it says it was sent as the clocks differ and its way took. The least of
    the last 16 is taken, so the error is the shortest way: a fraction of a millisecond in one house.
    """

    def __init__(self) -> None:
        self._seen: deque[float] = deque(maxlen=PINGS)

    def heard(self, sent_s: float, came_s: float) -> None:
        """Hears a ping.

        Args:
            sent_s: Unix time at which it was sent, on the other clock.
            came_s: Unix time at which it came, on ours.
        """
        self._seen.append(came_s - sent_s)

    @property
    def behind_s(self) -> float:
        """What is added to a time on the other clock; 0 while nothing is known, or where the two agree."""
        least = min(self._seen, default=0.0)
        return least if abs(least) >= AGREE_S else 0.0


@dataclass(eq=False)
class Subscriber:
    """One who is told of changes, of frames, or of both.

    Args:
        id: as `/notify` answered it.
        owner: who asked.
        to: where it is told.
        heard_s: when the owner was heard last, on the clock of the loop.
        changes: True if it is told what others change.
        every: it is told of every so many frames; 0 of none.
        pending: changes that it has not been told yet, address -> value.
    """

    id: int
    owner: Hashable
    to: Hashable
    heard_s: float
    changes: bool = False
    every: int = 0
    pending: dict[str, tuple[Any, ...]] = field(default_factory=dict)


class Clients:
    """All who play.

    Args:
        timetags: what is done with time tags where the client has not said: `schedule` or `ignore`.
        allow: tells of a numeric address whether anything may be sent there.
    """

    def __init__(self, timetags: str = "schedule", allow: Callable[[str], bool] = lambda host: True) -> None:
        self.timetags = timetags
        self.allow = allow
        self.subscribers: list[Subscriber] = []
        self._timetags: Recent[Hashable, str] = Recent(REMEMBERED)
        self._clocks: Recent[str, Clock] = Recent(REMEMBERED)
        self._silenced: Recent[Hashable, bool] = Recent(REMEMBERED)
        self._owners: dict[Hashable, list[Subscriber]] = {}

    def timetags_of(self, sender: Hashable) -> str:
        """What is done with the time tags of a client."""
        return self._timetags.get(sender) or self._timetags.get(host_of(sender)) or self.timetags

    def set_timetags(self, sender: Hashable, mode: str, whole_machine: bool = False) -> None:
        """Says what is done with the time tags of a client, or of all on its machine."""
        self._timetags.put(host_of(sender) if whole_machine else sender, mode)

    def clock(self, sender: Hashable) -> Clock:
        """The clock of a client's machine."""
        host = host_of(sender)
        clock = self._clocks.get(host)
        if clock is None:
            clock = Clock()
            self._clocks.put(host, clock)
        return clock

    def behind_s(self, sender: Hashable) -> float:
        """What is added to a client's time tags; nothing for one on this machine."""
        if not len(self._clocks) or is_local(sender):
            return 0.0
        clock = self._clocks.get(host_of(sender))
        return 0.0 if clock is None else clock.behind_s

    def set_silenced(self, sender: Hashable, silenced: bool) -> None:
        """Says whether a client wants to know nothing of what went wrong."""
        if silenced:
            self._silenced.put(sender, True)
        else:
            self._silenced.pop(sender)

    def silenced(self, sender: Hashable) -> bool:
        """True if a client wants to know nothing of what went wrong."""
        return self._silenced.get(sender) is not None

    def target(self, sender: Hashable, port: int = 0, host: str = "") -> Hashable:
        """Where a client wants to be told.

        Raises:
            BadValue: another machine, which only that machine, and this one, may ask for.
        """
        if not isinstance(sender, tuple):
            if port or host:
                raise BadValue("over a connection, what is told comes the same way: leave port and host out")
            return sender
        if not port and not host:
            return sender
        own = str(sender[0])
        host = {"": own, "localhost": "127.0.0.1"}.get(host, host)
        ip = ip_of(host)
        if ip is None:
            raise BadValue(f"{host!r} is no numeric address, such as 192.168.1.5")
        if not 1 <= (port or sender[1]) <= 65535:
            raise BadValue(f"{port} is no port: 1 to 65535")
        if ip.is_multicast or not (ip == ip_of(own) or (is_loopback(own) and self.allow(host))):
            raise BadValue(f"{host} has to ask for itself: another machine is told only if this one asks")
        return (host, port or sender[1], *sender[2:])

    def subscribe(self, sender: Hashable, to: Hashable, now_s: float, id: int = -1) -> Subscriber:
        """The subscriber at `to`, made if there is none; once more changes nothing but who asked.

        Args:
            sender: who asks.
            to: see `target`.
            now_s: on the clock of the loop.
            id: which number it wants; below 0 any. If another has it, it gets another one.

        Raises:
            BadValue: there are too many.
        """
        found = next((s for s in self.subscribers if s.to == to), None)
        if found is None:
            self._make_room(now_s)
            found = Subscriber(-1, sender, to, now_s)
            self.subscribers.append(found)
        taken = {s.id for s in self.subscribers if s is not found}
        wanted = id if id >= 0 else found.id
        if wanted < 0 or wanted in taken:
            wanted = next(n for n in range(SUBSCRIBERS + 1) if n not in taken)
        found.id, found.owner, found.heard_s = wanted, sender, now_s
        self._index()
        return found

    def unsubscribe(self, subscribers: Iterable[Subscriber]) -> None:
        """Tells these nothing more."""
        gone = set(subscribers)
        self.subscribers = [s for s in self.subscribers if s not in gone]
        self._index()

    def asked_by(self, sender: Hashable) -> list[Subscriber]:
        """The subscribers for whom a client has asked."""
        return self._owners.get(sender, [])

    def heard(self, sender: Hashable, now_s: float) -> None:
        """Notes that a client lives."""
        for subscriber in self._owners.get(sender, ()):
            subscriber.heard_s = now_s

    def gone(self, sender: Hashable) -> None:
        """Forgets a client whose connection has ended."""
        self.unsubscribe([s for s in self.subscribers if sender in (s.owner, s.to)])
        self._timetags.pop(sender)
        self._silenced.pop(sender)

    def places(self, sender: Hashable) -> list[Hashable]:
        """Where a client is answered: where it sent from, and where it asked to be told.

        What has not asked itself, but sends from a machine that named a port, is answered there too: every
        `[udpsend]` of a patch, and every `oscsend` in a shell, sends from a port of its own.
        """
        asked = self._owners.get(sender)
        if asked is None and isinstance(sender, tuple):
            here = (s for s in self.subscribers if isinstance(s.owner, tuple) and s.owner[0] == sender[0])
            asked = [s for s in here if s.to != s.owner]
        return list(dict.fromkeys((sender, *(s.to for s in asked or ()))))

    def _make_room(self, now_s: float) -> None:
        if len(self.subscribers) < SUBSCRIBERS:
            return
        oldest = min(self.subscribers, key=lambda s: s.heard_s)
        if now_s - oldest.heard_s < SILENT_S:
            raise BadValue(f"{SUBSCRIBERS} clients are told already; /notify 0 from one of them makes room")
        self.unsubscribe([oldest])

    def _index(self) -> None:
        self._owners = {}
        for subscriber in self.subscribers:
            self._owners.setdefault(subscriber.owner, []).append(subscriber)
