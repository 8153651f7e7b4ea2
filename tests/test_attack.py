"""An attack on the decoder, on the show behind it, and on a running server: nothing breaks, nothing grows."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from attack import BOMBS, HANG, SPARED, Attacker
from servers import serving
from watched import Watched

from oscbend.errors import BadPacket
from oscbend.osc import Message, decode, encode
from oscbend.schedule import Came
from oscbend.server.client import Client

DECODED = 200_000
SHOWN = 30_000
SENT = 20_000
SLOW = (*SPARED, "/fps", "/size", "/steps", "/model", "/sampler")
"""What makes frames take seconds, on purpose."""
HOST = ("127.0.0.1", 9000)
DEFECT = "defect of oscbend"
MB = 2**20


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_any_packet_is_read_or_refused() -> None:
    read = 0
    for packet in Attacker(1).packets(DECODED):
        try:
            decode(packet)
        except BadPacket:
            continue
        read += 1
    assert DECODED / 4 < read < DECODED * 3 / 4, "there is enough of both"


def show_under_attack(show: Watched, packets: list[bytes]) -> None:
    show.now_s += 0.05
    came = Came(show.now_s, show.now_s, 0.0)
    show.schedule.put_datagrams([(data, HOST) for data in packets], came, lambda sender: True)
    show.loop.step(show.now_s)


def test_no_message_finds_a_defect_and_frames_go_on() -> None:
    show = Watched()
    said: list[str] = []
    show.loop.say = said.append
    packets = list(Attacker(2, (*SPARED, "/size", "/fps")).packets(SHOWN))
    for start in range(0, SHOWN, 100):
        show_under_attack(show, packets[start : start + 100])
    assert [line for line in said if DEFECT in line or "Traceback" in line] == []
    assert not any(DEFECT in str(reply.args) for reply in show.replies)
    assert show.loop.number >= SHOWN / 100
    assert show.schedule.bad > SHOWN / 10
    show(("/panic",))
    show.replies.clear()
    show(("/sync", 7))
    assert [reply.args for reply in show.replies if reply.address == "/synced"] == [(7,)]


def test_memory_stays_flat() -> None:
    show = Watched()
    packets = list(Attacker(3, (*SPARED, "/size", "/fps")).packets(1000))

    def go() -> int:
        for start in range(0, len(packets), 200):
            show_under_attack(show, packets[start : start + 200])
            show.replies.clear()
            show.seen.clear()
        show.loop.clear()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        go()
        first = go()
        last = [go() for _ in range(3)][-1]
    finally:
        tracemalloc.stop()
    assert last - first < 4 * MB


@pytest.mark.parametrize("bomb", BOMBS)
def test_patterns_are_matched_without_blowing_up(bomb: str) -> None:
    show = Watched()
    show(*((f"/feature/{'a' * (n % 60)}{n}", 0.5) for n in range(300)))
    before = show.loop.number
    show((bomb, 0.5))
    assert show.loop.number == before + 1


def memory_mb(pid: int) -> float:
    """What a process holds."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell of a process")
def test_a_running_server_stays_up_answers_and_does_not_grow(
    checkpoint: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        serving("--model", str(checkpoint("tiny")), "--root", str(tmp_path)) as server,
        Client(server.host, server.port) as client,
        Client(server.host, server.port) as attacker,
    ):
        client.sync()
        held = []
        for number, packet in enumerate(Attacker(4, SLOW).packets(SENT)):
            attacker.send_packet(packet or HANG)
            if number % 500 == 499:
                client.sync(30)
            if number % (SENT // 4) == SENT // 4 - 1:
                held.append(memory_mb(server.process.pid))
        status = client.ask("/status", reply="/status.reply", timeout_s=30).args
        assert server.process.poll() is None
        assert status[7] > 100, "frames went on"
        assert status[6] > SENT / 20, "bad packets were counted"
        assert held[-1] - held[1] < 40, f"MB held: {held}"
    out = capfd.readouterr()
    assert "Traceback" not in out.err + out.out
    assert DEFECT not in out.err + out.out


def test_an_endless_bundle_is_refused() -> None:
    with pytest.raises(BadPacket):
        decode(HANG)
    assert decode(encode(Message("/seed", (1.0,)))) == Message("/seed", (1.0,))
