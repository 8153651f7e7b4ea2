"""What is to happen when: bundles in a bounded heap, given out whole when their time has come.

The clock is the one on which frames are shown: a bundle tagged T acts on the first frame that is shown at or
after T, so it has to be there when that frame is begun. What bears no time acts on the next frame begun.
"""

from __future__ import annotations

import heapq
import itertools
import sys
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from oscbend import osc
from oscbend.clients import Clients
from oscbend.dump import Dump
from oscbend.errors import BadPacket
from oscbend.score import Score

HORIZON_S = 10.0
ASTRAY_S = 3600.0
"""A time tag further off than this is no time at all: some hosts write whatever they like there."""
CAPACITY = 10_000
CAPACITY_BYTES = 64 * 2**20
SHARE = 2_000
SHARE_BYTES = 16 * 2**20
"""How much waits at most, and of one sender."""
MESSAGE_BYTES = 256
"""About how much memory a message takes without its arguments."""
EARLY_S = 1e-6
"""A time tag is rounded to 2^-32 s; what is due within this much of a frame belongs to it."""
LATE = ("run", "drop")
NOTICES = 256
PING = "/ping"


@dataclass(frozen=True, order=True)
class Due:
    """Messages that act together.

    Args:
        time_s: on the clock of the loop.
        order: of arrival.
        messages: in order.
        sender: who sent them; None for a score.
        local: True if the sender is on this machine.
        together: True if they came as one bundle.
        came_s: Unix time at which they came.
        size: about how many bytes of memory it takes while it waits for its time; 0 for what does not wait.
    """

    time_s: float
    order: int
    messages: tuple[osc.Message, ...] = field(compare=False)
    sender: Hashable | None = field(compare=False, default=None)
    local: bool = field(compare=False, default=True)
    together: bool = field(compare=False, default=False)
    came_s: float = field(compare=False, default=0.0)
    size: int = field(compare=False, default=0)


class Notice(NamedTuple):
    """Something to tell a sender."""

    to: Hashable
    address: str
    args: tuple[float | str, ...]


class Came(NamedTuple):
    """When packets came.

    Args:
        time_s: the time, on the clock of the loop, of what bears none.
        unix_s: Unix time.
        unix_offset_s: Unix time minus the clock of the loop.
    """

    time_s: float
    unix_s: float
    unix_offset_s: float


