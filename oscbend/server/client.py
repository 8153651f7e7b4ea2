"""A host in a few lines: what `oscbend send`, `oscbend play` and the demo speak through."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from oscbend.errors import BadMessage, BadPacket, OscbendError
from oscbend.osc import IMMEDIATELY, Bundle, Message, TimeTag, decode, encode_bundle, encode_message, flatten
from oscbend.server.udp import DATAGRAM_MAX


class Client:
    """Sends to one server and receives what it answers.

    Args:
        host: the server's address.
        port: its OSC port.

    Raises:
        OscbendError: there is no such host.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 57130) -> None:
        self.host = host
        self.port = port
        self._inbox: deque[Message] = deque()
        self._syncs = 0
        try:
            family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.connect(place)
        except (OSError, OverflowError) as error:
            raise OscbendError(f"cannot reach {host}:{port}: {error}") from error

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()

    @property
    def local_port(self) -> int:
        """The port that answers come to."""
        return int(self._socket.getsockname()[1])

    def send(self, address: str, *args: Any) -> None:
        """Sends one message."""
        self.send_packet(encode_message(address, args))

    def bundle(
        self, messages: Iterable[Message | Bundle | tuple[Any, ...]], time: float | None = None
    ) -> None:
        """Sends messages that act together.

        Args:
            messages: `Message`, (address, argument …), or bundles within this one.
            time: Unix time in seconds at which they act; None is now.
        """
        elements = [Message(m[0], m[1:]) if isinstance(m, tuple) else m for m in messages]
        self.send_packet(encode_bundle(IMMEDIATELY if time is None else TimeTag.from_unix(time), elements))

    def send_packet(self, packet: bytes) -> None:
        """Sends a datagram that is encoded already.

        Raises:
            OscbendError: it is longer than a datagram can be, or the network is gone.
        """
        if len(packet) > DATAGRAM_MAX:
            raise OscbendError(
                f"{len(packet)} bytes do not fit a datagram ({DATAGRAM_MAX}); send less at once"
            )
        try:
            try:
                self._socket.send(packet)
            except (
                ConnectionError
            ):  # tells of an earlier datagram that nobody took; this one has not gone yet
                self._socket.send(packet)
        except OSError as error:
            raise OscbendError(f"cannot send to {self.host}:{self.port}: {error}") from error

    def receive(self, timeout_s: float = 1.0) -> Message | None:
        """The next message from the server, or None when none comes in time.

        Raises:
            OscbendError: nothing listens there.
        """
        if not self._inbox:
            self._wait(time.monotonic() + timeout_s)
        return self._inbox.popleft() if self._inbox else None

    def ask(self, address: str, *args: Any, reply: str, timeout_s: float = 2.0) -> Message:
        """Sends a message and waits for the answer; other messages stay for `receive`.

        Args:
            reply: the answer's address.

        Raises:
            BadMessage: the server answered `/fail`.
            OscbendError: no answer came in time, or nothing listens there.
        """
        return self._ask(Message(address, args), Message(reply), timeout_s)

    def sync(self, timeout_s: float = 60.0) -> None:
        """Waits until the server has finished every job begun so far."""
        self._syncs += 1
        self._ask(Message("/sync", (self._syncs,)), Message("/synced", (self._syncs,)), timeout_s)

    def _ask(self, question: Message, answer: Message, timeout_s: float) -> Message:
        earlier, self._inbox = self._inbox, deque()
        end = time.monotonic() + timeout_s
        self.send(question.address, *question.args)
        try:
            while self._wait(end):
                while self._inbox:
                    message = self._inbox.popleft()
                    if message.address == answer.address and message.args[: len(answer.args)] == answer.args:
                        return message
                    if message.address == "/fail" and message.args[:1] == (question.address,):
                        raise BadMessage(" ".join(map(str, message.args)))
                    earlier.append(message)
        finally:
            self._inbox = earlier + self._inbox
        raise OscbendError(f"{self.host}:{self.port} gave no {answer.address} within {timeout_s:g} s")

    def _wait(self, end: float) -> bool:
        """Takes one datagram into the inbox; False when none comes before `end`."""
        while True:
            left = max(end - time.monotonic(), 0.0)
            self._socket.settimeout(left)
            try:
                packet = decode(self._socket.recv(DATAGRAM_MAX))
            except (TimeoutError, BlockingIOError):
                return False
            except ConnectionError as error:
                raise OscbendError(
                    f"nothing listens at {self.host}:{self.port}; is oscbend running there?"
                ) from error
            except BadPacket:
                if left:
                    continue
                return False
            finally:
                self._socket.settimeout(None)
            self._inbox.extend(message for _, messages in flatten(packet) for message in messages)
            return True


def parse_atoms(words: Iterable[str]) -> list[int | float | str]:
    """Command-line words as OSC arguments: whole numbers, numbers, and text.

    >>> parse_atoms(["3", "-0.5", "1e3", "1_000", "infinity", "a floating orb"])
    [3, -0.5, 1000.0, '1_000', 'infinity', 'a floating orb']
    """
    return [_atom(word) for word in words]


def _atom(word: str) -> int | float | str:
    if not word.isascii() or set(word) - set("0123456789+-.eE"):
        return word
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word
