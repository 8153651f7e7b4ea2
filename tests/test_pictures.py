"""Pictures and films to start from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oscbend.errors import BadValue
from oscbend.pictures import fitted, read
from oscbend.sinks.film import FilmWriter


def test_a_picture_is_cropped_to_the_middle_and_scaled(tmp_path: Path) -> None:
    wide = np.zeros((40, 120, 3), np.uint8)
    wide[:, 40:80] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    picture = read(tmp_path / "wide.png").at(0.0, (64, 64))
    assert picture.shape == (64, 64, 3)
    assert picture[:, 4:-4].min() > 250


def test_a_film_is_shown_by_time_and_goes_round(tmp_path: Path) -> None:
    with FilmWriter(tmp_path / "film.mp4", 10, (64, 64)) as film:
        for level in (0, 80, 160, 240):
            film.write(np.full((64, 64, 4), level, np.uint8))
    moving = read(tmp_path / "film.mp4")
    levels = [int(moving.at(t, (64, 64)).mean()) for t in (0.0, 0.15, 0.25, 0.39, 0.41)]
    assert levels == pytest.approx([0, 80, 160, 240, 0], abs=6)


def test_brightness_is_a_mask(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8, 3), 255, np.uint8)).save(tmp_path / "white.png")
    assert read(tmp_path / "white.png").grey == pytest.approx(np.ones((8, 8)), abs=1e-5)


def test_a_picture_of_the_right_size_stays_as_it_is() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (32, 48, 3), np.uint8)
    assert fitted(frame, (48, 32)) is frame


def test_what_is_no_picture_is_said(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(BadValue, match="neither a picture nor a film"):
        read(tmp_path / "text.png")
    with pytest.raises(BadValue, match="no file"):
        read(tmp_path / "missing.png")


def test_a_picture_is_scaled_once_for_each_size(tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 60, 3), 80, np.uint8)).save(tmp_path / "grey.png")
    picture = read(tmp_path / "grey.png")
    first = picture.at(0.0, (64, 64))
    assert picture.at(0.5, (64, 64)) is first
    assert picture.at(1.0, (32, 48)).shape == (48, 32, 3)
    assert picture.at(1.5, (64, 64)).shape == (64, 64, 3)
