"""The built-in model: does it draw what is asked, by number of steps; and what a frame's parts cost."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from oscbend.bench import Figure, Settings, times_ms
from oscbend.tiny import folder
from oscbend.tiny.painter import COLOURS, SUBJECTS
from oscbend.tiny.sheets import Drawing, prompts_of

sys.path.insert(0, str(Path(__file__).parents[1]))
from looks import dominant_colour, looks_like  # the measures of the tests

FIRST_SEED = 50_000  # of no picture that the tests draw


def shares(drawing: Drawing, steps: int, rounds: int) -> tuple[float, float, float]:
    """The shares of draws with the right subject, the right colour, and both."""
    subject = colour = both = 0
    for turn in range(rounds):
        for k, name in enumerate(COLOURS):
            seeds = [FIRST_SEED + 1000 * turn + 50 * k + i for i in range(len(SUBJECTS))]
            for wanted, picture in zip(SUBJECTS, drawing.draw(prompts_of(name), seeds, steps)):
                there, coloured = looks_like(picture, wanted), dominant_colour(picture) == name
                subject, colour, both = subject + there, colour + coloured, both + (there and coloured)
    count = rounds * len(COLOURS) * len(SUBJECTS)
    return subject / count, colour / count, both / count


def measure(settings: Settings) -> Iterator[Figure]:
    """Right subject and colour at 1, 2, 4 and 8 steps; milliseconds of a U-Net call and of the decoder."""
    if not settings.at_home:
        return
    quick = settings.quick
    drawing = Drawing(folder())
    for steps in (4,) if quick else (1, 2, 4, 8):
        subject, colour, both = shares(drawing, steps, 1 if quick else 3)
        yield Figure(f"tiny, right subject at {steps} steps", subject, "of 1")
        yield Figure(f"tiny, right colour at {steps} steps", colour, "of 1")
        yield Figure(
            f"tiny, right subject and colour at {steps} steps",
            both,
            "of 1",
            0.9 if steps == 4 else None,
            True,
        )
    z, t = torch.randn(1, 4, 32, 32).to(memory_format=torch.channels_last), torch.tensor([999])
    text = torch.randn(1, 32, drawing.unet.config.cross_attention_dim)
    with torch.inference_mode():
        calls = (lambda: drawing.unet(z, t, text), lambda: drawing.vae.decode(z))
        unet, decoder = times_ms(calls, 10 if quick else 60)
    yield Figure("tiny, one U-Net call, p50", statistics.median(unet), "ms", 18)
    yield Figure("tiny, decoding a picture, p50", statistics.median(decoder), "ms", 15)