class Schedule:
    """Bundles by time.

    Args:
        horizon_s: what is tagged further ahead acts at once, and is counted; None for a score.
        capacity: how many wait at most; when full, what comes next is dropped and counted.
        late: what is done with a bundle whose frame has been begun: `run` or `drop`.
        clients: knows what each client wants done with its time tags, and how its clock goes.
    """

    def __init__(
        self,
        horizon_s: float | None = HORIZON_S,
        capacity: int = CAPACITY,
        *,
        late: str = "run",
        clients: Clients | None = None,
    ) -> None:
        self.horizon_s = horizon_s
        self.capacity = capacity
        self.policy = late
        self.clients = clients or Clients()
        self.dump = Dump()
        self.late = 0
        self.early = 0
        self.dropped = 0
        self.bad = 0
        self._order = itertools.count()
        self._heap: list[Due] = []
        self._begun_s = float("-inf")
        self._waiting = 0
        self._bytes = 0
        self._shares: dict[Hashable, tuple[int, int]] = {}
        self._notices: deque[Notice] = deque(maxlen=NOTICES)

    def __len__(self) -> int:
        return len(self._heap)

    def put_datagrams(
        self,
        datagrams: Iterable[tuple[bytes, Hashable]],
        came: Came,
        is_local: Callable[[Any], bool],
    ) -> None:
        """Decodes what came at one time and schedules it; a bad datagram is dropped whole and counted.

        Args:
            datagrams: as received, and from whom; senders are compared by `is`, then by `==`.
            came: when.
            is_local: tells of a sender whether it is on this machine.
        """
        now: list[osc.Message] = []
        sender: Hashable | None = None
        dump = self.dump if self.dump.mode else None
        for data, came_from in datagrams:
            try:
                packet = osc.decode(data)
            except BadPacket as error:
                self.bad += 1
                if dump is not None:
                    dump.note(data, None, came_from, came.unix_s)
                self._notices.append(Notice(came_from, "/fail", ("/packet", str(error))))
                continue
            if dump is not None:
                dump.note(data, packet, came_from, came.unix_s)
            if isinstance(packet, osc.Message) and (came_from is sender or came_from == sender or not now):
                sender = came_from
                now.append(packet)
                continue
            if now:
                self._put_messages(now, came, sender, is_local(sender))
                now = []
            if isinstance(packet, osc.Message):
                sender = came_from
                now.append(packet)
            else:
                self._put_bundle(packet, came, came_from, is_local(came_from))
        if now:
            self._put_messages(now, came, sender, is_local(sender))

    def put_score(self, score: Score) -> None:
        """Schedules a whole score; its time 0 is the clock's."""
        for bundle in score:
            for tag, messages in osc.flatten(bundle):
                time_s = 0.0 if tag.immediate else tag.seconds
                heapq.heappush(self._heap, Due(time_s, next(self._order), messages, together=True))

    def put(
        self,
        time_s: float,
        messages: tuple[osc.Message, ...],
        sender: Hashable | None = None,
        local: bool = True,
    ) -> None:
        """Schedules messages that act together."""
        self._put(Due(time_s, next(self._order), messages, sender, local, together=True))

    def due(self, now_s: float) -> list[Due]:
        """What acts on the frame that is shown at `now_s`, in the order of time, then of arrival."""
        self._begun_s = now_s + EARLY_S
        found = []
        while self._heap and self._heap[0].time_s <= self._begun_s:
            found.append(heapq.heappop(self._heap))
            self._release(found[-1])
        return found

    def clear(self, sender: Hashable | None = None) -> int:
        """Forgets what waits for its time: all of it, or what one sender has sent; tells how many bundles."""
        kept = [due for due in self._heap if not due.size or (sender is not None and due.sender != sender)]
        gone = [due for due in self._heap if due.size and (sender is None or due.sender == sender)]
        for due in gone:
            self._release(due)
        self._heap = kept
        heapq.heapify(self._heap)
        return len(gone)

    def notices(self) -> Iterator[Notice]:
        """What is to be told since the last call."""
        while self._notices:
            yield self._notices.popleft()

    def _put_messages(
        self, messages: list[osc.Message], came: Came, sender: Hashable | None, local: bool
    ) -> None:
        order = next(self._order)
        heapq.heappush(
            self._heap, Due(came.time_s, order, tuple(messages), sender, local, False, came.unix_s)
        )

    def _put_bundle(self, bundle: osc.Bundle, came: Came, sender: Hashable, local: bool) -> None:
        if bundle.skipped:
            self.bad += bundle.skipped
            text = f"{bundle.skipped} messages of a bundle have unknown type tags, and were left out"
            self._notices.append(Notice(sender, "/fail", ("/packet", text)))
        for tag, messages in osc.flatten(bundle):
            time_s = came.time_s
            if not tag.immediate and self.clients.timetags_of(sender) == "schedule":
                if [m.address for m in messages] == [PING]:
                    self.clients.clock(sender).heard(tag.unix_s, came.unix_s)
                else:
                    wanted_s = tag.unix_s - came.unix_offset_s + self.clients.behind_s(sender)
                    if not self._in_time(wanted_s, came.time_s, sender):
                        continue
                    time_s = self._placed(wanted_s, came.time_s, sender)
            waits = _size(messages) if time_s > came.time_s else 0
            order = next(self._order)
            self._put(Due(time_s, order, messages, sender, local, True, came.unix_s, waits))

    def _in_time(self, wanted_s: float, came_s: float, sender: Hashable) -> bool:
        """Counts and tells what is late; False if it is not to be done."""
        if wanted_s > self._begun_s or abs(wanted_s - came_s) > ASTRAY_S:
            return True
        self.late += 1
        self._notices.append(Notice(sender, "/late", (self._begun_s - wanted_s,)))
        self.dropped += self.policy == "drop"
        return self.policy == "run"

    def _placed(self, wanted_s: float, came_s: float, sender: Hashable) -> float:
        """When a bundle acts that wants to act at `wanted_s`."""
        ahead_s = wanted_s - came_s
        if self.horizon_s is None or ahead_s <= self.horizon_s:
            return max(wanted_s, came_s)
        if ahead_s <= ASTRAY_S:
            self.early += 1
            text = f"tagged {ahead_s:.1f} s ahead, beyond the horizon of {self.horizon_s:g} s: done now"
            self._notices.append(Notice(sender, "/warn", ("/packet", text)))
        return came_s

    def _put(self, due: Due) -> None:
        """Takes messages; refuses what has no room to wait."""
        if not due.messages:
            return
        if due.size and not self._claim(due):
            self.dropped += 1
            text = "too many bundles wait for their time; this one was dropped"
            self._notices.append(Notice(due.sender, "/fail", ("/packet", text)))
            return
        heapq.heappush(self._heap, due)

    def _claim(self, due: Due) -> bool:
        count, size = self._shares.get(due.sender, (0, 0))
        count, size = count + 1, size + due.size
        if self._waiting >= self.capacity or self._bytes + due.size > CAPACITY_BYTES:
            return False
        if count > SHARE or size > SHARE_BYTES:
            return False
        self._shares[due.sender] = count, size
        self._waiting += 1
        self._bytes += due.size
        return True

    def _release(self, due: Due) -> None:
        if not due.size:
            return
        self._waiting -= 1
        self._bytes -= due.size
        count, size = self._shares[due.sender]
        if count == 1:
            del self._shares[due.sender]
        else:
            self._shares[due.sender] = count - 1, size - due.size


def _size(messages: Iterable[osc.Message]) -> int:
    """About how many bytes of memory messages take."""
    return sum(MESSAGE_BYTES + sum(map(sys.getsizeof, message.atoms)) for message in messages)
