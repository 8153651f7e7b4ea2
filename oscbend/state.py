"""The state: what is shown, and how it is modulated.

A state is frozen; a change makes a new one. Everything that may be set, mapped and asked for while
the show runs stands in `live` (values) and `maps` (what drives them), keyed by OSC address, so that
a control is one thing with one name everywhere. What decides the structure has fields of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from oscbend.table import Arg, Value

MAX_BENDS = 64
MAX_PROMPTS = 8
MAX_MODS = 8
"""How many features may be added to one control."""

XY_ADDRESS = "/prompt/xy"
XFADE_ADDRESS = "/xfade/x"
CORNERS = frozenset(f"/prompt/{n}/weight" for n in (1, 2, 3, 4))
"""The weights that `/prompt/xy` gives in place of their own; one that is set or driven ends that."""

STAGE_LAG_S = 0.03
"""Lag of controls on stage, so that the 128 steps of a fader don't show; a score is played to the point."""


@dataclass(frozen=True)
class Map:
    """What drives a control: feature 0..1 -> lo..hi; without lo and hi, the musical range.

    Args:
        feature: name of a feature bus, or of one component (`bands.3`).
        lo, hi: in the control's unit; None for the control's musical range.
        curve: `lin`, `exp`, `sin`, `sqr`, `sqrt`, or a number as in SuperCollider's envelopes.
    """

    feature: str
    lo: float | None = None
    hi: float | None = None
    curve: str = "lin"


@dataclass(frozen=True)
class Mod:
    """A feature that is added to a control's value: depth · curve(feature).

    Args:
        feature: name of a feature bus, or of one component (`bands.3`).
        depth: what is added where the feature is 1, in the control's unit.
        curve: as in `Map`, but never `exp`.
    """

    feature: str
    depth: float
    curve: str = "lin"


@dataclass(frozen=True)
class Glide:
    """A control on its way to the value that was set.

    Args:
        start: its value at the beginning.
        since_s: when it began, on the clock of the show, which stands while the show is paused.
        seconds: how long it takes.
        curve: as in `Map`.
        lag: True if it draws near exponentially, with `seconds` as the time constant and no curve.
    """

    start: Value
    since_s: float
    seconds: float
    curve: str = "lin"
    lag: bool = False


@dataclass(frozen=True)
class Morph:
    """A prompt that comes in over what was shown before it.

    Args:
        start: what was shown: texts and their shares, which add to 1.
        since_s: when it began, on the clock of the show.
        seconds: how long it takes.
    """

    start: tuple[tuple[str, float], ...]
    since_s: float
    seconds: float


@dataclass(frozen=True)
class Fade:
    """A scene that comes in over another one, which is left.

    Args:
        start: what is left; the state itself is what comes in.
        since_s: when it began, on the clock of the show.
        seconds: how long it takes.
        between: the names of two scenes, if `/xfade/x` says how far it is, and not the time.
        taken: live controls that were set meanwhile: they are as they were set, and lie between nothing.
    """

    start: State
    since_s: float = 0.0
    seconds: float = 0.0
    between: tuple[str, str] | None = None
    taken: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Bend:
    """One armed bend, as far as it is not a live value.

    Args:
        id: the musician's name for it.
        op: operator.
        site: as it was given: name, number or pattern.
        on: False keeps it and costs nothing.
        static: options that belong to the structure (`plane`, `k` …), those that were set.
        select: which elements it touches.
        branch: with guidance, `both`, `cond` or `uncond`.
    """

    id: str
    op: str
    site: str
    on: bool = True
    static: Mapping[str, Value] = field(default_factory=dict)
    select: str = "all"
    branch: str = "both"

    def address(self, name: str) -> str:
        """The OSC address of one of its parameters."""
        return f"/bend/{self.id}/{name}"


OPAQUE, LUMA = ALPHAS = ("opaque", "luma")
"""What a host finds in alpha: 255 everywhere; or how bright a pixel is, so that black is see-through."""


