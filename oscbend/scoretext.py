"""A score as text, to be read, changed and compared; and back, to the bit.

    # seconds, address, arguments; what acts together is indented below the first
    0 /steps 4
      /prompt "a floating orb"
    0.5 /feature/rms 0.25
    2

A line that begins with a number begins a bundle at that time; the indented ones below it belong to it, and
`@ 0.5 /address …` among them begins a bundle within the bundle, whose own messages stand further in. Whole
numbers are `i`, others `f`, words and quoted text `s`. Where that would be wrong, the type tags stand before
the arguments, as in `,dT 0.5`; then a blob is written in hexadecimal, and `T F N I` have no text.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from struct import pack, unpack
from typing import Any

from oscbend.errors import BadMessage, BadScore
from oscbend.osc import NESTING, Bundle, Message, TimeTag, encode_message
from oscbend.score import Score

PLACES = 10
"""Decimal places of a time; a step of 2^-32 s is larger than what they leave out."""

QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
TOKEN = re.compile(rf"{QUOTED.pattern}|\S+")

CONSTANTS: dict[str, Any] = {"T": True, "F": False, "N": None, "I": True}


def to_text(score: Score) -> str:
    """The score as text; `from_text` gives the same score, and the same bytes in a file."""
    return "".join(f"{line}\n" for bundle in score for line in _bundle(bundle, ""))


def from_text(text: str) -> Score:
    """The score that a text stands for.

    Raises:
        BadScore: which line is wrong, and how.
    """
    bundles: list[_Open] = []
    nest: list[_Open] = []
    last = -1
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        try:
            if indent == 0:
                time, rest = _time_ahead(words)
                nest = [_Open(time, 0)]
                if time < last:
                    raise BadScore("its time is before the one above it")
                last = time
                bundles.append(nest[0])
            else:
                while nest and indent <= nest[-1].indent:
                    nest.pop()
                if not nest:
                    raise BadScore(
                        "an indented line needs a bundle above it, a line that begins with its time"
                    )
                rest = words
                if words.startswith("@"):
                    if len(nest) >= NESTING:
                        raise BadScore(f"bundles stand in each other more than {NESTING} deep")
                    time, rest = _time_ahead(words[1:].strip())
                    inner = _Open(time, indent)
                    nest[-1].elements.append(inner)
                    nest.append(inner)
            if rest:
                nest[-1].elements.append(_read_message(rest))
        except (BadScore, BadMessage) as error:
            raise BadScore(f"line {number}: {error}") from None
    return Score(bundle.closed() for bundle in bundles)


class _Open:
    """A bundle that is being read."""

    def __init__(self, time: TimeTag, indent: int) -> None:
        self.time = time
        self.indent = indent
        self.elements: list[Message | _Open] = []

    def closed(self) -> Bundle:
        made = [e if isinstance(e, Message) else e.closed() for e in self.elements]
        return Bundle(self.time, tuple(made))


def _bundle(bundle: Bundle, indent: str) -> Iterator[str]:
    head = f"{indent}{'@ ' if indent else ''}{_seconds(bundle.time)}"
    lines: list[str] = []
    for element in bundle.elements:
        if isinstance(element, Message):
            lines.append(f"{indent}  {_message(element)}")
        else:
            lines += _bundle(element, f"{indent}  ")
    if bundle.elements and isinstance(bundle.elements[0], Message):
        yield f"{head} {lines.pop(0).strip()}"
    else:
        yield head
    yield from lines


def _seconds(time: TimeTag) -> str:
    return _plain(Decimal(int(time)) / 2**32, PLACES)


def _plain(number: Decimal, places: int) -> str:
    text = f"{number:.{places}f}"
    return text.rstrip("0").rstrip(".")


def _time_ahead(words: str) -> tuple[TimeTag, str]:
    first, _, rest = words.partition(" ")
    try:
        time = Decimal(first)
    except InvalidOperation:
        raise BadScore(f"a bundle begins with its time in seconds, not {first!r}") from None
    if not 0 <= time < 2**32:
        raise BadScore(f"a score has no time {first} s")
    return TimeTag(round(time * 2**32)), rest.strip()


def _message(message: Message) -> str:
    given = encode_message(message.address, message.args, message.tags)
    plain = encode_message(message.address, message.args)
    tags = message.tags or _tags_of(plain)
    shown = _shown(tags, message.args)
    written = " ".join(text for text in shown if text)
    words = [_address(message.address), written] if written else [_address(message.address)]
    if given != plain or set(tags) - set("ifs"):
        words.insert(1, f",{tags}")
    return " ".join(words)


def _shown(tags: str, args: tuple[Any, ...]) -> list[str]:
    texts: list[str] = []
    values = [iter(args)]
    for tag in tags:
        if tag == "]":
            values.pop()
            continue
        value = next(values[-1])
        if tag == "[":
            values.append(iter(value))
        else:
            texts.append(_atom(tag, value))
    return texts


def _tags_of(packet: bytes) -> str:
    begin = (packet.index(b"\0") | 3) + 1
    return packet[begin + 1 : packet.index(b"\0", begin)].decode()


def _address(address: str) -> str:
    return (
        address
        if not set(address) & set(" \t\n\r\"'\\\x0b\x0c#") and address.isprintable()
        else json.dumps(address)
    )


def _single(value: float) -> str:
    """The shortest decimal that is this number in 32 bits; always told from a whole number."""
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        with suppress(OverflowError):  # rounded up beyond what 32 bits hold
            if unpack(">f", pack(">f", float(text))) == (value,):
                break
    return text if set(text) & set(".en") else f"{text}.0"


_WRITE: dict[str, Callable[[Any], str]] = {
    "f": lambda v: _single(unpack(">f", pack(">f", v))[0]),
    "d": repr,
    "t": lambda v: str(int(v)),
    "b": lambda v: f"0x{bytes(v).hex()}",
    "m": lambda v: f"0x{bytes(v).hex()}",
    **dict.fromkeys("sSc", json.dumps),
    **dict.fromkeys("ihr", str),
}


def _atom(tag: str, value: Any) -> str:
    return "" if tag in CONSTANTS else _WRITE[tag](value)


def _read_message(words: str) -> Message:
    try:
        tokens = [_unquoted(token) for token in _split(words)]
    except ValueError as error:
        raise BadScore(f"{words}: {error}") from None
    (address, _), *rest = tokens
    if not address.startswith("/"):
        raise BadScore(f"an address begins with a slash, not {address!r}")
    if rest and not rest[0][1] and rest[0][0].startswith(","):
        tags = rest.pop(0)[0][1:]
        made = Message(address, _nested(tags, [text for text, _ in rest]), tags)
    else:
        made = Message(address, tuple(_guessed(text, quoted) for text, quoted in rest))
    encode_message(made.address, made.args, made.tags)
    return made


def _split(words: str) -> list[str]:
    tokens = TOKEN.findall(words)
    if any(token.startswith('"') and not QUOTED.fullmatch(token) for token in tokens):
        raise ValueError("a quoted text has no end")
    return tokens


def _unquoted(token: str) -> tuple[str, bool]:
    return (json.loads(token), True) if token.startswith('"') else (token, False)


def _guessed(text: str, quoted: bool) -> int | float | str:
    if not quoted:
        for kind in (int, float):
            try:
                value = kind(text)
            except ValueError:
                continue
            if math.isfinite(value):
                return value
    return text


_READ: dict[str, Callable[[str], Any]] = {
    "t": lambda text: TimeTag(int(text)),
    "b": lambda text: bytes.fromhex(text.removeprefix("0x")),
    "m": lambda text: tuple(bytes.fromhex(text.removeprefix("0x"))),
    **dict.fromkeys("fd", float),
    **dict.fromkeys("ihr", int),
    **dict.fromkeys("sSc", str),
}


def _nested(tags: str, texts: Iterable[str]) -> tuple[Any, ...]:
    """The arguments by their type tags, arrays as tuples."""
    left = iter(texts)
    stack: list[list[Any]] = [[]]
    try:
        for tag in tags:
            if tag == "[":
                stack.append([])
            elif tag == "]":
                array = stack.pop()
                stack[-1].append(tuple(array))
            elif tag in CONSTANTS:
                stack[-1].append(CONSTANTS[tag])
            else:
                stack[-1].append(_READ[tag](next(left)))
        (made,) = stack
    except (KeyError, ValueError, IndexError, StopIteration):
        raise BadScore(f"the arguments are not what the type tags {tags!r} say") from None
    if list(left):
        raise BadScore(f"more arguments than the type tags {tags!r} say")
    return tuple(made)
