"""What the server bounds, gathered from where each bound stands: the documentation tells it from here."""

from __future__ import annotations

from typing import NamedTuple

from oscbend import clients, complaints, dump, features, loop, osc, paths, pattern, scenes, schedule, state
from oscbend.commands import base
from oscbend.server import budget, console, feed, framing, guard, inbox, live, replies, tcp, udp

MB = 2**20


class Limit(NamedTuple):
    """One bound.

    Args:
        what: is counted.
        most: how much there may be.
        beyond: what becomes of more.
    """

    what: str
    most: str
    beyond: str


LIMITS = (
    Limit("bends", f"{state.MAX_BENDS}", "`/fail`"),
    Limit("prompts", f"{state.MAX_PROMPTS}", "`/fail`"),
    Limit("additions to one control (`/mod/N`)", f"{state.MAX_MODS}", "`/fail`"),
    Limit(
        "features; components of one, of all",
        f"{features.MAX_BUSES}; {features.MAX_COMPONENTS}, {features.ALL_COMPONENTS}",
        "`/fail`",
    ),
    Limit(
        "characters of an address; of a pattern; of a file's name",
        f"{base.LONGEST}; {pattern.PATTERN_MAX}; {paths.LONGEST}",
        "`/fail`",
    ),
    Limit("size of a scene's file", f"{scenes.LARGEST // MB} MB", "`/fail`"),
    Limit(
        "size of a packet",
        f"{udp.DATAGRAM_MAX} bytes over UDP, {framing.PACKET_MAX // MB} MB over TCP, "
        f"{live.MESSAGE_MAX // 1024} KB over a WebSocket",
        "the connection is closed",
    ),
    Limit("bundles within bundles", f"{osc.NESTING} deep", "dropped whole, counted as bad, `/fail`"),
    Limit(
        "packets that wait for the next frame",
        f"{inbox.CAPACITY}, {inbox.QUEUE_BYTES // MB} MB",
        "datagrams: the oldest are dropped and counted; connections are read more slowly",
    ),
    Limit(
        "bundles that wait for their time, of one client",
        f"{schedule.SHARE}, {schedule.SHARE_BYTES // MB} MB",
        "dropped, counted, `/fail`",
    ),
    Limit(
        "bundles that wait for their time, of all",
        f"{schedule.CAPACITY}, {schedule.CAPACITY_BYTES // MB} MB",
        "dropped, counted, `/fail`",
    ),
    Limit("how far ahead a time tag may be (`--horizon`)", f"{schedule.HORIZON_S:g} s", "done now, `/warn`"),
    Limit(
        "how far off a time tag may be, to be one",
        f"{schedule.ASTRAY_S / 3600:g} hour",
        "no time at all: done now, and nothing is said",
    ),
    Limit("jobs that wait; `/sync` that wait for them", f"{loop.JOBS}; {loop.JOBS**2}", "`/fail`"),
    Limit(
        "connections: TCP; WebSocket; HTTP and WebSocket together",
        f"{tcp.LINES}; {live.CLIENTS}; {guard.CONNECTIONS}",
        f"turned away; over TCP for one that has been silent for {tcp.IDLE_S:g} s there is room",
    ),
    Limit(
        "clients that are told by `/notify` and `/frame`",
        f"{clients.SUBSCRIBERS}",
        f"`/fail`, unless one has been silent for {clients.SILENT_S:g} s: it has to go",
    ),
    Limit(
        "changes told in one frame; that wait for one client",
        f"{feed.A_FRAME}; {feed.PENDING}",
        "told in the next frames, with their newest value; the oldest are lost",
    ),
    Limit("addresses that one WebSocket listens to", f"{live.LISTENS}", "`/fail`"),
    Limit(
        "clients whose `/timetags`, `/error` and clock are remembered",
        f"{clients.REMEMBERED}",
        "those used longest ago are forgotten",
    ),
    Limit(
        "answers to one client",
        f"{budget.A_SECOND} a second, {budget.BURST} at once, {replies.REPLY_MAX} bytes each",
        "not sent; a list that is longer comes in several",
    ),
    Limit(
        "`/fail`, `/warn` and `/late`",
        f"{complaints.OF_ONE} a second to one client, {complaints.A_SECOND} to all; "
        f"the same once in {complaints.EVERY_S:g} s",
        "counted, not told",
    ),
    Limit(
        "lines that wait for the terminal; packets that `/dumpOSC` writes",
        f"{console.LINES}; {dump.LINES_A_SECOND} a second",
        "left out; how many is written",
    ),
)
"""Every bound that a host may come upon, in the order in which the documentation tells them."""
