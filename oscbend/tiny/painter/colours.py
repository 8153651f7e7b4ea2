"""Colours by name, and palettes: tone curves that turn brightness into colour, cohesive in one picture."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Colour:
    """A colour that captions can name: hue in degrees, saturation 0..1, and other words for it."""

    hue: float
    saturation: float
    synonyms: tuple[str, ...] = ()


COLOURS: dict[str, Colour] = {
    "red": Colour(0, 0.90, ("crimson", "scarlet")),
    "orange": Colour(30, 0.92, ("amber",)),
    "yellow": Colour(52, 0.88, ("golden",)),
    "green": Colour(125, 0.72, ("emerald",)),
    "cyan": Colour(185, 0.78, ("turquoise",)),
    "blue": Colour(225, 0.82, ("azure",)),
    "purple": Colour(280, 0.74, ("violet",)),
    "pink": Colour(330, 0.66, ("rose",)),
    "white": Colour(215, 0.07, ("silver",)),
}


@dataclass(frozen=True, eq=False)
class Ramp:
    """A tone curve: brightness 0..1 to colour, from deep shade over the full colour to a pale tint."""

    table: Array  # [256, 3] float32

    def __call__(self, tone: Array | float) -> Array:
        """Colours [..., 3] float32 of tones [...] in 0..1 (clipped)."""
        index = np.clip(np.asarray(tone) * 255.0, 0, 255).astype(np.uint8)
        return self.table.take(index, axis=0)


@lru_cache(maxsize=4096)
def _table(hue: int, saturation: int) -> Array:
    t = np.linspace(0.0, 1.0, 256)
    s = saturation / 100
    warm, cold, red = 15 < hue < 75, 205 < hue < 345, hue <= 15 or hue >= 345
    # Blue to pink look dark at full saturation: they turn pale earlier than the others.
    pale_from = 0.52 if cold else 0.68
    pale = np.clip((t - pale_from) / (1.0 - pale_from), 0, 1)
    saturations = s * (1.0 - (0.66 if red else 0.80) * pale * pale * (3 - 2 * pale))
    # Tints of red lean to orange (else they would be pink); light leans to yellow, shade to blue.
    degrees = hue + (9.0 * np.maximum(t - 0.4, 0) if red else 6.0 * (t - 0.5) * (1 if hue < 60 else -1))
    value = t ** (0.52 if s < 0.2 else 0.66 if warm else 0.78)
    k = (np.array([5.0, 3.0, 1.0])[None] + degrees[:, None] / 60.0) % 6.0
    rgb = value[:, None] * (1 - saturations[:, None] * np.clip(np.minimum(k, 4 - k), 0, 1))
    return rgb.astype(np.float32)


def ramp(hue: float, saturation: float) -> Ramp:
    """The tone curve of a hue (degrees) at a saturation (0..1)."""
    return Ramp(_table(round(hue) % 360, round(saturation * 100)))


@dataclass(frozen=True)
class Palette:
    """Four tone curves of one picture: of the air, the ground, the subject itself, and the light."""

    air: Ramp
    ground: Ramp
    subject: Ramp
    light: Ramp


Natural = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


def named_palette(rng: np.random.Generator, colour: Colour) -> Palette:
    """A palette whose dominant impression is `colour`."""
    hue, s = colour.hue + rng.normal(0, 2.0), colour.saturation
    drift = float(np.clip(rng.normal(0, 4.0), -7, 7))
    if colour.hue == 0:
        drift = 0.6 * abs(drift)  # red's other neighbour is pink, which is a colour of its own
    if s < 0.2:
        cool = hue + rng.uniform(-25, 25)
        return Palette(
            ramp(cool, s * 1.1), ramp(cool + drift, s * 1.2), ramp(hue, s * 0.6), ramp(45, s * 0.5)
        )
    # In some pictures the land keeps a little of the opposite colour, which lets the named one shine.
    if rng.random() < 0.35:
        ground = ramp(hue + rng.uniform(140, 220), 0.2)
    else:
        ground = ramp(hue + 1.6 * drift, s * rng.uniform(0.5, 0.7))
    return Palette(
        air=ramp(hue + drift, s * rng.uniform(0.68, 0.85)),
        ground=ground,
        subject=ramp(hue, s),
        light=ramp(hue - drift, s * 0.5) if rng.random() < 0.4 else ramp(42, 0.32),
    )


def natural_palette(rng: np.random.Generator, choices: tuple[Natural, ...]) -> Palette:
    """One of a subject's own palettes, each (hue, saturation) of air, ground and subject, varied a little."""
    (air, ground, subject) = choices[int(rng.integers(len(choices)))]
    turn = rng.normal(0, 5.0)
    return Palette(
        air=ramp(air[0] + turn, air[1] * rng.uniform(0.8, 1.0)),
        ground=ramp(ground[0] + turn, ground[1] * rng.uniform(0.8, 1.0)),
        subject=ramp(subject[0] + turn, subject[1] * rng.uniform(0.85, 1.0)),
        light=ramp(subject[0] + turn, subject[1] * 0.45),
    )
