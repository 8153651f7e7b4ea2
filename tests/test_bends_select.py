"""Selections: what they accept, and which elements they mean."""

import numpy as np
import pytest
import torch

from oscbend.bends.select import Selection, parse
from oscbend.errors import BadValue, UnknownName

SHAPE = (8, 16, 20)


def cells(text, shape=SHAPE, **given):
    """The mask spread over the whole tensor, [C, H, W]."""
    return parse(text).mask(shape, **given).expand(1, *shape)[0]


def test_all_has_no_mask():
    assert parse("all") == Selection()
    assert parse("all").mask(SHAPE) is None


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("channels 0-3", [0, 1, 2, 3]),
        ("channels 0,3,7", [0, 3, 7]),
        ("channels 0 3 7", [0, 3, 7]),
        ("channels 1-2,5, 7", [1, 2, 5, 7]),
        ("channels 6-20", [6, 7]),
    ],
)
def test_channels(text, chosen):
    mask = cells(text)
    assert mask.amax((1, 2)).nonzero().flatten().tolist() == chosen
    assert torch.equal(mask.amin((1, 2)), mask.amax((1, 2)))


def test_channels_that_do_not_exist_here_are_refused():
    with pytest.raises(BadValue, match="there are 8, from 0"):
        parse("channels 8-15").mask(SHAPE)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("rows 0 1", range(16)),
        ("rows 0 0.5", range(8)),
        ("rows 0.5 1", range(8, 16)),
        ("rows 0.45 0.55", [7, 8]),
        ("rows 0.5 0.5", [8]),
        ("rows 0.01 0.02", [0]),
        ("rows 1 1", [15]),
    ],
)
def test_rows_are_fractions_of_the_height(text, rows):
    mask = cells(text)
    assert mask.amax((0, 2)).nonzero().flatten().tolist() == list(rows)
    assert mask.amin((0, 2)).nonzero().flatten().tolist() == list(rows)


def test_the_middle_row_exists_at_every_size():
    for height in range(1, 70):
        mask = cells("rows 0.45 0.55", (1, height, 1)).flatten()
        assert mask.sum() >= 1
        assert mask[(height - 1) // 2] or mask[height // 2]


def test_neighbouring_selections_share_no_row():
    centre = 8.5 / 16
    upper, lower = cells(f"rows 0 {centre}"), cells(f"rows {centre} 1")
    assert torch.equal(upper + lower, torch.ones(SHAPE))


def test_cols_are_fractions_of_the_width():
    assert cells("cols 0.25 0.5").amax((0, 1)).nonzero().flatten().tolist() == [5, 6, 7, 8, 9]


def test_region_is_x_y_width_height():
    mask = cells("region 0.5 0.25 0.1 0.25")
    expected = torch.zeros(SHAPE)
    expected[:, 4:8, 10:12] = 1
    assert torch.equal(mask, expected)
    assert cells("region 0.99 0.99 0.001 0.001")[0].nonzero().tolist() == [[15, 19]]
    assert cells("region 0.5 0.5 1 1")[0].sum() == 80


def test_fraction_is_exact_seeded_and_nested():
    mask = cells("fraction 0.05 7")
    assert mask.sum() == round(0.05 * mask.numel())
    torch.manual_seed(99)
    assert torch.equal(cells("fraction 0.05 7"), mask)
    assert not torch.equal(cells("fraction 0.05 8"), mask)
    assert torch.equal(cells("fraction 0.2 7") * mask, mask)
    assert cells("fraction 0 7").sum() == 1
    assert cells("fraction 1 7").min() == 1
    assert torch.equal(cells("fraction 0.05"), cells("fraction 0.05 0"))


def test_a_selection_leaves_the_global_generators_alone():
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    cells("fraction 0.5 1")
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()


def test_a_picture_is_resampled_to_the_size_of_the_site():
    picture = np.zeros((64, 80), np.float64)
    picture[:32] = 1.0
    picture[32:, :40] = 0.5
    mask = cells("mask half moon", pictures={"half moon": picture})
    torch.testing.assert_close(mask[0, :7], torch.ones(7, 20))
    torch.testing.assert_close(mask[3, 9:, :9], torch.full((7, 9), 0.5))
    assert not mask[0, 9:, 11:].any()
    assert mask.min() >= 0
    assert mask.max() <= 1


def test_a_fine_picture_is_averaged_where_it_shrinks():
    stripes = np.zeros((64, 80))
    stripes[::4] = 1.0
    mask = cells("mask stripes", pictures={"stripes": stripes})
    torch.testing.assert_close(mask, torch.full(SHAPE, 0.25), rtol=0, atol=0.1)


def test_an_unknown_picture_is_refused_with_the_nearest():
    with pytest.raises(UnknownName, match="moon"):
        parse("mask mon").mask(SHAPE, pictures={"moon": np.ones((2, 2))})
    with pytest.raises(UnknownName):
        parse("mask moon").mask(SHAPE)


@pytest.mark.parametrize("text", ["fraction 0.3 1", "rows 0 0.5", "channels 1", "region 0 0 0.5 0.5"])
def test_masks_have_the_dtype_asked_for(text):
    mask = parse(text).mask((2, *SHAPE), "cpu", torch.float16)
    assert mask.dtype == torch.float16
    assert torch.broadcast_shapes(mask.shape, (1, *SHAPE)) == (1, *SHAPE)


@pytest.mark.parametrize("text", ["", "everything", "chanels 0-3", "row 0 1"])
def test_unknown_kinds(text):
    with pytest.raises(UnknownName, match="selection"):
        parse(text)


def test_the_nearest_kind_is_named():
    with pytest.raises(UnknownName, match="channels"):
        parse("chanels 0-3")


@pytest.mark.parametrize(
    "text",
    [
        "all 1",
        "channels",
        "channels -1",
        "channels 1.5",
        "channels 3-1",
        "channels 1-",
        "channels ²",
        "fraction",
        "fraction 1.5 0",
        "fraction -0.1 0",
        "fraction 0.1 0.5",
        "fraction 0.1 1 2",
        "fraction nan 1",
        "rows 0.5",
        "rows 0.6 0.5",
        "rows 0 2",
        "rows a b",
        "rows inf inf",
        "cols -1 0.5",
        "region 0 0 1",
        "region 0 0 1 1.5",
        "mask",
    ],
)
def test_nonsense_is_refused(text):
    with pytest.raises(BadValue, match="select"):
        parse(text)


def test_selections_are_hashable_and_equal_by_content():
    assert hash(parse(" rows 0.1  0.2 ")) == hash(parse("rows 0.1 0.2"))
    assert parse("channels 0 3") == parse("channels 0,3")
