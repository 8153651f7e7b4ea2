"""A show's memory as JSON, to the last bit, and back: states, features, arrays.

Only what is listed in `KNOWN` can be made again, so that a file can make nothing else.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from oscbend.errors import BadScore
from oscbend.features import Bus
from oscbend.state import Bend, Fade, Glide, Listening, Map, Mod, Morph, Out, State

KNOWN = {kind.__name__: kind for kind in (State, Bend, Fade, Glide, Listening, Map, Mod, Morph, Out, Bus)}


def packed(thing: Any) -> Any:
    """Something as JSON can hold it; what JSON has no form for is a list that begins with its kind."""
    match thing:
        case None | bool() | int() | str():
            return thing
        case float():
            return thing if math.isfinite(thing) else ["float", repr(thing)]
        case tuple():
            return ["tuple", *map(packed, thing)]
        case list():
            return ["list", *map(packed, thing)]
        case deque():
            return ["deque", *map(packed, thing)]
        case frozenset():
            return ["set", *map(packed, sorted(thing))]
        case np.ndarray():
            return ["array", list(thing.shape), [packed(float(v)) for v in thing.ravel()]]
        case Mapping():
            return ["dict", *([packed(key), packed(value)] for key, value in thing.items())]
    if type(thing).__name__ in KNOWN:
        return [
            type(thing).__name__,
            {f.name: packed(getattr(thing, f.name)) for f in fields(thing)},
        ]
    raise TypeError(f"{type(thing).__name__} is nothing that a show remembers")


def unpacked(data: Any) -> Any:
    """What `packed` made this of.

    Raises:
        BadScore: nothing.
    """
    try:
        return _unpacked(data)
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        raise BadScore(f"a memory that cannot be read: {error}") from error


def _unpacked(data: Any) -> Any:
    if not isinstance(data, list):
        return data
    kind, *parts = data
    match kind:
        case "float":
            return float(parts[0])
        case "tuple":
            return tuple(map(_unpacked, parts))
        case "list":
            return list(map(_unpacked, parts))
        case "deque":
            return deque(map(_unpacked, parts))
        case "set":
            return frozenset(map(_unpacked, parts))
        case "array":
            return np.array([_unpacked(v) for v in parts[1]], np.float64).reshape(parts[0])
        case "dict":
            return {_unpacked(key): _unpacked(value) for key, value in parts}
    return KNOWN[kind](**{name: _unpacked(value) for name, value in parts[0].items()})
