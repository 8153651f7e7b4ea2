"""From the state and the features to what one frame needs: ranges, curves, noise, prompts, weights.

All that changes by itself between frames (the walk through noise, the tick of moving textures) is
kept here and moves with the time that it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from oscbend import bends
from oscbend.controls import FIXED, Control, Network, default_of, hard_range, musical_range, weight_of
from oscbend.curves import curved
from oscbend.errors import BadMessage
from oscbend.features import Buses
from oscbend.frame import Armed, Blend, Mix, Structure, Values, branched
from oscbend.glides import place
from oscbend.state import CORNERS, MIX, WEIGHT, WINDOW, XY, XY_ADDRESS, Bend, State
from oscbend.table import Arg, Value
from oscbend.walks import SEEDS, STRIDE, at_seed, spectrum, walk, wander

SPECTRUM_BUS = "spectrum"
NEAR = 1e-6
"""How near the walk comes to a corner without a prompt: the others keep their shares there."""

Read = Callable[[State, Control, Network], np.ndarray]


@dataclass(frozen=True)
class Shot:
    """What one frame needs.

    Args:
        structure, values: what is drawn.
        dormant: the bends that had no place in it.
        black: how dark the picture is shown, 0..1.
    """

    structure: Structure
    values: Values
    dormant: tuple[str, ...] = ()
    black: float = 0.0


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
        """A control's value now, [size], in its unit: what was set or drives it, and what is added."""
        value = self.base(state, control, network)
        mods = state.mods.get(control.address)
        if not mods:
            return value
        for mod in mods.values():
            amount = curved(self._unit(state, mod.feature), 0.0, mod.depth, mod.curve)
            value = value + spread(amount, control.arg.size, 0.0)
        return np.clip(value, *hard_range(control.arg))

    def base(self, state: State, control: Control, network: Network) -> np.ndarray:
        """A control's value now before anything is added, [size], in its unit."""
        if state.by_xy and control.address in CORNERS:
            return np.array([corners(*self._walked(state, network))[control.address]])
        size = control.arg.size
        driver = state.maps.get(control.address)
        if driver is None:
            target = state.live.get(control.address)
            if target is None:
                target = default_of(state, control)
            value = place(state.glides.get(control.address), target, self.show_s)
            return np.broadcast_to(np.asarray(value, np.float64), (size,))
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
        state = state.recast(self.steps, self.size)
        self.buses.close_frame(state.listening, now_s)
        self.shown = {}
        self.advance(state, now_s)
        dt_s = 0.0 if self._shot_s is None else self.show_s - self._shot_s
        self._shot_s = self.show_s
        self.turns += dt_s * self._number(state, "/noise/speed", network)
        if not state.pause:
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
            limit=np.array([state.limit], np.float32),
        )
        if not structure.guided:
            values = replace(values, weights=values.weights[:, :, -1:, :])
        return Shot(structure, values, dormant, self._number(state, "/black", network))

    def _number(self, state: State, address: str, network: Network) -> float:
        return float(self._shown(state, Control(address, FIXED[address]), network)[0])

    def _shown(self, state: State, control: Control, network: Network) -> np.ndarray:
        values = self.shown[control.address] = self.value(state, control, network)
        return values

    def blend(self, state: State, network: Network) -> Blend:
        """The prompts as they are shown now, and the share of each."""
        return self._morphed(state, self._weighted(state, network, self.value))

    def _prompts(self, state: State, network: Network) -> Blend:
        return self._morphed(state, self._weighted(state, network, self._shown))

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
        share = max(0.0, self.show_s - morph.since_s) / morph.seconds
        mixed = {text: weight * (1.0 - share) for text, weight in morph.start}
        for text, weight in blend:
            mixed[text] = mixed.get(text, 0.0) + weight * share
        return tuple((text, weight) for text, weight in mixed.items() if weight > 0)

    def _walked(self, state: State, network: Network) -> tuple[float, ...]:
        """Where the walk between the first four prompts has come to: x, y."""
        return tuple(self.value(state, Control(XY_ADDRESS, XY), network).tolist())

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
            if SPECTRUM_BUS in self.buses and not (state.pause and self._bands is not None):
                self._bands = self.buses[SPECTRUM_BUS].frame
            return at_seed(seed) if self._bands is None else spectrum(seed, self._bands)
        return wander(seed, turns)

    def _bends(
        self, state: State, network: Network
    ) -> tuple[tuple[Armed, ...], tuple[dict[str, np.ndarray], ...], list[np.ndarray], tuple[str, ...]]:
        armed: list[Armed] = []
        params: list[dict[str, np.ndarray]] = []
        weights: list[np.ndarray] = []
        dormant: list[str] = []
        wet = self._number(state, "/wet", network)
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
            mix = wet * float(self._shown(state, Control(bend.address("mix"), MIX), network)[0])
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
        limit=np.concatenate([v.limit for v in values]),
        init=np.concatenate(inits) if inits else None,
    )
