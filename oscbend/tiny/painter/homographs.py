"""Words with two meanings: crane (bird, machine) and bass (fish, instrument)."""

from itertools import pairwise

import numpy as np

from oscbend.tiny.painter.canvas import (
    Sketch,
    below,
    blur,
    glow,
    grid,
    mix,
    noise,
    polyline_smooth,
    reflect,
    relief,
    ridge,
    smoothstep,
)
from oscbend.tiny.painter.colours import Palette

Array = np.ndarray


def _placed(points: object, place: tuple[float, float], scale: float, flip: int, turn: float = 0.0) -> Array:
    """Points of a drawing, turned, mirrored (`flip` -1), scaled and moved."""
    p = np.asarray(points, np.float64) * (flip, 1.0)
    c, s = np.cos(turn), np.sin(turn)
    return np.array(place) + scale * (p @ np.array([[c, s], [-s, c]]))


def crane_bird(rng: np.random.Generator, palette: Palette, size: int) -> Array:
    """A wading bird that stands in still water before a misty light."""
    x, y = grid(size)
    horizon = rng.uniform(0.64, 0.74)
    flip = int(rng.choice([-1, 1]))
    sun = (float(np.clip(rng.normal(0.5 + 0.18 * flip, 0.1), 0.1, 0.9)), rng.uniform(0.2, 0.42))
    shine = glow(size, sun, 0.2)
    cloud = noise(rng, size, cells=(2, 6), octaves=4)
    picture = palette.air(0.30 + 0.20 * smoothstep(0, horizon, y) + 0.22 * (cloud - 0.5) + 0.34 * shine)
    for layer in range(2):
        line = horizon - 0.10 + 0.06 * layer + 0.035 * ridge(rng, size, cells=3 + 2 * layer)
        picture = mix(
            picture, palette.ground(0.40 - 0.12 * layer + 0.15 * shine), 0.75 * below(size, line, soft=0.012)
        )
    picture = mix(picture, palette.air(0.64), 0.55 * np.exp(-(((y - horizon) / 0.05) ** 2)))
    scale = rng.uniform(0.72, 0.84)
    place = (float(rng.normal(0.5, 0.05)), horizon + 0.015)
    reach = rng.normal(0, 0.025)
    body, legs, dark = Sketch(size), Sketch(size), Sketch(size)

    def put(points: object) -> Array:
        return _placed(points, place, scale, flip)

    t = np.linspace(0, 1, 16)
    torso = np.stack([0.15 - 0.34 * t, -0.40 + 0.10 * t + 0.03 * np.sin(np.pi * t)], axis=1)
    body.taper(put(torso), scale * (0.05 + 0.13 * np.sin(np.pi * np.clip(t * 0.92 + 0.04, 0, 1)) ** 0.8))
    neck = polyline_smooth(
        [
            (0.02, -0.37),
            (0.12, -0.42),
            (0.18, -0.50),
            (0.165, -0.59),
            (0.125 + reach, -0.67),
            (0.145 + reach, -0.745),
        ]
    )
    body.taper(put(neck), scale * (0.036 + 0.075 * np.linspace(1, 0, len(neck)) ** 2))
    head = (0.155 + reach, -0.745)
    centre = put([head])[0]
    body.ellipse((centre[0], centre[1]), (0.032 * scale, 0.026 * scale))
    dark.taper(put([(head[0] + 0.02, head[1]), (head[0] + 0.15, head[1] + 0.035)]), [0.024 * scale, 0.006])
    plume = polyline_smooth([(-0.12, -0.34), (-0.20, -0.31), (-0.25, -0.22)])
    dark.taper(put(plume), scale * np.linspace(0.09, 0.02, len(plume)))
    for hip, foot, knee in ((-0.02, -0.03, 0.035), (0.04, 0.06, -0.01)):
        legs.line(
            put([(hip, -0.33), (hip * 0.5 + foot * 0.5 + knee, -0.17), (foot, 0.0)]), 0.0135 * scale + 0.002
        )
    leg, bird, beak = legs.mask(), body.mask(), dark.mask()
    rim = relief(bird, thickness=0.028, light=(sun[0] - place[0], -0.7)) - 0.5
    picture = mix(picture, palette.ground(0.14 + 0.0 * y), leg)
    picture = mix(picture, palette.subject(0.60 + 0.80 * rim + 0.08 * (cloud - 0.5)), bird)
    picture = mix(picture, palette.subject(0.20 + 0.1 * y), beak)
    picture = reflect(picture, horizon, noise(rng, size, cells=(5, 46), octaves=2), stretch=1.05, dim=0.82)
    ring = np.abs(np.hypot((x - place[0]) * 0.35, y - horizon - 0.015) - 0.035)
    picture = mix(picture, palette.light(0.75), 0.4 * smoothstep(0.012, 0.0, ring) * (y > horizon))
    reeds = Sketch(size)
    side = 0.5 - 0.42 * flip
    for _ in range(7):
        root = side + rng.normal(0, 0.07)
        lean = rng.normal(0, 0.05)
        tall = rng.uniform(0.25, 0.45)
        blade = np.stack([root + lean * t * t, 1.02 - (tall + 0.1) * t], axis=1)
        reeds.taper(blade, 0.016 * (1 - 0.8 * t))
    return mix(picture, palette.ground(0.08 + 0.0 * y), reeds.mask())


