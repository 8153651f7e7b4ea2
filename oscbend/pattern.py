"""OSC address patterns: which of the addresses that exist a message is meant for.

`?` one character, `*` any number, `[a-z]` one of, `[!a]` one not of, `{x,y}` either text, all within one
part of an address; `//` stands for any number of parts, none included, and at the end for everything
below. A bracket that is not closed stands for itself. Source: Open Sound Control 1.0 and 1.1.

All the ways in which a pattern may match are followed at once (Thompson's construction, as bits of an
integer), so the work grows with pattern times address, whatever the network sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

PATTERN_MAX = 1024
"""Longest pattern, in characters; a longer one matches nothing."""


def is_pattern(address: str) -> bool:
    """True if `address` may stand for several addresses."""
    return any(mark in address for mark in ("*", "?", "[", "{", "//"))


def match(pattern: str, address: str) -> bool:
    """True if `pattern` stands for `address`.

    >>> match("/bend/*/on", "/bend/7/on"), match("//on", "/bend/7/on"), match("/bend/*", "/bend/7/on")
    (True, True, False)
    """
    parts = _parts(pattern)
    states = _spread({0}, parts)
    for name in address.removeprefix("/").split("/"):
        states = _step(states, parts, name, {})
    return len(parts) in states


def select(pattern: str, addresses: Iterable[str]) -> list[str]:
    """Those of `addresses` that `pattern` stands for, in their order."""
    return [address for address in addresses if match(pattern, address)]


@dataclass(slots=True)
class _Node:
    address: str | None = None
    below: dict[str, _Node] = field(default_factory=dict)


class AddressTree:
    """The addresses that exist, by parts, so that a pattern visits only those it may stand for."""

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        self._root = _Node()
        self._count = 0
        for address in addresses:
            self.add(address)

    def add(self, address: str) -> None:
        """Puts an address in; once more changes nothing."""
        node = self._root
        for name in address.removeprefix("/").split("/"):
            node = node.below.setdefault(name, _Node())
        self._count += node.address is None
        node.address = address

    def discard(self, address: str) -> None:
        """Takes an address out, if it is there."""
        path = [self._root]
        names = address.removeprefix("/").split("/")
        for name in names:
            if name not in path[-1].below:
                return
            path.append(path[-1].below[name])
        self._count -= path[-1].address is not None
        path[-1].address = None
        while names and path[-1].address is None and not path[-1].below:
            path.pop()
            del path[-1].below[names.pop()]

    def __contains__(self, address: object) -> bool:
        if not isinstance(address, str):
            return False
        node: _Node | None = self._root
        for name in address.removeprefix("/").split("/"):
            node = node.below.get(name) if node else None
        return node is not None and node.address is not None

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        return iter(self.select("//"))

    def select(self, pattern: str) -> list[str]:
        """The addresses that `pattern` stands for, those that share a beginning side by side."""
        parts = _parts(pattern)
        seen: dict[tuple[int, str], bool] = {}
        found = []
        waiting = [(self._root, _spread({0}, parts))]
        while waiting:
            node, states = waiting.pop()
            if node.address is not None and len(parts) in states:
                found.append(node.address)
            exact = [parts[i] for i in states if i < len(parts)]
            if all(isinstance(part, str) for part in exact):
                names = [part for part in exact if part in node.below]
            else:
                names = list(node.below)
            for name in reversed(names):
                after = _step(states, parts, name, seen)
                if after:
                    waiting.append((node.below[name], after))
        return found


@dataclass(frozen=True, slots=True)
class _Class:
    """One character in (or not in) some ranges; `?` is the one not in none."""

    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = False

    def holds(self, character: str) -> bool:
        return any(lo <= character <= hi for lo, hi in self.ranges) is not self.negated


_Token = _Class | tuple[str, ...] | None
"""One character, one of several texts, or (None) any text."""

_Part = str | tuple[_Token, ...] | None
"""A name to the letter, a pattern of one, or (None) any number of parts."""

_NOWHERE = "\0"  # no address holds NUL: OSC strings end with it


@lru_cache(256)
def _parts(pattern: str) -> tuple[_Part, ...]:
    if len(pattern) > PATTERN_MAX:
        return (_NOWHERE,)
    pieces = pattern.removeprefix("/").split("/")
    parts: list[_Part] = []
    for piece in pieces[:-1]:
        if piece:
            parts.append(_tokens(piece))
        elif parts[-1:] != [None]:
            parts.append(None)
    below = parts[-1:] == [None] and not pieces[-1]
    parts.append(_tokens("*" if below else pieces[-1]))
    return tuple(parts)


def _tokens(piece: str) -> _Part:
    if not is_pattern(piece):
        return piece
    tokens: list[_Token] = []
    pos = 0
    while pos < len(piece):
        mark = piece[pos]
        close = piece.find({"[": "]", "{": "}"}.get(mark, mark), pos + 1)
        if mark == "*":
            if tokens[-1:] != [None]:
                tokens.append(None)
        elif mark == "?":
            tokens.append(_Class(negated=True))
        elif mark == "[" and close > 0:
            tokens.append(_class(piece[pos + 1 : close]))
            pos = close
        elif mark == "{" and close > 0:
            tokens.append(tuple(dict.fromkeys(piece[pos + 1 : close].split(","))))
            pos = close
        else:
            tokens.append((mark,))
        pos += 1
    return tuple(tokens)


def _class(text: str) -> _Class:
    negated = text.startswith("!")
    text = text[negated:]
    ranges = []
    while text:
        step = 3 if text[1:2] == "-" and len(text) > 2 else 1
        ends = text[0], text[step - 1]
        ranges.append((min(ends), max(ends)))
        text = text[step:]
    return _Class(tuple(ranges), negated)


def _spread(states: Iterable[int], parts: tuple[_Part, ...]) -> frozenset[int]:
    """`states`, and those reached from them through a `//` that stands for no part."""
    reached = set(states)
    reached |= {i + 1 for i in reached if i < len(parts) and parts[i] is None}
    return frozenset(reached)


def _step(
    states: Iterable[int], parts: tuple[_Part, ...], name: str, seen: dict[tuple[int, str], bool]
) -> frozenset[int]:
    """How much of the pattern may be matched after one more part of the address."""
    after = set()
    for i in states:
        if i == len(parts):
            continue
        part = parts[i]
        if part is None:
            after.add(i)
            continue
        if (i, name) not in seen:
            seen[i, name] = part == name if isinstance(part, str) else _covers(part, name)
        if seen[i, name]:
            after.add(i + 1)
    return _spread(after, parts)


def _covers(tokens: tuple[_Token, ...], name: str) -> bool:
    """True if one part's pattern stands for `name`."""
    where: dict[str, int] = {}  # character -> bit i is set where name[i] is that character
    for i, character in enumerate(name):
        where[character] = where.get(character, 0) | 1 << i
    ends = (2 << len(name)) - 1
    at = 1  # bit i is set if the tokens so far may stand for name[:i]
    for token in tokens:
        if token is None:
            at = ends & -(at & -at)
        elif isinstance(token, _Class):
            at = (at & sum(bits for character, bits in where.items() if token.holds(character))) << 1
        else:
            at = _union(at, token, where)
        if not at:
            return False
    return bool(at >> len(name) & 1)


def _union(at: int, texts: tuple[str, ...], where: dict[str, int]) -> int:
    """Where the name may stand after any one of `texts`, having stood at `at`."""
    union = 0
    for text in texts:
        after = at
        for character in text:
            after = (after & where.get(character, 0)) << 1
            if not after:
                break
        union |= after
    return union
