"""Recording what is played, to be rendered again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from oscbend.commands.base import COMMANDS, Job, Reply, Show
from oscbend.commands.telling import TALK
from oscbend.errors import BadValue
from oscbend.paths import below, name_below
from oscbend.state import State
from oscbend.table import Arg

SCORE = ".osc"
NAMES = 1000

Work = tuple[Callable[[State], State], Sequence[str]]


def free_place(root: Path, name: str, suffix: str) -> Path:
    """A file below the root that is not there yet: of that name, or with a number after it.

    Args:
        root: the folder.
        name: with its suffix or without; the time of day if empty.
        suffix: of such files.

    Raises:
        BadValue: no name for a file below the root.
    """
    name = name or time.strftime("%Y-%m-%d %H.%M.%S")
    stem = name.removesuffix(suffix)
    for n in range(1, NAMES):
        path = below(root, f"{stem}{suffix}" if n == 1 else f"{stem}-{n}{suffix}")
        if not path.exists():
            return path
    raise BadValue(f"there are {NAMES} files called {name} already")


def closing(show: Show, address: str, args: tuple[Any, ...], closed: Callable[[], None]) -> Job:
    """Waits until something is closed, and says `/done` then."""

    def work() -> Work:
        closed()
        return (lambda now: now), []

    return Job(address, work, args, show.sender, aside=True)


@COMMANDS.declare(
    "/record/start",
    Arg("name", "s", "", "of the file below the root; nothing for date and time", optional=True),
    tags=(TALK,),
    read=lambda show: (show.state.recording,),
)
def start(show: Show, name: str = "") -> Job:
    """Records what is played as a score, NAME.osc below the root, of which `oscbend render` makes a film.
    No file is replaced: `/done /record/start FILE` says which it is.
    """
    if show.state.recording:
        raise BadValue(f"{show.state.recording} is being recorded; send /record/stop first")

    def work() -> Work:
        path = free_place(show.stage.root, name, SCORE)
        file = name_below(show.stage.root, path)
        show.house.record(path, file)
        job.replies.append(Reply("/done", ("/record/start", file), show.sender))
        return (lambda now: replace(now, recording=file)), []

    job = Job("/record/start", work, to=show.sender, quiet=True, aside=True)
    return job


@COMMANDS.declare("/record/stop", tags=(TALK,))
def stop(show: Show) -> Job | None:
    """Ends the recording; `/done /record/stop FILE` comes when all of it is written."""
    if not show.state.recording:
        show.notes.append("nothing is being recorded")
        show.reply("/done", "/record/stop", "")
        return None
    name = show.state.recording
    written = show.house.stop_recording(show.now_s)
    show.state = replace(show.state, recording="")

    return closing(show, "/record/stop", (name,), written)
