"""From the state and the features to what one frame needs: ranges, curves, noise, prompts, weights.

All that changes by itself between frames (the walk through noise, the tick of moving textures) is
kept here and moves with the time that it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from oscbend import bends, fades
from oscbend.controls import (
    FIXED,
    Control,
    Network,
    default_of,
    find_control,
    hard_range,
    musical_range,
    weight_of,
)
from oscbend.curves import curved
from oscbend.errors import BadMessage
from oscbend.features import Buses
from oscbend.frame import Armed, Blend, Mix, Structure, Values, branched
from oscbend.glides import place
from oscbend.state import (
    ANGLE,
    CORNERS,
    MIX,
    SEED,
    WEIGHT,
    WINDOW,
    XFADE,
    XFADE_ADDRESS,
    XY,
    XY_ADDRESS,
    State,
)
from oscbend.table import Arg, Value
from oscbend.walks import SEEDS, STRIDE, at_seed, between, spectrum, walk, wander

SPECTRUM_BUS = "spectrum"
NEAR = 1e-6
"""How near the walk comes to a corner without a prompt: the others keep their shares there."""

_REMEMBERED = ("turns", "tick", "show_s", "_now_s", "_stood_s", "_shot_s", "_bands")

_OWN = (WEIGHT, XY, SEED, ANGLE, XFADE)
"""What each of two scenes has for itself: prompts and noise are blended as a whole."""

Read = Callable[[State, Control, Network], np.ndarray]


@dataclass(frozen=True)
class Shot:
    """What one frame needs.

    Args:
        structure, values: what is drawn.
        dormant: the bends that had no place in it.
        black: how dark the picture is shown, 0..1.
        played: the state that it comes from, as it is between two scenes.
    """

    structure: Structure
    values: Values
    dormant: tuple[str, ...] = ()
    black: float = 0.0
    played: State | None = None


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
        self.show_s = 0.0
        """The time on the clock of the show, seconds."""
        self.shown: dict[str, np.ndarray] = {}
        """Address -> value of every live control that the last shot was made of, [size]."""
        self._now_s: float | None = None
        self._stood_s = 0.0
        self._shot_s: float | None = None
        self._seen: dict[str, np.ndarray] = {}
        self._bands: np.ndarray | None = None

    def memory(self) -> dict[str, Any]:
        """What has come together so far, besides the features; not changed afterwards."""
        return {**{name: getattr(self, name) for name in _REMEMBERED}, "_seen": dict(self._seen)}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Goes on from a memory.

        Raises:
            KeyError: it is of another kind.
        """
        for name in (*_REMEMBERED, "_seen"):
            setattr(self, name, memory[name])

    def advance(self, state: State, now_s: float) -> None:
        """Moves the clock of the show, `show_s`, on to a time; it stands while the state is paused.

        Args:
            state: of the time until then.
            now_s: seconds; what lies back changes nothing.
        """
        then_s = now_s if self._now_s is None else self._now_s
        self._now_s = max(then_s, now_s)
        if state.pause:
            self._stood_s += self._now_s - then_s
        self.show_s = self._now_s - self._stood_s

    def value(self, state: State, control: Control, network: Network) -> np.ndarray:
        """A control's value now, [size], in its unit: what was set or drives it, and what is added; where one
        scene comes in over another, what lies between.
        """
        return self._between(state, control, network, self._set)

    def base(self, state: State, control: Control, network: Network) -> np.ndarray:
        """A control's value now before anything is added, [size], in its unit."""
        return self._between(state, control, network, self._base)

    def share(self, state: State, network: Network) -> float:
        """How far the state has come in over the scene that is left, 0..1; 1 if none is."""
        fade = state.fade
        if fade is None:
            return 1.0
        if fade.between is None:
            return fades.share_of(fade, self.show_s)
        return float(self._set(state, Control(XFADE_ADDRESS, XFADE), network)[0])

    def _between(self, state: State, control: Control, network: Network, read: Read) -> np.ndarray:
        fade, arg = state.fade, control.arg
        if fade is None or arg in _OWN or control.address in fade.taken:
            return read(state, control, network)
        share = self.share(state, network)
        if share >= 1.0:
            return read(state, control, network)
        start = replace(fade.start, model=state.model)
        other = find_control(start, control.address, network)
        if arg is MIX and other is not None and not fades.same_bend(start, state, control.address):
            other = None
        target = read(state, control, network)
        if other is None or other.arg != arg:
            return target * share if arg is MIX else target
        left = read(start, other, network)
        return left + (target - left) * share

    def _set(self, state: State, control: Control, network: Network) -> np.ndarray:
        value = self._base(state, control, network)
        mods = state.mods.get(control.address)
        if not mods:
            return value
        for mod in mods.values():
            amount = curved(self._unit(state, mod.feature), 0.0, mod.depth, mod.curve)
            value = value + spread(amount, control.arg.size, 0.0)
        return np.clip(value, *hard_range(control.arg))

    def _base(self, state: State, control: Control, network: Network) -> np.ndarray:
        if state.by_xy and control.address in CORNERS:
            return np.array([corners(*self._walked(state, network))[control.address]])
        size = control.arg.size
        driver = state.maps.get(control.address)
        if driver is None:
            target = state.live.get(control.address)
            if target is None:
                target = default_of(state, control)
            value = np.array(
                place(state.glides.get(control.address), target, self.show_s), np.float64, ndmin=1
            )
            return value if value.size == size else np.broadcast_to(value, (size,))
        unit = self._unit(state, driver.feature)
        lo, hi = (driver.lo, driver.hi)
        if lo is None or hi is None:
            lo, hi = musical_range(state, control, network)
        values = np.clip(curved(unit, lo, hi, driver.curve), *hard_range(control.arg))
        return spread(values, size, default_of(state, control))

    def _unit(self, state: State, feature: str) -> np.ndarray:
        """A feature over its range, [n] in 0..1; while the show is paused, as it was last seen."""
        if state.pause and feature in self._seen:
            return self._seen[feature]
        unit = self._seen[feature] = self.buses.unit(feature, state.listening)
        return unit

    def shot(self, state: State, now_s: float, network: Network) -> Shot:
        """What the frame shown at `now_s` needs; moves on whatever moves by itself.

        Args:
            state: the state.
            now_s: seconds; must not go back.
            network: the model that draws.
        """
        state = original = state.recast(self.steps, self.size)
        self.buses.close_frame(state.listening, now_s)
        self.shown = {}
        self.advance(state, now_s)
        share = self.share(state, network)
        if state.fade is not None:
            state = fades.played(state, share)
            original = state if share >= 1.0 else original
            state = state if self.steps is None else replace(state, steps=self.steps)
        dt_s = 0.0 if self._shot_s is None else self.show_s - self._shot_s
        self._shot_s = self.show_s
        self.turns += dt_s * self._number(original, "/noise/speed", network)
        if not state.pause:
            self.tick += 1
        guidance = self._number(original, "/guidance", network)
        armed, params, weights, dormant = self._bends(original, state, share, network)
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
            prompts=(self._prompts(original, share, network),),
            negative=(_negative(original, share),),
            noise=(self._noise(original, share, network),),
            guidance=np.array([guidance], np.float32),
            params=params,
            weights=np.stack(weights) if weights else np.zeros((0, steps, branches, 1), np.float32),
            ticks=np.array([self.tick], np.int64),
            limit=np.array([state.limit], np.float32),
        )
        if not structure.guided:
            values = replace(values, weights=values.weights[:, :, -1:, :])
        return Shot(structure, values, dormant, self._number(original, "/black", network), state)

    def _number(self, state: State, address: str, network: Network) -> float:
        return float(self._shown(state, Control(address, FIXED[address]), network)[0])

    def _shown(self, state: State, control: Control, network: Network) -> np.ndarray:
        values = self.shown[control.address] = self.value(state, control, network)
        return values

    def blend(self, state: State, network: Network) -> Blend:
        """The prompts as they are shown now, and the share of each."""
        return self._blended(state, self.share(state, network), network, self.value)

    def _prompts(self, state: State, share: float, network: Network) -> Blend:
        return self._blended(state, share, network, self._shown)

    def _blended(self, state: State, share: float, network: Network, read: Read) -> Blend:
        blend = self._morphed(state, self._weighted(state, network, read))
        fade = state.fade
        if fade is None or share >= 1.0 or any(a.startswith("/prompt/") for a in fade.taken):
            return blend
        return _mixed(self._morphed(fade.start, self._weighted(fade.start, network, self._set)), blend, share)

    def _weighted(self, state: State, network: Network, read: Read) -> Blend:
        found = {
            n: float(read(state, Control(weight_of(n), WEIGHT), network)[0])
            for n, t in state.prompts.items()
            if t
        }
        if state.by_xy and not any(weight > 0 for weight in found.values()):
            x, y = np.clip(self._walked(state, network), NEAR, 1.0 - NEAR)
            found = {n: corners(x, y).get(weight_of(n), 0.0) for n in found}
        weights = dict.fromkeys((state.prompts[n] for n in found), 0.0)
        for n, weight in found.items():
            weights[state.prompts[n]] += max(0.0, weight)
        total = sum(weights.values())
        if total <= 0:
            return ((next(iter(weights), ""), 1.0),)
        return tuple((text, w / total) for text, w in weights.items() if w > 0)

    def _morphed(self, state: State, blend: Blend) -> Blend:
        morph = state.morph
        if morph is None or self.show_s >= morph.since_s + morph.seconds:
            return blend
        return _mixed(morph.start, blend, max(0.0, self.show_s - morph.since_s) / morph.seconds)

    def _walked(self, state: State, network: Network) -> tuple[float, ...]:
        """Where the walk between the first four prompts has come to: x, y."""
        return tuple(self.value(state, Control(XY_ADDRESS, XY), network).tolist())

    def _noise(self, state: State, share: float, network: Network) -> Mix:
        mix = self._mix(state, network, self._shown)
        fade = state.fade
        if fade is None or share >= 1.0 or not fade.taken.isdisjoint(("/seed", "/noise/angle")):
            return mix
        return between(self._mix(fade.start, network, self._set), mix, share)

    def _mix(self, state: State, network: Network, read: Read) -> Mix:
        seed = float(read(state, Control("/seed", SEED), network)[0])
        turns = self.turns + float(read(state, Control("/noise/angle", ANGLE), network)[0])
        if state.noise == "hold":
            return at_seed(seed)
        if state.noise == "walk":
            return walk(seed, turns)
        if state.noise == "fresh":
            return at_seed(float((int(seed) + STRIDE * self.tick) % SEEDS))
        if state.noise == "spectrum":
            if SPECTRUM_BUS in self.buses and not (state.pause and self._bands is not None):
                self._bands = self.buses[SPECTRUM_BUS].frame
            return at_seed(seed) if self._bands is None else spectrum(seed, self._bands)
        return wander(seed, turns)

    def _bends(
        self, state: State, played: State, share: float, network: Network
    ) -> tuple[tuple[Armed, ...], tuple[dict[str, np.ndarray], ...], list[np.ndarray], tuple[str, ...]]:
        armed: list[Armed] = []
        params: list[dict[str, np.ndarray]] = []
        weights: list[np.ndarray] = []
        dormant: list[str] = []
        wet = self._number(state, "/wet", network)
        for bend, there, left in self._pieces(state, played, share):
            if there <= 0.0:
                continue
            try:
                sites = network.resolve(bend.site, played)
            except BadMessage:
                dormant.append(bend.id)
                continue
            whose, read = (state, self._shown) if left is None else (left, self._set)
            values = {
                arg.name: _param(read(whose, Control(bend.address(arg.name), arg, sites[0]), network), arg)
                for arg in bends.OPERATORS[bend.op].live
            }
            mix = wet * there * float(read(whose, Control(bend.address("mix"), MIX), network)[0])
            window = read(whose, Control(bend.address("window"), WINDOW), network)
            static = tuple(sorted(bend.static.items()))
            id = bend.id if left is None or state.bend(bend.id) is None else f"{bend.id}'"
            for site in sites:
                armed.append(Armed(id, bend.op, site, static, bend.select))
                params.append(values)
                weights.append(weight(mix, window, bend.branch, played.step_count, branched(site)))
        return tuple(armed), tuple(params), weights, tuple(dormant)

    def _pieces(self, state: State, played: State, share: float) -> Iterable[fades.Piece]:
        if played.fade is None:
            return (fades.Piece(bend, float(bend.on)) for bend in state.bends)
        return fades.pieces(*fades.sides(state, played.steps), share)


