"""What a hostile or a broken network may send: an endless mixture, the same every time."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from typing import Any

from oscbend.bends import OPERATORS
from oscbend.commands import COMMANDS
from oscbend.osc import Bundle, Message, TimeTag, encode

HANG = bytes.fromhex("2362756e646c65000000000000000001fffffffc")
"""A bundle with an element of negative size, which python-osc reads for ever."""

SPARED = ("/quit",)
"""Ends the server, as it should."""

NAMES = ("1", "2", "a", "rms", "b.3", "seed", "latent.0", "unet.mid.attn", "*", "..", "é", "x" * 300, "")
WORDS = (*OPERATORS, "latent.0", "latent.*", "image", "rms", "auto", "lin", "exp", "/seed", "../../x",
         "a floating orb", "\0", "é" * 100, "channels 0-1", "fraction 0.1 3", "mask no", "tiny")  # fmt: skip
NUMBERS = (0, 1, -1, 7, 2**31 - 1, -(2**31), 0.0, 0.5, 1.0, -3.5, 1e30, float("nan"), float("inf"))
BOMBS = ("/" + "*" * 200, "/*" * 100, "/{" + ",".join("a" * n for n in range(30)) + "}" * 3, "//" * 80,
         "/[!" + "a-z" * 60 + "]", "/" + "?*" * 100, "/bend/*/*", "//*")  # fmt: skip
POOL = 2000
"""Packets that are damaged in ever new ways."""
TAGS = "ifsbhdtTFNIcrmS[]\0~"


class Attacker:
    """Makes packets.

    Args:
        seed: of the mixture.
        spared: commands that are never sent as the table says they are written.
    """

    def __init__(self, seed: int = 0, spared: tuple[str, ...] = SPARED) -> None:
        self.dice = random.Random(seed)
        self.commands = [name for name in COMMANDS if name not in spared]
        self._made: list[bytes] = []
        self._kinds = (self._valid, self._mutated, self._random, self._deep, self._counted, self._bomb)
        self._shares = (30, 45, 10, 3, 9, 3)

    def packets(self, count: int) -> Iterator[bytes]:
        """So many of all kinds."""
        yield HANG
        for _ in range(count - 1):
            (kind,) = self.dice.choices(self._kinds, self._shares)
            yield kind()[:65507]

    def message(self) -> Message:
        """An address that exists, or nearly, with arguments that fit, or nearly."""
        dice = self.dice
        name = dice.choice(self.commands)
        while "{" in name:
            start, end = name.index("{"), name.index("}")
            name = name[:start] + dice.choice(NAMES) + name[end + 1 :]
        return Message(name, tuple(self._atom() for _ in range(dice.choice((0, 1, 1, 1, 2, 2, 3, 4, 16)))))

    def _atom(self) -> Any:
        dice = self.dice
        kind = dice.random()
        if kind < 0.35:
            return dice.choice(NUMBERS)
        if kind < 0.6:
            return dice.uniform(-2, 2)
        if kind < 0.95:
            return dice.choice(WORDS)
        return dice.choice((True, None, b"\x00\xff" * 9, TimeTag(dice.getrandbits(64)), [1, "a"]))

    def _valid(self) -> bytes:
        dice = self.dice
        if dice.random() < 0.6:
            return encode(self.message())
        packet: Message | Bundle = self.message()
        for _ in range(dice.randint(1, 4)):
            tag = dice.choice((TimeTag(1), TimeTag(0), TimeTag(dice.getrandbits(64)), TimeTag(2**64 - 1)))
            packet = Bundle(tag, (packet, *(self.message() for _ in range(dice.randint(0, 4)))))
        return encode(packet)

    def _mutated(self) -> bytes:
        dice = self.dice
        if len(self._made) < POOL:
            self._made.append(self._valid())
        data = bytearray(dice.choice(self._made))
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(data))
            kind = dice.randrange(5)
            if kind == 0:
                data[at] = dice.randrange(256)
            elif kind == 1:
                data[at] ^= 1 << dice.randrange(8)
            elif kind == 2:
                del data[at:]
            elif kind == 3:
                data[at:at] = dice.randbytes(dice.choice((1, 4, 8)))
            else:
                word = dice.choice((0, 4, 0xFFFFFFFC, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF))
                data[at & ~3 : (at & ~3) + 4] = struct.pack(">I", word)
            if not data:
                break
        return bytes(data)

    def _random(self) -> bytes:
        return self.dice.randbytes(self.dice.choice((0, 1, 3, 4, 16, 20, 64, 1024)))

    def _deep(self) -> bytes:
        data = encode(self.message())
        for _ in range(self.dice.choice((7, 8, 9, 50, 400))):
            data = b"#bundle\0" + struct.pack(">QI", 1, len(data)) + data
        return data

    def _counted(self) -> bytes:
        dice = self.dice
        if dice.random() < 0.3:
            return (
                b"/a\0\0" + struct.pack(">4sI", b",b\0\0", dice.choice((2**31, 2**32 - 1, 10**6))) + b"\0" * 8
            )
        if dice.random() < 0.3:
            return b"#bundle\0" + struct.pack(">QI", 1, 0) * dice.choice((1, 1000))
        tags = "".join(dice.choice(TAGS) for _ in range(dice.choice((1, 9, 300, 5000))))
        head = dice.choice((b"/seed\0\0\0", b"/bend/1\0", b"/\xff\xfe\xc3\0\0\0\0", b"\xe9\0\0\0"))
        body = b"," + tags.encode() + b"\0" * (4 - (len(tags) + 1) % 4)
        return head + body + dice.randbytes(4 * dice.randrange(64))

    def _bomb(self) -> bytes:
        return encode(Message(self.dice.choice(BOMBS), (self._atom(),)))
