"""The painter's pictures show what their captions say."""

import numpy as np
import pytest
from looks import dominant_colour, horizon, looks_like, orb, painted, ring_strength, star_count
from scipy import ndimage

from oscbend.tiny.painter import COLOURS, SUBJECTS, Scene, caption, draw_scene, paint, vocabulary

SCENES = [draw_scene(seed) for seed in range(2000)]


def test_same_seed_same_picture() -> None:
    scene, picture = painted(11)
    assert scene == draw_scene(11)
    assert np.array_equal(picture, paint(scene))
    assert not np.array_equal(picture, paint(Scene(scene.subject, scene.colour, scene.caption, 12)))


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize("subject", SUBJECTS)
def test_pictures_are_rgb_of_the_size_asked_for(subject: str, size: int) -> None:
    picture = paint(Scene(subject, None, f"misty {subject}", 5), size)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 8


def test_all_subjects_and_colours_are_drawn() -> None:
    assert {s.subject for s in SCENES} == set(SUBJECTS)
    assert {s.colour for s in SCENES} == {*COLOURS, None}
    assert np.mean([s.colour is not None for s in SCENES]) == pytest.approx(0.85, abs=0.03)


def test_captions_keep_to_the_vocabulary() -> None:
    words = {word for s in SCENES for word in caption(s).replace(",", " ").split()}
    assert words <= set(vocabulary())
    assert all(word == word.lower() for word in vocabulary())


def test_captions_put_the_colour_before_and_after_the_subject() -> None:
    captions = [s.caption for s in SCENES if s.subject == "orb" and s.colour == "red" and "red" in s.caption]
    assert len(set(captions)) > 5
    assert any(c.rstrip().endswith("red") for c in captions)
    assert any(c.split()[0].strip(",") in {"red", "a"} for c in captions)


@pytest.mark.parametrize("word", ["crane", "bass"])
def test_homographs_alone_mean_either_half_of_the_time(word: str) -> None:
    named = [s for s in SCENES if s.subject.startswith(word)]
    other = {
        "bird",
        "construction",
        "tower",
        "skyline",
        "fish",
        "swimming",
        "water",
        "guitar",
        "double",
        "stage",
    }
    alone = [s for s in named if not other & set(s.caption.replace(",", " ").split())]
    assert 0.4 < len(alone) / len(named) < 0.6
    assert len({s.subject for s in alone}) == 2


@pytest.fixture(scope="module")
def held_out() -> list[tuple[Scene, np.ndarray]]:
    """Pictures that the classifier was not fitted on."""
    return [painted(seed) for seed in range(50_000, 50_070)]


@pytest.mark.parametrize("blurred", [0.0, 1.5])
def test_colour_and_subject_can_be_measured(held_out: list[tuple[Scene, np.ndarray]], blurred: float) -> None:
    colours, subjects, others = [], [], []
    names = list(SUBJECTS)
    for scene, picture in held_out:
        picture = ndimage.gaussian_filter(picture, (blurred, blurred, 0))
        if scene.colour is not None:
            colours.append(dominant_colour(picture) == scene.colour)
        subjects.append(looks_like(picture, scene.subject))
        others.append(
            looks_like(picture, names[(names.index(scene.subject) + 1 + scene.seed % 13) % len(names)])
        )
    assert np.mean(colours) >= 0.97
    assert np.mean(subjects) >= 0.97
    assert np.mean(others) <= 0.03


def test_what_is_no_picture_looks_like_nothing() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    grey = np.full((256, 256, 3), 128, np.uint8)
    assert not any(looks_like(p, subject) for p in (noise, grey) for subject in SUBJECTS)


def test_orb_is_found_where_a_ball_is() -> None:
    y, x = np.mgrid[:256, :256] / 256
    ball = np.hypot(x - 0.42, y - 0.55) < 0.2
    x, y, radius, roundness = orb(np.repeat((40 + 160 * ball)[..., None], 3, axis=2).astype(np.uint8))
    assert (x, y, radius) == pytest.approx((0.42, 0.55, 0.2), abs=0.02)
    assert roundness > 0.9


def test_stars_rings_and_horizon_tell_their_subjects() -> None:
    night, circles, storm = (
        [paint(Scene(subject, "blue", "", seed)) for seed in range(5)]
        for subject in ("starry night", "rings", "thunderstorm")
    )
    assert min(map(star_count, night)) >= 25
    assert max(map(star_count, [*circles, *storm])) <= 6
    assert np.median([*map(ring_strength, circles)]) > 0.5 > np.median([*map(ring_strength, storm)])


def test_horizon_is_found_below_an_orb() -> None:
    assert all(0.6 < horizon(paint(Scene("orb", "blue", "", seed))) < 0.9 for seed in range(5))


def test_dark_is_darker_than_bright() -> None:
    dark, bright = (paint(Scene("orb", "red", f"{word} red orb", 3)).mean() for word in ("dark", "bright"))
    assert dark < 0.7 * bright
