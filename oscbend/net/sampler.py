"""The samplers, from a model's scheduler configuration to numbers that a step multiplies by.

Every sampler here predicts the clean latent x̂₀ from the state x and the network's output m, and goes
from there to the next state. For a given schedule both are linear, so that a whole step is

    x̂₀ = skip·x + out·m          (clamped, where the configuration says so)
    x′ = keep·x + clean·x̂₀ + push·m + fresh·noise

with six numbers known beforehand: `schedule` works them out, in double precision, in the terms of the
papers; `advance` applies them. No step looks at a tensor to decide anything.

`steps` is how many, or the indices that shall run of the sampler's own schedule of 50 steps (0 is pure
noise), as StreamDiffusion's `t_index_list`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from oscbend.errors import BadValue, UnknownName

LIST_STEPS = 50
"""Length of the schedule that a list of steps points into."""


@dataclass(frozen=True)
class Step:
    """One step: what the network is told, and the numbers of `advance`.

    Args:
        timestep: what the network is told.
        scale: what the state is multiplied by before the network sees it.
        sigma: noise that a picture gets before it starts here (times `signal`·picture).
        signal: what is left of the picture then.
        skip, out: x̂₀ from state and output.
        keep, clean, push, fresh: next state from state, x̂₀, output and noise.
    """

    timestep: float
    scale: float
    sigma: float
    signal: float
    skip: float
    out: float
    keep: float
    clean: float
    push: float
    fresh: float

    @property
    def state(self) -> float:
        """What the next state takes of the state, where x̂₀ is not clamped."""
        return self.keep + self.clean * self.skip

    @property
    def drive(self) -> float:
        """What the next state takes of the output, where x̂₀ is not clamped."""
        return self.push + self.clean * self.out


@dataclass(frozen=True)
class Abreast:
    """Steps side by side, one for each sample: the numbers of `Step` as columns, [B, 1, 1, 1], float32."""

    scale: Tensor
    skip: Tensor
    out: Tensor
    keep: Tensor
    clean: Tensor
    push: Tensor
    fresh: Tensor
    state: Tensor
    drive: Tensor

    @classmethod
    def of(cls, steps: Sequence[Step], device: torch.device) -> Abreast:
        """The numbers of some steps."""

        def column(name: str) -> Tensor:
            numbers = [getattr(step, name) for step in steps]
            return torch.tensor(numbers, dtype=torch.float32, device=device)[:, None, None, None]

        return cls(**{part.name: column(part.name) for part in fields(cls)})


@dataclass(frozen=True)
class Schedule:
    """All steps of a sampler.

    Args:
        steps: in the order in which they run.
        start_sigma: standard deviation of the noise that the first step starts from.
        clip: x̂₀ is clamped to ±clip; None where it is not.
        draws: True if every step draws noise (even one that it then multiplies by 0, so that the
            order of the draws is that of diffusers); False if none does.
        last_draws: whether the last step draws too.
    """

    steps: tuple[Step, ...]
    start_sigma: float
    clip: float | None
    draws: bool
    last_draws: bool

    def draw_of(self, step: int, start: int) -> int | None:
        """Which of a seed's draws `step` uses, counted from 0 after the one that the run starts from."""
        drawn = self.draws and (self.last_draws or step < len(self.steps) - 1)
        return step - start if drawn else None


def advance(
    x: Tensor, output: Tensor, noise: Tensor | None, step: Step | Abreast, clip: float | None
) -> Tensor:
    """The next state.

    Args:
        x: state, [B, C, H, W], float32.
        output: the network's, guided, [B, C, H, W], float32.
        noise: this step's draw, where the schedule has one.
        step: its numbers, the same for all samples or for each its own.
        clip: of the schedule.
    """
    if clip is None:
        nxt = step.state * x + step.drive * output
    else:
        clean = (step.skip * x + step.out * output).clamp(-clip, clip)
        nxt = step.keep * x + step.clean * clean + step.push * output
    return nxt if noise is None else nxt + step.fresh * noise


