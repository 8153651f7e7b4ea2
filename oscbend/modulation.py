"""From the state and the features to what one frame needs: ranges, curves, noise, prompts, weights.

All that changes by itself between frames (the walk through noise, the tick of moving textures) is
kept here and moves with the time that it is told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from oscbend import bends
from oscbend.errors import BadMessage, BadValue
from oscbend.features import Buses
from oscbend.frame import Armed, Blend, Mix, Structure, Values, branched
from oscbend.state import ANGLE, GUIDANCE, MIX, SEED, SPEED, WEIGHT, WINDOW, Bend, State
from oscbend.table import Arg, Value
from oscbend.walks import SEEDS, STRIDE, at_seed, spectrum, walk, wander

CURVES = ("lin", "exp", "sin", "sqr", "sqrt")
SPECTRUM_BUS = "spectrum"


class Network(Protocol):
    """What modulation has to know about the model that draws."""

    def resolve(self, site: str, state: State) -> tuple[str, ...]:
        """The sites a name, number or pattern reaches; raises UnknownName."""

    def check(self, op: str, static: Mapping[str, Value], site: str, state: State) -> None:
        """Raises BadValue if the operator cannot act at the site."""

    def scale(self, site: str, state: State) -> float:
        """Standard deviation of the site's activations."""

    def start(self, state: State) -> int:
        """First step that runs, given the strength of image-to-image."""


def curved(unit: np.ndarray, lo: float, hi: float, curve: str) -> np.ndarray:
    """0..1 onto lo..hi along a curve.

    Args:
        unit: any shape, 0..1.
        lo, hi: where it goes.
        curve: `lin`; `exp` (needs lo and hi of one sign, not 0); `sin` (slow at both ends); `sqr`; `sqrt`; or
            a number c as in SuperCollider's Env: (1 - e^(c·u)) / (1 - e^c).

    Raises:
        BadValue: no such curve, or an exponential one through 0.
    """
    if curve == "exp":
        if lo * hi <= 0:
            raise BadValue(
                f"an exponential curve cannot go from {lo:g} to {hi:g}: both need one sign, and not 0"
            )
        return lo * (hi / lo) ** unit
    return lo + (hi - lo) * _shape(unit, curve)


def _shape(unit: np.ndarray, curve: str) -> np.ndarray:
    if curve == "lin":
        return unit
    if curve == "sin":
        return 0.5 - 0.5 * np.cos(np.pi * unit)
    if curve == "sqr":
        return unit**2
    if curve == "sqrt":
        return np.sqrt(unit)
    try:
        bow = float(curve)
    except ValueError:
        raise BadValue(f"unknown curve {curve!r}; there are {' '.join(CURVES)}, or a number") from None
    if not math.isfinite(bow) or abs(bow) > 50:
        raise BadValue(f"curve {curve} must lie in -50…50")
    return unit if abs(bow) < 1e-3 else np.expm1(bow * unit) / np.expm1(bow)


@dataclass(frozen=True)
class Control:
    """A live control that exists now: its address, its argument, and the site it acts at, if any."""

    address: str
    arg: Arg
    site: str = ""


def find_control(state: State, address: str, network: Network) -> Control | None:
    """The live control at an address, or None."""
    fixed = FIXED.get(address)
    if fixed is not None:
        return Control(address, fixed)
    parts = address.split("/")
    if len(parts) == 4 and parts[1] == "prompt" and parts[3] == "weight" and parts[2].isdigit():
        return Control(address, WEIGHT) if int(parts[2]) in state.prompts else None
    if len(parts) == 4 and parts[1] == "bend":
        bend = state.bend(parts[2])
        if bend is None:
            return None
        for arg in (MIX, WINDOW, *bends.OPERATORS[bend.op].live):
            if arg.name == parts[3]:
                return Control(address, arg, first_site(bend, state, network))
    return None


def controls(state: State, network: Network) -> list[Control]:
    """Every live control that exists now."""
    found = [Control(a, arg) for a, arg in FIXED.items()]
    found += [Control(f"/prompt/{n}/weight", WEIGHT) for n in sorted(state.prompts)]
    for bend in state.bends:
        site = first_site(bend, state, network)
        args = (MIX, WINDOW, *bends.OPERATORS[bend.op].live)
        found += [Control(bend.address(a.name), a, site) for a in args]
    return found


FIXED = {"/seed": SEED, "/guidance": GUIDANCE, "/noise/angle": ANGLE, "/noise/speed": SPEED}


def first_site(bend: Bend, state: State, network: Network) -> str:
    """The first site a bend reaches; empty if it lies dormant."""
    try:
        return network.resolve(bend.site, state)[0]
    except BadMessage:
        return ""


