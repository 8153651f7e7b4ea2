"""Scenes: which subject, which colour, which words; and from them the finished picture."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from oscbend.tiny.painter import homographs, land, objects, sky
from oscbend.tiny.painter.canvas import bloom, mix, noise, smoothstep, vignette
from oscbend.tiny.painter.captions import MASS, PLURAL, Mood, Phrase, mood_of, words_of, write_caption
from oscbend.tiny.painter.colours import COLOURS, Natural, Palette, named_palette, natural_palette

Array = np.ndarray
Painter = Callable[[np.random.Generator, Palette, int], Array]
NAMED = 0.85  # share of captions that name a colour


@dataclass(frozen=True)
class Subject:
    """What captions call a subject, the colours it has by itself, and how it is painted."""

    phrases: tuple[Phrase, ...]
    natural: tuple[Natural, ...]
    painter: Painter


@dataclass(frozen=True)
class Scene:
    """All that determines a picture: subject and colour (None: not named), caption, seed."""

    subject: str
    colour: str | None
    caption: str
    seed: int


SUBJECTS: dict[str, Subject] = {
    "orb": Subject(
        (
            Phrase("floating orb", weight=3),
            Phrase("orb", weight=3),
            Phrase("sphere"),
            Phrase("floating sphere"),
            Phrase("ball", weight=0.7),
        ),
        (
            ((215, 0.4), (220, 0.4), (28, 0.8)),
            ((265, 0.4), (250, 0.4), (190, 0.7)),
            ((20, 0.4), (15, 0.4), (215, 0.6)),
        ),
        objects.orb,
    ),
    "mesh": Subject(
        (
            Phrase("3d mesh geometry", MASS, 3),
            Phrase("3d mesh", weight=2),
            Phrase("mesh geometry", MASS),
            Phrase("wireframe mesh"),
            Phrase("mesh"),
        ),
        (
            ((275, 0.6), (260, 0.6), (185, 0.8)),
            ((215, 0.6), (225, 0.6), (40, 0.8)),
            ((200, 0.5), (200, 0.4), (140, 0.7)),
        ),
        objects.mesh,
    ),
    "starry night": Subject(
        (
            Phrase("starry night", weight=4),
            Phrase("starry sky"),
            Phrase("night sky with stars"),
            Phrase("stars", PLURAL),
        ),
        (
            ((225, 0.75), (230, 0.5), (50, 0.3)),
            ((250, 0.7), (240, 0.5), (200, 0.3)),
            ((205, 0.75), (215, 0.5), (40, 0.3)),
        ),
        sky.starry_night,
    ),
    "landscape": Subject(
        (
            Phrase("landscape", weight=4),
            Phrase("landscape with hills"),
            Phrase("hills", PLURAL),
            Phrase("landscape with mountains"),
        ),
        (
            ((30, 0.6), (210, 0.4), (40, 0.6)),
            ((205, 0.5), (110, 0.5), (50, 0.5)),
            ((335, 0.4), (250, 0.4), (30, 0.6)),
            ((190, 0.4), (150, 0.45), (45, 0.5)),
        ),
        land.landscape,
    ),
    "forest": Subject(
        (
            Phrase("forest with river", weight=3),
            Phrase("forest with a river", weight=2),
            Phrase("forest", weight=2),
            Phrase("river in a forest"),
        ),
        (
            ((190, 0.35), (125, 0.55), (200, 0.5)),
            ((40, 0.45), (105, 0.5), (200, 0.45)),
            ((165, 0.3), (140, 0.6), (190, 0.5)),
        ),
        land.forest,
    ),
    "thunderstorm": Subject(
        (
            Phrase("thunderstorm with lightning", weight=3),
            Phrase("thunderstorm", weight=2),
            Phrase("lightning", MASS, 2),
            Phrase("storm with lightning"),
        ),
        (
            ((225, 0.5), (225, 0.4), (215, 0.5)),
            ((265, 0.45), (250, 0.4), (280, 0.5)),
            ((200, 0.3), (205, 0.3), (50, 0.4)),
        ),
        sky.thunderstorm,
    ),
    "shapes": Subject(
        (
            Phrase("shapes", PLURAL, 4),
            Phrase("geometric shapes", PLURAL, 2),
            Phrase("floating shapes", PLURAL),
        ),
        (
            ((40, 0.15), (40, 0.3), (10, 0.75)),
            ((45, 0.2), (200, 0.5), (205, 0.65)),
            ((30, 0.2), (170, 0.5), (35, 0.8)),
        ),
        objects.shapes,
    ),
    "rings": Subject(
        (
            Phrase("rings", PLURAL, 4),
            Phrase("floating rings", PLURAL),
            Phrase("concentric rings", PLURAL),
            Phrase("ring", weight=0.5),
        ),
        (
            ((225, 0.5), (230, 0.4), (40, 0.8)),
            ((270, 0.5), (260, 0.5), (185, 0.7)),
            ((210, 0.5), (210, 0.4), (330, 0.6)),
        ),
        objects.rings,
    ),
    "waves": Subject(
        (
            Phrase("waves", PLURAL, 4),
            Phrase("sea waves", PLURAL, 2),
            Phrase("sea with waves"),
            Phrase("wave", weight=0.5),
        ),
        (
            ((205, 0.4), (200, 0.7), (195, 0.7)),
            ((35, 0.5), (205, 0.6), (200, 0.6)),
            ((180, 0.35), (175, 0.6), (175, 0.6)),
        ),
        sky.waves,
    ),
    "flowers": Subject(
        (
            Phrase("flowers", PLURAL, 4),
            Phrase("flower", weight=1.0),
            Phrase("meadow with flowers"),
            Phrase("field of flowers"),
        ),
        (
            ((110, 0.4), (115, 0.55), (345, 0.7)),
            ((95, 0.4), (120, 0.5), (275, 0.6)),
            ((80, 0.45), (110, 0.55), (45, 0.85)),
        ),
        land.flowers,
    ),
    "crane bird": Subject(
        (
            Phrase("crane", weight=4),
            Phrase("crane bird", weight=2),
            Phrase("crane in the water"),
            Phrase("standing crane bird"),
        ),
        (
            ((30, 0.5), (205, 0.4), (210, 0.1)),
            ((200, 0.35), (190, 0.4), (30, 0.1)),
            ((330, 0.3), (250, 0.35), (30, 0.15)),
        ),
        homographs.crane_bird,
    ),
    "crane machine": Subject(
        (
            Phrase("crane", weight=4),
            Phrase("construction crane", weight=2),
            Phrase("crane over a skyline"),
            Phrase("tower crane"),
        ),
        (
            ((28, 0.55), (220, 0.4), (45, 0.8)),
            ((205, 0.45), (215, 0.3), (30, 0.8)),
            ((335, 0.35), (250, 0.35), (48, 0.8)),
        ),
        homographs.crane_machine,
    ),
    "bass fish": Subject(
        (
            Phrase("bass", weight=4),
            Phrase("bass fish", weight=2),
            Phrase("bass in the water"),
            Phrase("swimming bass fish"),
        ),
        (
            ((195, 0.65), (190, 0.5), (95, 0.4)),
            ((210, 0.65), (205, 0.5), (50, 0.4)),
            ((170, 0.5), (165, 0.5), (200, 0.3)),
        ),
        homographs.bass_fish,
    ),
    "bass instrument": Subject(
        (
            Phrase("bass", weight=4),
            Phrase("bass guitar", weight=2),
            Phrase("double bass"),
            Phrase("bass on a stage"),
        ),
        (
            ((25, 0.4), (20, 0.5), (22, 0.8)),
            ((225, 0.5), (230, 0.4), (25, 0.8)),
            ((280, 0.45), (270, 0.4), (10, 0.8)),
        ),
        homographs.bass_instrument,
    ),
}


def draw_scene(seed: int) -> Scene:
    """The scene of a seed: subject, colour and caption drawn at random, the same for the same seed."""
    rng = np.random.default_rng(seed)
    subject = str(rng.choice(list(SUBJECTS)))
    colour = str(rng.choice(list(COLOURS))) if rng.random() < NAMED else None
    return Scene(subject, colour, write_caption(rng, SUBJECTS[subject].phrases, colour), seed)


def caption(scene: Scene) -> str:
    """The scene in words, all lower case."""
    return scene.caption


def vocabulary() -> list[str]:
    """All words that captions can hold, sorted, lower case."""
    return sorted(set().union(*(words_of(s.phrases) for s in SUBJECTS.values())))


def paint(scene: Scene, size: int = 256) -> Array:
    """The picture of a scene, uint8 [size, size, 3], the same for the same scene and size."""
    rng = np.random.default_rng((scene.seed, 1))
    subject = SUBJECTS[scene.subject]
    if scene.colour is None:
        palette = natural_palette(rng, subject.natural)
    else:
        palette = named_palette(rng, COLOURS[scene.colour])
    finishing = np.random.default_rng((scene.seed, 2))
    picture = _finish(finishing, subject.painter(rng, palette, size), palette, mood_of(scene.caption))
    return (np.clip(picture, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _finish(rng: np.random.Generator, picture: Array, palette: Palette, mood: Mood) -> Array:
    """Mist, exposure, bloom, vignette and a breath of canvas texture."""
    size = picture.shape[0]
    if mood.mist:
        veil = noise(rng, size, cells=(2, 4), octaves=3)
        picture = mix(picture, palette.air(0.62 + 0.2 * veil), mood.mist * (0.45 + 0.55 * veil))
    picture = np.clip(picture * np.float32(mood.exposure), 0.0, 1.0)
    picture = mix(picture, smoothstep(0.0, 1.0, picture), 0.45)
    picture = bloom(picture, 0.35 + 0.6 * mood.glow, threshold=0.62 - 0.2 * mood.glow)
    texture = noise(rng, size, cells=(24, 24), octaves=2) - 0.5
    picture = picture * (1.0 + 0.05 * texture)[..., None]
    return vignette(picture, rng.uniform(0.35, 0.8))
