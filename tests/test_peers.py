"""Who a sender is."""

from __future__ import annotations

from collections.abc import Hashable

import pytest

from oscbend.peers import host_of, is_local, is_loopback
from oscbend.server.tcp import Line


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_loopback(host: str, local: bool) -> None:
    assert is_loopback(host) is local
    assert is_local((host, 9)) is local


@pytest.mark.parametrize(
    ("sender", "host"),
    [
        (("10.0.0.9", 9), "10.0.0.9"),
        (("::1", 9, 0, 0), "::1"),
        (Line("::1", 9), "::1"),
        (None, ""),
        ("x", ""),
    ],
)
def test_the_host_of_a_sender(sender: Hashable, host: str) -> None:
    assert host_of(sender) == host