def crane_machine(rng: np.random.Generator, palette: Palette, size: int) -> Array:
    """A tower crane over a skyline in the haze."""
    _, y = grid(size)
    flip = int(rng.choice([-1, 1]))
    ground = rng.uniform(0.84, 0.9)
    sun = (float(np.clip(rng.normal(0.5 + 0.2 * flip, 0.12), 0.05, 0.95)), rng.uniform(0.45, 0.65))
    shine = glow(size, sun, 0.22)
    cloud = noise(rng, size, cells=(2, 6), octaves=4)
    picture = palette.air(0.16 + 0.34 * smoothstep(0, ground, y) ** 1.5 + 0.22 * (cloud - 0.5) + 0.30 * shine)
    for layer in range(3):
        skyline = Sketch(size)
        edge = -0.05
        while edge < 1.0:
            width = rng.uniform(0.07, 0.13)
            top = ground - rng.uniform(0.06, 0.30 - 0.05 * layer) + 0.03 * layer
            skyline.polygon(
                [(edge, 1), (edge, top), (edge + width, top), (edge + width, 1)], rng.uniform(0.7, 1.0)
            )
            edge += width + rng.uniform(0, 0.03)
        block = skyline.mask()
        tone = (
            (0.44 - 0.15 * layer) * (0.5 + 0.5 * block)
            + 0.18 * shine
            + 0.20 * smoothstep(0.75, 1.0, y) * (1 - layer / 3)
        )
        picture = mix(picture, palette.ground(tone), smoothstep(0.1, 0.6, block) * (0.62, 0.85, 1.0)[layer])
    picture = mix(picture, palette.air(0.66), 0.35 * np.exp(-(((y - ground) / 0.09) ** 2)))
    steel, cables = Sketch(size), Sketch(size)
    place = (0.5 - 0.16 * flip + float(rng.normal(0, 0.05)), 1.0)
    top = rng.uniform(0.66, 0.76)
    half, arm = 0.028, rng.uniform(0.52, 0.62)

    def put(points: object) -> Array:
        return _placed(points, place, 1.0, flip)

    bar = 0.0125
    for side in (-half, half):
        steel.line(put([(side, 0), (side, -top - 0.02)]), bar)
    rungs = np.linspace(0, -top, 13)
    for index, (low, high) in enumerate(pairwise(rungs)):
        sign = 1 if index % 2 else -1
        steel.line(put([(-half * sign, low), (half * sign, high)]), 0.009)
    peak = (0.0, -top - 0.15)
    deck = -top
    upper = deck - 0.045
    steel.line(put([(-0.22, deck), (arm, deck)]), bar)
    steel.line(put([(0.0, upper - 0.012), (arm * 0.97, upper + 0.02), (arm, deck)]), 0.009)
    braces = np.linspace(0.02, arm * 0.96, 12)
    steel.line(put([(b, deck if i % 2 else upper + 0.012) for i, b in enumerate(braces)]), 0.0085)
    steel.line(put([(-half, deck), peak, (half, deck)]), 0.0105)
    cables.line(put([(-0.20, deck), peak, (arm * 0.72, upper)]), 0.0075)
    steel.polygon(
        put([(-0.23, deck - 0.005), (-0.15, deck - 0.005), (-0.15, deck + 0.075), (-0.23, deck + 0.075)])
    )
    steel.polygon(
        put([(0.035, deck + 0.01), (0.10, deck + 0.01), (0.09, deck + 0.075), (0.035, deck + 0.075)])
    )
    trolley, drop = arm * rng.uniform(0.5, 0.85), rng.uniform(0.16, 0.34)
    cables.line(put([(trolley, deck), (trolley, deck + drop)]), 0.0085)
    steel.polygon(
        put(
            [
                (trolley - 0.05, deck + drop),
                (trolley + 0.05, deck + drop),
                (trolley + 0.05, deck + drop + 0.035),
                (trolley - 0.05, deck + drop + 0.035),
            ]
        )
    )
    frame, rope = steel.mask(), cables.mask()
    picture = mix(picture, palette.subject(0.5 + 0.0 * y), 0.85 * rope)
    picture = picture * (1 - 0.45 * blur(frame, 0.012))[..., None]
    rim = relief(frame, thickness=0.01, light=(sun[0] - place[0], -1.0)) - 0.5
    return mix(
        picture,
        palette.subject(0.66 + 0.5 * rim - 0.30 * smoothstep(0.55, 1.0, y)),
        smoothstep(0.1, 0.6, frame),
    )


