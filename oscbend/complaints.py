"""What went wrong is told to whoever sent it and to whoever runs the show: once, and never in a flood."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from oscbend.clients import Clients
from oscbend.commands import Reply

EVERY_S = 1.0
"""The same is told to the same client once in this time."""
A_SECOND = 50
OF_ONE = 10
"""How many are told in a second: altogether, and to one client; finding out what to say costs something."""
REMEMBERED = 1024


class Complaints:
    """Tells what went wrong.

    Args:
        answer: sends a reply.
        say: tells whoever runs the show one line.
        clients: knows who wants to hear nothing of it.
    """

    def __init__(self, answer: Callable[[Reply], None], say: Callable[[str], None], clients: Clients) -> None:
        self.answer = answer
        self.say = say
        self.clients = clients
        self.hush: bool | None = None
        """True tells nothing, False everything, whatever the client has said; None as it has said."""
        self._since_s = float("-inf")
        self._counts: dict[Hashable, int] = {}
        self._count = 0
        self._told: dict[tuple[Hashable, str], float] = {}

    def may(self, to: Hashable, now_s: float) -> bool:
        """False if it need not even be found out what to say.

        Args:
            to: the client.
            now_s: on the clock of the loop.
        """
        if self.clients.silenced(to) if self.hush is None else self.hush:
            return False
        if not 0 <= now_s - self._since_s < EVERY_S:
            self._since_s, self._count = now_s, 0
            self._counts.clear()
        if self._count >= A_SECOND or self._counts.get(to, 0) >= OF_ONE:
            return False
        self._count += 1
        self._counts[to] = self._counts.get(to, 0) + 1
        return True

    def tell(self, kind: str, address: str, text: str, now_s: float, to: Hashable) -> None:
        """Tells what went wrong, unless the same was told a moment ago.

        Args:
            kind: `/fail` or `/warn`.
            address: of the message.
            text: what was wrong, and what to do.
            now_s: on the clock of the loop.
            to: the client.
        """
        if self._lately(to, address, now_s):
            return
        self.say(f"{address}: {text}" if not text.startswith(address) else text)
        self.answer(Reply(kind, (address, text), to))

    def late(self, seconds: float, now_s: float, to: Hashable) -> None:
        """Tells a client that its bundles come too late, and by how much."""
        if not self._lately(to, "/late", now_s):
            self.answer(Reply("/late", (seconds,), to))

    def _lately(self, to: Hashable, address: str, now_s: float) -> bool:
        last = self._told.get((to, address))
        if last is not None and 0 <= now_s - last < EVERY_S:
            return True
        if len(self._told) >= REMEMBERED:
            self._told.clear()
        self._told[to, address] = now_s
        return False
