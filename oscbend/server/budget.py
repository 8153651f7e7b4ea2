"""How much is answered: a fair share for each client, so that a flood of questions drowns nobody."""

from __future__ import annotations

from collections.abc import Hashable

from oscbend.clients import Recent

A_SECOND = 2000
BURST = 6000
"""How many packets one client is sent in a second on the whole, and at once: enough to ask for everything."""
CLIENTS = 256


class Budget:
    """Counts what each client is sent.

    Args:
        rate: packets a second on the whole.
        burst: packets at once.
    """

    def __init__(self, rate: float = A_SECOND, burst: float = BURST) -> None:
        self.rate = rate
        self.burst = burst
        self._left: Recent[Hashable, tuple[float, float]] = Recent(CLIENTS)

    def spend(self, to: Hashable, now_s: float) -> bool:
        """Takes one packet from a client's share; False if nothing is left of it.

        Args:
            to: the client.
            now_s: seconds; must not go back.
        """
        left, then_s = self._left.get(to) or (self.burst, now_s)
        left = min(self.burst, left + self.rate * (now_s - then_s))
        if left < 1.0:
            return False
        self._left.put(to, (left - 1.0, now_s))
        return True
