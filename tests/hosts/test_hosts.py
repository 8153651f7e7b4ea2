"""sclang, Pure Data, liblo's tools and npm's oscquery, each playing the same to a running server."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from performance import HERE, PARTS, Performance, lacking, program, run
from servers import Served

from oscbend import __version__

WAITING = r"heard /status.reply \S+ \S+ \S+ 1 "
"""One bundle waits for its time."""


def heard(output: str, *replies: str) -> None:
    for reply in replies:
        assert re.search(reply, output), f"{reply!r} was not heard in:\n{output}"


def test_sclang(performance: Performance, served: Served, tmp_path: Path) -> None:
    sclang = program("sclang")
    start = performance.begin()
    output = run(
        sclang,
        "-u",
        "0",
        "play.scd",
        str(served.port),
        QT_QPA_PLATFORM="offscreen",
        QTWEBENGINE_DISABLE_SANDBOX="1",
        XDG_RUNTIME_DIR=str(tmp_path),
        HOME=str(tmp_path),
    )
    heard(output, *(f"synced {n} true" for n in range(1, 6)))
    heard(output, "heard /done /notify", "heard /status.reply", f"heard /version.reply .*{__version__}")
    heard(output, "heard /fail /bend/1 .*no_such_operator")
    heard(output, WAITING)
    performance.seen(start)


def test_pure_data(performance: Performance, served: Served) -> None:
    pd = program("pd")
    start = performance.begin()
    flags = ("-nogui", "-noaudio", "-nomidi", "-nrt", "-stderr")
    output = run(pd, *flags, "-send", f"server-port {served.port}", "play.pd")
    assert "couldn't create" not in output
    heard(output, *(f"heard: synced {n}" for n in range(1, 6)))
    heard(output, "heard: done /notify", "heard: status.reply", "heard: version.reply")
    heard(output, "heard: fail /bend/1 .*no_such_operator")
    performance.seen(start)


def test_liblo_tools(performance: Performance, served: Served) -> None:
    oscsend, oscdump = program("oscsend"), program("oscdump")
    start = performance.begin()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    dump = subprocess.Popen([oscdump, "-L", str(port)], stdout=subprocess.PIPE, text=True)

    def send(address: str, *args: object) -> None:
        types = "".join({int: "i", float: "f"}.get(type(arg), "s") for arg in args)
        words = [types, *map(str, args)] if args else []
        run(oscsend, "127.0.0.1", str(served.port), address, *words)

    try:
        time.sleep(0.5)
        send("/notify", 1, -1, port)
        for number, part in enumerate(PARTS, 1):
            for address, *args in part:
                send(address, *args)
            send("/sync", number)
            time.sleep(1.0)
        send("/bend/1", "no_such_operator", "image")
        send("/version")
        times_s = performance.seen(start)
        time.sleep(0.5)
    finally:
        dump.terminate()
        output, _ = dump.communicate(timeout=10)
    assert times_s == sorted(times_s)
    heard(output, r"/done ss?i+ \"/notify\"", r"/fail ss.* \"/bend/1\" .*no_such_operator", r"/version.reply")
    heard(output, *(rf"/synced i {n}\b" for n in range(1, 6)))


def test_npm_oscquery(performance: Performance, served: Served) -> None:
    node = program("node")
    if not (HERE / "node_modules" / "oscquery").is_dir():
        lacking("npm's oscquery is not installed here (npm ci --prefix tests/hosts)")
    start = performance.begin()
    output = run(node, "play.mjs", served.web.rpartition(":")[2])
    heard(output, f"found .* at 127.0.0.1:{served.port}")
    heard(output, *(f"node {address} true" for address in ("/feature/rms", "/prompt", "/seed")))
    heard(output, *(f"heard /synced {n}" for n in range(1, 6)))
    heard(output, "heard /done /notify", "heard /status.reply", "heard /version.reply")
    heard(output, "heard /fail /bend/1 .*no_such_operator")
    heard(output, 'tree .*"PATH_ADDED".*"/bend/2', "live /bend/2/angle 1.5", "live /feature/rms 0")
    heard(output, WAITING)
    performance.seen(start)


def test_the_pictures_of_the_performance_differ(performance: Performance) -> None:
    assert len({picture.tobytes() for picture in performance.pictures}) == len(PARTS)
    bright, dark = performance.pictures[:2]
    assert bright[..., :3].mean() > 200, "the feature at 1 adds 1.5"
    assert dark[..., :3].mean() < 60, "and at 0 takes as much away"
    assert np.all(bright[..., 3] == 255)


def test_a_missing_client_fails_in_ci_and_is_skipped_elsewhere() -> None:
    script = "import performance; performance.program('no-such-client')"
    for ci, kind in (("1", "Failed"), ("", "Skipped")):
        output = run(sys.executable, "-c", script, CI=ci)
        assert kind in output, output
