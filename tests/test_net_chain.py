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
    "ramp": np.linspace(-0.5, 1, 12, dtype=np.float32).clip(0)[None].repeat(12, 0),
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
ONE_ELEMENT = "fraction 0.001 3"
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
                bent.weigh(weight)
                bent.load({k: np.asarray(v, np.float32) for k, v in given_params.items()})
            self.chain.weigh()
            self.chain.load()
        self.chain.sent()

    def one_by_one(self, x: Tensor, step: int) -> tuple[Tensor, float]:
        """The result without any joining, and the largest number on the way."""
        most = 1.0
        for bent in self.bents:
            x = bent(x, step)
            most = max(most, float(x.abs().max()))
        return x, most


def tensor(
    rows: int, shape: tuple[int, int, int], dtype: torch.dtype = torch.float32, seed: int = 0
) -> Tensor:
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
        bends.append((op, pick(st.sampled_from((*SELECTIONS, ONE_ELEMENT))), static))
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


@settings(max_examples=100, deadline=None, derandomize=True)
@given(chains(ARITHMETIC))
def test_joined_arithmetic_is_what_the_bends_make_one_by_one(case: tuple[Bench, Any]) -> None:
    agree(case[0])


@settings(max_examples=100, deadline=None, derandomize=True)
@given(chains([name for name in OPERATORS if name not in JUMPING]))
def test_chains_of_all_kinds_are_what_the_bends_make_one_by_one(case: tuple[Bench, Any]) -> None:
    agree(case[0])


@pytest.mark.parametrize("select", ["fraction 0.4 3", ONE_ELEMENT, "fraction 1"])
@pytest.mark.parametrize("shape", [(4, 6, 6), (16, 4, 4)])
def test_channels_that_are_selected_each_in_other_cells_are_put_back_between_two_bends(
    select: str, shape: tuple[int, int, int]
) -> None:
    bench = Bench(
        [("negate", select, {}), ("rotate", select, {"plane": "pairs"}), ("hadamard", select, {})], shape
    )
    bench.load(1.0, [{}, {"angle": [1.0]}, {}])
    agree(bench)


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


def test_weight_zero_is_bit_identical_whatever_the_values() -> None:
    for name in OPERATORS:
        bench = Bench([(name, "all", {})], (4, 6, 6), batch=2)
        bench.bents[0].field = {"steer": draw((2, 4)), "noise": draw((2, 4, 6, 6))}.get(name)
        wild = {a.name: np.full((2, a.size), np.inf) for a in OPERATORS[name].live}
        bench.load(np.array([[0, 1]]), [{n: np.stack([v[0], np.ones(len(v[0]))]) for n, v in wild.items()}])
        x = tensor(2, (4, 6, 6))
        x[0, :, 0, 0] = torch.tensor([-0.0, math.inf, math.nan, 0.0])
        assert torch.equal(bits(bench.chain(x, 0)[0]), bits(x[0])), name


@pytest.mark.parametrize("select", SELECTIONS[1:-1])
@pytest.mark.parametrize("name", ["power", "multiply", "matrix", "dilate", "rotate6"])
def test_unselected_elements_are_bit_identical_whatever_else_becomes(name: str, select: str) -> None:
    bench = Bench([(name, select, {})], (4, 6, 6))
    bench.load(0.7, [{a.name: np.full((1, a.size), 10.0) for a in OPERATORS[name].live}])
    x = tensor(1, (4, 6, 6)) * 1e30
    x[0, :, ::2] = x[0, :, ::2].neg()
    mask = bench.bents[0].mask
    assert mask is not None
    unselected = (mask == 0).expand_as(x)
    assert unselected.any()
    y = bench.chain(x, 0)
    assert torch.equal(bits(y)[unselected], bits(x)[unselected])
    assert select == "mask black" or not torch.equal(y, x)


def kinds(bench: Bench) -> list[tuple[type, int]]:
    return [(type(link), len(link.bents)) for link in bench.chain.links]


