"""Writes "Held Breath", a piano piece of twelve seconds, as MIDI, and renders it to FLAC.

    python examples/music/compose.py [SOUNDFONT]

Needs the program fluidsynth and a General MIDI soundfont with a good piano (Debian: fluidsynth and
musescore-general-soundfont). The hall is made here, so that the pause can be cut to true silence.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

HERE = Path(__file__).parent
SOUNDFONT = "/usr/share/sounds/sf3/MuseScore_General_Full.sf3"
RATE = 44100
BPM = 156
TICKS = 480

START, RUN, CHORD, CUT, CODA, LAST = 0.5, 12.5, 14.5, 17.5, 20.5, 25.5  # beats
LENGTH_S = 12.0

Note = tuple[float, float, int, int]
"""(beat, beats, MIDI key, velocity)."""

# Three beats a bar: the left hand plays two to a beat, the right hand three.
BARS = (
    ((36, 43), (55, 60, 63, 67, 63, 60, 55, 60, 63)),  # C minor
    ((32, 39), (60, 63, 68, 72, 68, 63, 60, 63, 68)),  # A♭ major
    ((29, 36), (65, 68, 72, 75, 72, 68, 65, 68, 72)),  # F minor 7
    ((31, 38), (71, 74, 77, 79, 77, 74, 80, 77, 74)),  # G 7 ♭9
)


def music() -> Iterator[Note]:
    """The notes."""
    rng = np.random.default_rng(1937)
    for bar, (left, right) in enumerate(BARS):
        for k in range(6):
            beat = START + 3 * bar + k / 2
            loud = swell(beat) - 6 + 8 * (k % 2 == 0)
            yield beat + rng.normal(0, 0.008), 0.5, left[k % 2], touch(loud, rng)
            if bar >= 2 and k % 2 == 0:
                yield beat + rng.normal(0, 0.008), 0.9, left[0] + 12, touch(loud - 8, rng)
        for k, key in enumerate(right):
            beat = START + 3 * bar + k / 3
            loud = swell(beat) + 9 * (k % 3 == 0) - 3 * (k % 3 == 2)
            yield beat + rng.normal(0, 0.008), 0.45, key, touch(loud, rng)
            if (bar == 2 and k % 3 == 0) or (bar == 3 and k % 3 != 2):
                yield beat + rng.normal(0, 0.008), 0.45, key + 12, touch(loud - 4, rng)
    run = [key for octave in range(26, 100, 12) for key in (octave, octave + 3, octave + 6, octave + 9)][:22]
    for k, key in enumerate(run):  # D to B diminished, from the bottom to the top, gathering speed
        place = k / len(run)
        yield RUN + 2 * (1.25 * place - 0.25 * place**2), 0.4, key, touch(80 + 28 * place, rng)
    for k, key in enumerate((24, 36, 43, 48, 55, 63, 67, 72, 75, 79, 84)):
        yield CHORD + 0.006 * k, CUT - CHORD, key, 127 if k in (0, 1, 10) else 118
    for key in (24, 36, 43, 60, 63):  # the bell below it
        yield CHORD + 1.5, CUT - CHORD - 1.5, key, 120
    coda = ((0, 96, 34), (0.75, 91, 31), (1.5, 87, 36), (2.5, 86, 32), (3.5, 79, 38), (4.25, 84, 30))
    for at, key, loud in coda:
        yield CODA + at + rng.normal(0, 0.015), 1.5, key, loud
    last = ((36, 38), (48, 42), (55, 34), (64, 40), (74, 22), (79, 32), (88, 44))
    for k, (key, loud) in enumerate(last):  # C major, with a hint of its ninth, rolled
        yield LAST + 0.09 * k, 4.5, key, loud


def swell(beat: float) -> float:
    """Velocity of the four bars: from very soft to loud, slowly at first."""
    return 46 + 66 * ((beat - START) / 12) ** 1.5


def touch(loud: float, rng: np.random.Generator) -> int:
    """A velocity, a little uneven as a hand is."""
    return int(np.clip(round(loud + rng.normal(0, 2)), 1, 127))


PEDAL = (
    *((START + 3 * bar + 0.05, True) for bar in range(4)),
    *((START + 3 * bar - 0.05, False) for bar in range(1, 5)),
    (RUN + 0.4, True),
    (CHORD - 0.05, False),
    (CHORD + 0.05, True),
    (CUT, False),
    (CODA, True),
)


def midi() -> bytes:
    """The piece as a standard MIDI file, format 0."""
    events = [(beat, bytes((0xB0, 64, 127 * down))) for beat, down in PEDAL]
    for beat, beats, key, velocity in music():
        events.append((beat, bytes((0x90, key, velocity))))
        events.append((beat + beats, bytes((0x80, key, 64))))
    track = b"\x00\xff\x03\x0bHeld Breath" + b"\x00\xff\x51\x03" + (60_000_000 // BPM).to_bytes(3, "big")
    now = 0
    for beat, event in sorted(events):
        tick = round(beat * TICKS)
        track += variable(tick - now) + event
        now = tick
    track += variable(2 * TICKS) + b"\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS) + b"MTrk" + struct.pack(">I", len(track)) + track


def variable(number: int) -> bytes:
    """MIDI's variable-length number."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(0x80 | number & 0x7F)
    return bytes(reversed(digits))


