"""Scenes: what a show was set to, as readable TOML files below the root.

    version = 1
    seed = 46.0

    [bend.lead]
    op = "rotate"
    site = "latent.2"
    angle = 1.57
    "angle/map" = ["rms", 0.0, 6.28, "lin"]

A key is an address without its first slash, and a table is what several addresses begin with: the value of
`angle` in `[bend.lead]` is what `/bend/lead/angle` takes.
"""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tomli_w

from oscbend import paths
from oscbend.errors import BadMessage, BadValue, UnknownName

VERSION = 1
FOLDER = "scenes"
SUFFIX = ".toml"
FLOAT32_MAX = 3.4e38
LARGEST = 4 * 2**20
"""Largest file that is read, in bytes."""

Told = tuple[str, tuple[Any, ...]]
"""An address and what is set there."""


class Said(NamedTuple):
    """What a scene sets.

    Args:
        where: the key as people find it in the file.
        address: where it is set.
        args: to what.
    """

    where: str
    address: str
    args: tuple[Any, ...]


_DEPTH = {"bend": 2, "feature": 2, "prompt": 1, "noise": 1, "out": 1}
"""How many parts of an address name the table that it stands in, by its first part."""

_ARRAY = re.compile(r"= \[\n((?:    .*,\n)*)\]$", re.MULTILINE)


class Scenes:
    """The scenes below a root folder.

    Args:
        root: they are in its folder `scenes`.
        dry: True keeps what is saved in memory, as when a film is made: no file changes.
    """

    def __init__(self, root: Path, *, dry: bool = False) -> None:
        self.heard: Callable[[str, str | None], None] = lambda name, text: None
        """Is told of each scene that is read, with its text, or None if it could not be read."""
        self._root = root
        self._dry = dry
        self._saved: dict[str, str] = {}
        self._played: deque[tuple[str, str | None]] = deque()

    def in_memory(self, played: Iterable[tuple[str, str | None]] = ()) -> Scenes:
        """The same scenes, of which no file will change.

        Args:
            played: names and texts that are read first, in this order, whatever the files hold now.
        """
        scenes = Scenes(self._root, dry=True)
        scenes._played.extend(played)
        return scenes

    def read(self, name: str) -> str:
        """The text of a scene.

        Raises:
            BadMessage: there is none, or it cannot be read.
        """
        try:
            text = self._read(name)
        except BadMessage:
            self.heard(name, None)
            raise
        self.heard(name, text)
        return text

    def _read(self, name: str) -> str:
        if self._played and self._played[0][0] == name:
            text = self._played.popleft()[1]
            if text is None:
                raise BadValue(f"{name} could not be read when this was recorded")
            return text
        if name in self._saved:
            return self._saved[name]
        path = self._path(name)
        try:
            if path.stat().st_size > LARGEST:
                raise BadValue(f"{path.name} is too large for a scene")
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UnknownName("scene", name, self.names()) from None
        except UnicodeDecodeError:
            raise BadValue(f"{path.name} is not text in UTF-8") from None
        except OSError as error:
            raise BadValue(f"{path.name} cannot be read: {error.strerror}") from error

    def write(self, name: str, text: str) -> None:
        """Keeps a scene; one of the same name is replaced, at once or not at all.

        Raises:
            BadValue: no name for a scene, or it cannot be written.
        """
        path = self._path(name)
        if self._dry:
            self._saved[name] = text
            return
        part = path.with_name(f"{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise BadValue(f"{path.name} cannot be written: {error.strerror}") from error

    def names(self) -> list[str]:
        """All there are, in the order of the alphabet."""
        folder = self._root / FOLDER
        found = (path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob(f"*{SUFFIX}"))
        return sorted({*found, *self._saved})

    def _path(self, name: str) -> Path:
        paths.below(self._root / FOLDER, name)
        return paths.below(self._root, f"{FOLDER}/{name}{SUFFIX}")


def to_text(told: Iterable[Told]) -> str:
    """A scene as TOML.

    Args:
        told: addresses with what is set there.
    """
    document: dict[str, Any] = {"version": VERSION}
    for address, values in _split(told):
        first, *rest = address.lstrip("/").split("/")
        parts = [first, *rest]
        depth = min(_DEPTH.get(first, 0), len(parts) - 1)
        table = document
        for part in parts[:depth]:
            table = table.setdefault(part, {})
        shown = [_short(v) for v in values]
        table["/".join(parts[depth:])] = shown[0] if len(shown) == 1 else shown
    return _ARRAY.sub(_on_one_line, tomli_w.dumps(document))


def from_text(text: str) -> list[Said]:
    """What a scene sets, in its own order.

    Raises:
        BadValue: no TOML, of another version, or something stands there that no address takes.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadValue(f"no valid TOML: {error}") from None
    version = document.pop("version", None)
    if type(version) is not int:
        raise BadValue(f"this is no scene: its first line must say version = {VERSION}")
    if version != VERSION:
        raise BadValue(f"version {version} of scenes is not known here; this oscbend reads version {VERSION}")
    return list(_flat(document, ()))


def _flat(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Said]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, (*path, key))
            continue
        where = f"[{'.'.join(path)}] {key}" if path else key
        values = value if isinstance(value, list) else [value]
        for one in values:
            if not isinstance(one, str | int | float):
                raise BadValue(f"{where}: a value is a number, a text, or a list of these, not {one!r}")
        yield Said(where, "/" + "/".join((*path, key)), tuple(values))


def _split(told: Iterable[Told]) -> Iterator[Told]:
    """The same, with the operator and the site of a bend apart."""
    for address, values in told:
        if address.count("/") == 2 and address.startswith("/bend/"):
            yield from zip((f"{address}/op", f"{address}/site"), ((v,) for v in values))
        else:
            yield address, values


def _short(value: Any) -> Any:
    """A number as it was most likely typed: what came as a 32-bit float has 7 digits that count."""
    if isinstance(value, float) and abs(value) < FLOAT32_MAX and float(np.float32(value)) == value:
        return float(str(np.float32(value)))
    return value


def _on_one_line(found: re.Match[str]) -> str:
    return f"= [{', '.join(line.strip().rstrip(',') for line in found[1].splitlines())}]"