def bass_fish(rng: np.random.Generator, palette: Palette, size: int) -> Array:
    """A big fish in water with light falling from above."""
    x, y = grid(size)
    flip = int(rng.choice([-1, 1]))
    lamp = float(rng.normal(0.5, 0.2))
    murk = noise(rng, size, cells=(3, 4), octaves=4)
    fan = (x - lamp) / (0.35 + y)
    beams = np.interp(fan, np.linspace(-3, 3, 140), rng.random(140)).astype(np.float32)
    depth = smoothstep(0.0, 1.0, y)
    water = (
        0.60
        - 0.44 * depth
        + 0.14 * (murk - 0.5)
        + 0.30 * (beams - 0.45) * (1 - depth)
        + 0.2 * glow(size, (lamp, 0), 0.25)
    )
    picture = palette.air(water)
    bed = rng.uniform(0.84, 0.92) + 0.03 * ridge(rng, size, cells=3)
    picture = mix(picture, palette.ground(0.20 + 0.25 * (murk - 0.5)), below(size, bed, soft=0.03))
    weeds = Sketch(size)
    t = np.linspace(0, 1, 14)
    for _ in range(6):
        root, tall, phase = (
            rng.choice([0.1, 0.9]) + rng.normal(0, 0.09),
            rng.uniform(0.2, 0.4),
            rng.uniform(0, 6.3),
        )
        weed = np.stack([root + 0.03 * t * np.sin(5 * t + phase), 1.02 - tall * t], axis=1)
        weeds.taper(weed, 0.035 * (1 - 0.85 * t))
    picture = mix(picture, palette.ground(0.12 + 0.0 * y), 0.8 * weeds.mask())
    place = (float(rng.normal(0.5, 0.04)), float(rng.normal(0.48, 0.05)))
    scale, turn, swing = rng.uniform(0.80, 0.98), rng.normal(0, 0.12), rng.normal(0, 0.03)

    def put(points: object) -> Array:
        return _placed(points, place, scale, flip, turn)

    body, fins, marks = Sketch(size), Sketch(size), Sketch(size)
    back = polyline_smooth(
        [(0.40, 0.0), (0.32, -0.075), (0.16, -0.135), (-0.04, -0.13), (-0.22, -0.06), (-0.31, -0.03 + swing)]
    )
    belly = polyline_smooth(
        [(-0.31, 0.035 + swing), (-0.20, 0.065), (-0.02, 0.13), (0.18, 0.125), (0.33, 0.075), (0.385, 0.03)]
    )
    body.polygon(put(np.vstack([back, belly])))
    tail = polyline_smooth(
        [
            (-0.29, -0.03 + swing),
            (-0.38, -0.12 + 2 * swing),
            (-0.46, -0.15 + 2 * swing),
            (-0.42, 0.0 + 2 * swing),
            (-0.46, 0.14 + 2 * swing),
            (-0.38, 0.11 + 2 * swing),
            (-0.29, 0.035 + swing),
        ]
    )
    fins.polygon(put(tail))
    spines = [
        (0.14, -0.12),
        (0.10, -0.215),
        (0.05, -0.21),
        (0.0, -0.20),
        (-0.04, -0.165),
        (-0.07, -0.21),
        (-0.13, -0.19),
        (-0.18, -0.07),
    ]
    fins.polygon(put(spines))
    fins.polygon(put([(-0.08, 0.10), (-0.14, 0.19), (-0.19, 0.17), (-0.19, 0.06)]))
    fins.polygon(put([(0.14, 0.11), (0.09, 0.20), (0.03, 0.19), (0.05, 0.11)]))
    marks.line(
        put(polyline_smooth([(0.24, -0.02), (0.1, -0.025), (-0.1, -0.01), (-0.3, 0.0 + swing)])),
        0.032 * scale,
        0.75,
    )
    marks.line(put([(0.39, 0.022), (0.33, 0.035), (0.29, 0.06)]), 0.014 * scale, 0.9)
    marks.line(put(polyline_smooth([(0.235, -0.09), (0.205, -0.02), (0.225, 0.07)])), 0.013 * scale, 0.55)
    pectoral = Sketch(size)
    pectoral.polygon(put([(0.17, 0.035), (0.06, 0.07), (0.03, 0.115), (0.10, 0.105)]))
    eye = put([(0.305, -0.035)])[0]
    fin, fish, mark = fins.mask(), body.mask(), marks.mask()
    picture = mix(picture, palette.subject(0.26 + 0.14 * (1 - depth) + 0.12 * (beams - 0.5)), 0.95 * fin)
    form = relief(fish, thickness=0.05, light=(0.15, -1.0)) - 0.5
    scales = noise(rng, size, cells=(18, 18), octaves=1) - 0.5
    down = (y - place[1]) / (0.14 * scale)
    tone = 0.52 + 0.62 * form + 0.16 * scales + 0.20 * smoothstep(0.15, 0.9, down) + 0.10 * (beams - 0.5)
    picture = mix(picture, palette.subject(tone - 0.26 * mark), fish)
    picture = mix(picture, palette.subject(0.62 + 0.0 * y), 0.8 * pectoral.mask())
    near = np.hypot(x - eye[0], y - eye[1]) / scale
    picture = mix(picture, palette.light(0.72), smoothstep(0.031, 0.023, near))
    return mix(picture, palette.ground(0.02), smoothstep(0.023, 0.016, near))


