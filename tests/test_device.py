"""Frames on a device apart, as a graphics card is: here torch's `meta`, which computes shapes alone.

There, whatever looks into a tensor (`.item()`, a Python branch, `.cpu()`, a copy to numpy) is an error, and
so is a tensor that was left behind here. What goes across is counted.
"""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from drawing import structure, values
from frames import random_frame
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from oscbend import bends
from oscbend.engine import Engine
from oscbend.frame import Structure, Values
from oscbend.net.captured import Captured, InPlace, Shelf
from oscbend.net.network import Eager
from oscbend.net.tape import ReplayTape
from oscbend.net.text import Prompts
from oscbend.net.walk import Bends, Context

EngineOf = Callable[[str], Engine]
META = torch.device("meta")


class Past:
    """A mark that is always passed."""

    def query(self) -> bool:
        return True

    def synchronize(self) -> None:
        """Nothing to wait for."""


class MetaLane:
    """Copies to and from the device, of which nothing arrives."""

    def pinned(self, size: int, dtype: torch.dtype) -> Tensor:
        return torch.zeros(size, dtype=dtype)

    def upload(self, there: Tensor, here: Tensor) -> Past:
        there.copy_(here)
        return Past()

    def download(self, here: Tensor, there: Tensor) -> Past:
        assert there.device == META
        return Past()


class Crossings(TorchDispatchMode):
    """Notes who copies from here to the device."""

    def __init__(self) -> None:
        super().__init__()
        self.by: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        here = [a for a in args if isinstance(a, Tensor) and a.device.type == "cpu" and a.dim() > 0]
        if here and isinstance(made, Tensor) and made.device == META:
            frame, names = sys._getframe(1), []
            while frame is not None:
                names.append(frame.f_code.co_name)
                frame = frame.f_back  # type: ignore[assignment]
            self.by.append(next((n for n in names if n in ("sent", "upload")), " < ".join(names[:6])))
        return made


@pytest.fixture(scope="module")
def apart(engine_of: EngineOf) -> Callable[..., Engine]:
    """An engine whose model is on the device."""
    moved: dict[str, Any] = {}

    def engine(kind: str, recorded: bool = False) -> Engine:
        if kind not in moved:
            here = engine_of(kind).model
            prompts = Prompts(
                here.prompts.tokenizers,
                [copy.deepcopy(encoder).to(META) for encoder in here.prompts.encoders],
                dtype=here.dtype,
                zero_negative=here.prompts.zero_negative,
            )
            unet, vae = (copy.deepcopy(part).to(META) for part in (here.unet, here.vae))
            moved[kind] = replace(here, unet=unet, vae=vae, prompts=prompts, device=META)
            moved[kind].__dict__["lane"] = MetaLane()
        made = Engine(moved[kind])
        if recorded:
            made.network = Captured(moved[kind], Shelf(ReplayTape), InPlace())
        return made

    return engine


class Hollow(Eager):
    """A network that is nothing but its sites."""

    def unet(self, x: Tensor, context: Context, bends: Bends) -> Tensor:
        self._visit(("unet.", "skip."), len(x), x, bends)
        return torch.empty_like(x)

    def decode(self, latent: Tensor, bends: Bends) -> Tensor:
        self._visit(("vae.",), len(latent), latent, bends)
        image = latent.new_empty(len(latent), 3, 8 * latent.shape[2], 8 * latent.shape[3])
        bend = bends.get("image")
        return image if bend is None else bend(image)

    def _visit(self, kinds: tuple[str, ...], rows: int, like: Tensor, bends: Bends) -> None:
        for site in self.model.sites(8 * like.shape[3], 8 * like.shape[2], 1):
            bend = bends.get(site.name) if site.name.startswith(kinds) else None
            if bend is not None:
                x = like.new_empty(rows, *site.shape).contiguous(memory_format=self.model.memory_format)
                assert bend(x).shape == x.shape


def crossings(engine: Engine, s: Structure, v: Values) -> list[str]:
    engine.encode(*v.texts, "a red orb", "blue mesh, by night")
    with Crossings() as seen:
        assert engine.submit(s, v).result().pictures.shape == (s.batch, s.height, s.width, 4)
    return seen.by


@pytest.mark.parametrize("op", sorted(bends.OPERATORS))
def test_every_operator_stays_on_the_device(apart: Callable[..., Engine], op: str) -> None:
    engine = apart("tiny")
    engine.network = engine.eager = Hollow(engine.model)
    rng = random.Random(op)
    for _ in range(6):
        s, v = random_frame(engine, rng, op)
        assert set(crossings(engine, s, v)) <= {"sent", "upload"}
        moving = any(armed.op == "noise" for armed in s.bends)
        assert moving or crossings(engine, s, v) == ["upload"], "the same again: nothing but its numbers"


@pytest.mark.parametrize(("kind", "recorded"), [("sdxl", False), ("lcm", False), ("sd1", True)])
def test_only_its_numbers_go_to_the_device_for_a_frame(
    apart: Callable[..., Engine], kind: str, recorded: bool
) -> None:
    engine = apart(kind, recorded)
    s = structure(("add", "unet.in"), guided=True, steps=1)
    assert set(crossings(engine, s, values(s, ({"r": 1.0},)))) == {"sent", "upload"}
    assert crossings(engine, s, values(s, ({"r": 2.0},), weight=0.5)) == ["upload"]
    other_noise = values(s, ({"r": 2.0},), noise=(((3, 0.6), (99, 0.8)),))
    assert crossings(engine, s, other_noise) == ["upload", "sent"], "and the noise of a seed not met before"
    blended = values(s, ({"r": 2.0},), prompts=((("a red orb", 0.5), ("blue mesh, by night", 0.5)),))
    assert crossings(engine, s, blended) == ["upload"]


@pytest.mark.parametrize("kind", ["tiny", "sd1"])
def test_a_picture_to_start_from_goes_to_the_device_without_waiting(
    apart: Callable[..., Engine], kind: str
) -> None:
    engine = apart(kind)
    s = structure(steps=4, start=3)
    v = values(s, init=np.zeros((1, 64, 64, 4), np.uint8))
    crossings(engine, s, v)
    assert sorted(crossings(engine, s, v)) == ["sent", "upload"]


def test_looking_into_a_tensor_would_be_noticed(apart: Callable[..., Engine]) -> None:
    class Nosy:
        def get(self, site: str, /) -> Any:
            return lambda x: x * 2 if x.max() > 0 else x

    engine = apart("tiny")
    with pytest.raises(RuntimeError, match="meta"):
        engine.eager.decode(torch.zeros(1, 4, 8, 8, device=META), Nosy())
