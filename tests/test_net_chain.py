"""Bends at one site, joined and as cheap as can be, against the same bends one by one."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from bends_cases import draw
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from oscbend.bends import OPERATORS, check
from oscbend.errors import BadValue
from oscbend.frame import Armed
from oscbend.net.bent import Bent
from oscbend.net.chain import Chain
from oscbend.net.link import Alone
from oscbend.net.mapped import Gains, Groups, Range
from oscbend.net.sites import Site

STEPS = 2
PICTURES = {
    "ramp": np.linspace(0, 1, 12, dtype=np.float32)[None].repeat(12, 0),
    "black": np.zeros((4, 4), np.float32),
    "grey": np.full((4, 4), 0.5, np.float32),
}
SELECTIONS = (
    "all",
    "channels 1-2",
    "channels 0,3",
    "rows 0.2 0.6",
    "cols 0 0.5",
    "region 0.2 0.2 0.5 0.5",
    "fraction 0.4 3",
    "mask ramp",
    "mask black",
    "mask grey",
)
ARITHMETIC = [name for name, row in OPERATORS.items() if row.affine or row.linear]
JUMPING = {"threshold", "gate", "log", "power", "expm", "steer", "noise"}
"""Where a rounding error in x becomes a large one, or a field is needed besides."""


class Bench:
    """A chain of bends at a site inside a U-Net, without the U-Net.

    Args:
        bends: operator, selection and static options of each.
        shape: of the site.
        guided: two branches of B rows.
    """

    def __init__(
        self,
        bends: list[tuple[str, str, dict[str, Any]]],
        shape: tuple[int, int, int],
        *,
        batch: int = 1,
        guided: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        model: Any = SimpleNamespace(
            device=torch.device("cpu"), dtype=dtype, vae_dtype=dtype, memory_format=torch.channels_last
        )
        site = Site("unet.mid.attn", 1, shape)
        self.bents = [
            Bent(
                Armed(str(i), op, site.name, tuple(sorted(static.items())), select),
                site,
                batch=batch,
                branches=2 if guided else 1,
                steps=STEPS,
                model=model,
                pictures=PICTURES,
            )
            for i, (op, select, static) in enumerate(bends)
        ]
        self.chain = Chain(self.bents)
        for holder in (*self.bents, self.chain):
            hosts = [np.zeros(shape, np.float32) for shape in holder.shapes()]
            parts = iter([(host, torch.from_numpy(host)) for host in hosts])
            holder.settle(parts.__next__)

    def load(self, weights: Any, params: list[dict[str, Any]]) -> None:
        """Weights broadcastable to [bends, S + 1, G, B], parameters as in `Values`."""
        first = self.bents[0]
        shape = (len(self.bents), STEPS + 1, first.branches, first.batch)
        weights = np.broadcast_to(np.asarray(weights, np.float32), shape)
        with np.errstate(all="ignore"):
            for bent, weight, given_params in zip(self.bents, weights, params, strict=True):
                bent.load(weight, {k: np.asarray(v, np.float32) for k, v in given_params.items()})
            self.chain.load()
        self.chain.sent()

    def one_by_one(self, x: Tensor, step: int) -> tuple[Tensor, float]:
        """The result without any joining, and the largest number on the way."""
        most = 1.0
        for bent in self.bents:
            x = bent(x, step)
            most = max(most, float(x.abs().max()))
        return x, most


def tensor(rows: int, shape: tuple[int, int, int], dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    return draw((rows, *shape), dtype, seed).contiguous(memory_format=torch.channels_last)


def bits(x: Tensor) -> Tensor:
    return x.contiguous().view({2: torch.int16, 4: torch.int32}[x.element_size()])


@st.composite
def chains(pick: st.DrawFn, names: list[str]) -> tuple[Bench, list[dict[str, Any]]]:
    shape = pick(st.sampled_from([(4, 6, 6), (3, 5, 7), (12, 6, 4), (16, 4, 4)]))
    batch, guided = pick(st.integers(1, 2)), pick(st.booleans())
    bends, params = [], []
    for _ in range(pick(st.integers(1, 6))):
        op = pick(st.sampled_from(names))
        row = OPERATORS[op]
        static = {}
        if op == "rotate":
            static = {"plane": pick(st.sampled_from(["r1", "r2", "r4", "pairs", "2,0"]))}
        elif op == "reflect":
            static = {"channel": pick(st.integers(0, shape[0] - 1))}
        try:
            check(op, static, shape)
        except BadValue:
            continue
        bends.append((op, pick(st.sampled_from(SELECTIONS)), static))
        rows = {}
        for arg in row.live:
            low, high = arg.inside or arg.musical or (0.0, 1.0)
            number = st.floats(low, high)
            count = batch * arg.size
            rows[arg.name] = pick(st.lists(number, min_size=count, max_size=count))
        params.append(rows)
    if not bends:
        bends, params = [("negate", "all", {})], [{}]
    bench = Bench(bends, shape, batch=batch, guided=guided)
    count = len(bends) * (STEPS + 1) * (1 + guided) * batch
    level = st.one_of(st.sampled_from([0.0, 1.0, 1.0]), st.floats(0, 1))
    weights = np.reshape(
        pick(st.lists(level, min_size=count, max_size=count)), (len(bends), STEPS + 1, 1 + guided, batch)
    )
    bench.load(weights, params)
    return bench, params


def agree(bench: Bench) -> None:
    rows, shape = bench.bents[0].rows, bench.bents[0].site.shape
    for step in range(STEPS + 1):
        x = tensor(rows, shape, seed=step)
        before = x.clone()
        expected, most = bench.one_by_one(x, step)
        got = bench.chain(x, step)
        assert torch.equal(bits(x), bits(before)), "the input was written to"
        assert (got.shape, got.dtype) == (x.shape, x.dtype)
        assert got.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5 * most)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(chains(ARITHMETIC))
def test_joined_arithmetic_is_what_the_bends_make_one_by_one(case: tuple[Bench, Any]) -> None:
    agree(case[0])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(chains([name for name in OPERATORS if name not in JUMPING]))
def test_chains_of_all_kinds_are_what_the_bends_make_one_by_one(case: tuple[Bench, Any]) -> None:
    agree(case[0])


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("select", SELECTIONS)
def test_a_bend_alone_is_what_run_makes(name: str, select: str) -> None:
    bench = Bench([(name, select, {})], (4, 6, 6), batch=2, guided=True)
    field = {"steer": draw((4, 4), seed=5), "noise": draw((4, 4, 6, 6), seed=5)}
    bench.bents[0].field = field.get(name)
    params = {a.name: np.full((2, a.size), 0.6) for a in OPERATORS[name].live}
    bench.load(np.array([[1, 0.5], [0, 1]]), [params])
    x = tensor(4, (4, 6, 6))
    torch.testing.assert_close(bench.chain(x, 1), bench.bents[0](x, 1), rtol=1e-5, atol=1e-5)
