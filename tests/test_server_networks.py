"""Who may speak."""

from __future__ import annotations

import pytest

from oscbend.errors import BadValue
from oscbend.server.networks import PRIVATE, Networks


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.9.1",
        "::1",
        "10.1.2.3",
        "172.31.0.1",
        "192.168.7.7",
        "169.254.1.1",
        "fe80::1%eth0",
        "fd00::5",
        "::ffff:192.168.0.4",
    ],
)
def test_private_networks_hold_houses_and_stages(host: str) -> None:
    assert Networks(PRIVATE).allow(host)


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "172.32.0.1", "192.169.0.1", "2001:db8::1", "::ffff:8.8.8.8", "", "name"]
)
def test_private_networks_hold_nobody_else(host: str) -> None:
    assert not Networks(PRIVATE).allow(host)


def test_networks_may_be_given() -> None:
    networks = Networks(["192.168.4.9/24", "10.0.0.7"])
    assert [networks.allow(h) for h in ("192.168.4.1", "192.168.5.1", "10.0.0.7", "10.0.0.8")] == [
        True, False, True, False
    ]  # fmt: skip
    assert str(networks) == "192.168.4.0/24 10.0.0.7/32"


@pytest.mark.parametrize("text", ["", "nowhere", "300.1.1.1", "10.0.0.0/33"])
def test_a_network_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="--allow"):
        Networks([text])