@dataclass(frozen=True)
class Out:
    """An output that was opened over OSC.

    Args:
        kind: of output.
        target: where frames go, as it was given.
        size: (width, height) to which pictures are stretched; None as they are drawn.
        fps: frames per second at most; 0 for all.
        flip: True turns pictures upside down.
        swap: True exchanges red and blue.
        alpha: one of `ALPHAS`.
    """

    kind: str
    target: tuple[Any, ...] = ()
    size: tuple[int, int] | None = None
    fps: float = 0.0
    flip: bool = False
    swap: bool = False
    alpha: str = OPAQUE


@dataclass(frozen=True)
class Listening:
    """How a feature bus is heard.

    Args:
        range: `auto`, `hold`, or (lo, hi): what counts as 0..1.
        attack_s, release_s: time constants of the follower, seconds.
        median: messages in the median filter, 1 for none.
        gate: share of the range, from its bottom, that counts as silence, 0..1.
        hold: what a frame sees of several messages: `latest`, `max` or `mean`.
    """

    range: str | tuple[float, float] = "auto"
    attack_s: float = 0.01
    release_s: float = 0.25
    median: int = 1
    gate: float = 0.0
    hold: str = "latest"


AS_IT_COMES = Listening()
"""How a feature is heard that nobody has set."""


