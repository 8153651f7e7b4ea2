"""What is drawn: guidance, noise, steps, size, image-to-image, and the model itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from oscbend.commands.base import COMMANDS, Job, Show, live
from oscbend.commands.bend import steers
from oscbend.errors import BadValue
from oscbend.modulation import SPECTRUM_BUS
from oscbend.state import ANGLE, GUIDANCE, SEED, SPEED, State
from oscbend.table import Arg, Value

SAMPLERS = ("ddim", "lcm", "euler", "turbo")
NOISES = ("wander", "walk", "hold", "fresh", "spectrum")
MAX_STEPS = 1000


live(
    "/guidance",
    GUIDANCE,
    "Classifier-free guidance: how strictly the prompt counts; 1 is none, and twice as fast.",
)
live("/seed", SEED, "Which noise the picture starts from; a fractional seed lies between two.")


@COMMANDS.declare(
    "/noise/mode", Arg("mode", "s", None, "which walk", choices=NOISES), read=lambda show: (show.state.noise,)
)
def noise_mode(show: Show, mode: str) -> State:
    """How noise moves: wander (slow, never repeats), walk (once round per turn), hold, fresh, spectrum."""
    if mode == "spectrum" and SPECTRUM_BUS not in show.modulation.buses:
        show.notes.append(f"/noise/mode spectrum waits for the vector /feature/{SPECTRUM_BUS}")
    return replace(show.state, noise=mode)


live("/noise/angle", ANGLE, "Where on the walk; added to what its speed has come to.")
live("/noise/speed", SPEED, "How fast the noise walks by itself.")


@COMMANDS.declare(
    "/steps",
    Arg("steps", "*i", None, "how many, or indices into a schedule of 50", lo=0, hi=MAX_STEPS, clip=False),
    read=lambda show: (show.state.steps,) if isinstance(show.state.steps, int) else show.state.steps,
)
def steps(show: Show, steps: tuple[int, ...]) -> State | Job:
    """How many steps the sampler takes; or which, as indices into a schedule of 50 (`/steps 0 16 32 45`)."""
    if len(steps) == 1:
        if steps[0] < 1:
            raise BadValue("steps must be 1 or more")
        return _in_time(show, "/steps", steps, {"steps": steps[0]})
    if list(steps) != sorted(set(steps)):
        raise BadValue("step indices must rise")
    show.stage.check_steps(replace(show.state, steps=steps))
    return _in_time(show, "/steps", steps, {"steps": steps})


def _in_time(show: Show, address: str, args: tuple[Value, ...], change: dict[str, Any]) -> State | Job:
    """The state with a change; a job first, where frames need something then that is slow to make."""
    wanted = replace(show.state, **change)
    larger = show.stage.prepares and ("width" in change or "height" in change)
    if not larger and not any(steers(bend) for bend in wanted.bends):
        return wanted

    def work() -> tuple[Callable[[State], State], Sequence[str]]:
        if larger:
            show.stage.prepare_size(wanted)
        show.stage.prepare(wanted)
        return (lambda now: replace(now, **change)), []

    return Job(address, work, args, show.sender)


@COMMANDS.declare(
    "/sampler", Arg("sampler", "s", None, "which", choices=SAMPLERS), read=lambda show: (show.state.sampler,)
)
def sampler(show: Show, sampler: str) -> State | Job:
    """The sampler: ddim, lcm, euler, or turbo (Euler ancestral, trailing)."""
    return _in_time(show, "/sampler", (sampler,), {"sampler": sampler})


@COMMANDS.declare(
    "/size",
    Arg("width", "i", None, "", lo=64, hi=4096, clip=False, unit="px"),
    Arg("height", "i", None, "", lo=64, hi=4096, clip=False, unit="px"),
    tags=("hall",),
    read=lambda show: (show.state.width, show.state.height),
)
def size(show: Show, width: int, height: int) -> State | Job:
    """The picture's size, multiples of 8. Another size is another noise field."""
    if width % 8 or height % 8:
        near = f"{round(width / 8) * 8} {round(height / 8) * 8}"
        raise BadValue(f"width and height must be multiples of 8; nearest: {near}")
    return _in_time(show, "/size", (width, height), {"width": width, "height": height})


@COMMANDS.declare(
    "/fps",
    Arg("fps", "f", None, "frames per second", lo=0.1, hi=240.0, unit="1/s"),
    tags=("hall",),
    read=lambda show: (show.state.fps,),
)
def fps(show: Show, fps: float) -> State:
    """How many frames a second are asked for; if the machine is slower, it gives what it can."""
    return replace(show.state, fps=fps)


@COMMANDS.declare(
    "/latency",
    Arg("seconds", "f", None, "of output and projector", lo=0.0, hi=2.0, unit="s"),
    tags=("hall",),
    read=lambda show: (show.state.latency,),
)
def latency(show: Show, seconds: float) -> State:
    """From the moment a frame is given out until it is seen: a bundle acts on the first frame that is seen
    at its time or later.
    """
    return replace(show.state, latency=seconds)


@COMMANDS.declare("/feedback", Arg("on", "b", None, "1 or 0"), read=lambda show: (int(show.state.feedback),))
def feedback(show: Show, on: int) -> State:
    """Image-to-image on the last frame."""
    if on:
        show.stage.check_feedback()
    return replace(show.state, feedback=bool(on))


@COMMANDS.declare(
    "/strength",
    Arg("strength", "f", None, "0 keeps the picture, 1 forgets it", lo=0.0, hi=1.0),
    read=lambda show: (show.state.strength,),
)
def strength(show: Show, strength: float) -> State:
    """How much of the schedule image-to-image runs, for /feedback and /init."""
    return replace(show.state, strength=strength)


@COMMANDS.declare(
    "/init",
    Arg("file", "s", "", "a picture or film below the root; nothing for none", optional=True),
    read=lambda show: (show.state.init,),
)
def init(show: Show, file: str = "") -> State | Job:
    """The picture or film that image-to-image starts from; without a name, none."""
    if not file:
        return replace(show.state, init="")

    def work() -> tuple[Callable[[State], State], Sequence[str]]:
        key = show.stage.read_picture(file)
        return (lambda now: replace(now, init=key)), []

    return Job("/init", work, (file,), show.sender)


@COMMANDS.declare("/model", Arg("model", "s", None, "tiny, a folder, a hub name, or a .safetensors file"),
                  tags=("hall",), read=lambda show: (show.state.model,))  # fmt: skip
def model(show: Show, model: str) -> Job:
    """Loads a model; the old one goes on until the new one is ready."""
    before = show.state

    def work() -> tuple[Callable[[State], State], Sequence[str]]:
        key = show.stage.load(model, before)
        return (lambda now: replace(now, model=key)), []

    return Job("/model", work, (model,), show.sender)
