"""What commands may ask of whatever runs the show: its clients, its outputs, its recording."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Protocol

from oscbend.clients import Clients
from oscbend.dump import Dump
from oscbend.state import Out


class Outputs(Protocol):
    """The outputs that commands open and close. What takes time is called by jobs."""

    def open(self, name: str, out: Out, host: str = "") -> None:
        """Opens an output, which gets frames from `take` on; one of the same name is closed first.

        Args:
            name: of the output.
            out: what it is.
            host: where the one who asked for it is.

        Raises:
            OscbendError: it cannot be opened; then the one of the same name is there as before.
        """

    def take(self, name: str) -> None:
        """Gives frames to an output that has been opened."""

    def change(self, name: str, out: Out) -> None:
        """Shows frames differently from now on."""

    def free(self, name: str) -> Callable[[], None]:
        """Gives an output no more frames; gives what waits until it is closed."""


class NoOutputs:
    """Stands in where outputs are not opened: in a film."""

    def open(self, name: str, out: Out, host: str = "") -> None:
        """Opens nothing."""

    def take(self, name: str) -> None:
        """There is none."""

    def change(self, name: str, out: Out) -> None:
        """There is none."""

    def free(self, name: str) -> Callable[[], None]:
        """There is none."""
        return lambda: None


class House(Protocol):
    """What commands may ask of whatever runs the show."""

    clients: Clients
    dump: Dump
    outs: Outputs

    def status(self) -> tuple[float | int | str, ...]:
        """What `/status.reply` says."""

    def clear(self, sender: Hashable | None = None) -> int:
        """Forgets what waits for its time, of one sender or of all; tells how many bundles it was."""

    def hush(self, on: bool) -> None:
        """Tells nothing (or all) of what goes wrong in the rest of the bundle."""

    def unix_s(self) -> float:
        """Unix time."""

    def record(self, path: Path, name: str) -> None:
        """Opens a file in which the show is recorded; called by a job.

        Raises:
            BadValue: it cannot be made, or another one is open.
        """

    def stop_recording(self, time_s: float) -> Callable[[], None]:
        """Ends the recording; gives what waits until it is written.

        Raises:
            BadValue: nothing is being recorded.
        """


class NoHouse:
    """Stands in where nobody runs the show: nothing waits, and there is nothing to tell."""

    def __init__(self) -> None:
        self.clients = Clients()
        self.dump = Dump()
        self.outs: Outputs = NoOutputs()

    def status(self) -> tuple[float | int | str, ...]:
        """Nothing."""
        return ()

    def clear(self, sender: Hashable | None = None) -> int:
        """Nothing waits."""
        return 0

    def hush(self, on: bool) -> None:
        """Nothing is told."""

    def unix_s(self) -> float:
        """There is no time of day."""
        return 0.0

    def record(self, path: Path, name: str) -> None:
        """A film records nothing."""

    def stop_recording(self, time_s: float) -> Callable[[], None]:
        """A film records nothing."""
        return lambda: None
