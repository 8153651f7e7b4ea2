"""What a host asks the server itself: values, lists, whether it is done, how it is doing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import oscbend
from oscbend import bends, pattern
from oscbend.commands.base import COMMANDS, Job, Reply, Show, find, select
from oscbend.errors import BadMessage, BadValue, UnknownName
from oscbend.state import State
from oscbend.table import Arg

LISTS = ("ops", "sites", "features", "commands", "scenes")


@COMMANDS.declare("/get", Arg("address", "s", None, "what can be set; may be a pattern"))
def get(show: Show, address: str) -> None:
    """Asks for what is set at an address; the answer is the address with its value."""
    if not pattern.is_pattern(address):
        answer(show, address)
        return
    reached = [a for a in select(show, address) if readable(a)]
    if not reached:
        raise UnknownName("address", address, ())
    for one in reached:
        answer(show, one)


def readable(address: str) -> bool:
    """True if something can be asked at the address."""
    try:
        return find(address)[0].read is not None
    except BadMessage:
        return False


def answer(show: Show, address: str) -> None:
    """Replies with the address and its value.

    Raises:
        BadMessage: it does not exist, or holds nothing.
    """
    row, captured = find(address)
    if row.read is None:
        raise BadValue(f"{address} holds nothing to ask for")
    show.reply(address, *row.read(show, **captured))


@COMMANDS.declare("/list", Arg("what", "s", None, "which", choices=LISTS))
def list_names(show: Show, what: str) -> Job | None:
    """Lists operators, sites, features, commands or scenes: `/list.reply WHAT NAME …`, several if long,
    then `/done /list WHAT`.
    """
    if what == "scenes":
        return _scenes(show)
    names: list[str] = {
        "ops": lambda: list(bends.OPERATORS),
        "sites": lambda: list(show.stage.site_names(show.state)),
        "features": lambda: list(show.modulation.buses),
        "commands": lambda: list(COMMANDS),
    }[what]()
    show.reply("/list.reply", what, *names, head=1)
    show.reply("/done", "/list", what)
    return None


def _scenes(show: Show) -> Job:
    def work() -> tuple[Callable[[State], State], Sequence[str]]:
        names = show.stage.scenes.names()
        job.replies.append(Reply("/list.reply", ("scenes", *names), show.sender, head=1))
        return (lambda now: now), []

    job = Job("/list", work, ("scenes",), show.sender, aside=True)
    return job


@COMMANDS.declare("/sync", Arg("id", "i", 0, "comes back in the answer", optional=True))
def sync(show: Show, id: int = 0) -> None:
    """Answers `/synced ID` once all earlier jobs have ended."""
    show.syncs.append((id, show.sender))


@COMMANDS.declare("/status")
def status(show: Show) -> None:
    """Answers `/status.reply`: fps, frame ms mean and worst, queued, late, dropped, bad (packets and
    messages), frame number, model, behind (frames by which the picture is late: 0, or steps − 1 with
    --stream-batch), ahead (how many seconds ahead to send what shall be in time).
    """
    show.reply("/status.reply", *show.house.status())


@COMMANDS.declare("/version")
def version(show: Show) -> None:
    """Answers `/version.reply`: name, major, minor, patch."""
    numbers: list[Any] = [int(n) for n in oscbend.__version__.split(".")]
    show.reply("/version.reply", "oscbend", *numbers)


@COMMANDS.declare("/quit")
def quit(show: Show) -> None:
    """Ends the server; heard from this machine only."""
    if not show.local:
        raise BadValue("/quit is heard from this machine only")
    show.reply("/done", "/quit")
    show.over = True
