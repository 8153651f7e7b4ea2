"""Contact sheets and PNG files."""

import numpy as np
import pytest
from PIL import Image

from oscbend.errors import BadValue, OscbendError
from oscbend.sinks.sheet import GAP, GROUND, LABEL_HEIGHT, contact_sheet, save_png


def plain(level: int, width: int = 40, height: int = 30) -> np.ndarray:
    return np.full((height, width, 4), level, np.uint8)


def test_pictures_stand_in_rows_and_columns():
    sheet = contact_sheet([plain(100 + i) for i in range(5)], columns=3)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (2 * (30 + GAP) + GAP, 3 * (40 + GAP) + GAP, 3)
    for i in range(5):
        y, x = GAP + i // 3 * (30 + GAP), GAP + i % 3 * (40 + GAP)
        assert (sheet[y : y + 30, x : x + 40] == 100 + i).all()
    assert (sheet[-30:, -40:] == GROUND).all()
    assert (sheet[:GAP] == GROUND).all()


def test_there_are_no_empty_columns():
    assert contact_sheet([plain(1)], columns=6).shape == (30 + 2 * GAP, 40 + 2 * GAP, 3)


def test_labels_stand_below():
    without = contact_sheet([plain(9)], 1)
    sheet = contact_sheet([plain(9)], 1, ["add 2"])
    assert sheet.shape[0] == without.shape[0] + LABEL_HEIGHT
    assert (sheet[GAP + 30 : GAP + 30 + LABEL_HEIGHT] > 100).any()
    empty = contact_sheet([plain(9)], 1, [""])
    assert (empty[GAP + 30 :] == GROUND).all()


def test_long_labels_stay_in_their_cell():
    sheet = contact_sheet([plain(9), plain(9)], 2, ["a very long label, far too long", ""])
    assert (sheet[GAP + 30 :, GAP + 40 + 2 :] == GROUND).all()


def test_small_pictures_stand_in_the_middle():
    sheet = contact_sheet([plain(200), plain(100, 20, 10)], 2)
    right = sheet[GAP : GAP + 30, 2 * GAP + 40 : 2 * GAP + 80]
    assert (right[10:20, 10:30] == 100).all()
    assert (right[:10] == GROUND).all()


def test_what_makes_no_sheet_is_refused():
    for pictures, columns, labels in [([], 2, None), ([plain(1)], 0, None), ([plain(1)], 1, ["a", "b"])]:
        with pytest.raises(BadValue):
            contact_sheet(pictures, columns, labels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_files_hold_the_picture(tmp_path, channels):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    path = save_png(picture, tmp_path / "new" / "a.png")
    assert np.array_equal(np.asarray(Image.open(path)).reshape(picture.shape), picture)


def test_png_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OscbendError, match="cannot write"):
        save_png(plain(1), tmp_path / "file" / "a.png")
