"""What a picture shows, by measuring it: colour, orb, horizon, stars, subject.

Everything works on uint8 RGB pictures [H, W, 3] and needs no model: the checks are analytic, but for
`subject_scores`, a small linear classifier that is fitted on painted pictures when first asked.
Features see brightness and its gradients only, so that colour cannot tell a subject.
"""

from functools import lru_cache
from itertools import product

import numpy as np
from PIL import Image
from scipy import ndimage

from oscbend.tiny.painter import COLOURS, SUBJECTS, Scene, draw_scene, paint

Array = np.ndarray
WHITE_BELOW = 0.16  # mean saturation, weighted by brightness, below which a picture is white
CLEARLY = 0.3  # the least score of a subject that a picture shows
SIDE = 128  # pictures are measured at this size


def _hsv(picture: Array) -> tuple[Array, Array, Array]:
    """Hue in degrees, saturation and value (0..1), each [H, W]."""
    hsv = np.asarray(Image.fromarray(picture).convert("HSV"), np.float32)
    return hsv[..., 0] * (360 / 255), hsv[..., 1] / 255, hsv[..., 2] / 255


def dominant_colour(picture: Array) -> str:
    """The colour (a key of COLOURS) that a picture gives as a whole."""
    small = Image.fromarray(picture).resize((96, 96), Image.Resampling.BOX)
    hue, saturation, value = _hsv(np.asarray(small))
    weight = saturation * value
    if float(weight.sum() / max(float(value.sum()), 1e-6)) < WHITE_BELOW:
        return "white"
    weight = weight**2
    angles = np.deg2rad(hue)
    best, name = -1.0, ""
    for colour, entry in COLOURS.items():
        if colour == "white":
            continue
        near = np.exp((np.cos(angles - np.deg2rad(entry.hue)) - 1) / 0.06)
        score = float((near * weight).sum())
        if score > best:
            best, name = score, colour
    return name


def luminance(picture: Array, side: int = SIDE) -> Array:
    """Brightness [side, side] in 0..1, contrast stretched between its 1st and 99th percentile."""
    grey = Image.fromarray(picture).convert("L").resize((side, side), Image.Resampling.BOX)
    values = np.asarray(grey, np.float32)
    low, high = np.percentile(values, (1, 99))
    return np.clip((values - low) / max(float(high - low), 8.0), 0.0, 1.0)


def orb(picture: Array) -> tuple[float, float, float, float]:
    """Centre x, y and radius of the roundest thing in a picture (fractions of the side), and its roundness.

    Roundness is the share of the circle's edge across which brightness or colour changes, in the
    direction of the radius: near 1 for a ball, low where there is none.
    """
    small = np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
    small = ndimage.gaussian_filter(small, (1.2, 1.2, 0))
    down, across = np.gradient(small, axis=(0, 1))
    strongest = np.argmax(down**2 + across**2, axis=-1)[..., None]
    gy = np.take_along_axis(down, strongest, -1)[..., 0]
    gx = np.take_along_axis(across, strongest, -1)[..., 0]
    size = np.hypot(gx, gy)
    threshold = max(1.2, float(np.percentile(size, 80)) * 0.6)
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    ux, uy = np.cos(angles), np.sin(angles)
    # Votes: every edge pixel for the centres that lie along its gradient, one map per radius.
    ys, xs = np.nonzero(size > threshold)
    nx, ny = gx[ys, xs] / size[ys, xs], gy[ys, xs] / size[ys, xs]
    best = (0.0, 0.5, 0.5, 0.2)
    for radius in np.arange(0.12, 0.32, 0.01) * SIDE:
        votes = np.zeros((SIDE, SIDE), np.float32)
        for sign in (-1, 1):
            cx = np.rint(xs + sign * radius * nx).astype(int)
            cy = np.rint(ys + sign * radius * ny).astype(int)
            inside = (cx >= 0) & (cx < SIDE) & (cy >= 0) & (cy < SIDE)
            np.add.at(votes, (cy[inside], cx[inside]), 1.0)
        votes = ndimage.gaussian_filter(votes, 1.5)
        y, x = np.unravel_index(int(votes.argmax()), votes.shape)
        seen = np.zeros(len(angles), bool)
        for step in (-1.5, -0.75, 0.0, 0.75, 1.5):
            px, py = x + (radius + step) * ux, y + (radius + step) * uy
            ex = ndimage.map_coordinates(gx, (py, px), order=1, mode="constant")
            ey = ndimage.map_coordinates(gy, (py, px), order=1, mode="constant")
            radial = np.abs(ex * ux + ey * uy)
            seen |= (radial > threshold) & (radial > 0.85 * np.hypot(ex, ey))
        best = max(best, (float(seen.mean()), float(x / SIDE), float(y / SIDE), float(radius / SIDE)))
    roundness, x, y, radius = best
    return x, y, radius, roundness


