"""The curves of a sound in one picture: waveform, spectrogram, then a lane for every feature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from oscbend.audio.features import Curves, unit_of
from oscbend.audio.sound import FEATURES, Sound

PAPER, INK, QUIET, RULE = "#0b0d13", "#e9e6df", "#7d8294", "#20242f"
HEAT = (PAPER, "#1a1d47", "#4a2a7c", "#9a3a86", "#e0605f", "#ffb266", "#fff4d6")
HUES = {
    "level": "#ffb266",
    "spectrum": "#6fc7e8",
    "bands": "#8fd694",
    "rhythm": "#ff7a8a",
    "harmony": "#c79bff",
    "timbre": "#7fa8ff",
    "machine": "#f2c9de",
    "walk": "#ffe08a",
    "librosa": "#9aa3b8",
    "other": "#e9e6df",
}
WIDTH, DPI = 15.0, 120
WAVE, SPECTROGRAM, LANE, HEATMAP = 0.9, 2.3, 0.5, 0.95
TOP, BOTTOM, GAP = 0.95, 0.55, 0.11
LEFT, RIGHT = 1.75, 0.95
PITCH_CLASSES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


def plot(path: str | Path, sound: Sound, curves: Curves, *, title: str = "") -> None:
    """Writes waveform, spectrogram and curves, above one another on one axis of time, as a PNG.

    Curves of a kind stand together, in one colour.

    Args:
        path: where to.
        sound: what was analyzed.
        curves: float [frames] or [frames, n], as `analyze_sound` gives them; vectors become heat maps.
        title: in the head line, such as the file's name.
    """
    from matplotlib.figure import Figure

    grouped = sorted(curves, key=lambda name: list(HUES.values()).index(_hue(name)))
    heights = [WAVE, SPECTROGRAM, *(LANE if curves[name].ndim == 1 else HEATMAP for name in grouped)]
    height = TOP + sum(heights) + GAP * (len(heights) - 1) + BOTTOM
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor=PAPER)
    edge = height - TOP
    lanes = []
    for tall in heights:
        edge -= tall
        box = (LEFT / WIDTH, edge / height, (WIDTH - LEFT - RIGHT) / WIDTH, tall / height)
        lanes.append(_lane(figure.add_axes(box), sound))
        edge -= GAP
    _head(figure, sound, title, height)
    _wave(lanes[0], sound)
    _spectrogram(lanes[1], sound)
    for axes, name in zip(lanes[2:], grouped):
        curve = curves[name]
        _label(axes, name, unit_of(FEATURES[name]) if name in FEATURES else "", _hue(name))
        if curve.ndim == 1:
            _curve(axes, sound, name, curve)
        else:
            _heatmap(axes, sound, name, curve)
    lanes[-1].tick_params(axis="x", labelbottom=True, labelcolor=QUIET, labelsize=8, pad=6)
    lanes[-1].set_xlabel("seconds", color=QUIET, fontsize=8, labelpad=4)
    figure.savefig(path, facecolor=PAPER, format="png")


def _lane(axes: Any, sound: Sound) -> Any:
    """Empty axes on the common axis of time."""
    from matplotlib.ticker import MaxNLocator

    axes.set_facecolor(PAPER)
    axes.set_xlim(0, sound.duration_s)
    axes.xaxis.set_major_locator(MaxNLocator(12, steps=[1, 2, 5, 10]))
    axes.grid(axis="x", color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelbottom=False, labelleft=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def _head(figure: Any, sound: Sound, title: str, height: float) -> None:
    line = (height - 0.5) / height
    figure.text(LEFT / WIDTH, line, title or "sound", color=INK, fontsize=17, va="baseline")
    fps = sound.fps if sound.fps.denominator == 1 else f"{sound.fps.numerator}/{sound.fps.denominator}"
    facts = f"{sound.duration_s:.2f} s    {sound.rate} Hz    {len(sound)} frames at {fps} fps"
    figure.text(1 - RIGHT / WIDTH, line, facts, color=QUIET, fontsize=9, ha="right", va="baseline")


def _label(axes: Any, name: str, unit: str, hue: str) -> None:
    """Name and unit to the left of a lane."""
    axes.annotate(
        name.replace("_", " "),
        (0, 0.5),
        xytext=(-14, 0 if not unit else 1),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="center" if not unit else "bottom",
        color=hue,
        fontsize=10,
    )
    if unit:
        axes.annotate(
            unit,
            (0, 0.5),
            xytext=(-14, -2),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right",
            va="top",
            color=QUIET,
            fontsize=7.5,
        )


def _ends(axes: Any, lo: float, hi: float) -> None:
    """Least and greatest value to the right of a lane."""
    for value, place, align in ((hi, 1, "top"), (lo, 0, "bottom")):
        axes.annotate(
            _number(value),
            (1, place),
            xytext=(10, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va=align,
            color=QUIET,
            fontsize=7.5,
        )


def _number(value: float) -> str:
    """Three digits, thousands set apart, a true minus."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace(",", "\N{THIN SPACE}").replace("-", "\N{MINUS SIGN}")


def _hue(name: str) -> str:
    tags = FEATURES[name].tags if name in FEATURES else frozenset()
    return next((HUES[tag] for tag in HUES if tag in tags), HUES["other"])


