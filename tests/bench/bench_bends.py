"""What twelve bends cost: a frame with them, against the bare network in a loop."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from common import AFFINE, MIXED, Show, bare, engine_for, in_a_row, repeated

from oscbend.bench import Figure, Settings, ratio, times_ms

STEPS = 2
IN_A_ROW = 8
"""Frames that are timed together where a graphics card draws beside."""


def measure(settings: Settings) -> Iterator[Figure]:
    """Affine bends, and a mix of all kinds, whose parameters move in every frame."""
    model = settings.loaded
    count = IN_A_ROW if model.device.type == "cuda" else 1
    shows = [Show(settings, STEPS, bends) for bends in (AFFINE, MIXED)]
    engine = engine_for(settings, shows)
    calls = [repeated(bare(settings, STEPS), count), *(in_a_row(engine, show, count) for show in shows)]
    network, *taken = times_ms(calls, settings.rounds(40, 150), settle=model.settle)
    yield Figure(f"bare network in a loop, {STEPS} steps, p50", statistics.median(network) / count, "ms")
    for name, goal, bent in zip(("affine", "mixed"), (1.05, 1.10), taken):
        goal_here = goal if settings.at_home else None
        yield Figure(f"frame with 12 {name} bends / bare network", ratio(bent, network), "×", goal_here)
