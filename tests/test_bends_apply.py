"""What holds for every operator: neutral values, unselected elements, samples, precisions, refusals."""

import doctest
import importlib
import inspect
import pkgutil

import numpy as np
import pytest
import torch
from bends_cases import NEEDS, TOLERANCE, draw, on_dtypes, statics
from hypothesis import given, settings
from hypothesis import strategies as st

import oscbend.bends
from oscbend.bends import OPERATORS, NoiseBank, apply, check, run
from oscbend.errors import BadValue, UnknownName

every = pytest.mark.parametrize("name", OPERATORS)

with_neutral = pytest.mark.parametrize(
    "name", [n for n, row in OPERATORS.items() if any(a.neutral is not None for a in row.args)]
)

EXPECTED = (
    "add multiply threshold gate soft_threshold invert negate ablate power log abs clamp rescale "
    "rotate rotate6 matrix reflect hadamard center normalize freeu_backbone steer "
    "erode dilate gradient turn zoom shift flip bump noise expm sobel blur sharpen fourier"
)


def bent(name, x, **given):
    """`apply` with the field that the operator needs besides."""
    need = NEEDS.get(name)
    return apply(name, x, field=need(x) if need else None, **given)


def prepared(name, x):
    """What `run` needs to call an operator with its musical values: live parameters and a field."""
    row = OPERATORS[name]
    params = {}
    for arg in row.live:
        low, high = arg.musical
        value = torch.linspace(low + 0.3 * (high - low), low + 0.8 * (high - low), len(x)).to(x.device)
        params[arg.name] = value if arg.size == 1 else value[:, None].expand(-1, arg.size)
    field = None
    if "noise" in row.tags:
        field = NoiseBank().field(0, x.shape, np.arange(len(x)), "moving").to(x)
    if "steer" in row.tags:
        field = torch.ones(x.shape[:2]).to(x)
    return row, params, field


def test_all_operators_of_the_design_are_there():
    assert sorted(OPERATORS) == sorted(EXPECTED.split())


@with_neutral
@on_dtypes
@pytest.mark.parametrize("shape", [(2, 4, 8, 8), (1, 64, 4, 4), (2, 8, 1, 1)], ids=str)
def test_neutral_values_give_back_the_input(name, dtype, shape):
    row = OPERATORS[name]
    neutral = {a.name: a.neutral for a in row.args if a.neutral is not None}
    x = draw(shape, dtype)
    others = {a.name: a.musical[1] for a in row.live if a.neutral is None}
    assert torch.equal(bent(name, x, **neutral, **others), x)
    for static in statics(name):
        assert torch.equal(bent(name, x, **{**static, **neutral}), x)


@every
def test_a_declared_neutral_is_inside_its_ranges(name):
    for arg in OPERATORS[name].args:
        neutral = np.atleast_1d(np.asarray(arg.neutral if arg.neutral is not None else arg.default))
        if arg.type in "fi":
            assert all(arg.inside_hard(float(n)) == n for n in neutral)
            for low, high in filter(None, (arg.musical, arg.inside)):
                assert low < high
                assert (arg.inside_hard(low), arg.inside_hard(high)) == (low, high) or arg.scaled


@every
@on_dtypes
def test_shape_precision_and_device_stay_and_results_are_finite(name, dtype):
    for shape in [(2, 4, 8, 8), (1, 64, 5, 5), (3, 4, 1, 1)]:
        for static in statics(name):
            x = draw(shape, dtype)
            y = bent(name, x, **static)
            assert (y.shape, y.dtype, y.device) == (x.shape, x.dtype, x.device)
            assert torch.isfinite(y).all()


@every
def test_each_sample_is_bent_by_itself(name):
    x = draw((3, 4, 6, 6), torch.float64)
    row, params, field = prepared(name, x)
    for static in statics(name):
        together = run(row, x, params, torch.ones(3), static=static, field=field)
        for b in range(3):
            one = {n: p[b : b + 1] for n, p in params.items()}
            alone = run(
                row,
                x[b : b + 1],
                one,
                torch.ones(1),
                None,
                static,
                None if field is None else field[b : b + 1],
            )
            torch.testing.assert_close(together[b : b + 1], alone, rtol=1e-6, atol=1e-6)


