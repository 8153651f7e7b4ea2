"""Feature buses: what a host sends about the sound, followed, held and ranged to 0..1.

Followers run once per message, at the message's own time, so they do not depend on the frame rate;
nothing here looks at a clock.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from oscbend.errors import BadValue, UnknownName
from oscbend.state import AS_IT_COMES, Listening

WINDOW_S = 20.0
SLOT_S = 0.02
RANGE_EVERY_S = 0.25
QUIET = 0.1
MAX_BUSES = 512
MAX_COMPONENTS = 4096
"""Of one feature."""
ALL_COMPONENTS = 16_384
"""Of all features together: each keeps 20 s of itself for its range, 8 KB."""


def follow(
    previous: np.ndarray, value: np.ndarray, dt_s: float, attack_s: float, release_s: float
) -> np.ndarray:
    """One step of an envelope follower.

    Args:
        previous, value: [n], the follower's state and the new input.
        dt_s: seconds since the last step.
        attack_s, release_s: time constants for rising and falling, seconds; 0 follows at once.

    Returns:
        [n], the follower's new state.
    """
    rise, fall = (1.0 if tau <= 0 else -math.expm1(-dt_s / tau) for tau in (attack_s, release_s))
    return previous + (value - previous) * np.where(value > previous, rise, fall)


@dataclass
class Bus:
    """One feature: its follower's state, what this frame heard, and its range so far.

    Messages may be laid into `inbox` as (time, number), where the bus has one component; `settle` hears them.
    """

    size: int
    value: np.ndarray
    inbox: list[tuple[float, float]] = field(default_factory=list)
    count: int = 0
    total: np.ndarray = field(default_factory=lambda: np.zeros(0))
    peak: np.ndarray = field(default_factory=lambda: np.zeros(0))
    frame: np.ndarray = field(default_factory=lambda: np.zeros(1))
    recent: deque[np.ndarray] = field(default_factory=deque)
    slots: deque[tuple[int, float | np.ndarray]] = field(default_factory=deque)
    last_s: float = -math.inf
    ranged_s: float = -math.inf
    lo: np.ndarray = field(default_factory=lambda: np.zeros(0))
    hi: np.ndarray = field(default_factory=lambda: np.zeros(0))
    widest: np.ndarray = field(default_factory=lambda: np.zeros(0))
    struck: float = 0.0
    """How much of an onset is seen, 0..1."""
    strike: float = 0.0
    strike_s: float = -math.inf
    fresh: bool = False

    def hit(self, level: float, time_s: float, how: Listening) -> None:
        """Hears an onset: the feature jumps to a part of its range, unless more is left of the last one.

        Args:
            level: 0..1.
            time_s: when.
            how: its release is the onset's.
        """
        self.struck = self.strike = max(level, self._left(time_s, how))
        self.strike_s = time_s
        self.fresh = True

    def _left(self, time_s: float, how: Listening) -> float:
        """What is left of the last onset; nothing if there is no release."""
        if how.release_s <= 0:
            return 0.0
        return self.strike * math.exp(-max(0.0, time_s - self.strike_s) / how.release_s)

    def feed(self, values: np.ndarray, time_s: float, how: Listening) -> None:
        """Hears one message.

        Args:
            values: [n], as sent.
            time_s: the message's time.
            how: smoothing and range.
        """
        if self.size == 1 and how.median <= 1:
            self._hear_numbers([(time_s, float(values[0]))], how)
        else:
            self._hear(values, time_s, how)

    def settle(self, how: Listening) -> None:
        """Hears what waits in the inbox."""
        if not self.inbox:
            return
        waiting, self.inbox = self.inbox, []
        if how.median <= 1:
            self._hear_numbers(waiting, how)
            return
        for time_s, number in waiting:
            self._hear(np.array([number]), time_s, how)

    def _hear(self, values: np.ndarray, time_s: float, how: Listening) -> None:
        self.recent.append(values)
        while len(self.recent) > how.median:
            self.recent.popleft()
        middle = values if how.median <= 1 else np.median(np.stack(self.recent), axis=0)
        first = self.last_s == -math.inf
        dt_s = max(0.0, time_s - self.last_s)
        self.value = middle if first else follow(self.value, middle, dt_s, how.attack_s, how.release_s)
        self.total = self.value + self.total if self.count else self.value
        self.peak = np.maximum(self.value, self.peak) if self.count else self.value
        self.count += 1
        self.last_s = time_s
        if how.range == "auto":
            self._range(middle if self.size > 1 else float(middle[0]), time_s)

    def _hear_numbers(self, heard: Iterable[tuple[float, float]], how: Listening) -> None:
        """`_hear` without a median for a bus of one component: the same sums, many at a time."""
        value, last_s = float(self.value[0]), self.last_s
        count = self.count
        total, peak = (float(self.total[0]), float(self.peak[0])) if count else (0.0, -math.inf)
        attack_s, release_s, ranged = how.attack_s, how.release_s, how.range == "auto"
        slot = self.slots[-1][0] if self.slots else None
        for time_s, number in heard:
            if last_s == -math.inf:
                value = number
            else:
                tau = attack_s if number > value else release_s
                share = 1.0 if tau <= 0 else -math.expm1(-max(0.0, time_s - last_s) / tau)
                value += (number - value) * share
            last_s = time_s
            total += value
            peak = max(peak, value)
            count += 1
            if ranged:
                if slot == int(time_s / SLOT_S):
                    self.slots[-1] = (slot, number)
                else:
                    self._range(number, time_s)
                    slot = self.slots[-1][0]
        self.value, self.total, self.peak = np.array([value]), np.array([total]), np.array([peak])
        self.count, self.last_s = count, last_s
        self.recent.clear()

    def _range(self, values: float | np.ndarray, time_s: float) -> None:
        """Moves the automatic range: 5th to 95th percentile of the last 20 s, one value every 20 ms."""
        slot = int(time_s / SLOT_S)
        if self.slots and self.slots[-1][0] == slot:
            self.slots[-1] = (slot, values)
            return
        self.slots.append((slot, values))
        while self.slots[0][0] < slot - WINDOW_S / SLOT_S:
            self.slots.popleft()
        young = len(self.slots) < RANGE_EVERY_S / SLOT_S * 4
        if not young and time_s - self.ranged_s < RANGE_EVERY_S:
            return
        self.ranged_s = time_s
        seen = np.array([v for _, v in self.slots], np.float64).reshape(-1, self.size)
        self.lo, self.hi = np.percentile(seen, [5, 95], axis=0)
        if self.widest.shape != self.lo.shape:
            self.widest = np.zeros(self.size)
        self.widest = np.maximum(self.widest, self.hi - self.lo)

    def close_frame(self, how: Listening, time_s: float) -> None:
        """Settles what this frame, at `time_s`, sees of the messages since the last one."""
        self.settle(how)
        whole = self.fresh and (how.hold == "max" or how.release_s <= 0)
        self.struck = self.strike if whole else self._left(time_s, how)
        self.fresh = False
        if self.count and how.hold == "max":
            self.frame = self.peak
        elif self.count and how.hold == "mean":
            self.frame = self.total / self.count
        else:
            self.frame = self.value
        self.count = 0

    def unit(self, how: Listening) -> np.ndarray:
        """This frame's value over its range, [n] in 0..1, or its onset, if that is more; silence is not
        amplified."""
        return unit_of(self, how)


class Ranged(Protocol):
    """What a frame sees of a feature, [n], how much of an onset, and its automatic range so far."""

    @property
    def frame(self) -> np.ndarray: ...
    @property
    def struck(self) -> float: ...
    @property
    def lo(self) -> np.ndarray: ...
    @property
    def hi(self) -> np.ndarray: ...
    @property
    def widest(self) -> np.ndarray: ...


def reach(heard: Ranged, how: Listening) -> tuple[np.ndarray, np.ndarray]:
    """Where a feature's range begins, and how long it is, [n] each."""
    if isinstance(how.range, tuple):
        size = heard.frame.size
        return np.full(size, how.range[0]), np.full(size, how.range[1] - how.range[0])
    lo = heard.lo if heard.lo.size else heard.frame
    wide = heard.widest if heard.widest.size else np.zeros(heard.frame.size)
    return lo, np.maximum((heard.hi if heard.hi.size else heard.frame) - lo, QUIET * wide)


