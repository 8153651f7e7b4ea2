"""Every error that oscbend raises on purpose.

Each says what was wrong and what to do; none means that the program is broken.

    OscbendError
    ├── BadPacket           a datagram that is not OSC; dropped whole and counted
    ├── BadMessage          a well-formed message that asks for something impossible
    │   ├── UnknownName     an operator, site, parameter, feature or address that does not exist
    │   └── BadValue        a value of the wrong type, not finite, or outside a range that refuses
    ├── BadScore            a score file that breaks its format
    │   └── TornScore       one that breaks off in the middle of a bundle
    ├── BadAudio            audio that cannot be read, or holds nothing
    ├── BadModel            a checkpoint that is missing, truncated, pickled or of another family
    ├── OutOfMemory         a size or model that the device has no room for
    ├── NotFinite           a frame with NaN or infinity in it, and the bend that made it
    └── MissingLibrary      an optional library that is not installed, and how to install it
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable


class OscbendError(Exception):
    """Base of all errors raised on purpose; its text is fit to be shown to a musician."""


class BadPacket(OscbendError):
    """A datagram that is not well-formed OSC."""


class BadMessage(OscbendError):
    """A well-formed message that cannot be carried out."""


class UnknownName(BadMessage):
    """A name that does not exist; the text lists the nearest ones that do."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(kind, name)
        self.kind = kind
        self.name = name
        self._known = known

    @functools.cached_property
    def nearest(self) -> tuple[str, ...]:
        """The names most like it; looked for when somebody asks, since that is slow and a flood of wrong
        messages is answered only now and then."""
        return nearest(self.name, self._known)

    def __str__(self) -> str:
        hint = f"; nearest: {', '.join(self.nearest)}" if self.nearest else ""
        return f"unknown {self.kind} {self.name!r}{hint}"


class BadValue(BadMessage):
    """A value of the wrong type, not finite, or outside a range that refuses."""


class BadScore(OscbendError):
    """A score file that breaks its format."""


class TornScore(BadScore):
    """A score file that breaks off in the middle of a bundle."""


class BadAudio(OscbendError):
    """Audio that cannot be read, or that holds no samples."""


class BadModel(OscbendError):
    """A checkpoint that cannot be loaded, and why."""


class OutOfMemory(OscbendError):
    """The device has no room for what was to be drawn or loaded."""


class NotFinite(OscbendError):
    """A frame held NaN or infinity; the text names the bend that made it, when one did."""


class MissingLibrary(OscbendError):
    """An optional library is not installed; the text says how to install it."""


def nearest(name: str, known: Iterable[str], count: int = 4) -> tuple[str, ...]:
    """The known names most like `name`, best first, at most `count`."""
    names = list(dict.fromkeys(known))
    close = difflib.get_close_matches(name, names, n=count, cutoff=0.5)
    if not close:
        close = [n for n in names if name and (name in n or n in name)][:count]
    return tuple(close)


def one_line(error: BaseException) -> str:
    """What an exception says, in one line fit to be shown."""
    text = " ".join(str(error).split())[:600]
    if isinstance(error, OscbendError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
