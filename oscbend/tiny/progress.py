"""What every stretch of training shares: the learning rate, the running average, checkpoints, a log line."""

import math
import time
from collections.abc import Callable, Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from oscbend.tiny.settings import Course


def mixed() -> torch.autocast:
    """bfloat16 where the device multiplies it fast; other processors would be ten times slower with it."""
    device = torch.get_default_device().type
    fast = device != "cpu" or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device, torch.bfloat16, enabled=fast)


def processes() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is; the first one saves, draws and writes the log."""
    return dist.get_rank() if dist.is_initialized() else 0


def wait() -> None:
    """Wait until every process is here."""
    if processes() > 1:
        dist.barrier()


def in_one_vector(networks: Iterable[nn.Module]) -> tuple[Tensor, Tensor]:
    """Move the networks' parameters into one vector, their gradients into another, as views of them.

    Optimising, averaging and exchanging one vector is much faster on a CPU than doing so tensor by tensor.
    """
    parameters = [p for n in networks for p in n.parameters()]
    vector = torch.zeros(sum(p.numel() for p in parameters))
    vector.grad = gradient = torch.zeros_like(vector)
    offset = 0
    for p in parameters:
        layout = (p.size(), p.stride(), offset)
        view = torch.as_strided(vector, *layout)
        view.copy_(p.data)
        p.data = view
        p.grad = torch.as_strided(gradient, *layout)
        offset += p.numel()
    return vector, gradient


class Trainer:
    """AdamW with warm-up and cosine, a running average, and checkpoints that training resumes from.

    Args:
        networks: the networks to train, by name.
        course: steps, batch and learning rate.
        file: the checkpoint; read at once when it exists.
        save_every_s: seconds between checkpoints.
        decay: of the running average, per step.
    """

    def __init__(
        self,
        networks: dict[str, nn.Module],
        course: Course,
        file: Path,
        save_every_s: float,
        decay: float = 0.997,
    ) -> None:
        self.networks = networks
        self.course = course
        self.file = file
        self.save_every_s = save_every_s
        self.decay = decay
        self.step = 0
        self.average = {name: deepcopy(n).requires_grad_(False).eval() for name, n in networks.items()}
        self._vector, self._gradient = in_one_vector(networks.values())
        self._slow, _ = in_one_vector(self.average.values())
        self._optimiser = torch.optim.AdamW(
            [self._vector], lr=course.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True
        )
        self._saved_at = self._logged_at = time.monotonic()
        self._losses: dict[str, float] = {}
        if file.exists():
            self._restore(torch.load(file, weights_only=True, map_location=torch.get_default_device()))

    @property
    def batch(self) -> int:
        """What this process takes of a batch."""
        return max(1, self.course.batch // processes())

    def rate(self) -> float:
        """The learning rate of the current step."""
        warm = min(1.0, (self.step + 1) / max(1, self.course.warm_up))
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, self.step / self.course.steps)))
        return self.course.rate * warm * (0.02 + 0.98 * cosine)

    def update(self, losses: dict[str, Tensor]) -> None:
        """One step down the sum of the losses."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.rate()
        gradient = self._gradient
        gradient.zero_()
        sum(losses.values(), torch.zeros(())).backward()
        if processes() > 1:
            dist.all_reduce(gradient)
        # The mean over the processes, clipped to norm 1.
        gradient *= min(1.0 / processes(), 1.0 / (gradient.norm().item() + 1e-6))
        self._optimiser.step()
        self.step += 1
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        self._slow.lerp_(self._vector, 1 - decay)
        for name, loss in losses.items():
            self._losses[name] = 0.98 * self._losses.get(name, loss.item()) + 0.02 * loss.item()

    def run(self, losses_of: Callable[[], dict[str, Tensor]], look: Callable[[], None]) -> None:
        """Train to the end; `losses_of` gives the losses of a batch, `look` draws a sample sheet."""
        if self.step >= self.course.steps:
            return
        while self.step < self.course.steps:
            self.update(losses_of())
            if rank() == 0 and self.step % 50 == 0:
                now = time.monotonic()
                figures = " ".join(f"{k} {v:.4f}" for k, v in self._losses.items())
                pace = (now - self._logged_at) / 50
                print(f"{self.file.stem} {self.step}/{self.course.steps} {figures} {pace:.3f} s", flush=True)
                self._logged_at = now
            if rank() == 0 and time.monotonic() - self._saved_at > self.save_every_s:
                self.save()
                look()
        if rank() == 0:
            self.save()
            look()
        wait()  # the next stretch begins, in every process, with what this one saved

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state: dict[str, Any] = {
            "step": self.step,
            "optimiser": self._optimiser.state_dict(),
            "networks": {k: n.state_dict() for k, n in self.networks.items()},
            "average": {k: n.state_dict() for k, n in self.average.items()},
        }
        partial = self.file.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.file)
        self._saved_at = time.monotonic()

    def _restore(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self._optimiser.load_state_dict(state["optimiser"])
        for name in self.networks:
            self.networks[name].load_state_dict(state["networks"][name])
            self.average[name].load_state_dict(state["average"][name])


def load_average(file: Path, name: str, network: nn.Module) -> nn.Module:
    """The network with the running average of a checkpoint in it, in evaluation mode."""
    network.load_state_dict(torch.load(file, weights_only=True, map_location="cpu")["average"][name])
    return network.eval()