def _param(value: np.ndarray, arg: Arg) -> np.ndarray:
    value = value.astype(np.float32)
    return value if arg.size == 1 else value[None]


def _mixed(start: Blend, blend: Blend, share: float) -> Blend:
    """Two blends of prompts as one, of which the second has a share."""
    mixed = {text: weight * (1.0 - share) for text, weight in start}
    for text, weight in blend:
        mixed[text] = mixed.get(text, 0.0) + weight * share
    return tuple((text, weight) for text, weight in mixed.items() if weight > 0)


def _negative(state: State, share: float) -> str | Blend:
    if state.fade is None or share >= 1.0 or state.fade.start.negative == state.negative:
        return state.negative
    if share <= 0.0:
        return state.fade.start.negative
    return _mixed(((state.fade.start.negative, 1.0),), ((state.negative, 1.0),), share)


def corners(x: float, y: float) -> dict[str, float]:
    """The weights of the first four prompts where the walk between them has come to, by address."""
    shares = ((1.0 - x) * (1.0 - y), x * (1.0 - y), (1.0 - x) * y, x * y)
    return {weight_of(n): share for n, share in enumerate(shares, 1)}


def spread(values: np.ndarray, size: int, rest: Value) -> np.ndarray:
    """Numbers for a control: one for all of it, or a vector for its first components.

    Args:
        values: [1] or [n].
        size: how many the control has.
        rest: what the other components are.
    """
    if values.size == size:
        return values
    if values.size == 1:
        return np.broadcast_to(values, (size,))
    filled = np.broadcast_to(np.asarray(rest, np.float64), (size,)).copy()
    filled[: min(size, values.size)] = values[:size]
    return filled


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
    return (mix * _shares(t0, t1, branch if split else "both", steps)).astype(np.float32)


@lru_cache(256)
def _shares(t0: float, t1: float, branch: str, steps: int) -> np.ndarray:
    edges = np.arange(steps + 1) / steps
    share = np.clip(np.minimum(edges[1:], t1) - np.maximum(edges[:-1], t0), 0.0, None) * steps
    along = np.append(np.clip(share, 0.0, 1.0), float(t1 >= 1.0))
    sides = np.array([branch != "cond", branch != "uncond"], np.float64)
    return along[:, None, None] * sides[None, :, None]


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
        limit=np.concatenate([v.limit for v in values]),
        init=np.concatenate(inits) if inits else None,
    )
