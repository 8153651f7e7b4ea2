"""Structures and values in few words, and diffusers' picture for the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from PIL import Image

from oscbend.frame import Armed, Structure, Values

DIFFUSERS = {
    "ddim": "DDIMScheduler",
    "lcm": "LCMScheduler",
    "euler": "EulerDiscreteScheduler",
    "turbo": "EulerAncestralDiscreteScheduler",
}
PROMPTS = ("a red orb", "blue mesh, by night")


def structure(*bends: tuple[Any, ...], **changes: Any) -> Structure:
    """A small structure; each bend is (op, site) or (op, site, select) or (op, site, select, options)."""
    armed = tuple(
        Armed(f"b{i}", op, site, tuple(sorted(rest[1].items())) if len(rest) > 1 else (), *rest[:1])
        for i, (op, site, *rest) in enumerate(bends)
    )
    settings: dict[str, Any] = {"model": "m", "width": 64, "height": 64, "steps": 3, "bends": armed}
    return Structure(**(settings | changes))


def values(
    s: Structure, params: tuple[dict[str, Any], ...] = (), weight: Any = 1.0, **changes: Any
) -> Values:
    """Values for a structure: one seed and prompt for each sample, every bend at the same weight."""
    ones = np.ones(s.batch, np.float32)
    shape = (len(s.bends), s.step_count + 1, 2 if s.guided else 1, s.batch)
    settings: dict[str, Any] = {
        "prompts": tuple(((PROMPTS[i % 2], 1.0),) for i in range(s.batch)),
        "negative": ("",) * s.batch,
        "noise": tuple(((3 + i, 1.0),) for i in range(s.batch)),
        "guidance": 3 * ones,
        "params": tuple({k: _repeated(v, s.batch) for k, v in p.items()} for p in params),
        "weights": np.broadcast_to(np.asarray(weight, np.float32), shape).copy(),
        "ticks": np.arange(s.batch),
    }
    return Values(**(settings | changes))


def reference(
    folder: Path,
    s: Structure,
    v: Values,
    strength: float | None = None,
    prepare: Callable[[Any], object] = lambda pipe: None,
) -> np.ndarray:
    """What diffusers' own pipeline draws, uint8 [B, H, W, 3]; `prepare` may change the pipeline first."""
    load = diffusers.AutoPipelineForText2Image if strength is None else diffusers.AutoPipelineForImage2Image
    pipe = load.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    changes = {"timestep_spacing": "trailing"} if s.sampler == "turbo" else {}
    pipe.scheduler = getattr(diffusers, DIFFUSERS[s.sampler]).from_config(pipe.scheduler.config, **changes)
    prepare(pipe)
    embedded = pipe.unet.config.time_cond_proj_dim is not None
    settings: dict[str, Any] = {
        "prompt": [blend[0][0] for blend in v.prompts],
        "generator": [torch.Generator().manual_seed(mix[0][0]) for mix in v.noise],
        "num_inference_steps": s.step_count,
        "guidance_scale": float(v.guidance[0]) if s.guided or embedded else 1.0,
        "output_type": "np",
    }
    if any(v.negative):
        settings["negative_prompt"] = list(v.negative)
    if strength is None:
        settings |= {"width": s.width, "height": s.height}
    else:
        assert v.init is not None
        settings |= {"image": [Image.fromarray(p[..., :3]) for p in v.init], "strength": strength}
    return (pipe(**settings).images * 255).round().astype(np.uint8)


def furthest(a: np.ndarray, b: np.ndarray) -> int:
    """Largest difference of two byte pictures anywhere."""
    return int(np.abs(a[..., :3].astype(int) - b[..., :3].astype(int)).max())


def _repeated(value: Any, batch: int) -> np.ndarray:
    return np.stack([np.asarray(value, np.float32)] * batch)
