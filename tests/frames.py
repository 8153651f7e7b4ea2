"""Frames at random: a few bends of any operator at any site, any steps, with guidance or without."""

from __future__ import annotations

import random
from concurrent.futures import Executor
from typing import Any

import numpy as np
from drawing import structure, values

from oscbend import bends
from oscbend.engine import Engine
from oscbend.errors import BadValue
from oscbend.frame import Armed, Structure, Values
from oscbend.net.captured import Captured, InPlace, Shelf
from oscbend.net.tape import ReplayTape

SITES = ["latent.0", "latent.end", "text", "time", "image"]


def random_bends(engine: Engine, s: Structure, rng: random.Random, first: str) -> tuple[Armed, ...]:
    """A few armed bends, the first of them of a given operator, at sites where they can act."""
    sites = {site.name: site for site in engine.sites(s.width, s.height, s.step_count)}
    made: list[Armed] = []
    wanted = rng.randint(1, 5)
    while len(made) < wanted:
        op = first if not made else rng.choice(sorted(bends.OPERATORS))
        row = bends.OPERATORS[op]
        site = rng.choice(
            rng.choice([sorted(sites), list(SITES), [n for n in sites if n.startswith("skip")]])
        )
        static = {arg.name: arg.default for arg in row.static}
        if op == "steer":
            static |= {"a": "a red orb", "b": "blue mesh, by night"}
        select = rng.choice(["all", "all", "channels 0", "rows 0.2 0.7", "fraction 0.3 5"])
        try:
            bends.check(op, static, sites[site].shape)
        except BadValue:
            first = op if not made and rng.random() < 0.9 else "negate"
            continue
        made.append(Armed(f"b{len(made)}", op, site, tuple(sorted(static.items())), select))
    return tuple(made)


def random_frame(engine: Engine, rng: random.Random, op: str, **changes: Any) -> tuple[Structure, Values]:
    """A structure with random bends, steps and guidance, and values that suit it."""
    s = structure(
        steps=rng.choice([1, 2]), guided=rng.random() < 0.3, sampler=rng.choice(["ddim", "lcm"]), **changes
    )
    s = Structure(**(vars(s) | {"bends": random_bends(engine, s, rng, op)}))
    params = tuple(
        {
            a.name: a.inside_hard(rng.random()) if a.size == 1 else a.default
            for a in bends.OPERATORS[b.op].live
        }
        for b in s.bends
    )
    return s, values(
        s, params, weight=rng.choice([1.0, 0.5, 0.0, 1.0]), ticks=np.arange(s.batch) + rng.randint(0, 99)
    )


def captured(engine: Engine, tape: type[ReplayTape] = ReplayTape, hands: Executor | None = None) -> Engine:
    """An engine with the same model that draws through recordings."""
    other = Engine(engine.model)
    other.network = Captured(engine.model, Shelf(tape), hands or InPlace())
    return other


def same(a: Engine, b: Engine, s: Structure, v: Values) -> bool:
    """True if two engines draw the same bits."""
    one, other = a.render(s, v), b.render(s, v)
    return np.array_equal(one.pictures, other.pictures) and np.array_equal(one.finite, other.finite)