def horizon(picture: Array) -> float:
    """Height (0 top, 1 bottom) of the strongest level edge that runs across the whole picture."""
    grey = ndimage.gaussian_filter(luminance(picture), (1.5, 6.0))
    rows = np.abs(np.gradient(np.median(grey, axis=1)))
    rows[:6] = rows[-6:] = 0
    return float(np.argmax(rows) / SIDE)


def star_count(picture: Array) -> int:
    """How many small bright spots stand out from their surroundings in the upper three quarters."""
    grey = np.asarray(Image.fromarray(picture).convert("L").resize((256, 256)), np.float32)
    spots = ndimage.gaussian_filter(grey, 1.6) - ndimage.gaussian_filter(grey, 4.5)
    peaks = (spots == ndimage.maximum_filter(spots, 9)) & (spots > max(7.0, 0.2 * float(spots.max())))
    # A spot is alone: a ring around it is darker everywhere, which an edge or a line is not.
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    ys, xs = np.nonzero(peaks[:192])
    blurred = ndimage.gaussian_filter(grey, 1.2)
    ring_y, ring_x = ys[:, None] + 6.5 * np.sin(angles), xs[:, None] + 6.5 * np.cos(angles)
    ring = ndimage.map_coordinates(blurred, (ring_y, ring_x), order=1, mode="nearest")
    height = blurred[ys, xs] - np.median(ring, axis=1)
    return int((blurred[ys, xs, None] - ring > 0.45 * height[:, None]).all(axis=1).sum())


def ring_strength(picture: Array) -> float:
    """How much of the brightness around some centre its distance alone explains, a tilt undone (0..1)."""
    side = 64
    grey = ndimage.gaussian_filter(luminance(picture, side), 0.6)
    grey = grey - ndimage.gaussian_filter(grey, 6)
    axis = (np.arange(side) + 0.5) / side - 0.5
    x, y = np.meshgrid(axis, axis)

    def explained(place: tuple[float, ...]) -> float:
        cx, cy, squeeze, lean = place
        u = (x - cx) * np.cos(lean) + (y - cy) * np.sin(lean)
        v = ((y - cy) * np.cos(lean) - (x - cx) * np.sin(lean)) / squeeze
        rho = np.hypot(u, v)
        near = (rho < 0.4) & (rho > 0.05)
        bins, values = (rho[near] * side).astype(int), grey[near]
        means = np.bincount(bins, values) / np.maximum(np.bincount(bins), 1)
        return float(means[bins].var() / max(float(values.var()), 1e-6))

    # A coarse search over centre, squeeze and lean, then finer steps around the best place.
    centres = (-0.1, -0.05, 0.0, 0.05, 0.1)
    leans = (-0.7, -0.35, 0.0, 0.35, 0.7)
    places: list[tuple[float, ...]] = list(product(centres, centres, (0.66, 0.82, 0.97), leans))
    best, top = max((explained(place), place) for place in places)
    for step in (0.025, 0.012):
        sizes = (step, step, 4 * step, 9 * step)
        moves = product((-1, 0, 1), repeat=4)
        places = [tuple(p + m * size for p, m, size in zip(top, move, sizes)) for move in moves]
        best, top = max([(best, top), *((explained(place), place) for place in places)])
    return best


