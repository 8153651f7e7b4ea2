"""The training pictures: painted once, kept on disk as one array beside their scenes."""

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np

from oscbend.tiny.painter import Scene, draw_scene, paint

CHUNK = 64  # pictures a worker paints before handing them back


def _paint_chunk(seeds: list[int], size: int) -> np.ndarray:
    return np.stack([paint(draw_scene(seed), size) for seed in seeds])


def paint_pictures(folder: Path, count: int, size: int, seed: int, workers: int = 2) -> None:
    """Paint the training pictures into `folder`: pictures.npy, uint8 [count, size, size, 3], and scenes.json.

    Picture i is that of scene `seed * 10**7 + i`, so that another seed paints other pictures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    seeds = [seed * 10**7 + i for i in range(count)]
    partial = folder / "pictures.partial.npy"
    pictures = np.lib.format.open_memmap(partial, "w+", np.uint8, (count, size, size, 3))
    chunks = [seeds[i : i + CHUNK] for i in range(0, count, CHUNK)]
    with ProcessPoolExecutor(workers) as pool:
        done = 0
        for painted in pool.map(_paint_chunk, chunks, [size] * len(chunks)):
            pictures[done : done + len(painted)] = painted
            done += len(painted)
    pictures.flush()
    (folder / "scenes.json").write_text(json.dumps([asdict(draw_scene(s)) for s in seeds]))
    partial.rename(folder / "pictures.npy")


def read_pictures(folder: Path) -> np.ndarray:
    """The painted pictures, uint8 [count, size, size, 3], read from disk as they are used."""
    return np.load(folder / "pictures.npy", mmap_mode="r")


def read_scenes(folder: Path) -> list[Scene]:
    """The scenes of the painted pictures, in the same order."""
    return [Scene(**s) for s in json.loads((folder / "scenes.json").read_text())]
