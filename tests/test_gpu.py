"""On an NVIDIA card: the same pictures as on the CPU, and every operator in half precision.

Recordings and copies are in test_gpu_graphs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from oscbend.bends import OPERATORS, apply, check
from oscbend.errors import BadValue
from oscbend.frame import Armed, Structure, Values

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here"),
]

STRUCTURE = Structure(
    "m", 64, 64, steps=3, bends=(Armed("1", "rotate", "latent.1"), Armed("2", "add", "unet.mid.attn"))
)


def values() -> Values:
    return Values(
        prompts=((("an orb", 1.0),),),
        negative=("",),
        noise=(((46, 1.0),),),
        guidance=np.ones(1, np.float32),
        params=({"angle": np.array([0.7], np.float32)}, {"r": np.array([0.2], np.float32)}),
        weights=np.ones((2, 4, 1, 1), np.float32),
    )


@pytest.mark.parametrize(("dtype", "apart"), [(torch.float32, 2), (torch.float16, 16)])
@pytest.mark.parametrize("kind", ["sd1", "sd2", "sdxl", "tiny"])
def test_the_card_draws_what_the_processor_draws(
    kind: str, dtype: torch.dtype, apart: int, checkpoint: Callable[[str], Path]
) -> None:
    from oscbend.engine import Engine
    from oscbend.net.load import load

    drawn = []
    for device, precision in (("cpu", torch.float32), ("cuda", dtype)):
        engine = Engine(load(str(checkpoint(kind)), device=device, dtype=precision))
        drawn.append(engine.render(STRUCTURE, values()).pictures.astype(int))
    assert np.abs(drawn[0] - drawn[1]).max() <= apart


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_every_operator_runs_in_half_precision(name: str) -> None:
    x = torch.randn(2, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    try:
        check(name, {}, x.shape)
    except BadValue:
        pytest.skip(f"{name} cannot act on this shape")
    extra = {"field": torch.ones(2, 8)} if name == "steer" else {}
    on_card = {k: v.cuda().half() for k, v in extra.items()}
    here = apply(name, x, **extra)
    there = apply(name, x.cuda().half(), **on_card).float().cpu()
    assert there.shape == here.shape
    assert torch.isfinite(there).all()
    if name not in ("threshold", "gate", "expm"):  # these jump, or grow beyond what 16 bits hold
        torch.testing.assert_close(there, here, atol=0.05, rtol=0.05)
