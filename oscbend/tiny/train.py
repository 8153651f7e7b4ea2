"""From nothing to the shipped weights: `python -m oscbend.tiny.train --seed 0 --out DIR`.

Seven stages, each skipped when its result is there, each resumed from its checkpoint:

    paint         pictures and captions, by `oscbend.tiny.painter`
    autoencoder   `autoencoder`: pictures to small pictures and back
    latents       the pictures, encoded
    unet          `diffusion`: text encoder and U-Net, first on half-size pictures, then on whole ones
    distil        `distil`: guidance into the network, then many steps into few
    polish        `autoencoder`: its decoder alone, for longer
    export        `export`: a diffusers folder of half floats
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing
from diffusers import AutoencoderTiny, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from oscbend.tiny import data
from oscbend.tiny.autoencoder import (
    autoencoder_losses,
    encode_all,
    make_autoencoder,
    polish_losses,
    random_crops,
    scale_of,
)
from oscbend.tiny.diffusion import Captions, Schedule, diffusion_losses, make_text_encoder, make_unet
from oscbend.tiny.distil import Distiller
from oscbend.tiny.export import export
from oscbend.tiny.painter import vocabulary
from oscbend.tiny.progress import Trainer, load_average, processes, rank, wait
from oscbend.tiny.settings import HARD, HARD_SUBJECTS, Course, Recipe
from oscbend.tiny.sheets import autoencoder_sheet, sample_sheet
from oscbend.tiny.tokenizer import write_tokenizer

CHECKPOINTS = (
    "start.pt",
    "unet-small.pt",
    "unet-full.pt",
    "distil-fold.pt",
    "distil-leap.pt",
)  # each begins where the last ended


def _tokenizer(recipe: Recipe, work: Path) -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(work / "tokenizer", model_max_length=recipe.shape.text_length)


def _latest(work: Path, name: str, network: nn.Module, before: str = "") -> nn.Module:
    """The network as the last checkpoint that holds it left it; of those ahead of `before`, if given."""
    names = CHECKPOINTS[: CHECKPOINTS.index(before)] if before else CHECKPOINTS
    for file in (work / n for n in reversed(names)):
        if (
            file.exists()
            and name in torch.load(file, weights_only=True, map_location="cpu", mmap=True)["average"]
        ):
            return load_average(file, name, network)
    raise FileNotFoundError(f"{work} holds no trained {name}: run the stages ahead of this one")


def _vae(recipe: Recipe, work: Path) -> AutoencoderTiny:
    """The autoencoder as it is so far."""
    vae = load_average(work / "autoencoder.pt", "vae", make_autoencoder(recipe.shape))
    if (work / "polish.pt").exists():
        load_average(work / "polish.pt", "decoder", cast(nn.Module, vae.decoder))
    return vae


def _rng(recipe: Recipe, trainer: Trainer) -> np.random.Generator:
    """Random numbers for a stretch of training, seeded with the step it starts or resumes at."""
    torch.manual_seed((recipe.seed * 1_000_003 + trainer.step) * 64 + rank())
    return np.random.default_rng((recipe.seed, trainer.step, rank()))


def begin_from(weights: Path, work: Path) -> None:
    """Checkpoints in `work` as if training had led to these exported weights, half-size pictures done.

    What is left then is the U-Net on whole pictures and its distillation; the autoencoder stays.
    """
    work.mkdir(parents=True, exist_ok=True)
    text_encoder = CLIPTextModel.from_pretrained(weights / "text_encoder", dtype=torch.float32)
    unet = UNet2DConditionModel.from_pretrained(weights / "unet", torch_dtype=torch.float32)
    vae = AutoencoderTiny.from_pretrained(weights / "vae", torch_dtype=torch.float32)
    for file, networks in (
        ("autoencoder.pt", {"vae": vae}),
        ("start.pt", {"text_encoder": text_encoder, "unet": unet}),
    ):
        torch.save({"average": {k: n.state_dict() for k, n in networks.items()}}, work / file)


def paint(recipe: Recipe, work: Path) -> None:
    """Paint the training pictures."""
    if not (work / "pictures.npy").exists():
        data.paint_pictures(work, recipe.pictures, recipe.shape.picture, recipe.seed, recipe.workers)


def train_autoencoder(recipe: Recipe, work: Path) -> None:
    """Train the autoencoder on crops of the painted pictures."""
    pictures = data.read_pictures(work)
    scale = scale_of(pictures, work / "colours.json")
    print(f"colour scale {scale}", flush=True)
    torch.manual_seed(recipe.seed)
    vae = make_autoencoder(recipe.shape)
    trainer = Trainer({"vae": vae}, recipe.autoencoder, work / "autoencoder.pt", recipe.save_every_s)
    rng = _rng(recipe, trainer)

    def losses() -> dict[str, Tensor]:
        return autoencoder_losses(vae, random_crops(pictures, rng, trainer.batch, recipe.crop), scale, rng)

    def look() -> None:
        autoencoder_sheet(trainer.average["vae"], pictures, work / "samples" / "autoencoder.png")

    trainer.run(losses, look)


def polish(recipe: Recipe, work: Path) -> None:
    """Train the decoder alone for longer, on the latents as they are."""
    pictures = data.read_pictures(work)
    scale = scale_of(pictures, work / "colours.json")
    vae = load_average(work / "autoencoder.pt", "vae", make_autoencoder(recipe.shape))
    vae.encoder.requires_grad_(False)
    decoder = {"decoder": cast(nn.Module, vae.decoder)}
    trainer = Trainer(decoder, recipe.polish, work / "polish.pt", recipe.save_every_s)
    rng = _rng(recipe, trainer)

    def losses() -> dict[str, Tensor]:
        return polish_losses(vae, random_crops(pictures, rng, trainer.batch, recipe.crop), scale, rng)

    def look() -> None:
        autoencoder_sheet(_vae(recipe, work), pictures, work / "samples" / "polish.png")

    trainer.run(losses, look)


def encode_latents(recipe: Recipe, work: Path) -> None:
    """Encode the painted pictures at half and at full size, each process its share; make the tokenizer."""
    if rank() == 0:
        write_tokenizer(work / "tokenizer", vocabulary(), recipe.shape.text_length)
    wait()
    vae = _vae(recipe, work)
    pictures = data.read_pictures(work)[: recipe.pictures]
    shares = np.array_split(np.arange(len(pictures)), processes())
    for name, halve in (("latents-small", True), ("latents", False)):
        whole = work / f"{name}.pt"
        if whole.exists():
            continue
        parts = [work / f"{name}.{k}.part" for k in range(processes())]
        mine = shares[rank()]
        torch.save(encode_all(vae, pictures[mine[0] : mine[-1] + 1], halve), parts[rank()])
        wait()
        if rank() == 0:
            torch.save(
                torch.cat([torch.load(p, weights_only=True, map_location="cpu") for p in parts]), whole
            )
            for part in parts:
                part.unlink()
        wait()


def _sampler(recipe: Recipe, work: Path, trainer: Trainer, guidance: float, name: str) -> Callable[[], None]:
    """What draws the sample sheet of a stretch of U-Net training."""
    tokenizer = _tokenizer(recipe, work)
    vae = _vae(recipe, work)
    text_encoder = trainer.average.get("text_encoder")
    if text_encoder is None:
        text_encoder = _latest(work, "text_encoder", make_text_encoder(recipe.shape, tokenizer))
    side = recipe.shape.latent // (2 if name == "unet-small" else 1)

    def look() -> None:
        file = work / "samples" / f"{name}-{trainer.step:05d}.png"
        sample_sheet(tokenizer, text_encoder, trainer.average["unet"], vae, side, guidance, file)

    return look


def train_unet(recipe: Recipe, work: Path) -> None:
    """Train text encoder and U-Net together, on half-size pictures, then on whole ones."""
    tokenizer = _tokenizer(recipe, work)
    scenes = data.read_scenes(work)
    captions = Captions(tokenizer, [s.caption for s in scenes], recipe.shape.text_length)
    shares = np.array([HARD if s.subject in HARD_SUBJECTS else 1.0 for s in scenes])
    shares /= shares.sum()
    schedule = Schedule()
    stretches: tuple[tuple[str, str, Course], ...] = (
        ("unet-small", "latents-small.pt", recipe.small),
        ("unet-full", "latents.pt", recipe.full),
    )
    if (work / "start.pt").exists():
        stretches = stretches[1:]
    for name, file, course in stretches:
        torch.manual_seed(recipe.seed)
        networks = {
            "text_encoder": make_text_encoder(recipe.shape, tokenizer),
            "unet": make_unet(recipe.shape),
        }
        if name != "unet-small":
            networks = {k: _latest(work, k, n, f"{name}.pt").train() for k, n in networks.items()}
        trainer = Trainer(networks, course, work / f"{name}.pt", recipe.save_every_s)
        latents = torch.load(work / file, weights_only=True, map_location=torch.get_default_device())
        rng = _rng(recipe, trainer)

        def losses(
            networks: dict = networks,
            latents: Tensor = latents,
            batch: int = trainer.batch,
            rng: np.random.Generator = rng,
        ) -> dict[str, Tensor]:
            i = rng.choice(len(latents), size=batch, p=shares)
            return diffusion_losses(
                networks["text_encoder"],
                networks["unet"],
                schedule,
                latents[i].float(),
                captions.varied(i, rng),
                rng,
            )

        trainer.run(losses, _sampler(recipe, work, trainer, recipe.guidance, name))


def distil(recipe: Recipe, work: Path) -> None:
    """Distil guidance, then steps."""
    tokenizer = _tokenizer(recipe, work)
    captions = Captions(tokenizer, [s.caption for s in data.read_scenes(work)], recipe.shape.text_length)
    latents = torch.load(work / "latents.pt", weights_only=True, map_location=torch.get_default_device())
    text_encoder = _latest(work, "text_encoder", make_text_encoder(recipe.shape, tokenizer))
    for name, course in (("distil-fold", recipe.fold), ("distil-leap", recipe.leap)):
        teacher, student = (_latest(work, "unet", make_unet(recipe.shape), f"{name}.pt") for _ in range(2))
        trainer = Trainer(
            {"unet": student.train()}, course, work / f"{name}.pt", recipe.save_every_s, decay=0.99
        )
        distiller = Distiller(text_encoder, teacher, student, captions, latents, _rng(recipe, trainer))

        def losses(
            name: str = name, distiller: Distiller = distiller, batch: int = trainer.batch
        ) -> dict[str, Tensor]:
            if name == "distil-fold":
                return distiller.fold_losses(batch, recipe.guidance)
            return distiller.leap_losses(batch)

        trainer.run(losses, _sampler(recipe, work, trainer, 1.0, name))


def export_weights(recipe: Recipe, work: Path, out: Path) -> None:
    """Export the latest networks."""
    tokenizer = _tokenizer(recipe, work)
    size = export(
        out,
        vocabulary(),
        recipe.shape.text_length,
        _latest(work, "text_encoder", make_text_encoder(recipe.shape, tokenizer)),
        _latest(work, "unet", make_unet(recipe.shape)),
        _vae(recipe, work),
    )
    print(f"{out}: {size / 1e6:.1f} MB", flush=True)


STAGES: dict[str, Callable[[Recipe, Path], None]] = {
    "paint": paint,
    "autoencoder": train_autoencoder,
    "latents": encode_latents,
    "unet": train_unet,
    "distil": distil,
    "polish": polish,
}
TOGETHER = (
    "autoencoder",
    "latents",
    "unet",
    "distil",
    "polish",
)  # stages that all processes work on; the others are the first one's


def build(recipe: Recipe, work: Path, out: Path, stages: Sequence[str] = (*STAGES, "export")) -> None:
    """Run the stages in order, keeping what they make in `work`; the weights go to `out`."""
    (work / "samples").mkdir(parents=True, exist_ok=True)
    for stage in stages:
        if rank() == 0 or stage in TOGETHER:
            if stage == "export":
                export_weights(recipe, work, out)
            else:
                STAGES[stage](recipe, work)
        wait()


def _work(
    number: int,
    rendezvous: str,
    device: str,
    recipe: Recipe,
    work: Path,
    out: Path,
    stages: Sequence[str],
) -> None:
    """One process of several, of one thread: a busy machine slows that less than loops shared by threads."""
    torch.set_num_threads(1)
    torch.set_default_device(device)
    dist.init_process_group("gloo", init_method=rendezvous, rank=number, world_size=recipe.workers)
    build(recipe, work, out, stages)
    dist.destroy_process_group()


def main() -> None:
    """Read the command line and build."""
    weights = Path(__file__).parent / "weights"
    parser = argparse.ArgumentParser("python -m oscbend.tiny.train", description="Train the built-in model.")
    parser.add_argument("--seed", type=int, default=0, help="seed of the pictures and of the training")
    parser.add_argument("--out", type=Path, default=weights, help="where the weights go")
    parser.add_argument("--work", type=Path, default=Path(".train"), help="where checkpoints are kept")
    parser.add_argument("--stage", choices=(*STAGES, "export"), help="run this stage only")
    parser.add_argument("--from", dest="start", type=Path, help="go on from these weights (a new --work)")
    parser.add_argument("--workers", type=int, default=Recipe.workers, help="processes that train together")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda (which wants --workers 1)")
    options = parser.parse_args()
    recipe = replace(Recipe(), seed=options.seed, workers=options.workers)
    stages = (options.stage,) if options.stage else (*STAGES, "export")
    if options.start:
        begin_from(options.start, options.work)
        stages = tuple(s for s in stages if s not in ("autoencoder", "polish"))
    with tempfile.TemporaryDirectory() as folder:
        rendezvous = f"file://{folder}/rendezvous"
        arguments = (rendezvous, options.device, recipe, options.work, options.out, stages)
        torch.multiprocessing.spawn(_work, arguments, nprocs=recipe.workers)


if __name__ == "__main__":
    main()
