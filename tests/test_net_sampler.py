from __future__ import annotations

import math
from typing import Any

import checkpoints
import diffusers
import pytest
import torch
from drawing import DIFFUSERS
from torch import Tensor

from oscbend.errors import BadValue, UnknownName
from oscbend.net.load import stated
from oscbend.net.sampler import LIST_STEPS, SAMPLERS, Abreast, Schedule, advance, schedule, start_for

SHAPE = (1, 4, 8, 8)


def theirs(sampler: str, config: Any) -> Any:
    extra = {"timestep_spacing": "trailing"} if sampler == "turbo" else {}
    return getattr(diffusers, DIFFUSERS[sampler]).from_config(config, **extra)


def network(x: Tensor) -> Tensor:
    """Something that answers to its input as a network would."""
    return torch.tanh(1.3 * x) + 0.1 * x.roll(1, -1)


def run(made: Schedule, start: int = 0, init: Tensor | None = None) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(SHAPE, generator=generator) * made.start_sigma
    if init is not None:
        first = made.steps[start]
        x = first.signal * init + first.sigma * x / made.start_sigma
    for k, step in list(enumerate(made.steps))[start:]:
        draws = made.draw_of(k, start) is not None
        noise = torch.randn(SHAPE, generator=generator) if draws else None
        x = advance(x, network(x * step.scale), noise, step, made.clip)
    return x


def run_theirs(reference: Any, start: int = 0, init: Tensor | None = None) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(SHAPE, generator=generator)
    reference.set_begin_index(start) if hasattr(reference, "set_begin_index") else None
    times = reference.timesteps[start:]
    x = x * reference.init_noise_sigma if init is None else reference.add_noise(init, x, times[:1])
    extra = {} if isinstance(reference, diffusers.DDIMScheduler) else {"generator": generator}
    for t in times:
        output = network(reference.scale_model_input(x, t))
        x = reference.step(output, t, x, **extra).prev_sample
    return x


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 50])
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("kind", checkpoints.SCHEDULERS)
def test_a_run_ends_where_diffusers_ends(kind: str, sampler: str, steps: int) -> None:
    config = checkpoints.SCHEDULERS[kind]().config
    reference = theirs(sampler, config)
    reference.set_timesteps(steps)
    made = schedule(sampler, steps, stated(config))
    assert [s.timestep for s in made.steps] == pytest.approx(reference.timesteps.tolist(), abs=1e-3)
    assert made.start_sigma == pytest.approx(float(reference.init_noise_sigma), rel=1e-6)
    torch.testing.assert_close(run(made), run_theirs(reference), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("kind", ["sd1", "sd2", "tiny"])
def test_a_run_from_a_picture_ends_where_diffusers_ends(kind: str, sampler: str) -> None:
    config = checkpoints.SCHEDULERS[kind]().config
    reference = theirs(sampler, config)
    reference.set_timesteps(4)
    init = torch.randn(SHAPE, generator=torch.Generator().manual_seed(5))
    mine = run(schedule(sampler, 4, stated(config)), 2, init)
    torch.testing.assert_close(mine, run_theirs(reference, 2, init), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_every_kind_of_prediction(sampler: str, prediction: str) -> None:
    if (sampler, prediction) == ("turbo", "sample"):
        pytest.skip("diffusers has none to compare with")
    config = diffusers.DDIMScheduler(prediction_type=prediction, **checkpoints.BETAS).config
    reference = theirs(sampler, config)
    reference.set_timesteps(5)
    torch.testing.assert_close(
        run(schedule(sampler, 5, stated(config))), run_theirs(reference), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("spacing", ["leading", "linspace", "trailing"])
@pytest.mark.parametrize("sampler", ["ddim", "euler"])
@pytest.mark.parametrize("betas", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_every_spacing_and_noise_schedule(sampler: str, spacing: str, betas: str) -> None:
    config = diffusers.DDIMScheduler(
        beta_schedule=betas, timestep_spacing=spacing, clip_sample=True, clip_sample_range=2.0
    ).config
    reference = theirs(sampler, config)
    reference.set_timesteps(6)
    torch.testing.assert_close(
        run(schedule(sampler, 6, stated(config))), run_theirs(reference), atol=2e-3, rtol=1e-3
    )


@pytest.mark.parametrize("sampler", ["lcm", "euler"])
def test_a_list_of_steps_picks_from_fifty(sampler: str) -> None:
    config = checkpoints.SCHEDULERS["lcm"]().config
    every = theirs(sampler, config)
    every.set_timesteps(LIST_STEPS)
    reference = theirs(sampler, config)
    reference.set_timesteps(timesteps=every.timesteps[[0, 16, 32, 45]].tolist())
    made = schedule(sampler, (0, 16, 32, 45), stated(config))
    torch.testing.assert_close(run(made), run_theirs(reference), atol=1e-3, rtol=1e-4)


def test_a_list_of_all_fifty_is_the_schedule_of_fifty() -> None:
    config = stated(checkpoints.SCHEDULERS["tiny"]().config)
    for sampler in ("lcm", "euler", "turbo"):
        assert schedule(sampler, tuple(range(50)), config) == schedule(sampler, 50, config)


@pytest.mark.parametrize("steps", [0, -1, 1001, (), (3, 3), (4, 2), (0, 50), (-1, 3)])
def test_steps_that_cannot_be_are_refused(steps: Any) -> None:
    with pytest.raises(BadValue):
        schedule("ddim", steps, {})


def test_an_lcm_refuses_more_steps_than_it_knows() -> None:
    with pytest.raises(BadValue, match="50"):
        schedule("lcm", 51, {})


def test_an_unknown_sampler_is_refused() -> None:
    with pytest.raises(UnknownName, match="euler"):
        schedule("eular", 4, {})


def test_no_number_of_a_schedule_is_infinite() -> None:
    config = stated(checkpoints.SCHEDULERS["tiny"]().config)
    for sampler in SAMPLERS:
        for step in schedule(sampler, 4, config).steps:
            assert all(math.isfinite(n) for n in vars(step).values())


@pytest.mark.parametrize(("strength", "start"), [(1.0, 0), (0.75, 1), (0.5, 2), (0.3, 3)])
def test_strength_counts_as_in_diffusers(strength: float, start: int) -> None:
    assert start_for(strength, 4) == start


@pytest.mark.parametrize("strength", [0.0, 0.2])
def test_with_the_least_strength_the_last_step_runs(strength: float) -> None:
    assert start_for(strength, 4) == 3
    assert start_for(strength, 1) == 0


@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_steps_side_by_side_are_the_steps_one_by_one(sampler: str, clip: float | None) -> None:
    steps = schedule(sampler, 4, checkpoints.SCHEDULERS["sd1"]().config).steps
    generator = torch.Generator().manual_seed(1)
    x, output, noise = (torch.randn((4, 4, 8, 8), generator=generator) for _ in range(3))
    alone = [advance(x[k : k + 1], output[k : k + 1], noise[k : k + 1], s, clip) for k, s in enumerate(steps)]
    together = advance(x, output, noise, Abreast.of(steps, torch.device("cpu")), clip)
    assert torch.equal(together, torch.cat(alone))