@dataclass(frozen=True)
class State:
    """Everything a show is at one moment, but the features' own memory.

    Args:
        model: key of the model that draws.
        width, height: pixels.
        fps: frames per second that are asked for.
        steps: how many, or indices into the original schedule.
        sampler: `ddim`, `lcm`, `euler` or `turbo`.
        prompts: slot (1..8) -> text.
        blend: `slerp` or `lerp`.
        morph: what the prompts come from, if they come from somewhere; it stays when they are there.
        negative: the negative prompt, used with guidance.
        noise: `wander`, `walk`, `hold`, `fresh` or `spectrum`.
        feedback: True for image-to-image on the last frame.
        strength: of image-to-image, 0..1.
        init: key of the picture to start from; empty for none.
        freeze: True holds the picture.
        pause: True stops time.
        latency: from the moment a frame is given out until it is seen, seconds.
        limit: bent activations have at most so many times the unbent ones' RMS; 0 for no limit.
        lag: time constant of live controls that have none of their own, seconds.
        bends: in order of first use.
        live: OSC address -> value, of every live control that was set.
        maps: OSC address -> what drives it.
        mods: OSC address -> number -> what is added to it.
        lags: OSC address -> its own lag, seconds.
        glides: OSC address -> how it gets to its value; it stays here when it is there.
        listening: feature name -> how it is heard.
        scene: the scene that was loaded last; empty for none.
        fade: the scene that is left for what this state says, if there is one; it stays when it is over.
        recording: the file in which the show is being recorded; empty for none.
        capturing: the film into which the frames that are shown are written; empty for none.
        outs: name -> output that was opened while the show went on.
    """

    model: str = "tiny"
    width: int = 256
    height: int = 256
    fps: float = 30.0
    steps: int | tuple[int, ...] = 2
    sampler: str = "ddim"
    prompts: Mapping[int, str] = field(default_factory=lambda: {1: "a floating orb"})
    blend: str = "slerp"
    morph: Morph | None = None
    negative: str = ""
    noise: str = "wander"
    feedback: bool = False
    strength: float = 0.5
    init: str = ""
    freeze: bool = False
    pause: bool = False
    latency: float = 0.03
    limit: float = 0.0
    lag: float = 0.0
    bends: tuple[Bend, ...] = ()
    live: Mapping[str, Value] = field(default_factory=dict)
    maps: Mapping[str, Map] = field(default_factory=dict)
    mods: Mapping[str, Mapping[int, Mod]] = field(default_factory=dict)
    lags: Mapping[str, float] = field(default_factory=dict)
    glides: Mapping[str, Glide] = field(default_factory=dict)
    listening: Mapping[str, Listening] = field(default_factory=dict)
    scene: str = ""
    fade: Fade | None = None
    recording: str = ""
    capturing: str = ""
    outs: Mapping[str, Out] = field(default_factory=dict)

    @property
    def step_count(self) -> int:
        """How many steps the schedule has."""
        return self.steps if isinstance(self.steps, int) else len(self.steps)

    @property
    def texts(self) -> set[str]:
        """Every prompt that may be drawn."""
        coming = () if self.morph is None else (text for text, _ in self.morph.start)
        left = () if self.fade is None else self.fade.start.texts
        return {"", self.negative, *self.prompts.values(), *coming, *left}

    @property
    def by_xy(self) -> bool:
        """True if `/prompt/xy` gives the weights of the first four prompts."""
        return XY_ADDRESS in self.live or XY_ADDRESS in self.maps or XY_ADDRESS in self.mods

    def bend(self, id: str) -> Bend | None:
        """The bend called `id`, if there is one."""
        return self._bends_by_id.get(id)

    @cached_property
    def _bends_by_id(self) -> dict[str, Bend]:
        return {bend.id: bend for bend in self.bends}

    def with_bend(self, bend: Bend) -> State:
        """The state with `bend` in place of its namesake, or after all others."""
        if self.bend(bend.id) is None:
            return replace(self, bends=(*self.bends, bend))
        return replace(self, bends=tuple(bend if b.id == bend.id else b for b in self.bends))

    def without_bend(self, id: str) -> State:
        """The state without the bend `id`, its values and what drives them."""
        prefix = f"/bend/{id}/"
        state = self.without(lambda address: address.startswith(prefix))
        return replace(state, bends=tuple(b for b in self.bends if b.id != id))

    def without(self, gone: Callable[[str], bool]) -> State:
        """The state in which the live controls at certain addresses were never set, driven or slowed."""
        kept: dict[str, Any] = {}
        for name in ATTACHED:
            kept[name] = {a: thing for a, thing in getattr(self, name).items() if not gone(a)}
        return replace(self, **kept)

    def let_go(self, addresses: Collection[str]) -> State:
        """The state in which certain live controls were never set or driven; they keep their lags."""
        return replace(self.without(addresses.__contains__), lags=self.lags)

    def recast(self, steps: int | tuple[int, ...] | None, size: tuple[int, int] | None) -> State:
        """The state at other steps (its bends at the same fraction of the schedule) or another size."""
        state = self
        if steps is not None and steps != self.steps:
            state = replace(state, steps=steps)
            bends = (replace(b, site=moved(b.site, self.step_count, state.step_count)) for b in self.bends)
            state = replace(state, bends=tuple(bends))
        if size is not None:
            state = replace(state, width=size[0], height=size[1])
        return state

    def with_value(self, address: str, value: Value, glide: Glide | None = None) -> State:
        """The state with a live control set; what drove it lets go.

        Args:
            address: of the control.
            value: that it is set to.
            glide: how it gets there; None for at once.
        """
        return self.with_values({address: value}, {} if glide is None else {address: glide})

    def with_values(self, values: Mapping[str, Value], glides: Mapping[str, Glide]) -> State:
        """The state with several live controls set, some of which glide."""
        if self.by_xy and not CORNERS.isdisjoint(values):
            return self.let_go({XY_ADDRESS}).with_values(values, glides)
        maps, moving = self.maps, self.glides
        if not maps.keys().isdisjoint(values):
            maps = {a: m for a, m in maps.items() if a not in values}
        if glides or not moving.keys().isdisjoint(values):
            moving = {**{a: g for a, g in moving.items() if a not in values}, **glides}
        state = replace(self, live={**self.live, **values}, maps=maps, glides=moving)
        return state.taking(values)

    def with_map(self, address: str, map: Map) -> State:
        """The state with a live control driven by a feature."""
        state = self.let_go({XY_ADDRESS}) if address in CORNERS else self
        return replace(state, maps={**state.maps, address: map}).taking((address,))

    def taking(self, addresses: Iterable[str]) -> State:
        """The state in which live controls that were set lie no longer between two scenes."""
        fade = self.fade
        if fade is None or fade.taken.issuperset(addresses):
            return self
        return replace(self, fade=replace(fade, taken=fade.taken.union(addresses)))

    def without_map(self, address: str) -> State:
        """The state with a live control at its own value again."""
        return replace(self, maps={a: m for a, m in self.maps.items() if a != address})

    def with_mod(self, address: str, number: int, mod: Mod | None) -> State:
        """The state with a feature added to a live control, in place of the one of that number, if any.

        Args:
            address: of the control.
            number: 1…8.
            mod: what is added; None for nothing.
        """
        own = {n: m for n, m in self.mods.get(address, {}).items() if n != number}
        if mod is not None:
            own[number] = mod
        mods = {a: m for a, m in self.mods.items() if a != address}
        if own:
            mods[address] = dict(sorted(own.items()))
        return replace(self, mods=mods)

    def with_lag(self, address: str, seconds: float) -> State:
        """The state with a live control that takes its time to follow what is set."""
        return replace(self, lags={**self.lags, address: seconds})

    def lag_of(self, address: str, arg: Arg) -> float:
        """How long a live control takes to follow what is set, seconds."""
        own = self.lags.get(address)
        if own is not None:
            return own
        return 0.0 if arg.jumps else self.lag

    def listening_to(self, feature: str) -> Listening:
        """How the feature is heard."""
        return self.listening.get(feature, AS_IT_COMES)

    def hearing(self, feature: str, **changes: Any) -> State:
        """The state in which the feature is heard differently."""
        heard = replace(self.listening_to(feature), **changes)
        return replace(self, listening={**self.listening, feature: heard})


