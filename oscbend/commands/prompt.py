"""Prompts: which there are, how they are blended, and how a new one comes in."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import replace

from oscbend.commands.base import COMMANDS, Job, Show, live, read_live, set_live
from oscbend.commands.control import SECONDS
from oscbend.controls import weight_of
from oscbend.errors import BadValue
from oscbend.frame import Blend
from oscbend.state import MAX_PROMPTS, WEIGHT, XY, XY_ADDRESS, Morph, State
from oscbend.table import Arg

TEXT = Arg("text", "s", None, "the prompt; several atoms are joined with spaces")
MIXED = 12
"""How many prompts are shown at once at most while one that comes in is overtaken by the next."""


def encoded(show: Show, address: str, text: str, change: Callable[[State], State]) -> Job:
    """A change that waits until its prompt is encoded; prompts keep their order."""

    in_use = show.state.texts

    def work() -> tuple[Callable[[State], State], Sequence[str]]:
        unknown = show.stage.encode(text, in_use)
        notes = [f"{address}: the model does not know {', '.join(map(repr, unknown))}"] if unknown else []
        return change, notes

    return Job(address, work, to=show.sender)


@COMMANDS.declare("/prompt", TEXT, read=lambda show: (show.state.prompts.get(1, ""),))
def prompt(show: Show, text: str) -> Job:
    """The prompt; all others go."""
    before = frozenset(show.state.prompts)
    return encoded(show, "/prompt", text, lambda now: alone(now, text, before))


def alone(state: State, text: str, before: Container[int], morph: Morph | None = None) -> State:
    """The state with one prompt in place of those that were there before, and nothing that weighs them.

    What was asked for after it, while it was being encoded, stays.
    """
    gone = [n for n in state.prompts if n == 1 or n in before]
    others = {n: other for n, other in state.prompts.items() if n not in gone}
    state = state.let_go({XY_ADDRESS, *map(weight_of, gone)})
    return replace(state, prompts={1: text, **others}, morph=morph)


def _coming(show: Show) -> tuple[str, float]:
    """The first prompt, and in how many seconds it stands alone."""
    morph = show.state.morph
    left = 0.0 if morph is None else max(0.0, morph.since_s + morph.seconds - show.modulation.show_s)
    return show.state.prompts.get(1, ""), left


def heaviest(blend: Blend) -> Blend:
    """The prompts that count most, in their order."""
    least = sorted(weight for _, weight in blend)[-MIXED:][0]
    parts = [part for part in blend if part[1] >= least][:MIXED]
    total = sum(weight for _, weight in parts)
    return tuple((text, weight / total) for text, weight in parts)


@COMMANDS.declare("/prompt/morph", replace(TEXT, words=True), SECONDS, tags=("view",), read=_coming)
def prompt_morph(show: Show, text: str, seconds: float) -> Job:
    """Glides from what is shown to a new prompt, which then stands alone; begins when it is encoded."""

    before = frozenset(show.state.prompts)

    def change(now: State) -> State:
        start = heaviest(show.modulation.blend(now, show.stage))
        morph = Morph(start, show.modulation.show_s, seconds) if seconds > 0 else None
        return alone(now, text, before, morph)

    return encoded(show, "/prompt/morph", text, change)


def slot(n: str) -> int:
    """The number of a prompt's slot.

    Raises:
        BadValue: not 1..8.
    """
    if not n.isdecimal() or not 1 <= int(n) <= MAX_PROMPTS:
        raise BadValue(f"prompts are numbered 1 to {MAX_PROMPTS}, not {n!r}")
    return int(n)


def _open(show: Show, number: int) -> None:
    """Makes a slot if there is none, so that its weight can be set and mapped while its text is encoded."""
    if number not in show.state.prompts:
        show.state = replace(show.state, prompts={**show.state.prompts, number: ""})


@COMMANDS.declare("/prompt/{n}", TEXT, read=lambda show, n: (show.state.prompts.get(slot(n), ""),))
def prompt_n(show: Show, n: str, text: str) -> Job:
    """One of up to 8 prompts that are blended by weight; all but the first come in at weight 0."""
    number = slot(n)
    _open(show, number)
    return encoded(
        show, f"/prompt/{n}", text, lambda now: replace(now, prompts={**now.prompts, number: text})
    )


@COMMANDS.declare("/prompt/{n}/weight", WEIGHT, read=lambda show, n: read_live(show, weight_of(slot(n))))
def prompt_weight(show: Show, n: str, weight: float) -> State:
    """The prompt's share in the blend."""
    number = slot(n)
    _open(show, number)
    return set_live(show, weight_of(number), weight)


live(
    XY_ADDRESS,
    XY,
    "Walks between the first four prompts: 0 0 is the first, 1 0 the second, 0 1 the third, 1 1 the fourth.",
)


@COMMANDS.declare(
    "/prompt/blend",
    Arg("blend", "s", None, "how embeddings are blended", choices=("slerp", "lerp")),
    read=lambda show: (show.state.blend,),
)
def prompt_blend(show: Show, blend: str) -> State:
    """How prompts are blended: along the sphere, or straight."""
    return replace(show.state, blend=blend)


@COMMANDS.declare("/prompt/negative", replace(TEXT, optional=True), read=lambda show: (show.state.negative,))
def prompt_negative(show: Show, text: str = "") -> Job:
    """What guidance leads away from."""
    return encoded(show, "/prompt/negative", text, lambda now: replace(now, negative=text))
