"""The quark: its classes, run by a real sclang."""

from __future__ import annotations

from pathlib import Path

from performance import Performance
from servers import Served
from supercollider import sclang
from test_hosts import heard


def test_the_quark_plays_the_performance(performance: Performance, served: Served, tmp_path: Path) -> None:
    start = performance.begin()
    output = sclang("quark.scd", served.port, home=tmp_path)
    heard(output, "running true true", *(f"synced {n} true" for n in range(1, 6)))
    heard(output, "angle 1.5", "queued 1 model tiny true", "ops true true")
    heard(output, "told /fail /bend/1 .*no_such_operator")
    performance.seen(start)
