"""OSCQuery over WebSocket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from webbed import WAIT_S, Webbed, until
from websockets.exceptions import ConnectionClosed, InvalidStatus

from oscbend.osc import Bundle, Message, TimeTag, encode, encode_message
from oscbend.server import live


@pytest.fixture
def show() -> Iterator[Webbed]:
    with Webbed() as opened:
        yield opened


def test_a_value_that_changes_is_told_to_who_listens(show: Webbed) -> None:
    with show.connected() as client, show.connected() as other:
        client.listen("/seed")
        show(("/seed", 3.5), ("/guidance", 2.0))
        assert client.receive() == ("/seed", 3.5)
        show(("/seed", 4.5))
        assert client.receive() == ("/seed", 4.5)
        assert client.quiet()
        assert other.quiet()


def test_values_come_as_single_messages_typed_as_the_tree_says(show: Webbed) -> None:
    with show.connected() as client:
        client.listen("/size", "/prompt", "/feature/bands")
        show(("/size", 128, 64), ("/prompt", "a tree"), ("/feature/bands", 0.25, 0.5))
        assert {client.receive() for _ in range(2)} == {("PATH_ADDED", "/feature"), ("PATH_ADDED", "/trig")}
        came = {client.socket.recv(WAIT_S) for _ in range(3)}
    assert came == {
        encode_message("/size", (128, 64), "ii"),
        encode_message("/prompt", ("a tree",), "s"),
        encode_message("/feature/bands", (0.25, 0.5), "ff"),
    }


def test_what_a_feature_moves_is_told_in_every_frame(show: Webbed) -> None:
    show(("/feature/rms/range", 0.0, 1.0), ("/feature/rms/smooth", 0.0, 0.0), ("/feature/rms", 0.5))
    show(("/seed/map", "rms", 0.0, 10.0))
    with show.connected() as client:
        client.listen("/seed")
        for level in (0.25, 0.75):
            show(("/feature/rms", level))
            assert client.receive() == ("/seed", 10.0 * level)


def test_once_in_a_frame_with_the_newest_value(show: Webbed) -> None:
    with show.connected() as client:
        client.listen("/seed")
        show(("/seed", 1.0), ("/seed", 2.0), ("/seed", 3.0))
        assert client.receive() == ("/seed", 3.0)
        assert client.quiet()


def test_who_ignores_hears_no_more(show: Webbed) -> None:
    with show.connected() as client:
        client.listen("/seed", "/guidance")
        client.tell("IGNORE", "/seed")
        client.settle()
        show(("/seed", 1.0), ("/guidance", 2.0))
        assert client.receive() == ("/guidance", 2.0)
        assert client.quiet()


def test_listening_is_to_one_address_and_not_to_what_is_below(show: Webbed) -> None:
    show(("/bend/1", "add", "latent.0"))
    with show.connected() as client:
        client.listen("/bend/1/")
        show(("/bend/1/mix", 0.5))
        show(("/bend/1/op", "multiply"))
        told = {client.receive(), client.receive()}
        assert told == {("PATH_CHANGED", "/bend/1"), ("/bend/1", "multiply", "latent.0")}
        assert client.quiet()


def test_an_address_may_be_listened_to_before_it_exists(show: Webbed) -> None:
    with show.connected() as client:
        client.listen("/bend/1/r")
        show(("/bend/1", "add", "latent.0"), ("/bend/1/r", 2.0))
        assert client.receive() == ("PATH_ADDED", "/bend/1")
        assert client.receive() == ("/bend/1/r", 2.0)


def test_bends_that_come_change_and_go_are_told_to_all(show: Webbed) -> None:
    with show.connected() as one, show.connected() as two:
        show(("/bend/1", "rescale", "latent.0"))
        assert one.receive() == two.receive() == ("PATH_ADDED", "/bend/1")
        show(("/bend/1/op", "add"))
        for client in (one, two):
            assert sorted(client.receive() for _ in range(4)) == [
                ("PATH_ADDED", "/bend/1/r"),
                ("PATH_CHANGED", "/bend/1"),
                ("PATH_REMOVED", "/bend/1/hi"),
                ("PATH_REMOVED", "/bend/1/lo"),
            ]
        show(("/bend/1/free",))
        assert one.receive() == two.receive() == ("PATH_REMOVED", "/bend/1")


def test_when_very_much_changes_everything_has(show: Webbed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PATHS", 3)
    with show.connected() as client:
        show(*((f"/bend/{n}", "add", "latent.0") for n in range(4)))
        assert client.receive() == ("PATH_CHANGED", "/")
        assert client.quiet()


def test_osc_that_is_sent_acts_as_a_datagram_does(show: Webbed) -> None:
    with show.connected() as client:
        client.send("/seed", 7.0)
        client.socket.send(
            encode(Bundle(TimeTag(1), (Message("/guidance", (2.0,)), Message("/noise/mode", ("walk",)))))
        )
        show.heard(2)
        state = show().state
        assert state.live == {"/seed": 7.0, "/guidance": 2.0}
        assert state.noise == "walk"


def test_answers_come_back_over_the_websocket(show: Webbed) -> None:
    with show.connected() as client, show.connected() as other:
        client.send("/get", "/seed")
        client.send("/bend/1", "rotat", "latent.0")
        client.send("/sync", 5)
        show.heard(3)
        show()
        assert client.receive() == ("/seed", 46.0)
        assert client.receive()[:2] == ("/fail", "/bend/1")
        assert client.receive() == ("/synced", 5)
        assert other.quiet()


def test_nobody_is_told_what_he_set_himself(show: Webbed) -> None:
    with show.connected() as fader, show.connected() as other:
        fader.listen("/seed")
        other.listen("/seed")
        fader.send("/seed", 7.0)
        show.heard(1)
        show()
        assert other.receive() == ("/seed", 7.0)
        assert fader.quiet()
        show(("/seed", 8.0))
        assert fader.receive() == ("/seed", 8.0)
        show(("/seed", 46.0))
        assert fader.receive() == ("/seed", 46.0)


def test_who_sent_what_was_clipped_is_told(show: Webbed) -> None:
    with show.connected() as client:
        client.listen("/guidance")
        client.send("/guidance", 99.0)
        show.heard(1)
        show()
        came = {client.receive()[:2], client.receive()[:2]}
        assert came == {("/warn", "/guidance"), ("/guidance", 30.0)}


def test_a_fader_that_moves_on_is_not_pulled_back(show: Webbed) -> None:
    with show.connected() as client:
        client.listen("/seed")
        client.send("/seed", 1.0)
        show.heard(1)
        show.hand_over()
        client.send("/seed", 2.0)
        show.heard(2)
        show.loop.step(show.now_s)  # the frame of the first, while the second waits for the next one
        assert show.loop.state.live["/seed"] == 1.0
        assert client.quiet()
        show()
        assert show.loop.state.live["/seed"] == 2.0
        assert client.quiet()


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "{}",
        "[]",
        "3",
        '{"COMMAND": "LISTEN"}',
        '{"COMMAND": "SHOUT", "DATA": "/seed"}',
        '{"COMMAND": "LISTEN", "DATA": 3}',
        '{"COMMAND": "LISTEN", "DATA": "seed"}',
        '{"COMMAND": ["LISTEN"], "DATA": {}}',
        json.dumps({"COMMAND": "LISTEN", "DATA": "/" + "x" * 600}),
        "[" * 60000,
        "9" * 60000,
    ],
    ids=range(12),
)
def test_commands_that_make_no_sense_are_answered(show: Webbed, text: str) -> None:
    with show.connected() as client:
        client.socket.send(text)
        assert client.receive()[0] == "/fail"
        client.listen("/seed")
        show(("/seed", 3.0))
        assert client.receive() == ("/seed", 3.0)


def test_packets_that_are_wrong_are_left_to_the_loop_to_count(show: Webbed) -> None:
    with show.connected() as client:
        client.socket.send(bytes.fromhex("2362756e646c65000000000000000001fffffffc"))
        client.send("/seed", 3.0)
        show.heard(2)
        show()
        assert show.schedule.bad == 1
        assert show.loop.state.live == {"/seed": 3.0}


def test_a_message_that_is_too_long_ends_the_connection(show: Webbed) -> None:
    with show.connected() as client:
        client.socket.send(bytes(live.MESSAGE_MAX + 4))
        with pytest.raises(ConnectionClosed) as closed:
            client.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_addresses_to_listen_to_are_bounded(show: Webbed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LISTENS", 2)
    with show.connected() as client:
        client.listen("/seed", "/guidance", "/seed")
        client.tell("LISTEN", "/fps")
        assert client.receive() == ("/fail", "/fps", "one client listens to 2 addresses at most")


def test_clients_are_bounded(show: Webbed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "CLIENTS", 2)
    with show.connected() as one:
        with show.connected(), pytest.raises(InvalidStatus) as refused, show.connected():
            pass
        assert refused.value.response.status_code == 503
        assert b"2 clients" in refused.value.response.body

        def another() -> bool:
            with suppress(InvalidStatus), show.connected():
                return True
            return False

        until(another)
        one.settle()


def test_a_slow_client_gets_the_newest_value_and_holds_nobody_up(show: Webbed) -> None:
    long = [f"{number:06d}" + "x" * 30_000 for number in range(400)]
    with show.connected() as quick, show.connected() as slow:
        slow.listen("/prompt")
        quick.listen("/seed")
        for number, text in enumerate(long):  # 12 MB, far beyond what sockets hold
            show(("/prompt", text), ("/seed", float(number)))
        while quick.receive() != ("/seed", 399.0):
            pass
        came: list[Any] = [slow.receive()]
        while came[-1] != ("/prompt", long[-1]):
            came.append(slow.receive())
    assert len(came) < 400
    assert came == sorted(came)


def test_replies_to_a_slow_client_are_bounded(show: Webbed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "REPLIES", 4)
    monkeypatch.setattr(show.web.live, "wake", lambda: None)
    with show.connected() as client:
        client.settle()
        (peer,) = show.web.live._clients
        packet = encode_message("/pong", (1,))
        assert [peer.send(packet) for _ in range(6)] == [True] * 4 + [False] * 2
        monkeypatch.undo()
        show.web.live.wake()
        assert [client.receive() for _ in range(4)] == [("/pong", 1)] * 4
    until(lambda: not show.web.live._clients)
    assert not peer.send(packet)


def test_a_client_that_goes_is_forgotten(show: Webbed) -> None:
    with show.connected() as client:
        client.listen("/seed")
    until(lambda: not show.web.live._clients)
    show(("/seed", 5.0))
    with show.connected() as client:
        assert client.quiet()
