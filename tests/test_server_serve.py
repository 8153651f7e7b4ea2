"""A running server, talked to by python-osc and watched over ZeroMQ and HTTP."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pythonosc.osc_message import OscMessage
from pythonosc.udp_client import SimpleUDPClient
from servers import Served, serving

from oscbend.demo import oscbend_process
from oscbend.errors import BadMessage
from oscbend.server.client import Client
from oscbend.sinks.zmq import Receiver

WAIT_S = 60.0


@pytest.fixture
def client(server: Served) -> Iterator[Client]:
    with Client(server.host, server.port) as one:
        yield one
        one.send("/bend/free")
        one.send("/freeze", 0)
        one.sync(WAIT_S)


def picture(server: Served, after: int = 2) -> np.ndarray:
    """A frame that was drawn after now."""
    with Receiver(server.frames) as frames:
        first = frames.receive(WAIT_S)
        assert first is not None
        while True:
            seen = frames.receive(WAIT_S)
            assert seen is not None
            if seen.number >= first.number + after:
                return np.array(seen.picture)


def test_the_ready_line_says_where_everything_is(server: Served) -> None:
    assert server.line.endswith("(this machine only)")
    assert server.web.startswith("http://127.0.0.1:")


def test_frames_are_rgba_with_the_top_row_first(server: Served, client: Client) -> None:
    shown = picture(server)
    assert shown.shape == (64, 64, 4)
    assert shown[..., 3].min() == 255


def test_a_bend_changes_the_picture_and_freeing_it_brings_it_back(server: Served, client: Client) -> None:
    client.send("/noise/mode", "hold")
    client.sync(WAIT_S)
    before = picture(server)
    client.send("/bend/1", "add", "image")
    client.send("/bend/1/r", 0.8)
    client.sync(WAIT_S)
    assert np.abs(picture(server).astype(int) - before).max() > 20
    client.send("/bend/1/free")
    client.sync(WAIT_S)
    assert np.array_equal(picture(server), before)


def test_a_feature_sent_by_python_osc_drives_a_map(server: Served, client: Client) -> None:
    host = SimpleUDPClient(server.host, server.port)
    host.send_message("/feature/rms/range", [0.0, 1.0])
    host.send_message("/feature/rms", 1.0)
    host.send_message("/bend/1", ["add", "latent.end"])
    host.send_message("/bend/1/r/map", ["rms", 0.0, 3.0])
    client.sync(WAIT_S)
    answer = client.ask("/get", "/bend/1/r", reply="/bend/1/r", timeout_s=WAIT_S)
    deadline = time.monotonic() + WAIT_S
    while answer.args[0] < 2.9 and time.monotonic() < deadline:
        host.send_message("/feature/rms", 1.0)
        answer = client.ask("/get", "/bend/1/r", reply="/bend/1/r", timeout_s=WAIT_S)
    assert answer.args[0] == pytest.approx(3.0, abs=0.1)


def test_answers_are_read_by_python_osc(server: Served) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(WAIT_S)
        udp.bind(("127.0.0.1", 0))
        udp.sendto(b"/version\0\0\0\0,\0\0\0", (server.host, server.port))
        message = OscMessage(udp.recv(2000))
    assert message.address == "/version.reply"
    assert message.params[0] == "oscbend"


def test_what_is_wrong_is_answered(client: Client) -> None:
    client.send("/bend/1", "rotat", "latent.0")
    answer = client.receive(WAIT_S)
    assert answer is not None
    assert answer.address == "/fail"
    assert "rotate" in answer.args[1]


def test_a_long_list_comes_in_several_answers(client: Client) -> None:
    client.send("/list", "sites")
    names: list[Any] = []
    while (answer := client.receive(WAIT_S)) is not None and answer.address != "/done":
        assert answer.args[0] == "sites"
        names += answer.args[1:]
    assert {"latent.0", "unet.in", "image"} <= set(names)


def test_status_tells_the_rate_and_counts_bad_packets(server: Served, client: Client) -> None:
    before = client.ask("/status", reply="/status.reply", timeout_s=WAIT_S).args
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for packet in (bytes.fromhex("2362756e646c65000000000000000001fffffffc"), b"\0", b"/x\0\0,q\0\0"):
            udp.sendto(packet, (server.host, server.port))
    client.sync(WAIT_S)
    after = client.ask("/status", reply="/status.reply", timeout_s=WAIT_S).args
    assert after[6] == before[6] + 3
    assert after[7] >= before[7]
    assert after[0] > 0


def test_a_bundle_ahead_of_time_waits(server: Served, client: Client) -> None:
    client.send("/seed", 1.0)
    ahead_s = client.ask("/status", reply="/status.reply", timeout_s=WAIT_S).args[10]
    tag_s = time.time() + ahead_s + 3.0
    client.bundle([("/seed", 2.0)], time=tag_s)
    client.sync(WAIT_S)
    seen = client.ask("/get", "/seed", reply="/seed", timeout_s=WAIT_S).args
    assert seen == (1.0,) or time.time() + ahead_s > tag_s, "done before its time"
    deadline = time.monotonic() + WAIT_S
    while client.ask("/get", "/seed", reply="/seed", timeout_s=WAIT_S).args != (2.0,):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_wrong_model_leaves_the_running_one(server: Served, client: Client) -> None:
    client.send("/model", "/nowhere/at/all")
    answer = client.receive(WAIT_S)
    assert answer is not None
    assert answer.address == "/fail"
    assert picture(server).shape == (64, 64, 4)


def test_the_page_shows_the_picture(server: Served) -> None:
    browser = urllib.request.Request(server.web, headers={"Accept": "text/html,*/*"})
    page = urllib.request.urlopen(browser, timeout=WAIT_S).read().decode()
    assert 'src="/page/main.js"' in page
    still = Image.open(io.BytesIO(urllib.request.urlopen(f"{server.web}/frame.png", timeout=WAIT_S).read()))
    assert still.size == (64, 64)
    status = json.load(urllib.request.urlopen(f"{server.web}/status.json", timeout=WAIT_S))
    assert status["frame"] > 0
    with urllib.request.urlopen(f"{server.web}/live.mjpg", timeout=WAIT_S) as live:
        assert live.readline() == b"--frame\r\n"
        assert live.readline() == b"Content-Type: image/jpeg\r\n"


def test_the_command_line_sends_and_prints_the_answer(server: Served) -> None:
    command = oscbend_process("send", "/version", "--port", str(server.port), "--wait", "3")
    out = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=True).stdout
    assert out.startswith("/version.reply oscbend")


def test_the_command_line_sends_negative_numbers(server: Served, client: Client) -> None:
    client.send("/bend/1", "add", "latent.0")
    client.sync(WAIT_S)
    command = oscbend_process("send", "/bend/1/r", "-1.5", "--port", str(server.port), "--wait", "0")
    subprocess.run(command, check=True, timeout=WAIT_S)
    client.sync(WAIT_S)
    assert client.ask("/get", "/bend/1/r", reply="/bend/1/r", timeout_s=WAIT_S).args == (-1.5,)


def test_a_port_in_use_is_one_line(server: Served, checkpoint: Callable[[str], Path]) -> None:
    command = oscbend_process(
        "serve",
        "--model",
        str(checkpoint("tiny")),
        "--size",
        "64x64",
        "--port",
        str(server.port),
        "--web-port",
        "0",
    )
    out = subprocess.run(command, capture_output=True, text=True, timeout=2 * WAIT_S, check=False)
    assert out.returncode == 1
    assert out.stderr.count("\n") == 1
    assert f"port {server.port}" in out.stderr


def test_quit_ends_the_server(checkpoint: Callable[[str], Path]) -> None:
    with serving("--model", str(checkpoint("tiny"))) as served:
        with Client(served.host, served.port) as client:
            client.send("/quit")
        assert served.process.wait(WAIT_S) == 0


def test_a_server_with_stream_batch_says_how_late_it_is_and_refuses_feedback(
    checkpoint: Callable[[str], Path],
) -> None:
    options = ("--model", str(checkpoint("tiny")), "--steps", "3", "--stream-batch")
    with serving(*options) as served, Client(served.host, served.port) as client:
        assert served.line.endswith("size=64x64 behind=2 (this machine only)")
        with pytest.raises(BadMessage, match="--stream-batch"):
            client.ask("/feedback", 1, reply="/done", timeout_s=WAIT_S)
        client.send("/steps", 2)
        end = time.monotonic() + WAIT_S
        while (behind := client.ask("/status", reply="/status.reply", timeout_s=WAIT_S).args[9]) != 1:
            assert time.monotonic() < end, behind
        assert picture(served).std() > 1
