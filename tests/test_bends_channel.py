"""Channel operators against matrices written out."""

import functools
import math

import numpy as np
import pytest
import torch
from bends_cases import close, compare, draw, on_dtypes, on_shapes

from oscbend.bends import apply, check
from oscbend.errors import BadValue

ANGLES = [0.5, -2.0, 4.0]
FOURS = pytest.mark.parametrize("shape", [(3, 4, 5, 3), (2, 12, 2, 4), (1, 4, 1, 1)], ids=str)


def c(a):
    return math.cos(a)


def s(a):
    return math.sin(a)


PAPER = {
    "r1": lambda a: [[1, 0, 0, 0], [0, c(a), -s(a), 0], [0, s(a), c(a), 0], [0, 0, 0, 1]],
    "r2": lambda a: [[c(a), 0, s(a), 0], [0, 1, 0, 0], [-s(a), 0, c(a), 0], [0, 0, 0, 1]],
    "r3": lambda a: [[c(a), 0, 0, s(a)], [0, 1, 0, 0], [0, 0, 1, 0], [-s(a), 0, 0, c(a)]],
    "r4": lambda a: [[c(a), -s(a), 0, 0], [s(a), c(a), 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
}


def mixed(m, x):
    return np.einsum("ij,jhw->ihw", np.asarray(m, np.float64), x)


def in_plane(size, i, j, angle):
    m = np.eye(size)
    m[i, i], m[i, j], m[j, i], m[j, j] = c(angle), -s(angle), s(angle), c(angle)
    return m


@on_dtypes
@pytest.mark.parametrize("plane", PAPER)
def test_the_papers_planes(plane, dtype):
    compare(
        "rotate",
        lambda x, angle: mixed(PAPER[plane](angle), x),
        (3, 4, 5, 7),
        dtype,
        {"plane": plane},
        angle=ANGLES,
    )


@pytest.mark.parametrize("plane", PAPER)
def test_only_the_named_channels_turn_where_there_are_more_than_four(plane):
    x = draw((2, 9, 3, 3))
    y = apply("rotate", x, angle=1.0, plane=plane)
    close(
        y[:, :4],
        np.stack([mixed(PAPER[plane](1.0), sample) for sample in x[:, :4].double().numpy()]),
        x.dtype,
    )
    assert torch.equal(y[:, 4:], x[:, 4:])


@on_dtypes
@pytest.mark.parametrize("plane", ["0,2", "4, 1", "3 0"])
def test_any_two_channels(plane, dtype):
    i, j = (int(w) for w in plane.replace(",", " ").split())
    compare(
        "rotate",
        lambda x, angle: mixed(in_plane(5, i, j, angle), x),
        (3, 5, 4, 6),
        dtype,
        {"plane": plane},
        angle=ANGLES,
    )


@on_dtypes
@pytest.mark.parametrize("channels", [2, 5, 64])
def test_pairs_turn_all_neighbours_and_leave_an_odd_one(channels, dtype):
    def formula(x, angle):
        m = np.eye(channels)
        for i in range(0, channels - 1, 2):
            m = m @ in_plane(channels, i, i + 1, angle)
        return mixed(m, x)

    compare("rotate", formula, (3, channels, 3, 4), dtype, {"plane": "pairs"}, angle=ANGLES)


def test_rotation_does_not_mix_the_samples_of_a_batch():
    x = draw((4, 4, 3, 3))
    y = apply("rotate", x, angle=[0.0, 1.0, 0.0, 0.0], plane="r1")
    assert torch.equal(y[[0, 2, 3]], x[[0, 2, 3]])
    assert not torch.equal(y[1], x[1])


def test_a_whole_turn_is_where_it_began():
    x = draw((1, 4, 3, 3))
    torch.testing.assert_close(apply("rotate", x, angle=2 * math.pi), x)


@pytest.mark.parametrize("plane", ["r5", "1,1", "1", "a,b", "", "1,2,3", "-1,2"])
def test_nonsense_planes_are_refused(plane):
    with pytest.raises(BadValue, match="plane must be"):
        check("rotate", {"plane": plane})


@on_dtypes
@FOURS
def test_rotate6_multiplies_left_to_right_on_each_group(shape, dtype):
    angles = np.random.default_rng(0).integers(-8, 9, (3, 6)) / 4

    def formula(x, angles):
        planes = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
        m = functools.reduce(np.matmul, [in_plane(4, i, j, a) for (i, j), a in zip(planes, angles)])
        return np.concatenate([mixed(m, x[g : g + 4]) for g in range(0, len(x), 4)])

    compare("rotate6", formula, shape, dtype, angles=list(angles))


@on_dtypes
@FOURS
def test_matrix_is_read_row_by_row(shape, dtype):
    m = np.random.default_rng(1).integers(-8, 9, (3, 16)) / 4

    def formula(x, m):
        return np.concatenate([mixed(m.reshape(4, 4), x[g : g + 4]) for g in range(0, len(x), 4)])

    compare("matrix", formula, shape, dtype, m=list(m))


def test_matrix_of_one_entry_moves_one_channel():
    x = draw((1, 4, 2, 2))
    y = apply("matrix", x, m=[0, 1, 0, 0] + [0] * 12)
    assert torch.equal(y[:, 0], x[:, 1])
    assert not y[:, 1:].any()


@pytest.mark.parametrize("name", ["rotate6", "matrix"])
def test_groups_of_four_need_a_multiple_of_four(name):
    with pytest.raises(BadValue, match="groups of 4 channels; this site has 6"):
        apply(name, draw((1, 6, 2, 2)))


@on_dtypes
@pytest.mark.parametrize("channel", [0, 3])
def test_reflect(channel, dtype):
    compare(
        "reflect",
        lambda x: mixed(np.diag([-1.0 if i == channel else 1.0 for i in range(5)]), x),
        (2, 5, 3, 4),
        dtype,
        {"channel": channel},
    )


@on_dtypes
@pytest.mark.parametrize("channels", [1, 3, 4, 12, 64])
@pytest.mark.parametrize("orthonormal", [0, 1])
def test_hadamard_mixes_the_largest_blocks_that_fit(channels, orthonormal, dtype):
    n = max(n for n in (1, 2, 4, 8, 16, 32, 64) if channels % n == 0)
    h = np.array([[(-1.0) ** (i & j).bit_count() for j in range(n)] for i in range(n)])
    h = h / math.sqrt(n) if orthonormal else h

    def formula(x):
        return np.concatenate([mixed(h, x[g : g + n]) for g in range(0, channels, n)])

    compare("hadamard", formula, (2, channels, 2, 3), dtype, {"orthonormal": orthonormal})


def test_orthonormal_hadamard_keeps_the_energy_and_undoes_itself():
    x = draw((2, 64, 4, 4), torch.float64)
    y = apply("hadamard", x, orthonormal=1)
    torch.testing.assert_close(y.square().sum(), x.square().sum())
    torch.testing.assert_close(apply("hadamard", y, orthonormal=1), x)


@on_dtypes
@on_shapes
@pytest.mark.parametrize(("dim", "axes"), [("channels", 0), ("rows", 1), ("columns", 2), ("all", (0, 1, 2))])
def test_center(dim, axes, shape, dtype):
    compare("center", lambda x: x - x.mean(axes, keepdims=True), shape, dtype, {"dim": dim})


@on_dtypes
@on_shapes
def test_normalize(shape, dtype):
    def peak(x):
        return x / (np.abs(x).max() or 1)

    def norm(x):
        length = np.sqrt((x**2).sum(0, keepdims=True))
        return x / np.where(length > 0, length, 1)

    compare("normalize", peak, shape, dtype, {"mode": "peak"})
    compare("normalize", norm, shape, dtype, {"mode": "norm"})


def test_normalize_does_not_overflow_in_half_precision():
    y = apply("normalize", torch.full((1, 4, 2, 2), 1000.0, dtype=torch.float16), mode="norm")
    assert y.unique().tolist() == [0.5]


@on_dtypes
@on_shapes
def test_freeu_backbone_scales_the_first_half(shape, dtype):
    def formula(x, b):
        return np.concatenate((x[: len(x) // 2] * b, x[len(x) // 2 :]))

    compare("freeu_backbone", formula, shape, dtype, b=[1.5, 0.25, -2.0])


@on_dtypes
@on_shapes
def test_steer_adds_one_vector_to_every_cell(shape, dtype):
    field = draw(shape[:2], dtype, seed=5)
    directions = iter(field.double().numpy())
    compare(
        "steer",
        lambda x, amount: x + amount * next(directions)[:, None, None],
        shape,
        dtype,
        field=field,
        amount=[1.5, -0.5, 2.0],
    )


def test_steer_without_a_direction_is_refused():
    with pytest.raises(BadValue, match="field="):
        apply("steer", draw((1, 4, 2, 2)), amount=1.0)