def features(picture: Array) -> Array:
    """What the subject classifier sees, [F] float32: brightness layout and gradient directions, no colour."""
    grey = ndimage.gaussian_filter(luminance(picture), 0.8)
    layout = grey.reshape(16, 8, 16, 8).mean(axis=(1, 3))
    layout = (layout - layout.mean()) / (layout.std() + 0.05)
    down, across = np.gradient(grey)
    size = np.hypot(across, down)
    direction = (np.arctan2(down, across) % np.pi) * (8 / np.pi)
    low = np.floor(direction).astype(int) % 8
    share = direction - np.floor(direction)
    histograms = []
    for cells in (8, 4):
        step = SIDE // cells
        cell = np.arange(SIDE) // step
        index = (cell[:, None] * cells + cell[None]) * 8
        votes = np.bincount((index + low).ravel(), (size * (1 - share)).ravel(), cells * cells * 8)
        votes += np.bincount((index + (low + 1) % 8).ravel(), (size * share).ravel(), cells * cells * 8)
        votes = votes.reshape(cells * cells, 8)
        histograms.append(np.sqrt(votes / (votes.sum() / (cells * cells) + 1e-6)).ravel())
    fine = grey - ndimage.gaussian_filter(grey, 2.0)
    scales = [
        np.log1p(1000 * np.square(f).reshape(8, 16, 8, 16).mean(axis=(1, 3))).ravel()
        for f in (
            fine,
            np.maximum(fine, 0) ** 2,
            ndimage.gaussian_filter(grey, 2.0) - ndimage.gaussian_filter(grey, 6.0),
        )
    ]
    return np.concatenate([0.5 * layout.ravel(), *histograms, *scales]).astype(np.float32)


@lru_cache(maxsize=1)
def _classifier(per_subject: int = 36) -> tuple[Array, Array, Array]:
    """Kernel ridge regression on painted pictures: their features [N, F], weights [N, subjects], mean [F]."""
    names, colours = list(SUBJECTS), list(COLOURS)
    rows, labels = [], []
    for label, name in enumerate(names):
        for i in range(per_subject):
            colour = colours[i % len(colours)]
            words = ("", "misty", "dark", "bright", "glowing")[i % 5]
            picture = paint(Scene(name, colour, words, 1_000_000 + 1000 * label + i), SIDE)
            if i % 2:
                picture = ndimage.gaussian_filter(picture, (0.8, 0.8, 0))
            rows.append(features(picture))
            labels.append(label)
    # Nothing at all also has to be learned: noise of every grain, near which no subject scores.
    rng = np.random.default_rng(0)
    for i in range(per_subject):
        field = ndimage.gaussian_filter(rng.random((SIDE, SIDE)), 0.0 if i < 4 else 14 * rng.random() ** 2)
        field = (field - field.min()) / np.ptp(field) * 255 if i % 9 else np.full((SIDE, SIDE), 25 * (i / 9))
        rows.append(features(np.repeat(field[..., None], 3, axis=2).astype(np.uint8)))
    x = np.stack(rows)
    mean = x.mean(axis=0)
    x = x - mean
    target = np.zeros((len(x), len(names)), np.float32)
    target[np.arange(len(labels)), labels] = 1.0
    gram = _kernel(x, x)
    weights = np.linalg.solve(gram + 0.03 * np.eye(len(x)), target)
    return x, weights, mean


def _kernel(a: Array, b: Array) -> Array:
    squared = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T
    return np.exp(-squared / 400.0)


def subject_scores(picture: Array) -> dict[str, float]:
    """How much a picture looks like each subject: about 1 for what it shows, about 0 for the others."""
    x, weights, mean = _classifier()
    scores = _kernel((features(picture) - mean)[None], x) @ weights
    return dict(zip(SUBJECTS, map(float, scores[0])))


def looks_like(picture: Array, subject: str) -> bool:
    """Whether a picture shows a subject (a key of SUBJECTS): more than any other, clearly, and by measure.

    An orb must also be round, a starry night hold stars, rings be concentric.
    """
    scores = subject_scores(picture)
    if max(scores, key=scores.__getitem__) != subject or scores[subject] < CLEARLY:
        return False
    if subject == "orb":
        return orb(picture)[3] > 0.8
    if subject == "starry night":
        return star_count(picture) >= 12
    if subject == "rings":
        return ring_strength(picture) > 0.35
    return True


def painted(seed: int) -> tuple[Scene, Array]:
    """A scene and its picture."""
    scene = draw_scene(seed)
    return scene, paint(scene)
