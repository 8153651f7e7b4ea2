"""The host side: asking and being answered, with a real door across loopback."""

import contextlib
import queue
import shutil
import subprocess
import threading
import time

import pytest

from oscbend.errors import BadMessage, OscbendError
from oscbend.osc import IMMEDIATELY, Bundle, Message, TimeTag, decode, flatten
from oscbend.server.client import Client, parse_atoms
from oscbend.server.doors import Doors
from oscbend.server.udp import UdpDoor


class Echo:
    """A server that answers `/sync`, `/ping` and `/fail`, and remembers everything."""

    def __init__(self):
        self.door = Doors(port=0)
        self.packets = []
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.end.wait(0.001):
            for data, sender in (one for came in self.door.drain() for one in came.datagrams):
                packet = decode(data)
                self.packets.append(packet)
                for _, messages in flatten(packet):
                    for message in messages:
                        self.answer(message, sender)

    def answer(self, message, sender):
        if message.address == "/sync":
            self.door.reply("/late", (0.5,), sender)
            self.door.reply("/synced", (99,), sender)
            self.door.reply("/synced", message.args, sender)
        elif message.address == "/ping":
            self.door.send(b"junk", sender)
            self.door.reply("/pong", message.args, sender)
        elif message.address == "/model":
            self.door.reply("/fail", ("/model", "no such model"), sender)

    def wait(self, count):
        end = time.monotonic() + 5
        while len(self.packets) < count and time.monotonic() < end:
            time.sleep(0.001)
        return self.packets

    def close(self):
        self.end.set()
        self.thread.join()
        self.door.close()


@pytest.fixture
def echo():
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def client(echo):
    with Client(port=echo.door.port) as opened:
        yield opened


def test_messages_and_bundles_go_out(echo, client):
    client.send("/bend/1", "rotate", "latent.2", 0.5)
    client.bundle([("/seed", 7), Message("/steps", (4,))])
    client.bundle([("/on", 1)], time=1_700_000_000.5)
    assert echo.wait(3) == [
        Message("/bend/1", ("rotate", "latent.2", 0.5)),
        Bundle(IMMEDIATELY, (Message("/seed", (7,)), Message("/steps", (4,)))),
        Bundle(TimeTag.from_unix(1_700_000_000.5), (Message("/on", (1,)),)),
    ]


def test_asking_waits_for_the_answer(client):
    assert client.ask("/ping", 3, "x", reply="/pong") == Message("/pong", (3, "x"))


def test_syncing_waits_for_its_own_number_and_keeps_the_rest(client):
    client.sync(timeout_s=5)
    client.sync(timeout_s=5)
    kept = [client.receive(0) for _ in range(5)]
    late, other = Message("/late", (0.5,)), Message("/synced", (99,))
    assert kept == [late, other, late, other, None]


def test_a_refusal_is_raised_in_the_servers_words(client):
    with pytest.raises(BadMessage, match="/model no such model"):
        client.ask("/model", "none", reply="/done")


def test_no_answer_is_one_clear_line(client):
    with pytest.raises(OscbendError, match=r"gave no /never within 0\.05 s"):
        client.ask("/seed", 1, reply="/never", timeout_s=0.05)
    assert client.receive(0.01) is None


def test_nobody_there_is_one_clear_line():
    door = UdpDoor(port=0)
    door.close()
    with Client(port=door.port) as client, pytest.raises(OscbendError, match="nothing listens at"):
        client.ask("/sync", 1, reply="/synced")


def test_sending_goes_on_when_the_server_was_away():
    door = UdpDoor(port=0)
    door.close()
    with Client(port=door.port) as client:
        for number in range(3):
            client.send("/n", number)
        with UdpDoor(port=door.port) as again:
            client.send("/n", 3)
            client.send("/n", 4)
            end = time.monotonic() + 5
            while again.inbox.received < 2 and time.monotonic() < end:
                time.sleep(0.001)
            came = [decode(data).args for arrivals in again.inbox.drain() for data, _ in arrivals.datagrams]
            assert came == [(3,), (4,)]


def test_what_does_not_fit_a_datagram_is_refused(client):
    with pytest.raises(OscbendError, match="do not fit"):
        client.send("/blob", bytes(70000))


def test_a_host_that_does_not_exist_is_one_clear_line():
    with pytest.raises(OscbendError, match="cannot reach no such host:57130"):
        Client("no such host")


@pytest.mark.skipif(not shutil.which("oscdump"), reason="needs liblo-tools")
def test_liblo_reads_what_we_send():
    with UdpDoor(port=0) as door:
        port = door.port
    dump = subprocess.Popen(["oscdump", "-L", str(port)], stdout=subprocess.PIPE, text=True)
    lines, line = queue.Queue(), ""
    threading.Thread(target=lambda: [lines.put(line) for line in dump.stdout], daemon=True).start()
    try:
        with Client(port=port) as client:
            for _ in range(100):  # until it has opened its port
                client.bundle([("/x", 3, 0.5, "an orb", True, None, 2**40)])
                with contextlib.suppress(queue.Empty):
                    line = lines.get(timeout=0.05)
                    break
    finally:
        dump.terminate()
        dump.wait()
    assert '/x ifsTNh 3 0.500000 "an orb" #T #N 1099511627776' in line.replace("Nil", "#N")


@pytest.mark.parametrize(
    ("word", "atom"),
    [
        ("3", 3),
        ("-3", -3),
        ("+3", 3),
        ("007", 7),
        ("0.5", 0.5),
        (".5", 0.5),
        ("-1e-3", -0.001),
        ("abc", "abc"),
        ("", ""),
        ("-", "-"),
        ("e", "e"),
        ("1_000", "1_000"),
        ("nan", "nan"),
        ("infinity", "infinity"),
        ("0x10", "0x10"),
        ("٣", "٣"),
        ("1.2.3", "1.2.3"),
        ("latent.2", "latent.2"),
        ("a floating orb", "a floating orb"),
    ],
)
def test_words_become_atoms(word, atom):
    (parsed,) = parse_atoms([word])
    assert (parsed, type(parsed)) == (atom, type(atom))