def unit_of(heard: Ranged, how: Listening) -> np.ndarray:
    """A frame's value over its range, [n] in 0..1, or its onset, if that is more; silence stays silence."""
    lo, span = reach(heard, how)
    safe = np.where(span == 0, 1.0, span)
    unit = np.where(span == 0, 0.0, (heard.frame - lo) / safe)
    unit = np.clip(unit, heard.struck, 1.0)
    return np.where(unit < how.gate, 0.0, unit) if how.gate > 0 else unit


class Buses(Mapping[str, Bus]):
    """All feature buses of a show; a bus is made by its first message."""

    def __init__(self) -> None:
        self.made = 0
        """How often a bus was made; whoever keeps one must ask for it anew when this has changed."""
        self._buses: dict[str, Bus] = {}

    def __getitem__(self, name: str) -> Bus:
        try:
            return self._buses[name]
        except KeyError:
            raise UnknownName("feature", name, self._buses) from None

    def __contains__(self, name: object) -> bool:
        return name in self._buses

    def __iter__(self) -> Iterator[str]:
        return iter(self._buses)

    def __len__(self) -> int:
        return len(self._buses)

    def recall(self, buses: Mapping[str, Bus]) -> None:
        """Puts other buses in place of all that there are."""
        self._buses = dict(buses)
        self.made += 1

    def feed(self, name: str, values: tuple[float, ...], time_s: float, how: Listening) -> None:
        """Hears one message; a message of another length starts the bus anew.

        Raises:
            BadValue: too many buses, or too many components.
        """
        if not values:
            raise BadValue(f"/feature/{name} needs at least one value")
        if len(values) > MAX_COMPONENTS:
            raise BadValue(f"/feature/{name}: {len(values)} components; at most {MAX_COMPONENTS}")
        bus = self._buses.get(name)
        array = np.asarray(values, np.float64)
        if bus is None or bus.size != array.size:
            bus = self._make(name, array)
        bus.settle(how)
        bus.feed(array, time_s, how)

    def hit(self, name: str, level: float, time_s: float, how: Listening) -> None:
        """Hears an onset, of all components of the feature.

        Args:
            name: of the feature; one that is not there is made, at 0.
            level: part of its range that it jumps to, 0..1.
            time_s: when.
            how: its release is the onset's.

        Raises:
            BadValue: too many buses.
        """
        bus = self._buses.get(name)
        if bus is None:
            bus = self._make(name, np.zeros(1))
        bus.hit(level, time_s, how)

    def _make(self, name: str, value: np.ndarray) -> Bus:
        if name not in self._buses and len(self._buses) >= MAX_BUSES:
            raise BadValue(f"/feature/{name}: there are {MAX_BUSES} features already")
        others = sum(bus.size for other, bus in self._buses.items() if other != name)
        if others + value.size > ALL_COMPONENTS:
            raise BadValue(
                f"/feature/{name}: with {others} in all others, beyond {ALL_COMPONENTS} components"
            )
        bus = self._buses[name] = Bus(value.size, value)
        self.made += 1
        return bus

    def close_frame(self, listening: Mapping[str, Listening], time_s: float) -> None:
        """Settles what this frame, at `time_s`, sees of every bus."""
        for name, bus in self._buses.items():
            bus.close_frame(listening.get(name, AS_IT_COMES), time_s)

    def unit(self, feature: str, listening: Mapping[str, Listening]) -> np.ndarray:
        """A feature (`bands`) or one component (`bands.3`) over its range.

        Returns:
            [n] or [1], in 0..1; [1] of 0 for a feature that was never sent.
        """
        name, component = split(feature)
        bus = self._buses.get(name)
        if bus is None:
            return np.zeros(1)
        unit = bus.unit(listening.get(name, AS_IT_COMES))
        if component is None:
            return unit
        return unit[component : component + 1] if component < unit.size else np.zeros(1)


def split(feature: str) -> tuple[str, int | None]:
    """`bands.3` -> (`bands`, 3); `rms` -> (`rms`, None)."""
    name, dot, index = feature.rpartition(".")
    if dot and index.isdecimal():
        return name, int(index)
    return feature, None