def start_for(strength: float, steps: int) -> int:
    """First step that runs in image-to-image: steps − int(steps·strength), as diffusers counts.

    The last step always runs, so that a fader can go down to 0 in a show; diffusers refuses that.

    Example:
        >>> start_for(0.5, 4), start_for(1.0, 4), start_for(0.0, 4)
        (2, 0, 3)
    """
    return steps - max(min(int(steps * strength), steps), 1)


def check_steps(steps: int | Sequence[int], trained: int = 1000) -> None:
    """Refuses steps that no schedule has.

    Args:
        steps: how many, or indices into the schedule of 50.
        trained: how many timesteps the model was trained on.

    Raises:
        BadValue: why not.
    """
    if isinstance(steps, int):
        if not 1 <= steps <= trained:
            raise BadValue(f"steps must be within 1…{trained}, got {steps}")
    elif not steps or list(steps) != sorted(set(steps)) or steps[0] < 0 or steps[-1] >= LIST_STEPS:
        raise BadValue(f"a list of steps must rise within 0…{LIST_STEPS - 1}, got {list(steps)}")


def schedule(sampler: str, steps: int | Sequence[int], config: Mapping[str, Any]) -> Schedule:
    """A sampler's numbers for a model.

    Args:
        sampler: `ddim`, `lcm`, `euler` or `turbo`.
        steps: how many, or indices into the schedule of 50.
        config: the model's scheduler configuration, as far as its file states it.

    Raises:
        UnknownName: no such sampler.
        BadValue: steps out of range, or indices that do not rise.
    """
    if sampler not in SAMPLERS:
        raise UnknownName("sampler", sampler, SAMPLERS)
    check_steps(steps, int(config.get("num_train_timesteps", 1000)))
    return SAMPLERS[sampler](steps, config)