def default_of(state: State, control: Control) -> Value:
    """A control's value where nobody set it."""
    if control.arg is WEIGHT:
        return 1.0 if control.address == "/prompt/1/weight" else 0.0
    if control.arg.default is None:
        raise BadValue(f"{control.address} has no value yet")
    return control.arg.default


@dataclass(frozen=True)
class Shot:
    """What one frame needs, and the bends that had no place in it."""

    structure: Structure
    values: Values
    dormant: tuple[str, ...] = ()


class Modulation:
    """The moving part between a state and its frames.

    Args:
        buses: the features heard so far.
        steps: run with so many steps whatever the state says, its bends moved along; None for the state's.
        size: (width, height) in pixels, likewise.
    """

    def __init__(
        self, buses: Buses, steps: int | tuple[int, ...] | None = None, size: tuple[int, int] | None = None
    ) -> None:
        self.buses = buses
        self.steps = steps
        self.size = size
        self.turns = 0.0
        self.tick = 0
        self.shown: dict[str, np.ndarray] = {}
        """Address -> value of every live control that the last shot was made of, [size]."""
        self._then: float | None = None

    def value(self, state: State, control: Control, network: Network) -> np.ndarray:
        """A control's value in this frame, [size], in its unit."""
        size = control.arg.size
        driver = state.maps.get(control.address)
        if driver is None:
            set_value = state.live.get(control.address)
            value = default_of(state, control) if set_value is None else set_value
            return np.broadcast_to(np.asarray(value, np.float64), (size,))
        unit = self.buses.unit(driver.feature, state.listening)
        lo, hi = (driver.lo, driver.hi)
        if lo is None or hi is None:
            lo, hi = musical_range(state, control, network)
        values = np.clip(curved(unit, lo, hi, driver.curve), *hard_range(control.arg))
        if values.size == size:
            return values
        if values.size == 1:
            return np.broadcast_to(values, (size,))
        own = np.broadcast_to(np.asarray(default_of(state, control), np.float64), (size,)).copy()
        own[: min(size, values.size)] = values[:size]
        return own

    def shot(self, state: State, now_s: float, network: Network) -> Shot:
        """What the frame shown at `now_s` needs; moves on whatever moves by itself.

        Args:
            state: the state.
            now_s: seconds; must not go back.
            network: the model that draws.
        """
        state = state.recast(self.steps, self.size)
        self.buses.close_frame(state.listening)
        self.shown = {}
        dt_s = 0.0 if self._then is None else max(0.0, now_s - self._then)
        self._then = now_s
        if not state.pause:
            speed = self._number(state, "/noise/speed", network)
            self.turns += dt_s * speed
            self.tick += 1
        guidance = self._number(state, "/guidance", network)
        armed, params, weights, dormant = self._bends(state, network)
        structure = Structure(
            model=state.model,
            width=state.width,
            height=state.height,
            steps=state.steps,
            start=network.start(state),
            sampler=state.sampler,
            guided=guidance > 1.0,
            blend=state.blend,
            bends=armed,
        )
        steps = state.step_count + 1
        branches = 2 if structure.guided else 1
        values = Values(
            prompts=(self._prompts(state, network),),
            negative=(state.negative,),
            noise=(self._noise(state, network),),
            guidance=np.array([guidance], np.float32),
            params=params,
            weights=np.stack(weights) if weights else np.zeros((0, steps, branches, 1), np.float32),
            ticks=np.array([self.tick], np.int64),
        )
        if structure.guided:
            return Shot(structure, values, dormant)
        return Shot(structure, replace(values, weights=values.weights[:, :, -1:, :]), dormant)

    def _number(self, state: State, address: str, network: Network) -> float:
        return float(self._shown(state, Control(address, FIXED[address]), network)[0])

    def _shown(self, state: State, control: Control, network: Network) -> np.ndarray:
        values = self.shown[control.address] = self.value(state, control, network)
        return values

    def _prompts(self, state: State, network: Network) -> Blend:
        weights = dict.fromkeys(state.prompts.values(), 0.0)
        for n, text in state.prompts.items():
            control = Control(f"/prompt/{n}/weight", WEIGHT)
            weights[text] += max(0.0, float(self._shown(state, control, network)[0])) if text else 0.0
        total = sum(weights.values())
        if total <= 0:
            text = next((t for t in state.prompts.values() if t), "")
            return ((text, 1.0),)
        return tuple((text, w / total) for text, w in weights.items() if w > 0)

    def _noise(self, state: State, network: Network) -> Mix:
        seed = self._number(state, "/seed", network)
        turns = self.turns + self._number(state, "/noise/angle", network)
        if state.noise == "hold":
            return at_seed(seed)
        if state.noise == "walk":
            return walk(seed, turns)
        if state.noise == "fresh":
            return at_seed(float((int(seed) + STRIDE * self.tick) % SEEDS))
        if state.noise == "spectrum":
            bus = self.buses.get(SPECTRUM_BUS) if SPECTRUM_BUS in self.buses else None
            return at_seed(seed) if bus is None else spectrum(seed, bus.frame)
        return wander(seed, turns)

    def _bends(
        self, state: State, network: Network
    ) -> tuple[tuple[Armed, ...], tuple[dict[str, np.ndarray], ...], list[np.ndarray], tuple[str, ...]]:
        armed: list[Armed] = []
        params: list[dict[str, np.ndarray]] = []
        weights: list[np.ndarray] = []
        dormant: list[str] = []
        for bend in state.bends:
            if not bend.on:
                continue
            try:
                sites = network.resolve(bend.site, state)
            except BadMessage:
                dormant.append(bend.id)
                continue
            values = {
                arg.name: self._param(state, bend, arg, sites[0], network)
                for arg in bends.OPERATORS[bend.op].live
            }
            mix = float(self._shown(state, Control(bend.address("mix"), MIX), network)[0])
            window = self._shown(state, Control(bend.address("window"), WINDOW), network)
            static = tuple(sorted(bend.static.items()))
            for site in sites:
                armed.append(Armed(bend.id, bend.op, site, static, bend.select))
                params.append(values)
                weights.append(weight(mix, window, bend.branch, state.step_count, branched(site)))
        return tuple(armed), tuple(params), weights, tuple(dormant)

    def _param(self, state: State, bend: Bend, arg: Arg, site: str, network: Network) -> np.ndarray:
        value = self._shown(state, Control(bend.address(arg.name), arg, site), network).astype(np.float32)
        return value if arg.size == 1 else value[None]


