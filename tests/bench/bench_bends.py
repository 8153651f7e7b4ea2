"""What bends cost: frames with none, few and twelve, against the bare network in a loop."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from common import AFFINE, FEW, MIXED, Show, bare, engine_for, in_a_row, repeated

from oscbend.bench import Figure, Settings, ratio, times_ms

STEPS = 2
IN_A_ROW = 8
"""Frames that are timed together where a graphics card draws beside."""

KINDS = (
    ("frame without bends", (), None),
    ("frame with 3 bends", FEW, 1.05),
    ("frame with 12 affine bends", AFFINE, 1.05),
    ("frame with 12 mixed bends", MIXED, 1.10),
)
"""What is measured, with what bends, and the goal for the built-in model on a processor."""


def measure(settings: Settings) -> Iterator[Figure]:
    """Frames whose parameters move all the time, each over the bare network."""
    model = settings.loaded
    count = IN_A_ROW if model.device.type == "cuda" else 1
    shows = [Show(settings, STEPS, bends) for _, bends, _ in KINDS]
    engine = engine_for(settings, shows)
    calls = [repeated(bare(settings, STEPS), count), *(in_a_row(engine, show, count) for show in shows)]
    network, *drawn = times_ms(calls, settings.rounds(30, 150), settle=model.settle)
    yield Figure(f"bare network in a loop, {STEPS} steps, p50", statistics.median(network) / count, "ms")
    for (name, _, goal), taken in zip(KINDS, drawn):
        goal_here = goal if settings.at_home else None
        yield Figure(f"{name} / bare network in a loop", ratio(taken, network), "×", goal_here)
