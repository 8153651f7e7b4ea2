"""Bends written on one line, as on the command line: to OSC messages, and nothing else.

rotate latent.2 plane=r1 angle=1.57
rotate latent.2 plane=r1 angle=rms:0:6.283
add unet.mid.attn r=flux:-1:1:sin mix=0.5 window=0.5,1 select="rows 0.45 0.55"
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from oscbend.bends import OPERATORS
from oscbend.errors import BadValue, UnknownName
from oscbend.features import split
from oscbend.osc import Message
from oscbend.state import MIX, WINDOW
from oscbend.table import Arg

WORDS = ("mix", "window", "select", "branch", "on")


@dataclass(frozen=True)
class Words:
    """A bend as messages, and the features that drive it.

    Args:
        messages: they arm the bend and set it.
        features: names of the feature buses that its maps use.
    """

    messages: tuple[Message, ...]
    features: tuple[str, ...]


def bend_words(text: str, id: str) -> Words:
    """A bend from one line.

    Args:
        text: `OP SITE [NAME=VALUE …]`. A value may hold several numbers, with commas between them. Of a live
            parameter it may be `FEATURE`, `FEATURE:LO:HI` or `FEATURE:LO:HI:CURVE`.
        id: the bend's name.

    Raises:
        BadValue: not of this form.
        UnknownName: no such operator or parameter; the nearest are named.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadValue(f"--bend {text!r}: {error}") from error
    if len(words) < 2:
        raise BadValue(
            f"--bend {text!r}: write OPERATOR SITE [NAME=VALUE …], as in 'rotate latent.2 angle=1.57'"
        )
    op, site, *rest = words
    row = OPERATORS[op]
    messages = [Message(f"/bend/{id}", (op, site))]
    features: list[str] = []
    for word in rest:
        name, equals, value = word.partition("=")
        if not equals or not value:
            raise BadValue(f"--bend {text!r}: {word!r} should be NAME=VALUE")
        known = {a.name: a for a in (*row.args, MIX, WINDOW)}
        if name not in known and name not in WORDS:
            raise UnknownName(f"parameter of {op}", name, (*known, *WORDS))
        arg = known.get(name)
        if arg is not None and arg.live and not _number(value.split(",")[0]):
            message, feature = _map(f"/bend/{id}/{name}", value)
            features.append(feature)
        else:
            message = Message(f"/bend/{id}/{name}", _atoms(value, arg))
        messages.append(message)
    return Words(tuple(messages), tuple(dict.fromkeys(features)))


def _map(address: str, value: str) -> tuple[Message, str]:
    feature, *rest = value.split(":")
    if len(rest) not in (0, 2, 3) or not all(_number(r) for r in rest[:2]):
        raise BadValue(
            f"{value!r} should be FEATURE, FEATURE:LO:HI or FEATURE:LO:HI:CURVE, as in rms:0:6.283"
        )
    bounds = tuple(float(r) for r in rest[:2])
    return Message(f"{address}/map", (feature, *bounds, *rest[2:])), split(feature)[0]


def _atoms(value: str, arg: Arg | None) -> tuple[float | str, ...]:
    if arg is None or arg.type == "s":
        return (value,)
    return tuple(float(v) if _number(v) else v for v in value.split(","))


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