def moved(site: str, steps: int, other: int) -> str:
    """`latent.K` of a schedule of `steps` at the same fraction of one of `other` steps.

    Every other name stays; a step past the last becomes `latent.end`.
    """
    head, dot, k = site.partition(".")
    if head != "latent" or not dot or not k.isdecimal():
        return site
    place = int(int(k) * other / steps + 0.5)
    return f"latent.{place}" if place < other else "latent.end"


ATTACHED = ("live", "maps", "mods", "lags", "glides")
"""The fields that hold something by the addresses of live controls."""

SEED = Arg("seed", "f", 46.0, "which noise; a fractional seed lies between two", live=True, lo=0.0,
           hi=2.0**31 - 1, musical=(0.0, 100.0), jumps=True)  # fmt: skip
GUIDANCE = Arg("scale", "f", 1.0, "classifier-free guidance; 1 is none", live=True, lo=0.0, hi=30.0,
               musical=(1.0, 10.0))  # fmt: skip
ANGLE = Arg("angle", "f", 0.0, "where on the walk through noise", live=True, musical=(0.0, 1.0),
            unit="turns")  # fmt: skip
SPEED = Arg("speed", "f", 0.05, "how fast the noise walks", live=True, lo=-10.0, hi=10.0,
            musical=(0.0, 0.5), unit="turns/s")  # fmt: skip
WEIGHT = Arg("weight", "f", None, "share of this prompt in the blend", live=True, lo=0.0, hi=100.0,
             musical=(0.0, 1.0))  # fmt: skip
XFADE = Arg("x", "f", 0.0, "0 the first scene, 1 the second", live=True, lo=0.0, hi=1.0, musical=(0.0, 1.0))
BLACK = Arg("black", "f", 0.0, "0 the picture, 1 black", live=True, lo=0.0, hi=1.0, musical=(0.0, 1.0))
WET = Arg("wet", "f", 1.0, "0 no bend, 1 all of them", live=True, lo=0.0, hi=1.0, musical=(0.0, 1.0))
XY = Arg("xy", "f", (0.0, 0.0), "across, and down", live=True, size=2, lo=0.0, hi=1.0,
         musical=(0.0, 1.0))  # fmt: skip
MIX = Arg("mix", "f", 1.0, "how much of the bend", live=True, lo=0.0, hi=1.0, musical=(0.0, 1.0),
          neutral=0.0)  # fmt: skip
WINDOW = Arg("window", "f", (0.0, 1.0), "part of the schedule, 0 noise, 1 picture", live=True, size=2,
             lo=0.0, hi=1.0, musical=(0.0, 1.0))  # fmt: skip
"""The live controls that are not parameters of an operator, declared once for commands and modulation."""
