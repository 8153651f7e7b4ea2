"""A fair share of answers."""

from __future__ import annotations

from oscbend.server.budget import CLIENTS, Budget


def test_each_client_has_its_own_share_which_grows_again() -> None:
    budget = Budget(rate=10, burst=20)
    assert sum(budget.spend("a", 0.0) for _ in range(50)) == 20
    assert sum(budget.spend("b", 0.0) for _ in range(50)) == 20
    assert sum(budget.spend("a", 1.0) for _ in range(50)) == 10
    assert sum(budget.spend("a", 100.0) for _ in range(50)) == 20


def test_strangers_are_forgotten() -> None:
    budget = Budget()
    for n in range(3 * CLIENTS):
        assert budget.spend(("10.0.0.1", n), 0.0)
    assert len(budget._left) == CLIENTS
