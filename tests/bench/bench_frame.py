"""A frame by steps and bends, and against the bare network as one CUDA graph."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import torch
from common import FEW, MIXED, Show, bare, engine_for, in_a_row, repeated

from oscbend.bench import Figure, Settings, quantiles, ratio, times_ms

STEPS = (1, 2, 4)
BENDS = ((), FEW, MIXED)
IN_A_ROW = 8
"""Frames that are timed together where a graphics card draws beside."""


def measure(settings: Settings) -> Iterator[Figure]:
    """Frames per second and frame times; on a card, against one graph of a whole frame."""
    model = settings.loaded
    for steps in STEPS:
        shows = [Show(settings, steps, bends) for bends in BENDS]
        engine = engine_for(settings, shows)
        calls = [in_a_row(engine, show) for show in shows]
        for bends, taken in zip(BENDS, times_ms(calls, settings.rounds(6, 100), 1, model.settle)):
            name = f"frame, {steps} steps, {len(bends)} bends"
            yield from quantiles(name, taken)
            goal = 15.0 if settings.at_home and (steps, bends) == (2, FEW) else None
            yield Figure(f"{name}, rate", 1000 / statistics.median(taken), "frames/s", goal, True)
    if model.device.type == "cuda":
        yield from against_one_graph(settings)


def against_one_graph(settings: Settings) -> Iterator[Figure]:
    """One step, frames per second: with bends over without, and without over one graph of a whole frame."""
    plain, bent = Show(settings, 1), Show(settings, 1, MIXED[:4])
    engine = engine_for(settings, [plain, bent])
    calls = [
        repeated(one_graph(bare(settings, 1)), IN_A_ROW),
        in_a_row(engine, plain, IN_A_ROW),
        in_a_row(engine, bent, IN_A_ROW),
    ]
    taken = times_ms(calls, settings.rounds(25, 100), settle=settings.loaded.settle)
    graph, none, four = taken
    goals = (0.9, 0.95) if settings.on_card else (None, None)
    yield Figure(
        "1 step, one graph of a whole frame, rate", 1000 * IN_A_ROW / statistics.median(graph), "frames/s"
    )
    yield Figure("1 step, rate / that of one graph", ratio(graph, none), "×", goals[0], True)
    yield Figure("1 step, rate with 4 bends / with none", ratio(none, four), "×", goals[1], True)


def one_graph(draw: Callable[[], Any]) -> Callable[[], object]:
    """A function as one CUDA graph, replayed."""
    beside = torch.cuda.Stream()
    with torch.inference_mode(), torch.cuda.stream(beside):
        for _ in range(3):
            draw()
        beside.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=beside):
            draw()
    return graph.replay