@every
def test_the_input_is_never_written_to(name):
    x = draw((2, 4, 6, 6))
    row, params, field = prepared(name, x)
    for static in statics(name):
        y = run(row, x, params, torch.ones(2), static=static, field=field)
        assert y.data_ptr() != x.data_ptr()
        y.fill_(7.0)
        assert torch.equal(x, draw((2, 4, 6, 6)))


@every
def test_nothing_is_read_back_or_decided_by_content(name):
    x = torch.empty((2, 4, 6, 6), device="meta")  # holds no numbers: item() and `if tensor` would raise
    row, params, field = prepared(name, x)
    for static in statics(name):
        y = run(row, x, params, torch.empty(2, device="meta"), static=static, field=field)
        assert y.device.type == "meta"
        assert y.shape == x.shape


@every
def test_no_random_numbers_are_drawn(name):
    x = draw((2, 4, 6, 6))
    row, params, field = prepared(name, x)
    before = torch.get_rng_state()
    first = run(row, x, params, torch.ones(2), field=field)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(run(row, x, params, torch.ones(2), field=field), first)


@every
def test_operators_work_on_channels_last_and_strided_tensors(name):
    x = draw((2, 4, 6, 6), torch.float64)
    expected = bent(name, x)
    torch.testing.assert_close(bent(name, x.contiguous(memory_format=torch.channels_last)), expected)
    torch.testing.assert_close(bent(name, x.repeat_interleave(2, dim=3)[..., ::2]), expected)


@every
def test_weight_zero_is_bit_identical(name):
    x = draw((2, 4, 6, 6))
    assert torch.equal(bent(name, x, mix=0.0), x)
    assert torch.equal(bent(name, x, mix=[0.0, 1.0])[0], x[0])


@every
@pytest.mark.parametrize("select", ["channels 1-2", "rows 0.3 0.6", "fraction 0.3 1", "region 0 0 0.5 0.5"])
def test_unselected_elements_are_bit_identical(name, select):
    x = draw((2, 4, 6, 6))
    mask = oscbend.bends.selection.parse(select).mask(x.shape).expand_as(x)
    y, whole = bent(name, x, select=select), bent(name, x)
    assert torch.equal(y[mask == 0], x[mask == 0])
    assert torch.equal(y[mask == 1], whole[mask == 1])


def test_unselected_elements_survive_an_operator_that_overflows():
    x = draw((1, 4, 4, 4), torch.float16) * 100
    y = apply("power", x, r=10.0, select="rows 0 0.5")
    assert not torch.isfinite(y[:, :, :2]).all()
    assert torch.equal(y[:, :, 2:], x[:, :, 2:])
    assert torch.equal(apply("power", x, r=10.0, mix=0.0), x)


def test_mix_goes_from_the_input_to_the_bent_tensor():
    x = draw((3, 4, 4, 4), torch.float64)
    y = apply("negate", x, mix=[0.0, 0.25, 1.0])
    torch.testing.assert_close(y, x * torch.tensor([1.0, 0.5, -1.0]).double()[:, None, None, None])


@on_dtypes
def test_a_soft_mask_mixes_by_its_grey(dtype):
    x = draw((2, 4, 4, 4), dtype)
    grey = np.linspace(0, 1, 4)[None].repeat(4, 0)
    y = apply("multiply", x, r=3.0, mix=0.5, select="mask ramp", pictures={"ramp": grey})
    expected = x.double() * (1 + 2 * 0.5 * torch.from_numpy(grey))
    torch.testing.assert_close(y.double(), expected, rtol=2 * TOLERANCE[dtype], atol=2 * TOLERANCE[dtype])


@pytest.mark.parametrize(
    "r", [2, 2.0, np.float32(2), [2, 2], (2.0, 2.0), np.array([2, 2]), torch.tensor([2.0, 2.0])]
)
def test_parameters_come_in_many_forms(r):
    x = draw((2, 4, 3, 3))
    assert torch.equal(apply("multiply", x, r=r), x * 2)


def test_parameters_of_several_numbers_are_shared_or_per_sample():
    x = draw((2, 4, 3, 3))
    m = torch.randn(16)
    shared = apply("matrix", x, m=m)
    assert torch.equal(apply("matrix", x, m=m.reshape(4, 4)), shared)
    assert torch.equal(apply("matrix", x, m=torch.stack((m, m))), shared)