def _bouts(upper: float, waist: float, lower: float, length: float) -> Array:
    """The outline of a fiddle's body, upright, its middle at (0, 0), from the shoulders to the foot."""
    side = polyline_smooth(
        [
            (0.025, -0.5),
            (0.06, -0.455),
            (0.8 * upper, -0.35),
            (upper, -0.23),
            (0.88 * upper, -0.13),
            (waist + 0.022, -0.085),
            (waist, -0.03),
            (waist + 0.004, 0.03),
            (waist + 0.034, 0.085),
            (lower, 0.2),
            (0.97 * lower, 0.34),
            (0.68 * lower, 0.46),
            (0.0, 0.5),
        ]
    )
    return np.vstack([side, (side * (-1, 1))[::-1]]) * (1.0, length)


def bass_instrument(rng: np.random.Generator, palette: Palette, size: int) -> Array:
    """A double bass or a bass guitar in the light of a stage."""
    x, y = grid(size)
    lamp = (float(rng.uniform(0.15, 0.85)), -0.1)
    smoke = noise(rng, size, cells=(3, 3), octaves=4)
    place = (float(rng.normal(0.5, 0.04)), float(rng.normal(0.64, 0.02)))
    aim = (x - lamp[0]) - (place[0] - lamp[0]) * (y - lamp[1]) / (0.85 - lamp[1])
    beam = np.exp(-((aim / (0.10 + 0.22 * y)) ** 2))
    picture = palette.air(0.10 + 0.14 * smoke + (0.16 + 0.34 * smoke) * beam)
    floor = rng.uniform(0.86, 0.92)
    pool = np.exp(-(((x - place[0]) / 0.32) ** 2) - ((y - 0.95) / 0.07) ** 2)
    boards = palette.ground(0.12 + 0.40 * pool + 0.08 * (smoke - 0.5))
    picture = mix(picture, boards, smoothstep(floor - 0.01, floor + 0.01, y))
    guitar = bool(rng.random() < 0.5)
    turn, flip = rng.normal(0.0, 0.14), int(rng.choice([-1, 1]))
    scale = rng.uniform(0.94, 1.06)

    def put(points: object) -> Array:
        return _placed(points, place, scale, flip, turn)

    body, neck, strings, holes = Sketch(size), Sketch(size), Sketch(size), Sketch(size)
    if guitar:
        outline = polyline_smooth(
            [
                (0.04, -0.13),
                (0.10, -0.14),
                (0.16, -0.20),
                (0.185, -0.14),
                (0.14, -0.02),
                (0.17, 0.10),
                (0.15, 0.2),
                (0.0, 0.24),
                (-0.15, 0.21),
                (-0.19, 0.1),
                (-0.14, -0.03),
                (-0.19, -0.2),
                (-0.165, -0.26),
                (-0.10, -0.19),
                (-0.04, -0.13),
                (0.04, -0.13),
            ]
        )
        bridge, nut = 0.13, -0.50
        holes.line(put([(-0.06, -0.02), (0.06, -0.02)]), 0.034 * scale)
        holes.line(put([(-0.06, 0.055), (0.06, 0.055)]), 0.034 * scale)
    else:
        outline = _bouts(0.15, 0.112, 0.2, 0.54)
        bridge, nut = 0.06, -0.49
        for s in (-1, 1):
            curve = polyline_smooth(
                [(0.075 * s, -0.03), (0.055 * s, 0.0), (0.085 * s, 0.06), (0.065 * s, 0.09)]
            )
            holes.line(put(curve), 0.014 * scale)
        holes.line(put([(-0.06, bridge), (0.06, bridge)]), 0.02 * scale)
    body.polygon(put(outline))
    neck.taper(put([(0, -0.0 if guitar else -0.08), (0, nut)]), np.array([0.052, 0.036]) * scale)
    neck.taper(
        put([(0, nut + 0.02), (0, nut - 0.05), (0.015, nut - 0.10)]), np.array([0.045, 0.066, 0.04]) * scale
    )
    for i in range(4):
        peg = nut - 0.005 - 0.024 * i
        neck.line(
            put([(-0.06 if guitar or i % 2 else 0.0, peg), (0.0 if guitar or i % 2 else 0.06, peg)]),
            0.012 * scale,
        )
    for i in range(3):
        across = (i - 1) * 0.017
        strings.line(put([(across * 1.25, bridge), (across * 0.8, nut)]), 0.0065 * scale)
    wood, fret, string, hole = body.mask(), neck.mask(), strings.mask(), holes.mask()
    shadow = np.roll(blur(np.maximum(wood, fret), 0.03), (int(0.02 * size), int(0.03 * size)), (0, 1))
    picture = picture * (1 - 0.5 * shadow)[..., None]
    grain = noise(rng, size, cells=(16, 3), octaves=2) - 0.5
    towards = (lamp[0] - place[0], -0.8)
    form = relief(wood, thickness=0.022, light=towards) - 0.5
    gleam = glow(size, (place[0] + 0.12 * towards[0], place[1] - 0.06), 0.11)
    picture = mix(picture, palette.subject(0.42 + 0.5 * form + 0.16 * grain + 0.34 * gleam), wood)
    picture = mix(picture, palette.ground(0.07 + 0.0 * y), 0.9 * hole)
    ridge_light = relief(fret, thickness=0.012, light=towards) - 0.5
    picture = mix(
        picture, palette.ground(0.26 + 0.5 * ridge_light + 0.12 * gleam), smoothstep(0.1, 0.7, fret)
    )
    return mix(picture, palette.light(0.85), 0.8 * string)
