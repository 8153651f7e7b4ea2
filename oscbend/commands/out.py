"""Outputs that are opened and closed while the show goes on; the frames that are shown, as a film."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from oscbend.commands.base import COMMANDS, Job, Reply, Show
from oscbend.commands.record import Work, closing, free_place
from oscbend.commands.telling import HALL, PLACE, TALK
from oscbend.errors import BadValue, UnknownName
from oscbend.paths import name_below
from oscbend.peers import host_of
from oscbend.state import ALPHAS, Out, State
from oscbend.table import Arg

FILM = ".mp4"
MAX_OUTS = 16
CAPTURE = " capture"
"""What the output is called that writes the film; nobody can call one so over OSC by chance."""

PLACED = (HALL, PLACE)


def out_called(show: Show, name: str) -> Out:
    """The output of a name.

    Raises:
        UnknownName: there is none.
    """
    try:
        return show.state.outs[name]
    except KeyError:
        raise UnknownName("output", name, show.state.outs) from None


def without_out(state: State, name: str) -> State:
    """The state without an output."""
    return replace(state, outs={n: out for n, out in state.outs.items() if n != name})


def changed(show: Show, name: str, **changes: Any) -> State:
    """The state in which an output shows frames differently; it does so from now on."""
    out = replace(out_called(show, name), **changes)
    show.house.outs.change(name, out)
    return replace(show.state, outs={**show.state.outs, name: out})


@COMMANDS.declare(
    "/out/{name}",
    Arg("kind", "s", None, "of output"),
    Arg("target", "*", None, "where frames go, as the kind wants it", optional=True),
    tags=PLACED,
    read=lambda show, name: (out_called(show, name).kind, *out_called(show, name).target),
)
def out(show: Show, name: str, kind: str, target: tuple[Any, ...] = ()) -> Job | None:
    """Opens an output under a name of your choice, or another one in its place; the kinds are listed below.
    Files lie below the root, and a host that is not named is the sender's.
    """
    for atom in target:
        if isinstance(atom, bool) or not isinstance(atom, str | int | float):
            raise BadValue(f"a target is text and numbers, not {atom!r}")
    known = show.state.outs.get(name)
    if known is not None and (known.kind, known.target) == (kind, target):
        show.reply("/done", f"/out/{name}", kind, *target)
        return None
    if name == CAPTURE or (known is None and len(show.state.outs) >= MAX_OUTS):
        raise BadValue(f"there are {MAX_OUTS} outputs already; free one first")
    wanted = Out(kind, target) if known is None else replace(known, kind=kind, target=target)
    outs, host = show.house.outs, host_of(show.sender)

    def work() -> Work:
        outs.open(name, wanted, host)
        return taken, []

    def taken(now: State) -> State:
        outs.take(name)
        return replace(now, outs={**now.outs, name: wanted})

    return Job(f"/out/{name}", work, (kind, *target), show.sender, aside=True)


@COMMANDS.declare(
    "/out/{name}/size",
    Arg("width", "i", None, "0 as it is drawn", lo=0, hi=8192, clip=False, unit="px"),
    Arg("height", "i", None, "0 as it is drawn", lo=0, hi=8192, clip=False, unit="px"),
    tags=PLACED,
    read=lambda show, name: out_called(show, name).size or (0, 0),
)
def out_size(show: Show, name: str, width: int, height: int) -> State:
    """Stretches the pictures of one output; 0 0 leaves them as they are drawn."""
    if (width == 0) != (height == 0):
        raise BadValue("size takes a width and a height, or 0 0")
    return changed(show, name, size=(width, height) if width else None)


@COMMANDS.declare(
    "/out/{name}/fps",
    Arg("fps", "f", None, "frames per second at most; 0 for all", lo=0.0, hi=240.0, unit="1/s"),
    tags=PLACED,
    read=lambda show, name: (out_called(show, name).fps,),
)
def out_fps(show: Show, name: str, fps: float) -> State:
    """Gives one output fewer frames, evenly."""
    return changed(show, name, fps=fps)


@COMMANDS.declare(
    "/out/{name}/flip",
    Arg("on", "b", None, "1 or 0"),
    tags=PLACED,
    read=lambda show, name: (int(out_called(show, name).flip),),
)
def out_flip(show: Show, name: str, on: int) -> State:
    """Turns the pictures of one output upside down."""
    return changed(show, name, flip=bool(on))


@COMMANDS.declare(
    "/out/{name}/swap",
    Arg("on", "b", None, "1 or 0"),
    tags=PLACED,
    read=lambda show, name: (int(out_called(show, name).swap),),
)
def out_swap(show: Show, name: str, on: int) -> State:
    """Exchanges red and blue in one output."""
    return changed(show, name, swap=bool(on))


@COMMANDS.declare(
    "/out/{name}/alpha",
    Arg("alpha", "s", None, "what alpha holds", choices=ALPHAS),
    tags=PLACED,
    read=lambda show, name: (out_called(show, name).alpha,),
)
def out_alpha(show: Show, name: str, alpha: str) -> State:
    """What one output has in alpha: opaque is 255, luma is the brightness, so that black is see-through."""
    return changed(show, name, alpha=alpha)


@COMMANDS.declare("/out/{name}/free")
def out_free(show: Show, name: str) -> Job:
    """Closes an output; `/done` comes when it has shown its last frame."""
    out_called(show, name)
    closed = show.house.outs.free(name)
    show.state = without_out(show.state, name)
    return closing(show, f"/out/{name}/free", (), closed)


@COMMANDS.declare(
    "/capture/start",
    Arg("name", "s", "", "of the film below the root; nothing for date and time", optional=True),
    tags=(TALK,),
    read=lambda show: (show.state.capturing,),
)
def capture(show: Show, name: str = "") -> Job:
    """Writes the frames that are shown into a film, NAME.mp4 below the root; no file is replaced:
    `/done /capture/start FILE` says which it is.
    """
    if show.state.capturing:
        raise BadValue(f"{show.state.capturing} is being written; send /capture/stop first")
    outs = show.house.outs

    def work() -> Work:
        file = name_below(show.stage.root, free_place(show.stage.root, name, FILM))
        outs.open(CAPTURE, Out("video", (file,)))
        job.replies.append(Reply("/done", ("/capture/start", file), show.sender))
        return (lambda now: taken(now, file)), []

    def taken(now: State, file: str) -> State:
        outs.take(CAPTURE)
        return replace(now, capturing=file)

    job = Job("/capture/start", work, to=show.sender, quiet=True, aside=True)
    return job


@COMMANDS.declare("/capture/stop", tags=(TALK,))
def capture_stop(show: Show) -> Job | None:
    """Ends the film; `/done /capture/stop FILE` comes when it can be played."""
    if not show.state.capturing:
        show.notes.append("nothing is being captured")
        show.reply("/done", "/capture/stop", "")
        return None
    file, closed = show.state.capturing, show.house.outs.free(CAPTURE)
    show.state = replace(show.state, capturing="")
    return closing(show, "/capture/stop", (file,), closed)
