"""What acts on the whole show: how bent it is, how dark, and whether it stands."""

from __future__ import annotations

from dataclasses import replace

from oscbend.commands.base import COMMANDS, Show, live_control, read_live, set_live
from oscbend.commands.control import SECONDS, glided
from oscbend.errors import BadValue
from oscbend.state import BLACK, WET, State
from oscbend.table import Arg

FADE = replace(SECONDS, help="of a fade; left out, at once", optional=True)
LIMIT_MAX = 100.0


def faded(show: Show, address: str, value: float, seconds: float | None) -> State:
    """The state in which a control goes to a value, in so many seconds."""
    if not seconds:
        return set_live(show, address, value)
    return glided(show, live_control(show, address), value, seconds)


@COMMANDS.declare("/black", BLACK, FADE, tags=("master",), read=lambda show: read_live(show, "/black"))
def black(show: Show, black: float, seconds: float | None = None) -> State:
    """Fades to black: 0 is the picture, 1 is black. What is drawn goes on unseen."""
    return faded(show, "/black", black, seconds)


@COMMANDS.declare("/wet", WET, FADE, read=lambda show: read_live(show, "/wet"))
def wet(show: Show, wet: float, seconds: float | None = None) -> State:
    """Scales the mix of every bend: 0 is the picture without bends, 1 leaves them as they are."""
    return faded(show, "/wet", wet, seconds)


@COMMANDS.declare("/panic")
def panic(show: Show) -> State:
    """All dry at once: /wet goes to 0, and nothing drives it. All else stays: `/wet 1 4` brings it back
    in 4 s.
    """
    return show.state.let_go({"/wet"}).with_value("/wet", 0.0)


@COMMANDS.declare(
    "/limit",
    Arg("k", "f", None, "0 is no limit", lo=0.0, hi=LIMIT_MAX),
    read=lambda show: (show.state.limit,),
)
def limit(show: Show, k: float) -> State:
    """Bent activations get at most k times as strong (RMS) as unbent, at every site; 0 is no limit."""
    if 0 < k < 1:
        raise BadValue(f"limit is 0 (none) or at least 1, got {k:g}: less would weaken what is not bent")
    return replace(show.state, limit=k)


@COMMANDS.declare(
    "/freeze", Arg("on", "b", None, "1 or 0"), tags=("master",), read=lambda show: (int(show.state.freeze),)
)
def freeze(show: Show, on: int) -> State:
    """Holds the picture; messages are still heard."""
    return replace(show.state, freeze=bool(on))


@COMMANDS.declare(
    "/pause", Arg("on", "b", None, "1 or 0"), tags=("master",), read=lambda show: (int(show.state.pause),)
)
def pause(show: Show, on: int) -> State:
    """Stops the time of the show: noise, glides and features stand; frames go on, and what is sent acts."""
    return replace(show.state, pause=bool(on))