def _ddim(steps: int | Sequence[int], config: Mapping[str, Any]) -> Schedule:
    """DDIM with η = 0: equation 12 of Song et al. 2020, arXiv:2010.02502."""
    config = _NOISE_DEFAULTS | {"clip_sample": True, "timestep_spacing": "leading"} | dict(config)
    alpha = _alphas(config)
    train = len(alpha)
    final = 1.0 if config.get("set_alpha_to_one", True) else alpha[0]
    times = _times(steps, config, whole=True)
    if isinstance(steps, int):
        following = [t - train // steps for t in times]
    else:
        following = [*times[1:], -1]
    made = []
    for t, after in zip(times, following, strict=True):
        a, a_next = alpha[int(t)], alpha[int(after)] if after >= 0 else final
        (skip, out), (eps_x, eps_m) = _prediction(config, a)
        along = math.sqrt(1 - a_next)
        made.append(
            Step(
                timestep=t,
                scale=1.0,
                sigma=math.sqrt(1 - a),
                signal=math.sqrt(a),
                skip=skip,
                out=out,
                keep=along * eps_x,
                clean=math.sqrt(a_next),
                push=along * eps_m,
                fresh=0.0,
            )
        )
    return Schedule(tuple(made), 1.0, _clip(config), draws=False, last_draws=False)


def _lcm(steps: int | Sequence[int], config: Mapping[str, Any]) -> Schedule:
    """Multistep consistency sampling: algorithm 2 of Luo et al. 2023, arXiv:2310.04378.

    c_skip and c_out are those of Song et al. 2023 with σ_data 0.5 and the timestep scaled by 10.
    """
    config = _NOISE_DEFAULTS | _LCM_DEFAULTS | dict(config)
    alpha = _alphas(config)
    original = int(config["original_inference_steps"])
    count = steps if isinstance(steps, int) else LIST_STEPS
    if count > original:
        raise BadValue(f"lcm: this model knows {original} steps, got {count}")
    apart = len(alpha) // original
    known = (np.arange(1, original + 1) * apart - 1)[::-1]
    times = known[np.floor(np.linspace(0, original, num=count, endpoint=False)).astype(int)]
    if not isinstance(steps, int):
        times = times[list(steps)]
    made = []
    for k, t in enumerate(times):
        a = alpha[t]
        a_next = alpha[times[k + 1]] if k + 1 < len(times) else 1.0
        scaled = float(t) * float(config["timestep_scaling"])
        c_skip = 0.25 / (scaled**2 + 0.25)
        c_out = scaled / math.sqrt(scaled**2 + 0.25)
        (skip, out), _ = _prediction(config, a)
        made.append(
            Step(
                timestep=float(t),
                scale=1.0,
                sigma=math.sqrt(1 - a),
                signal=math.sqrt(a),
                skip=skip,
                out=out,
                keep=math.sqrt(a_next) * c_skip,
                clean=math.sqrt(a_next) * c_out,
                push=0.0,
                fresh=math.sqrt(1 - a_next),
            )
        )
    return Schedule(tuple(made), 1.0, _clip(config), draws=True, last_draws=False)


def _euler(steps: int | Sequence[int], config: Mapping[str, Any]) -> Schedule:
    """Euler's method on dx/dσ = (x − x̂₀)/σ: algorithm 2 of Karras et al. 2022, arXiv:2206.00364, no churn."""
    config = _NOISE_DEFAULTS | {"timestep_spacing": "linspace"} | dict(config)
    times, sigmas = _sigmas(steps, config)
    made = []
    for t, sigma, after in zip(times, sigmas, sigmas[1:], strict=False):
        made.append(_sigma_step(config, t, sigma, after, fresh=0.0))
    return Schedule(tuple(made), _start_sigma(sigmas, config), None, draws=False, last_draws=False)


def _turbo(steps: int | Sequence[int], config: Mapping[str, Any]) -> Schedule:
    """Ancestral Euler with trailing timesteps, as adversarially distilled models are sampled.

    The split of the way down into σ_down and fresh noise σ_up is that of k-diffusion; trailing
    timesteps are those of Lin et al. 2023, arXiv:2305.08891, table 2; Sauer et al. 2023,
    arXiv:2311.17042, for one to four steps.
    """
    config = _NOISE_DEFAULTS | dict(config) | {"timestep_spacing": "trailing"}
    times, sigmas = _sigmas(steps, config)
    made = []
    for t, sigma, after in zip(times, sigmas, sigmas[1:], strict=False):
        up = math.sqrt(after**2 * (sigma**2 - after**2) / sigma**2)
        down = math.sqrt(max(after**2 - up**2, 0.0))
        made.append(_sigma_step(config, t, sigma, down, fresh=up))
    return Schedule(tuple(made), _start_sigma(sigmas, config), None, draws=True, last_draws=True)


SAMPLERS: Mapping[str, Callable[[int | Sequence[int], Mapping[str, Any]], Schedule]] = {
    "ddim": _ddim,
    "lcm": _lcm,
    "euler": _euler,
    "turbo": _turbo,
}

_NOISE_DEFAULTS: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.0001,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "prediction_type": "epsilon",
    "steps_offset": 0,
}
_LCM_DEFAULTS: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "original_inference_steps": LIST_STEPS,
    "timestep_scaling": 10.0,
    "clip_sample": False,
}


def _sigma_step(config: Mapping[str, Any], t: float, sigma: float, down: float, fresh: float) -> Step:
    """A step in x = x₀ + σ·noise; the network reads x/√(σ²+1)."""
    shrink = 1 / math.sqrt(sigma**2 + 1)
    kind = config["prediction_type"]
    if kind == "epsilon":
        skip, out = 1.0, -sigma
    elif kind == "v_prediction":
        skip, out = shrink**2, -sigma * shrink
    else:
        skip, out = 0.0, 1.0
    return Step(
        timestep=t,
        scale=shrink,
        sigma=sigma,
        signal=1.0,
        skip=skip,
        out=out,
        keep=down / sigma,
        clean=1 - down / sigma,
        push=0.0,
        fresh=fresh,
    )


