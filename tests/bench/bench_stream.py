"""Stream batch against one frame after the other."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

from common import FEW, Show, engine_for, in_a_row

from oscbend.bench import Figure, Settings, ratio, times_ms
from oscbend.engine import Engine


def measure(settings: Settings) -> Iterator[Figure]:
    """Frames per second with 3 bends, with and without stream batch, in turn."""
    model = settings.loaded
    for steps in (2, 4):
        show = Show(settings, steps, FEW)
        engine = engine_for(settings, [show])
        calls = [in_a_row(engine, show), followed(engine, show)]
        plain, streamed = times_ms(calls, settings.rounds(6, 120), warm_up=steps + 2, settle=model.settle)
        for name, taken in (("one frame after the other", plain), ("stream batch", streamed)):
            rate = 1000 / statistics.median(taken)
            yield Figure(f"{steps} steps, 3 bends, {name}, rate", rate, "frames/s")
        yield Figure(f"stream batch, {steps} steps, 3 bends", ratio(plain, streamed), "×")


def followed(engine: Engine, show: Show) -> Callable[[], None]:
    """Takes one frame in, and one out that began steps - 1 calls ago."""

    def draw() -> None:
        engine.follow(show.structure, show.values()).result()

    return draw
