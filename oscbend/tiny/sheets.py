"""Contact sheets: what the model draws, what bends do to it: `python -m oscbend.tiny.sheets --out DIR`."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline
from PIL import Image
from torch import Tensor, nn
from transformers import CLIPTokenizer

from oscbend.bends import apply
from oscbend.tiny import folder
from oscbend.tiny.autoencoder import hue_rotation, to_tensor
from oscbend.tiny.diffusion import Schedule, guided, sample, trailing
from oscbend.tiny.painter import COLOURS, SUBJECTS
from oscbend.tiny.progress import mixed

Bend = Callable[[Tensor], Tensor]
TURNS = [2 * math.pi * k / 8 for k in range(8)]
EARLY, MIDDLE, LATE = 2, 5, 8
LIGHTS = list(np.linspace(-1.2, 1.2, 8))
FACTORS = {EARLY: (0.6, 1.4), MIDDLE: (0.4, 1.7), LATE: (0.2, 2.0)}
MIRRORED = [0.0, 1.0, 2.0, 3.0, 4.0]


def _turned(z: Tensor, angle: float) -> Tensor:
    return apply("rotate", z, angle=angle, plane="r1")


def _lifted(z: Tensor, r: float) -> Tensor:
    return apply("add", z, r=r)


def _multiplied(z: Tensor, r: float) -> Tensor:
    return apply("multiply", z, r=r)


def _reflected(z: Tensor, channel: float) -> Tensor:
    return apply("reflect", z, channel=int(channel)) if channel < 4 else z


BENDS: tuple[tuple[str, str, int, Callable[[Tensor, float], Tensor], list[float]], ...] = (
    ("blue floating orb", "rotate r1", EARLY, _turned, TURNS),
    ("purple landscape", "rotate r1", MIDDLE, _turned, TURNS),
    ("orange flowers", "rotate r1", LATE, _turned, TURNS),
    ("green forest with river", "add", EARLY, _lifted, LIGHTS),
    ("pink thunderstorm", "add", MIDDLE, _lifted, LIGHTS),
    ("cyan waves", "add", LATE, _lifted, LIGHTS),
    *(
        (prompt, "multiply", step, _multiplied, list(np.linspace(*FACTORS[step], 8)))
        for prompt, step in (("red waves", EARLY), ("blue landscape", MIDDLE), ("pink flowers", LATE))
    ),
    ("orange landscape", "reflect", EARLY, _reflected, MIRRORED),
    ("green thunderstorm", "reflect", MIDDLE, _reflected, MIRRORED),
    ("blue forest with river", "reflect", LATE, _reflected, MIRRORED),
)
"""Prompt, name, step of 8 (8: the finished latent), bend, and its parameter from left to right."""


def to_uint8(pictures: torch.Tensor) -> np.ndarray:
    """Pictures in -1…1 [B, 3, H, W] as uint8 [B, H, W, 3]."""
    return ((pictures / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def grid(rows: list[np.ndarray]) -> np.ndarray:
    """Rows of pictures, each uint8 [B, H, W, 3], as one picture."""
    return np.concatenate([np.concatenate(list(row), 1) for row in rows])


@torch.inference_mode()
def autoencoder_sheet(vae: AutoencoderTiny, pictures: np.ndarray, file: Path, columns: int = 8) -> None:
    """Originals, reconstructions, and the first of them with its latent turned by eight angles."""
    some = pictures[: 2 * columns]
    z = vae.encode(to_tensor(some) * 2 - 1).latents
    drawn = to_uint8(vae.decode(z).sample)
    rows = [some[:columns], drawn[:columns], some[columns:], drawn[columns:]]
    for one in z[1:4]:
        turned = []
        for k in range(columns):
            matrix = torch.eye(4)
            matrix[:3, :3] = hue_rotation(2 * math.pi * k / columns)
            turned.append(torch.einsum("ij,jhw->ihw", matrix, one))
        rows.append(to_uint8(vae.decode(torch.stack(turned)).sample))
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grid(rows)).save(file)


@torch.inference_mode()
def sample_sheet(
    tokenizer: CLIPTokenizer,
    text_encoder: nn.Module,
    unet: nn.Module,
    vae: AutoencoderTiny,
    side: int,
    guidance: float,
    file: Path,
    counts: tuple[int, ...] = (4, 2),
) -> None:
    """One column for each subject, in turning colours; one row for each step count; the noise is the same."""
    prompts = varied_prompts()
    padded = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
    text = text_encoder(tokenizer(prompts, **padded).input_ids)[0]
    empty = text_encoder(tokenizer([""] * len(prompts), **padded).input_ids)[0]
    seeded = torch.Generator().manual_seed(1)
    noise = torch.randn(len(prompts), 4, side, side, generator=seeded, device="cpu")
    noise = noise.to(torch.get_default_device())
    velocity = guided(unet, text, empty, guidance)
    with mixed():
        rows = [to_uint8(vae.decode(sample(velocity, noise, n)).sample.float()) for n in counts]
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grid(rows)).save(file)


class Drawing:
    """The exported model, drawing without guidance."""

    def __init__(self, weights: Path) -> None:
        pipeline = StableDiffusionPipeline.from_pretrained(weights)
        self._tokenizer, self._text_encoder = pipeline.tokenizer, pipeline.text_encoder
        last = {"memory_format": torch.channels_last}
        self.unet, self.vae = pipeline.unet.to(**last), pipeline.vae.to(**last)

    @torch.inference_mode()
    def draw(
        self, prompts: list[str], seeds: list[int], steps: int, at: int = -1, bend: Bend | None = None
    ) -> np.ndarray:
        """Pictures uint8 [B, H, W, 3]; `bend` is applied to the latent before step `at` (last: `steps`)."""
        padded = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
        text = self._text_encoder(self._tokenizer(prompts, **padded).input_ids)[0]
        side = self.unet.config.sample_size
        fields = [torch.randn(4, side, side, generator=torch.Generator().manual_seed(s)) for s in seeds]
        z, schedule, times = torch.stack(fields), Schedule(), trailing(steps)
        velocity = guided(self.unet, text, text, 1)
        for k, t in enumerate(times):
            if k == at and bend is not None:
                z = bend(z)
            if t >= 0:
                now, to = (torch.full((len(z),), time) for time in (t, times[k + 1]))
                z = schedule.step(z, velocity(z, now), now, to)
        return to_uint8(self.vae.decode(z).sample)


def prompts_of(colour: str) -> list[str]:
    """A prompt for each subject in this colour, by a name that no other subject has."""
    names = [[p.words for p in s.phrases] for s in SUBJECTS.values()]
    shared = {n for i, mine in enumerate(names) for other in names[i + 1 :] for n in mine if n in other}
    return [f"{colour} {next(n for n in mine if n not in shared)}" for mine in names]


def varied_prompts() -> list[str]:
    """A prompt for each subject, in turning colours."""
    colours = list(COLOURS)
    return [prompts_of(colours[i % len(colours)])[i] for i in range(len(SUBJECTS))]


def samples_sheet(drawing: Drawing) -> np.ndarray:
    """Subjects across, colours down, at 4 steps."""
    rows = [
        drawing.draw(prompts_of(c), [100 * k + i for i in range(len(SUBJECTS))], 4)
        for k, c in enumerate(COLOURS)
    ]
    return grid(rows)


def steps_sheet(drawing: Drawing) -> np.ndarray:
    """Subjects across, 1, 2, 4, 8 and 20 steps down, the noise the same in a column."""
    prompts = varied_prompts()
    return grid([drawing.draw(prompts, list(range(len(prompts))), n) for n in (1, 2, 4, 8, 20)])


def _with(bend: Callable[[Tensor, float], Tensor], value: float) -> Bend:
    return lambda z: bend(z, value)


def bends_sheet(drawing: Drawing) -> np.ndarray:
    """One row for each of `BENDS`, at 8 steps."""
    rows = []
    for prompt, _, at, bend, values in BENDS:
        row = [drawing.draw([prompt], [7], 8, at, _with(bend, value)) for value in values]
        blank = np.full_like(row[0], 255)
        rows.append(np.concatenate(row + [blank] * (8 - len(row))))
    return grid(rows)


def save_small(sheet: np.ndarray, cell: int, file: Path) -> None:
    """Save a sheet of 256-pixel pictures with `cell` pixels a picture, in 256 colours."""
    size = (sheet.shape[1] * cell // 256, sheet.shape[0] * cell // 256)
    small = Image.fromarray(sheet).resize(size, Image.Resampling.LANCZOS)
    small.quantize(palette=small.quantize(256), dither=Image.Dither.FLOYDSTEINBERG).save(file, optimize=True)


def main() -> None:
    """Draw the three sheets of the model card."""
    parser = argparse.ArgumentParser("python -m oscbend.tiny.sheets", description="Draw the contact sheets.")
    parser.add_argument("--weights", type=Path, default=folder())
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    drawing = Drawing(options.weights)
    save_small(samples_sheet(drawing), 104, options.out / "samples.png")
    save_small(steps_sheet(drawing), 128, options.out / "steps.png")
    save_small(bends_sheet(drawing), 144, options.out / "bends.png")


if __name__ == "__main__":
    main()