def played(file: Path, soundfont: str) -> np.ndarray:
    """The piano alone, without any room: float64 [samples, 2]."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "dry.wav"
        command = ["fluidsynth", "-ni", "-q", "-R", "0", "-C", "0", "-g", "0.5", "-r", str(RATE)]
        subprocess.run([*command, "-O", "float", "-F", str(wav), soundfont, str(file)], check=True)
        dry = soundfile.read(wav)[0]
    count = round(LENGTH_S * RATE)
    return np.pad(dry, ((0, max(0, count - len(dry))), (0, 0)))[:count]


def hall(dry: np.ndarray, decay_s: float) -> np.ndarray:
    """A hall's answer: noise that dies away, treble first, convolved with the sound; [samples, 2]."""
    rng = np.random.default_rng(7)
    time_s = np.arange(round(1.2 * decay_s * RATE)) / RATE
    noise = rng.standard_normal((len(time_s), 2))
    hertz = np.fft.rfftfreq(len(time_s), 1 / RATE)
    room = np.zeros_like(noise)
    for low, high, share in ((80, 500, 1.0), (500, 2000, 0.85), (2000, 5000, 0.55), (5000, 9000, 0.3)):
        inside = ((hertz >= low) & (hertz < high))[:, None]
        band = np.fft.irfft(np.fft.rfft(noise, axis=0) * inside, len(time_s), axis=0)
        room += share * band * 10 ** (-3 * time_s / (decay_s * share))[:, None]
    room *= np.minimum(1, time_s / 0.02)[:, None]  # builds up over 20 ms, so that attacks stay clear
    room /= np.sqrt(np.square(room).sum(axis=0))
    size = len(dry) + len(room)
    wet = np.fft.irfft(np.fft.rfft(dry, size, axis=0) * np.fft.rfft(room, size, axis=0), size, axis=0)
    return wet[: len(dry)]


def mixed(dry: np.ndarray) -> np.ndarray:
    """Piano and hall, with the pause cut out: float64 [samples, 2], peak −1 dB."""
    time_s = np.arange(len(dry))[:, None] / RATE
    cut_s, coda_s = CUT * 60 / BPM, (CODA - 0.1) * 60 / BPM
    before, after = dry * (time_s < cut_s + 0.05), dry * (time_s >= coda_s)
    # 50 ms of fade, then nothing: the chord's resonance is held back like a breath.
    first = (before + 0.28 * hall(before, 1.6)) * np.clip((cut_s + 0.05 - time_s) / 0.05, 0, 1) ** 2
    second = 3 * (after + 0.7 * hall(after, 3.2))
    near = np.interp(time_s, (0, RUN * 60 / BPM), (2.2, 1.1))  # so that the beginning carries
    out = near * first + second * (time_s >= coda_s) * np.clip((LENGTH_S - time_s) / 1.2, 0, 1) ** 1.5
    out = np.tanh(1.5 * out / np.abs(out).max())  # leans on the loudest, so that the rest is not small
    return out * (10 ** (-1 / 20) / np.abs(out).max())


def main() -> None:
    """Writes held-breath.mid and held-breath.flac beside this script."""
    file = HERE / "held-breath.mid"
    file.write_bytes(midi())
    sound = mixed(played(file, sys.argv[1] if len(sys.argv) > 1 else SOUNDFONT))
    soundfile.write(HERE / "held-breath.flac", sound, RATE, subtype="PCM_16")


if __name__ == "__main__":
    main()