def test_values_outside_the_hard_range_are_clipped():
    x = draw((1, 4, 3, 3))
    assert torch.equal(apply("gate", x, r=-5.0), x)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("add", {"r": float("nan")}, "finite"),
        ("add", {"r": "loud"}, "number"),
        ("add", {"r": [1.0, 2.0, 3.0]}, "2 times"),
        ("matrix", {"m": [1.0] * 15}, "16 numbers"),
        ("add", {"r": 1.0, "mix": float("inf")}, "finite"),
        ("dilate", {"k": 2.5}, "whole"),
        ("reflect", {"channel": 4}, "needs channel 4; this site has 4"),
        ("reflect", {"channel": -1}, "outside"),
        ("rotate", {"plane": "3,4"}, "needs channel 4; this site has 4"),
        ("noise", {"seed": -1}, "outside"),
    ],
)
def test_bad_values_are_refused_in_one_line(name, given, message):
    with pytest.raises(BadValue, match=message) as error:
        apply(name, draw((2, 4, 3, 3)), **given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "given", "near"),
    [
        ("mulitply", {}, "multiply"),
        ("rotate", {"angel": 1.0}, "angle"),
        ("center", {"dim": "colums"}, "columns"),
        ("noise", {"mode": "move"}, "moving"),
        ("add", {"select": "chanels 1"}, "channels"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(name, given, near):
    with pytest.raises(UnknownName, match=near):
        apply(name, draw((2, 4, 3, 3)), **given)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(4, 8, 8), r"\[B, C, H, W\]"),
        (torch.zeros(1, 4, 8, 8, dtype=torch.int32), "floating"),
        (torch.zeros(1, 4, 8, 8, dtype=torch.complex64), "floating"),
    ],
)
def test_tensors_of_the_wrong_kind_are_refused(x, message):
    with pytest.raises(BadValue, match=message):
        apply("add", x)


def test_check_speaks_before_any_frame():
    check("expm", {}, (4, 64, 64))
    check("rotate", {"plane": "pairs"}, (2, 1, 1))
    check("reflect", {"channel": 3}, (1, 4, 8, 8))
    for name, static, shape in [
        ("expm", {}, (4, 64, 48)),
        ("matrix", {}, (3, 512, 512)),
        ("rotate6", {}, (2, 8, 8)),
        ("rotate", {}, (2, 8, 8)),
        ("rotate", {"plane": "r3"}, (3, 8, 8)),
        ("rotate", {"plane": "pairs"}, (1, 8, 8)),
        ("rotate", {"plane": "up"}, None),
        ("reflect", {"channel": 9}, (9, 8, 8)),
    ]:
        with pytest.raises(BadValue):
            check(name, static, shape)
    with pytest.raises(UnknownName, match="columns"):
        check("center", {"dim": "colums"})
    with pytest.raises(UnknownName, match="plane"):
        check("rotate", {"plain": "r1"})


@every
def test_a_row_says_all_that_is_needed(name):
    row = OPERATORS[name]
    assert row.help.endswith(".")
    assert len(row.help) <= 110
    wants = inspect.signature(row.call).parameters
    assert next(iter(wants)) == "x"
    assert [n for n in wants if n not in ("x", "field")] == [a.name for a in row.live] + [
        a.name for a in row.static
    ]
    for arg in row.args:
        assert arg.help
        assert arg.default is not None
        if arg.live:
            assert arg.type == "f"
            assert arg.musical
            assert arg.lo is not None
            assert arg.hi is not None
        else:
            assert wants[arg.name].default == arg.default


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_shape_and_any_parameters_in_the_hard_range(data):
    name = data.draw(st.sampled_from(list(OPERATORS)))
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64, torch.bfloat16]))
    batch, groups, height, width = (data.draw(st.integers(1, n)) for n in (3, 4, 9, 9))
    width = height if name == "expm" else width
    x = draw((batch, 4 * groups, height, width), dtype, data.draw(st.integers(0, 9)))
    values = {}
    for arg in OPERATORS[name].live:
        number = st.floats(arg.lo, arg.hi)
        values[arg.name] = data.draw(st.lists(number, min_size=batch * arg.size, max_size=batch * arg.size))
    y = bent(name, x, mix=data.draw(st.floats(0, 1)), **values)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert torch.isfinite(y).all()


@pytest.mark.parametrize("module", [m.name for m in pkgutil.iter_modules(oscbend.bends.__path__)] + [""])
def test_examples_in_docstrings_run(module):
    found = importlib.import_module(f"oscbend.bends.{module}".rstrip("."))
    result = doctest.testmod(found)
    assert result.failed == 0
    assert result.attempted or module not in ("", "select")