def musical_range(state: State, control: Control, network: Network) -> tuple[float, float]:
    """Where a control gives pictures worth seeing, in its unit."""
    scale = network.scale(control.site, state) if control.site else 1.0
    return control.arg.musical_range(control.site, scale)


def hard_range(arg: Arg) -> tuple[float, float]:
    """An argument's hard range; infinite where it has none."""
    return (-np.inf if arg.lo is None else arg.lo), (np.inf if arg.hi is None else arg.hi)


def weight(
    mix: float, window: Sequence[float] | np.ndarray, branch: str, steps: int, split: bool
) -> np.ndarray:
    """How much a bend acts at each step, in each branch.

    Step k of S spans k/S … (k+1)/S of the schedule and gets the share of it that lies in the window,
    so that a window may glide; what follows the last step is inside if the window reaches 1.

    Args:
        mix: 0..1.
        window: t0, t1 in 0..1, in either order.
        branch: `both`, `cond` or `uncond`.
        steps: S.
        split: whether the site sees the branches apart.

    Returns:
        float32 [S + 1, 2, 1]; axis 1 is (unconditional, conditional).
    """
    t0, t1 = sorted((float(window[0]), float(window[1])))
    edges = np.arange(steps + 1) / steps
    share = np.clip(np.minimum(edges[1:], t1) - np.maximum(edges[:-1], t0), 0.0, None) * steps
    along = np.append(np.clip(share, 0.0, 1.0), float(t1 >= 1.0))
    sides = np.array([branch != "cond", branch != "uncond"], np.float64) if split else np.ones(2)
    return (mix * along[:, None, None] * sides[None, :, None]).astype(np.float32)


def collate(shots: Sequence[Shot], batch: int) -> tuple[Structure, Values]:
    """Several frames of one structure as one batch, padded by its last frame.

    Args:
        shots: 1..batch shots whose structures are equal.
        batch: B.
    """
    padded = [*shots, *[shots[-1]] * (batch - len(shots))]
    values = [s.values for s in padded]
    inits = [v.init for v in values if v.init is not None]
    return replace(shots[0].structure, batch=batch), Values(
        prompts=tuple(v.prompts[0] for v in values),
        negative=tuple(v.negative[0] for v in values),
        noise=tuple(v.noise[0] for v in values),
        guidance=np.concatenate([v.guidance for v in values]),
        params=tuple(
            {name: np.concatenate([v.params[i][name] for v in values]) for name in values[0].params[i]}
            for i in range(len(values[0].params))
        ),
        weights=np.concatenate([v.weights for v in values], axis=-1),
        ticks=np.concatenate([v.ticks for v in values]),
        init=np.concatenate(inits) if inits else None,
    )
