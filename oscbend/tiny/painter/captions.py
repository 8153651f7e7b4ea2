"""Captions: free word order around a subject, a colour that may be named, and a few adjectives."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from oscbend.tiny.painter.colours import COLOURS

# Adjectives and what they do to a picture: exposure (a factor), mist and glow (amounts added).
ADJECTIVES: dict[str, tuple[float, float, float]] = {
    "beautiful": (1.0, 0.0, 0.0),
    "gorgeous": (1.0, 0.0, 0.0),
    "cinematic": (0.95, 0.0, 0.0),
    "glowing": (1.05, 0.0, 0.9),
    "dark": (0.62, 0.0, 0.0),
    "bright": (1.35, 0.05, 0.1),
    "misty": (1.0, 0.48, 0.0),
}
PLAIN, PLURAL, MASS = "a", "plural", "mass"  # how a phrase takes its article


@dataclass(frozen=True)
class Phrase:
    """A name of a subject, its number (PLAIN, PLURAL or MASS) and how often it is taken."""

    words: str
    number: str = PLAIN
    weight: float = 1.0


@dataclass(frozen=True)
class Mood:
    """What the adjectives of a caption ask of the picture."""

    exposure: float = 1.0
    mist: float = 0.0
    glow: float = 0.0


def mood_of(caption: str) -> Mood:
    """The mood that a caption's adjectives ask for."""
    exposure, mist, glow = 1.0, 0.0, 0.0
    for word in caption.replace(",", " ").split():
        if word in ADJECTIVES:
            factor, more_mist, more_glow = ADJECTIVES[word]
            exposure, mist, glow = exposure * factor, mist + more_mist, glow + more_glow
    return Mood(exposure, mist, glow)


def _with_article(rng: np.random.Generator, words: str, number: str) -> str:
    if rng.random() < 0.45:
        return words
    if rng.random() < 0.25:
        return f"the {words}"
    if number == PLAIN:
        return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
    return f"some {words}" if number == PLURAL and rng.random() < 0.3 else words


def _colour_word(rng: np.random.Generator, colour: str) -> str:
    words = COLOURS[colour].synonyms
    return str(rng.choice(words)) if words and rng.random() < 0.15 else colour


def write_caption(rng: np.random.Generator, phrases: tuple[Phrase, ...], colour: str | None) -> str:
    """A caption for a subject with these phrases and this colour, in one of many word orders."""
    weights = np.array([p.weight for p in phrases])
    phrase = phrases[int(rng.choice(len(phrases), p=weights / weights.sum()))]
    words, number = phrase.words, phrase.number
    adjective = str(rng.choice(list(ADJECTIVES))) if rng.random() < 0.4 else ""
    verb = "are" if number == PLURAL else "is"
    if colour is None:
        described = f"{adjective} {words}".strip()
        forms = [_with_article(rng, described, number)]
        if adjective:
            forms += [f"{_with_article(rng, words, number)}, {adjective}", f"the {words} {verb} {adjective}"]
        return str(rng.choice(forms))
    tint = _colour_word(rng, colour)
    if adjective:
        orders = (
            f"{adjective} {tint} {words}",
            f"{tint} {adjective} {words}",
            f"{tint}, {adjective} {words}",
        )
        forms = [
            *(_with_article(rng, o, number) for o in orders),
            f"{_with_article(rng, f'{adjective} {words}', number)}, {tint}",
            f"{_with_article(rng, f'{tint} {words}', number)}, {adjective}",
            f"{_with_article(rng, f'{adjective} {words}', number)} in {tint}",
            f"the {adjective} {words} {verb} {tint}",
            f"the {words} {verb} {tint} and {adjective}",
        ]
    else:
        forms = [
            *[_with_article(rng, f"{tint} {words}", number)] * 4,
            f"{_with_article(rng, words, number)}, {tint}",
            f"{tint}, {_with_article(rng, words, number)}",
            f"{_with_article(rng, words, number)} in {tint}",
            f"{_with_article(rng, words, number)} of {tint} light",
            f"the {words} {verb} {tint}",
        ]
    return str(rng.choice(forms))


@lru_cache(maxsize=1)
def _function_words() -> frozenset[str]:
    return frozenset(["a", "an", "the", "some", "is", "are", "and", "in", "of", "light"])


def words_of(phrases: tuple[Phrase, ...]) -> set[str]:
    """All words that captions with these phrases can hold."""
    words = {w for p in phrases for w in p.words.split()}
    colours = {w for name, c in COLOURS.items() for w in (name, *c.synonyms)}
    return words | colours | set(ADJECTIVES) | _function_words()
