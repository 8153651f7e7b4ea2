"""Scenes: what a show is set to, kept under a name and brought back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from oscbend.commands.base import COMMANDS, Job, Show
from oscbend.commands.telling import HALL, MASTER, TALK, Made, blank, made, merged, told
from oscbend.errors import BadMessage, BadValue
from oscbend.scenes import from_text, to_text
from oscbend.state import State
from oscbend.table import Arg

NAME = Arg("name", "s", None, "of the scene; several atoms are joined with spaces")

Work = tuple[Callable[[State], State], Sequence[str]]


def kept(show: Show, address: str, name: str, without: Sequence[str]) -> Job:
    """A job that keeps the scene that is shown.

    Args:
        show: what is shown.
        address: of the command.
        name: of the scene.
        without: tags of what is left out.
    """
    text = to_text(told(show, without))

    def work() -> Work:
        show.stage.scenes.write(name, text)
        return (lambda now: now), []

    return Job(address, work, (name,), show.sender)


def fetched(show: Show, name: str) -> Made:
    """A scene, ready to be shown; slow.

    Raises:
        BadValue: there is none, or it cannot be shown; what stands where in it is named.
    """
    text = show.stage.scenes.read(name)
    try:
        return made(from_text(text), blank(show.state), show.stage, show.state.texts)
    except BadMessage as error:
        raise BadValue(f"{name}: {error}") from error


@COMMANDS.declare("/scene/save", NAME)
def save(show: Show, name: str) -> Job:
    """Keeps what is shown as a scene: the file scenes/NAME.toml below the root, which people can read and
    change. It holds neither model, size, fps, latency and lag, nor /black, /freeze and /pause.
    """
    return kept(show, "/scene/save", name, (MASTER, HALL))


@COMMANDS.declare("/scene/save/all", NAME)
def save_all(show: Show, name: str) -> Job:
    """Keeps a scene with model, size, fps, latency and lag, which it then sets, too."""
    return kept(show, "/scene/save/all", name, (MASTER,))


@COMMANDS.declare("/scene/load", NAME, tags=(TALK,), read=lambda show: (show.state.scene,))
def load(show: Show, name: str) -> Job:
    """Shows a scene, all of it in one frame; one that has a fault changes nothing, and `/fail` says where."""

    def work() -> Work:
        scene = fetched(show, name)
        return (lambda now: replace(merged(now, scene), scene=name)), scene.notes

    return Job("/scene/load", work, (name,), show.sender)
