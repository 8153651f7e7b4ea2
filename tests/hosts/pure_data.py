"""Pure Data patches for tests: written line by line, run by a real Pd."""

from __future__ import annotations

import re
from pathlib import Path

from performance import HERE, program, run

PATCHES = HERE.parents[1] / "patches" / "pd"


class Patch:
    """A patch that sends messages to named receivers, each at its time."""

    def __init__(self, *lines: str) -> None:
        self._lines = ["#N canvas 0 0 450 300 12;", *lines]
        self._boxes = sum(line.startswith(("#X obj", "#X msg")) for line in lines)

    def at(self, time_s: float, receiver: str, message: str) -> None:
        """Sends a message so long after the patch has opened."""
        first = self._boxes
        self._boxes += 3
        self._lines += [
            "#X obj 0 0 loadbang;",
            f"#X obj 0 0 delay {time_s * 1000:g};",
            f"#X msg 0 0 \\; {receiver} {message};",
            f"#X connect {first} 0 {first + 1} 0;",
            f"#X connect {first + 1} 0 {first + 2} 0;",
        ]

    def play(self, file: Path, end_s: float) -> str:
        """What Pd printed, with the abstractions of patches/pd at hand."""
        self.at(end_s, "pd", "quit")
        file.write_text("\n".join(self._lines) + "\n")
        flags = ("-nogui", "-noaudio", "-nomidi", "-nrt", "-stderr", "-path", str(PATCHES))
        output = run(program("pd"), *flags, str(file))
        assert "couldn't create" not in output, output
        assert "error" not in output, output
        return output


def messages(patch: Path) -> list[str]:
    """What the message boxes of a patch say."""
    found = re.findall(r"^#X msg -?\d+ -?\d+ ([^;]*?);$", patch.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(text.split()) for text in found]
