"""Being found on the network; here, on the loopback interface."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from webbed import Webbed, until

from oscbend.errors import BadValue, OscbendError
from oscbend.peers import is_loopback
from oscbend.server import web
from oscbend.server.announce import announced, checked_name, heard_at

HERE = ["127.0.0.1"]
NAME = f"show {uuid.uuid4().hex[:8]}"
"""Other tests may run on this machine at the same time."""


@pytest.fixture
def network() -> Iterator[Any]:
    """Somebody else on this network."""
    from zeroconf import Zeroconf

    try:
        other = Zeroconf(interfaces=HERE)
    except OSError as error:
        pytest.skip(f"this machine has no multicast on loopback: {error}")
    yield other
    other.close()


def found(network: Any, kind: str, name: str, timeout_ms: int = 5000) -> Any:
    """The service of a name, as another host finds it; None if there is none."""
    return network.get_service_info(f"{kind}.local.", f"{name}.{kind}.local.", timeout=timeout_ms)


def test_both_services_are_found_while_it_lasts(network: Any) -> None:
    async def show() -> None:
        async with announced(NAME, 57131, 57130, HERE) as name:
            assert name == NAME
            for kind, port in (("_oscjson._tcp", 57131), ("_osc._udp", 57130)):
                info = await asyncio.to_thread(found, network, kind, name)
                assert info.port == port
                assert info.parsed_addresses() == HERE

    asyncio.run(show())
    network.cache.async_expire(2**40)
    assert (
        network.get_service_info("_oscjson._tcp.local.", "a show._oscjson._tcp.local.", timeout=300) is None
    )


def test_two_servers_of_one_name_are_both_found(network: Any) -> None:
    async def shows() -> None:
        async with announced(NAME, 1001, 1002, HERE) as one, announced(NAME, 2001, 2002, HERE) as two:
            assert (one, two) == (NAME, f"{NAME}-2")
            ports = [(await asyncio.to_thread(found, network, "_oscjson._tcp", n)).port for n in (one, two)]
            assert ports == [1001, 2001]

    asyncio.run(shows())


def test_a_server_that_others_can_reach_is_announced(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "is_loopback", lambda address: False)
    with Webbed(name=NAME, osc_port=57999) as show:
        until(lambda: found(network, "_osc._udp", NAME) is not None)
        assert found(network, "_oscjson._tcp", NAME).port == show.web.port
        assert found(network, "_osc._udp", NAME).port == 57999
    assert not show.said


def test_the_name_that_it_got_is_told_in_host_info(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "is_loopback", lambda address: False)
    with Webbed(name=NAME) as one:
        until(lambda: found(network, "_osc._udp", NAME) is not None)
        with Webbed(name=NAME) as two:
            until(lambda: two.json("/?HOST_INFO")["NAME"] == f"{NAME}-2")
        assert one.json("/?HOST_INFO")["NAME"] == NAME


def test_on_this_machine_only_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(web, "announced", lambda *args: asked.append(args))
    with Webbed() as show:
        assert show.get("/seed")[0] == 200
    assert not asked


def test_a_network_that_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: Any) -> None:
        raise OSError("no such device")

    monkeypatch.setattr("zeroconf.asyncio.AsyncZeroconf", refuse)
    monkeypatch.setattr(web, "is_loopback", lambda address: False)
    with Webbed(name="deaf") as show:
        until(lambda: bool(show.said))
        assert show.get("/seed")[0] == 200
    assert show.said == [
        "hosts will not find this server by themselves:"
        " the network does not take 'deaf': OSError: no such device"
    ]


def test_an_unspecified_address_is_every_interface_but_loopback() -> None:
    assert heard_at("192.0.2.7") == ["192.0.2.7"]
    assert not any(is_loopback(address) for address in heard_at("0.0.0.0"))


@pytest.mark.parametrize("name", ["", "  ", "x" * 51, "a\nb", "é" * 26])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(BadValue, match="--name"):
        checked_name(name)


def test_names_that_can() -> None:
    assert checked_name(" Studio 1.5 ") == "Studio 1.5"


def test_errors_are_of_the_house() -> None:
    async def show() -> None:
        async with announced("nowhere", 1, 2, ["203.0.113.1"]):
            pass

    with pytest.raises(OscbendError, match="does not take 'nowhere'"):
        asyncio.run(show())
