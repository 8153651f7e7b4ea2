"""Files that are named over OSC lie below one folder, whatever the name says."""

from __future__ import annotations

import os
from pathlib import Path, PurePath, PureWindowsPath

from oscbend.errors import BadValue

LONGEST = 512
"""Longest name of a file, in characters."""

_FORBIDDEN = frozenset(map(chr, range(32)))


def below(root: Path, name: str) -> Path:
    """The file or folder that `name` stands for; it need not exist.

    It is refused for its letters alone where it could leave the folder, so that asking for it touches nothing
    outside; and again where a symbolic link leads out.

    Args:
        root: the folder.
        name: relative to it, or absolute and within it.

    Raises:
        BadValue: empty, too long, not a name of a file, or outside the root.
    """
    if not name.strip() or len(name) > LONGEST or not _FORBIDDEN.isdisjoint(name):
        raise BadValue(f"{name[:40]!r} is no name of a file (1 to {LONGEST} characters)")
    root = root.resolve()
    path = PurePath(name)
    if isinstance(path, PureWindowsPath) and (_reserved(path) or ":" in name.removeprefix(path.drive)):
        raise BadValue(f"{name!r} is no name of a file on Windows")
    if ".." in path.parts or not (root / path).is_relative_to(root):
        raise _outside(name, root)
    try:
        resolved = (root / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise BadValue(f"{name!r} is no name of a file here: {error}") from error
    if not resolved.is_relative_to(root):
        raise _outside(name, root)
    return resolved


def name_below(root: Path, path: Path) -> str:
    """How a resolved path is named below the root: one name for one file, with `/` on every system."""
    return path.relative_to(root.resolve()).as_posix()


def could_be_a_file(root: Path, name: str) -> bool:
    """True if a name means a file or folder, there or not, rather than a model on a hub.

    What begins with `~`, `.` or a separator, or lies below the root or the working folder, is one.
    """
    if name.startswith(("~", ".", os.sep, "/", "\\")) or PureWindowsPath(name).drive:
        return True
    return any((folder / name).exists() for folder in (root, Path.cwd()))


def _reserved(path: PureWindowsPath) -> bool:
    asked = getattr(os.path, "isreserved", None)  # from Python 3.13 on
    return bool(asked(path)) if asked is not None else path.is_reserved()


def _outside(name: str, root: Path) -> BadValue:
    return BadValue(f"{name} lies outside the root folder {root}; start the server with --root")
