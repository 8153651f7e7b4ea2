"""A show as it stood in one frame: what other threads may read while the next one is drawn.

The loop makes one in every frame and hands it over; nothing in it changes afterwards, and nothing in it
leads back to the network, the features' memory or the loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from typing import Any, cast

import numpy as np

from oscbend.commands import Show
from oscbend.controls import Control, default_of, find_control
from oscbend.modulation import Modulation
from oscbend.net import sites
from oscbend.stage import Stage
from oscbend.state import ATTACHED, State

Status = tuple[float | int | str, ...]

_MOVING = {*ATTACHED, "fade"} - {"mods"}
_structure_of = attrgetter(*(f for f in State.__dataclass_fields__ if f not in _MOVING))


@dataclass(frozen=True)
class Standing:
    """The sites of the model as they stand: what commands ask of a stage, without the stage."""

    sites: tuple[sites.Site, ...]
    scales: Mapping[str, float]
    _resolved: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict, compare=False)

    def resolve(self, site: str, state: State) -> tuple[str, ...]:
        """The sites that a name, number or pattern reaches; raises UnknownName."""
        key = site, state.step_count
        if key not in self._resolved:
            self._resolved[key] = sites.resolve(site, self.sites, state.step_count)
        return self._resolved[key]

    def scale(self, site: str, state: State) -> float:
        """Standard deviation of the site's activations; 1 where it is not known."""
        return self.scales.get(site, 1.0)

    def site_names(self, state: State) -> Sequence[str]:
        """Every site of the model, in order."""
        return [s.name for s in self.sites]


@dataclass(frozen=True, eq=False)
class Heard:
    """What a feature bus held, [n], how much of an onset, and what the frame saw of it with its range."""

    value: np.ndarray
    struck: float
    frame: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    widest: np.ndarray


@dataclass(frozen=True, eq=False)
class Still:
    """Modulation as it stood in one frame.

    Args:
        buses: the features, by name.
        shown: address -> value of the live controls that the frame was made of, [size].
        show_s: the time on the clock of the show, seconds.
    """

    buses: Mapping[str, Heard]
    shown: Mapping[str, np.ndarray]
    show_s: float

    def value(self, state: State, control: Control, network: Any) -> np.ndarray:
        """A control's value in the frame, [size], in its unit."""
        shown = self.shown.get(control.address)
        if shown is not None:
            return shown
        held = state.live.get(control.address)
        value = default_of(state, control) if held is None else held
        return np.broadcast_to(np.asarray(value, np.float64), (control.arg.size,))


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A show as it stood in one frame.

    Args:
        time_s: on the clock of the loop; what came before it has been carried out.
        state: the state.
        modulation: features and controls.
        stage: the sites of the model.
        status: as `/status.reply` says it.
        made: counts the feature buses that were made so far.
    """

    time_s: float
    state: State
    modulation: Still
    stage: Standing
    status: Status
    made: int

    @cached_property
    def show(self) -> Show:
        """What commands read from; nothing may be carried out on it."""
        return Show(self.state, cast(Modulation, self.modulation), cast(Stage, self.stage), self.time_s)

    @cached_property
    def structure(self) -> tuple[Any, ...]:
        """What decides which addresses there are, and what they take; values are not in it."""
        return (*_structure_of(self.state), self.stage, self.made)

    def set_value(self, address: str, value: tuple[Any, ...]) -> tuple[Any, ...]:
        """What a control was set to, while nothing drives it; otherwise `value`, as it is in the frame."""
        held = self.state.live.get(address)
        if held is None or address in self.state.maps:
            return value
        return held if isinstance(held, tuple) else (held,)


class Camera:
    """Takes snapshots of a show, on the thread that draws it: some microseconds each.

    Args:
        stage: the model that draws.
        modulation: features, and what moves by itself.
    """

    def __init__(self, stage: Stage, modulation: Modulation) -> None:
        self._stage = stage
        self._modulation = modulation
        self._standing: Standing | None = None

    def take(self, state: State, now_s: float, status: Status) -> Snapshot:
        """The show as it stands now."""
        buses = self._modulation.buses
        shown = self._modulation.shown
        moving = state.maps.keys() | state.mods.keys() | state.glides.keys()
        if not shown.keys() >= moving:
            shown = {**self._unseen(state, moving - shown.keys()), **shown}
        heard = {
            name: Heard(bus.value, bus.struck, bus.frame, bus.lo, bus.hi, bus.widest)
            for name, bus in buses.items()
        }
        still = Still(heard, shown, self._modulation.show_s)
        return Snapshot(now_s, state, still, self._stand(state), status, buses.made)

    def _unseen(self, state: State, addresses: Iterable[str]) -> dict[str, np.ndarray]:
        """Moving controls of bends that are off or lie dormant: no frame is made of them."""
        found = (find_control(state, address, self._stage) for address in addresses)
        return {c.address: self._modulation.value(state, c, self._stage) for c in found if c is not None}

    def _stand(self, state: State) -> Standing:
        now, scales = self._stage.sites(state), self._stage.scales(state)
        last = self._standing
        if last is None or last.sites is not now or last.scales is not scales:
            last = self._standing = Standing(now, scales)
        return last
