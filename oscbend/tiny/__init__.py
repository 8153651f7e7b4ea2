"""The built-in model: a Stable Diffusion small enough to live in the package, and the words it knows.

>>> unknown_words("a red orb over zanzibar")
['over', 'zanzibar']
"""

import json
import re
from functools import lru_cache
from pathlib import Path

__all__ = ["folder", "unknown_words"]


def folder() -> Path:
    """Where the weights are: a folder that `StableDiffusionPipeline.from_pretrained` loads."""
    return Path(__file__).parent / "weights"


@lru_cache(maxsize=1)
def _words() -> frozenset[str]:
    return frozenset(json.loads((folder() / "words.json").read_text(encoding="utf-8")))


def unknown_words(prompt: str) -> list[str]:
    """The words of a prompt that the built-in model was never taught, in order, each once."""
    words = re.findall(r"[^\W_]+", prompt.lower())
    return [w for w in dict.fromkeys(words) if w not in _words()]
