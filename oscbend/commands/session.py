"""What a client says of itself: what it wants to be told, and where; how its clock goes."""

from __future__ import annotations

from typing import Any

from oscbend.clients import SUBSCRIBERS, TIMETAGS
from oscbend.commands.base import COMMANDS, Show
from oscbend.errors import BadValue
from oscbend.osc import TimeTag
from oscbend.peers import is_local
from oscbend.table import Arg, number_from

WHOSE = ("mine", "all")
UNIX_2001 = 978_307_200
"""What a host gives as the time is Unix time only if it is later than this."""


@COMMANDS.declare(
    "/notify",
    Arg("on", "b", None, "1 or 0"),
    Arg("id", "i", -1, "the number it wants; below 0 any", lo=-1, hi=2**31 - 1, optional=True),
    Arg("port", "i", 0, "where to; 0 is where it sends from", lo=0, hi=65535, clip=False, optional=True),
    Arg("host", "s", "", "where to; another machine only from this one", optional=True),
)
def notify(show: Show, on: int, id: int = -1, port: int = 0, host: str = "") -> None:
    """Tells the sender what others change, and answers it there, too; `/done /notify ID MOST`.
    Once more changes nothing. It lapses when nobody listens there any more.
    """
    if show.sender is None:
        return
    clients = show.house.clients
    to = clients.target(show.sender, port, host)
    if not on:
        clients.unsubscribe([s for s in clients.subscribers if s.to == to])
        show.reply("/done", "/notify", 0)
        return
    subscriber = clients.subscribe(show.sender, to, show.now_s, id)
    subscriber.changes = True
    show.reply("/done", "/notify", subscriber.id, SUBSCRIBERS)


@COMMANDS.declare(
    "/frame", Arg("every", "i", 1, "of how many frames one; 0 none", lo=0, hi=10**6, optional=True)
)
def frame(show: Show, every: int = 1) -> None:
    """Tells the sender of every frame that is shown, or of one in so many: `/frame NUMBER TIME`,
    in seconds since the server began.
    """
    if show.sender is None:
        return
    clients = show.house.clients
    asked = clients.asked_by(show.sender)
    if not asked and every:
        asked = [clients.subscribe(show.sender, clients.target(show.sender), show.now_s)]
    for subscriber in asked:
        subscriber.every = every
    clients.unsubscribe([s for s in asked if not s.changes and not every])
    show.reply("/done", "/frame", every)


@COMMANDS.declare(
    "/timetags",
    Arg("mode", "s", None, "schedule, or ignore: what is tagged acts at once", choices=TIMETAGS),
    Arg("whose", "s", "mine", "mine, or all: whatever comes from this machine", choices=WHOSE, optional=True),
)
def timetags(show: Show, mode: str, whose: str = "mine") -> None:
    """What is done with the sender's time tags; some hosts (TouchDesigner) write no time there."""
    show.house.clients.set_timetags(show.sender, mode, whose == "all")
    show.reply("/done", "/timetags", mode)


@COMMANDS.declare("/clearSched", Arg("whose", "s", "mine", "mine or all", choices=WHOSE, optional=True))
def clear_sched(show: Show, whose: str = "mine") -> None:
    """Forgets the bundles that wait for their time: the sender's own, or all; `/done /clearSched COUNT`."""
    sender = show.sender if whose == "mine" else None
    show.reply("/done", "/clearSched", show.house.clear(sender))


@COMMANDS.declare(
    "/ping",
    Arg("id", "i", 0, "comes back in the answer", optional=True),
    Arg(
        "sent",
        "*",
        (),
        "when, on the sender's clock: a time tag, or Unix seconds and microseconds",
        optional=True,
    ),
)
def ping(show: Show, id: int = 0, sent: tuple[Any, ...] = ()) -> None:
    """Answers `/pong ID SECONDS MICROS HELD BEHIND`: when it came by the server's clock (Unix time),
    how long the answer was held, and how far behind the sender's clock is taken to be, in seconds.
    """
    clients = show.house.clients
    if sent and not is_local(show.sender):
        clients.clock(show.sender).heard(_unix_s(sent), show.came_s)
    seconds = int(show.came_s)
    micros = int((show.came_s - seconds) * 1e6)
    held_s = max(0.0, show.house.unix_s() - show.came_s)
    show.reply("/pong", id, seconds, micros, held_s, clients.behind_s(show.sender))


def _unix_s(sent: tuple[Any, ...]) -> float:
    """The time that a ping says it was sent.

    Raises:
        BadValue: it is none.
    """
    if isinstance(sent[0], TimeTag):
        unix_s = sent[0].unix_s
    else:
        unix_s = sum(number_from(part, "sent") * unit for part, unit in zip(sent, (1.0, 1e-6)))
    if len(sent) > 2 or unix_s < UNIX_2001:
        raise BadValue("sent takes a time tag, or Unix seconds and microseconds")
    return unix_s


@COMMANDS.declare(
    "/dumpOSC", Arg("mode", "i", None, "0 nothing, 1 what it says, 2 its bytes, 3 both", choices=(0, 1, 2, 3))
)
def dump_osc(show: Show, mode: int) -> None:
    """Writes what comes in to the server's terminal, 200 packets a second at most."""
    show.house.dump.mode = mode
    show.reply("/done", "/dumpOSC", mode)


@COMMANDS.declare(
    "/error",
    Arg(
        "mode", "i", None, "0 off, 1 on; -1, -2: the same for the rest of the bundle", choices=(0, 1, -1, -2)
    ),
)
def error(show: Show, mode: int) -> None:
    """Whether the sender is told what went wrong, by /fail, /warn and /late."""
    if mode in (0, 1):
        show.house.clients.set_silenced(show.sender, mode == 0)
    else:
        show.house.hush(mode == -1)
    show.reply("/done", "/error", mode)
