"""Few steps without guidance: the teacher's guided many-step path, learnt by the same network.

Two stretches. `fold`: the student predicts at once what classifier-free guidance would have made of two
predictions (Meng et al., "On distillation of guided diffusion models", 2023, at one fixed guidance). `leap`:
the student predicts the straight line from a noisy latent to where several steps of the folded network lead
over half of the schedule (Salimans & Ho, 2022, with leaps of one length, so that one network serves every
step count). Half of its noisy latents are those it meets itself, in chains of its own few-step sampling; the
other half are noised training latents, so that it may also start from a picture. Nothing is random but the
noise, so neighbouring noise keeps giving neighbouring pictures.
"""

import numpy as np
import torch
from torch import Tensor, nn

from oscbend.tiny.diffusion import TRAIN_STEPS, Captions, Schedule, Velocity, guided, trailing
from oscbend.tiny.progress import mixed

LEAP = TRAIN_STEPS // 2  # timesteps that a target looks ahead
SUBSTEPS = 3  # the teacher's steps within a leap
FIRST = 20  # below this timestep v magnifies every error
CHAIN_STEPS, CHAIN_SHARES = (1, 2, 3, 4, 6, 8), (0.05, 0.35, 0.1, 0.3, 0.1, 0.1)


def leap_target(teacher: Velocity, schedule: Schedule, z: Tensor, t: Tensor) -> Tensor:
    """The v [B, 4, h, w] whose single step from t to t - LEAP lands where the teacher's steps lead."""
    end = (t - LEAP).clamp(min=-1)
    here, at = z, t
    for k in range(1, SUBSTEPS + 1):
        to = t + ((end - t) * k / SUBSTEPS).round().long()
        here = schedule.step(here, teacher(here, at), at, to)
        at = to
    alpha, sigma = schedule.at(t)
    alpha_end, sigma_end = schedule.at(end)
    ratio = sigma_end / sigma
    x = (here - ratio * z) / (alpha_end - ratio * alpha)
    return (alpha * z - x) / sigma


class Chains:
    """Latents on the student's own way from noise to picture, each in its own number of steps.

    Args:
        count: how many latents are on their way at once.
        side: cells of a latent's side.
        captions: how many captions there are to choose from.
    """

    def __init__(self, count: int, side: int, captions: int, rng: np.random.Generator) -> None:
        self._rng = rng
        self._captions = captions
        self.z = torch.randn(count, 4, side, side)
        self._times = [self._new_times() for _ in range(count)]
        self.caption = rng.integers(captions, size=count)

    def _new_times(self) -> list[int]:
        return trailing(int(self._rng.choice(CHAIN_STEPS, p=CHAIN_SHARES)))

    def now(self) -> Tensor:
        """The timestep [count] of each latent."""
        return torch.tensor([times[0] for times in self._times])

    def advance(self, schedule: Schedule, v: Tensor) -> None:
        """Move each latent one step by v [count, 4, h, w]; begin anew where one is finished."""
        to = torch.tensor([times[1] for times in self._times])
        self.z = schedule.step(self.z, v, self.now(), to)
        for i, times in enumerate(self._times):
            times.pop(0)
            if times == [-1]:
                self._times[i] = self._new_times()
                self.z[i] = torch.randn_like(self.z[i])
                self.caption[i] = self._rng.integers(self._captions)


class Distiller:
    """What both stretches need: frozen teacher and text encoder, the student, the training latents."""

    def __init__(
        self,
        text_encoder: nn.Module,
        teacher: nn.Module,
        student: nn.Module,
        captions: Captions,
        latents: Tensor,
        rng: np.random.Generator,
    ) -> None:
        self.text_encoder, self.teacher, self.student = text_encoder, teacher, student
        self.captions, self.latents, self.rng = captions, latents, rng
        self.schedule = Schedule()
        self.chains: Chains | None = None

    def _noised(self, batch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Noised training latents, their timesteps and their tokens."""
        i = self.rng.integers(len(self.latents), size=batch)
        x = self.latents[i].float()
        x = torch.where(torch.tensor(self.rng.random(batch) < 0.5)[:, None, None, None], x.flip(3), x)
        t = torch.tensor(self.rng.integers(FIRST, TRAIN_STEPS, size=batch))
        return self.schedule.add_noise(x, torch.randn_like(x), t), t, self.captions.varied(i, self.rng, 0.05)

    def _student_loss(self, z: Tensor, t: Tensor, text: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        z = z.contiguous(memory_format=torch.channels_last)
        with mixed():
            v = self.student(z, t, text, return_dict=False)[0].float()
        return (v - target).square().mean(), v.detach()

    def fold_losses(self, batch: int, guidance: float) -> dict[str, Tensor]:
        """The student's prediction against the teacher's guided one."""
        z, t, tokens = self._noised(batch)
        with torch.no_grad(), mixed():
            text, empty = (self.text_encoder(k)[0] for k in (tokens, self.captions.empty(batch)))
            target = guided(self.teacher, text, empty, guidance)(z, t)
        return {"v": self._student_loss(z, t, text, target)[0]}

    def leap_losses(self, batch: int) -> dict[str, Tensor]:
        """The student's prediction against the line to where the teacher gets, on own and noised latents."""
        own = batch // 2
        if self.chains is None:
            self.chains = Chains(own, self.latents.shape[-1], len(self.latents), self.rng)
        z, t, tokens = self._noised(batch - own)
        z, t = torch.cat([self.chains.z, z]), torch.cat([self.chains.now(), t])
        tokens = torch.cat([self.captions.plain(self.chains.caption), tokens])
        with torch.no_grad(), mixed():
            text = self.text_encoder(tokens)[0]
            target = leap_target(guided(self.teacher, text, text, 1), self.schedule, z, t)
        loss, v = self._student_loss(z, t, text, target)
        self.chains.advance(self.schedule, v[:own])
        return {"v": loss}