def _wave(axes: Any, sound: Sound) -> None:
    """Outline of the samples, and the level inside it."""
    fine = Sound(sound.samples, sound.rate, _columns(sound))
    time_s = (fine.times_s + 0.5 / float(fine.fps)).clip(0, sound.duration_s)
    padded = fine.samples[: fine.borders[-1]]
    top = np.maximum.reduceat(padded, fine.borders[:-1])
    foot = np.minimum.reduceat(padded, fine.borders[:-1])
    axes.fill_between(time_s, foot, top, color=INK, alpha=0.38, linewidth=0)
    axes.fill_between(time_s, -fine.rms, fine.rms, color=INK, alpha=0.95, linewidth=0)
    reach = max(float(np.abs(padded).max()), 1e-6)
    axes.set_ylim(-reach, reach)
    _label(axes, "waveform", "FS", INK)
    _ends(axes, -reach, reach)


def _spectrogram(axes: Any, sound: Sound) -> None:
    """Levels over time and pitch, 70 dB deep."""
    fine = Sound(sound.samples, sound.rate, _columns(sound))
    lowest, highest = 40.0, min(16000.0, sound.rate / 2)
    rows = np.geomspace(lowest, highest, 320)
    bins = np.arange(sound.size // 2 + 1) * sound.rate / sound.size
    levels = [
        np.stack([np.interp(rows, bins, column) for column in np.log10(np.maximum(power, 1e-12)).T], axis=1)
        for power in fine.powers(sound.size)
    ]
    decibels = 10 * np.concatenate(levels, axis=1)
    axes.imshow(
        decibels,
        origin="lower",
        aspect="auto",
        extent=(0, len(fine) / float(fine.fps), np.log10(lowest), np.log10(highest)),
        cmap=_heat(),
        vmin=decibels.max() - 70,
        vmax=decibels.max() - 3,
        interpolation="bilinear",
    )
    axes.set_xlim(0, sound.duration_s)
    axes.grid(False)
    _label(axes, "spectrogram", "Hz", INK)
    for hertz, text in ((100, "100"), (1000, "1 k"), (10000, "10 k")):
        if lowest < hertz < highest:
            axes.axhline(np.log10(hertz), color=INK, alpha=0.12, linewidth=0.6)
            _tick(axes, text, np.log10(hertz))


def _curve(axes: Any, sound: Sound, name: str, curve: np.ndarray) -> None:
    """One value per frame, as a lit line over its own glow."""
    hue = _hue(name)
    time_s = sound.times_s + 0.5 / float(sound.fps)
    lo, hi = float(curve.min()), float(curve.max())
    room = 0.06 * (hi - lo) or 1.0
    axes.set_ylim(lo - room, hi + room)
    axes.fill_between(time_s, lo - room, curve, color=hue, alpha=0.16, linewidth=0)
    axes.plot(time_s, curve, color=hue, linewidth=1.1, solid_joinstyle="round")
    _ends(axes, lo, hi)


def _heatmap(axes: Any, sound: Sound, name: str, curve: np.ndarray) -> None:
    """One row per component, the first at the bottom; signed ones are dark at their mean."""
    from matplotlib.colors import LinearSegmentedColormap

    shown = np.asarray(curve, np.float64)
    tags = FEATURES[name].tags if name in FEATURES else frozenset()
    signed = not tags & {"bands", "walk"} and name != "chroma"
    colours = [PAPER, _hue(name), "#ffffff"]
    if signed:
        deviation = shown.std(axis=0)
        shown = (shown - shown.mean(axis=0)) / np.where(deviation == 0, 1.0, deviation)
        colours = ["#667090", "#2a3042", *colours]
        lo, hi = -2.5, 2.5
    else:
        if "walk" in tags:  # as the noise takes them: each frame scaled to unit variance
            shown = shown / np.maximum(np.linalg.norm(shown, axis=1, keepdims=True), 1e-30)
        if name != "chroma":
            shown = 10 * np.log10(np.maximum(shown, 1e-12))
        hi = float(shown.max())
        lo = 0.0 if name == "chroma" else hi - 30
    axes.imshow(
        shown.T,
        origin="lower",
        aspect="auto",
        extent=(0, len(sound) / float(sound.fps), 0, shown.shape[1]),
        cmap=LinearSegmentedColormap.from_list("lane", colours),
        vmin=lo,
        vmax=hi if hi > lo else lo + 1,
        interpolation="nearest" if shown.shape[1] <= 128 else "antialiased",
    )
    axes.set_xlim(0, sound.duration_s)
    axes.grid(False)
    names = PITCH_CLASSES if name == "chroma" else [str(k) for k in range(shown.shape[1])]
    for k in range(0, len(names), -(-len(names) // 4)):
        _tick(axes, names[k], k + 0.5)


def _tick(axes: Any, text: str, place: float) -> None:
    """A small word to the right of a lane, at a place on its own axis."""
    axes.annotate(
        text,
        (1, place),
        xytext=(10, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        color=QUIET,
        fontsize=7.5,
    )


def _columns(sound: Sound) -> str:
    """A frame rate that gives about as many columns as the picture has pixels."""
    count = (WIDTH - LEFT - RIGHT) * DPI
    return str(round(min(sound.rate / 16, count / sound.duration_s) * 1000)) + "/1000"


def _heat() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("heat", HEAT)