def _prediction(config: Mapping[str, Any], a: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """x̂₀ and ε̂, each from (x, m), where x = √a·x₀ + √(1−a)·ε."""
    signal, noise = math.sqrt(a), math.sqrt(1 - a)
    kind = config["prediction_type"]
    if kind == "v_prediction":
        return (signal, -noise), (noise, signal)
    if kind == "sample":
        return (0.0, 1.0), (1 / noise, -signal / noise)
    if signal == 0:
        raise BadValue("a model that predicts noise cannot start from a schedule that ends in pure noise")
    return (1 / signal, -noise / signal), (0.0, 1.0)


def _sigmas(steps: int | Sequence[int], config: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Timesteps, and σ = √((1−ᾱ)/ᾱ) there, with 0 behind the last."""
    alpha = np.array(_alphas(config))
    if config.get("rescale_betas_zero_snr"):
        alpha[-1] = 2.0**-24  # else the first sigma is infinite; the value is that of diffusers
    times = _times(steps, config, whole=False)
    sigmas = np.interp(times, np.arange(len(alpha)), np.sqrt((1 - alpha) / alpha))
    return times, [*sigmas.tolist(), 0.0]


def _start_sigma(sigmas: Sequence[float], config: Mapping[str, Any]) -> float:
    top = max(sigmas)
    return top if config["timestep_spacing"] in ("linspace", "trailing") else math.sqrt(top**2 + 1)


def _times(steps: int | Sequence[int], config: Mapping[str, Any], whole: bool) -> list[float]:
    """Timesteps in the order in which they run: table 2 of arXiv:2305.08891.

    Args:
        steps: how many, or which of `LIST_STEPS`.
        config: with its spacing, offset and number of training steps.
        whole: True if the sampler rounds them.
    """
    train = int(config["num_train_timesteps"])
    count = steps if isinstance(steps, int) else LIST_STEPS
    spacing = config["timestep_spacing"]
    times: np.ndarray
    if spacing == "linspace":
        exact = np.linspace(0, train - 1, count)[::-1]
        times = exact.round() if whole else exact.astype(np.float32).astype(np.float64)
    elif spacing == "trailing":
        times = np.round(np.arange(train, 0, -train / count)) - 1
    else:
        times = np.arange(count)[::-1] * float(train // count) + int(config["steps_offset"])
    chosen = times if isinstance(steps, int) else times[list(steps)]
    return [float(t) for t in chosen]


def _clip(config: Mapping[str, Any]) -> float | None:
    return float(config.get("clip_sample_range", 1.0)) if config.get("clip_sample") else None


def _alphas(config: Mapping[str, Any]) -> list[float]:
    """ᾱ for every training step, worked out in float32 as the models were trained with."""
    count = int(config["num_train_timesteps"])
    lo, hi = float(config["beta_start"]), float(config["beta_end"])
    if config.get("trained_betas") is not None:
        betas = torch.tensor(config["trained_betas"], dtype=torch.float32)
    elif config["beta_schedule"] == "scaled_linear":
        betas = torch.linspace(lo**0.5, hi**0.5, count, dtype=torch.float32) ** 2
    elif config["beta_schedule"] == "squaredcos_cap_v2":
        betas = _cosine_betas(count)
    elif config["beta_schedule"] == "linear":
        betas = torch.linspace(lo, hi, count, dtype=torch.float32)
    else:
        raise BadValue(f"unknown beta schedule {config['beta_schedule']!r}")
    if config.get("rescale_betas_zero_snr"):
        betas = _zero_snr(betas)
    alpha: list[float] = torch.cumprod(1 - betas, dim=0).tolist()
    return alpha


def _cosine_betas(count: int) -> Tensor:
    """Nichol and Dhariwal 2021, arXiv:2102.09672, equation 17, with β at most 0.999."""
    bar = [math.cos((i / count + 0.008) / 1.008 * math.pi / 2) ** 2 for i in range(count + 1)]
    return torch.tensor([min(1 - b / a, 0.999) for a, b in pairwise(bar)])


def _zero_snr(betas: Tensor) -> Tensor:
    """β rescaled so that the last step holds no signal: algorithm 1 of arXiv:2305.08891."""
    root = torch.cumprod(1 - betas, dim=0).sqrt()
    first, last = root[0].clone(), root[-1].clone()
    bar = ((root - last) * (first / (first - last))) ** 2
    return 1 - torch.cat([bar[:1], bar[1:] / bar[:-1]])