def test_neighbours_that_are_arithmetic_are_joined() -> None:
    wide = (64, 4, 4)
    pairs = ("rotate", "all", {"plane": "pairs"})
    plane = ("rotate", "all", {"plane": "r1"})
    gain, part, four = ("multiply", "all", {}), ("add", "channels 0-7", {}), ("matrix", "all", {})
    assert kinds(Bench([gain, part, ("reflect", "all", {})], wide)) == [(Gains, 3)]
    assert kinds(Bench([gain, pairs, four, gain], wide)) == [(Groups, 4)]
    assert kinds(Bench([part, plane, ("rotate", "all", {"plane": "r3"}), gain], wide)) == [(Range, 4)]
    assert kinds(Bench([pairs, plane, part, four, gain], (4, 8, 8))) == [(Groups, 5)]
    assert kinds(Bench([pairs, part], wide)) == [(Groups, 1), (Gains, 1)]
    assert kinds(Bench([plane, pairs], wide)) == [(Range, 1), (Groups, 1)]
    assert kinds(Bench([gain, ("blur", "all", {}), gain], wide)) == [(Gains, 1), (Alone, 1), (Gains, 1)]
    assert kinds(Bench([("hadamard", "all", {})], wide)) == [(Alone, 1)]
    assert kinds(Bench([("rotate", "all", {"plane": "0,40"})], wide)) == [(Alone, 1)]


def test_bends_that_select_the_same_are_joined_and_others_are_not() -> None:
    rows, half = ("add", "rows 0 0.5", {}), ("multiply", "rows 0.5 1", {})
    grey = ("add", "mask grey", {})
    assert kinds(Bench([rows, rows], (4, 6, 6))) == [(Gains, 2)]
    assert kinds(Bench([rows, half], (4, 6, 6))) == [(Gains, 1), (Gains, 1)]
    assert kinds(Bench([grey, grey], (4, 6, 6))) == [(Gains, 1), (Gains, 1)]


def test_where_nothing_acts_there_is_nothing_to_call() -> None:
    bench = Bench([("blur", "all", {}), ("add", "mask black", {})], (4, 6, 6))
    weights = np.zeros((2, STEPS + 1, 1, 1))
    weights[0, 1], weights[1] = 1, 1
    bench.load(weights, [{"sigma": [1.0]}, {"r": [1.0]}])
    assert [len(links) for links in bench.chain.acting] == [0, 1, 0]
    x = tensor(1, (4, 6, 6))
    assert bench.chain(x, 0) is x


def test_rows_without_weight_are_not_computed() -> None:
    bench = Bench([("blur", "all", {})], (4, 6, 6), batch=3)
    bench.load(np.array([[[[0, 1, 0]]]]), [{"sigma": [1.0, 1.0, 1.0]}])
    seen: list[tuple[int, ...]] = []
    link = bench.chain.links[0]
    bend = link.bend
    link.bend = lambda x, step, rows: seen.append(tuple(x.shape)) or bend(x, step, rows)  # type: ignore[method-assign]
    bench.chain(tensor(3, (4, 6, 6)), 0)
    assert seen == [(1, 4, 6, 6)]


def test_full_weight_gives_exactly_what_the_operator_makes() -> None:
    for name in ("blur", "power", "dilate", "center", "turn"):
        bench = Bench([(name, "all", {})], (4, 6, 6))
        bench.load(1.0, [{a.name: [1.7] for a in OPERATORS[name].live}])
        x = tensor(1, (4, 6, 6))
        assert torch.equal(bench.chain(x, 0), OPERATORS[name].call(x, **bench.bents[0].params)), name


def test_silence_is_silence_even_of_infinity() -> None:
    for bends in ([("ablate", "all", {})], [("ablate", "channels 0-2", {}), ("add", "all", {})]):
        bench = Bench(bends, (4, 6, 6))
        bench.load(1.0, [{"r": [0.5]} for _ in bends])
        x = torch.full((1, 4, 6, 6), math.inf)
        assert torch.equal(bench.chain(x, 0)[:, :3], torch.full((1, 3, 6, 6), 0.5 * (len(bends) - 1)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data())
def test_half_precision_loses_no_more_than_one_by_one(dtype: torch.dtype, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 5))
    names = data.draw(
        st.lists(st.sampled_from(["add", "multiply", "negate", "rotate6"]), min_size=count, max_size=count)
    )
    params = [{"r": [data.draw(st.floats(0.5, 1.5))], "angles": np.full((1, 6), 0.5)} for _ in names]
    shape = data.draw(st.sampled_from([(4, 6, 6), (16, 4, 4)]))
    half, exact = (Bench([(n, "all", {}) for n in names], shape, dtype=d) for d in (dtype, torch.float32))
    for bench in (half, exact):
        bench.load(0.75, params)
    x = tensor(1, shape, dtype)
    truth, most = exact.one_by_one(x.float(), 0)
    joined = half.chain(x, 0)
    assert joined.dtype == dtype
    error = (joined.float() - truth).abs().max()
    before = (half.one_by_one(x, 0)[0].float() - truth).abs().max()
    assert error <= before + torch.finfo(dtype).eps * most
