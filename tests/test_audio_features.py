"""Features against their formulas written out, against librosa, and on sounds whose answer is known."""

from __future__ import annotations

import doctest
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import librosa
import numpy as np
import pytest
import soundfile

from oscbend import audio, rate
from oscbend.audio import FEATURES, Sound, analyze, analyze_sound, borders, defaults, parse, read
from oscbend.audio.features import unit_of
from oscbend.audio.rhythm import beat_times
from oscbend.errors import BadAudio, BadValue, UnknownName
from oscbend.rate import rational

RATE = 44100
PIECE = Path(__file__).parent.parent / "examples/music/held-breath.flac"
VECTORS = {"bands": 24, "chroma": 12, "tonnetz": 6, "mfcc": 13, "contrast": 7, "embed": 16}


def tone(hertz: float, length_s: float = 1.0, rate: int = RATE, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(length_s * rate)) / rate)).astype(np.float32)


def noise(length_s: float = 1.0, rate: int = RATE, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(length_s * rate))).astype(np.float32)


def clicks(bpm: float, length_s: float, rate: int = RATE) -> np.ndarray:
    sound = np.zeros(round(length_s * rate), np.float32)
    burst = noise(0.02, rate) * np.exp(-np.arange(round(0.02 * rate)) / (0.004 * rate))
    for at_s in np.arange(0.25, length_s - 0.1, 60 / bpm):
        sound[round(at_s * rate) :][: len(burst)] += 5 * burst
    return sound


def feature(name: str, samples: np.ndarray, rate: int = RATE, fps: float | str = 20) -> np.ndarray:
    return next(iter(analyze_sound(Sound(samples, rate, fps), [name]).values()))


# --- frames -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [20, 24, 25, 30, 60, 23.976, 29.97, "24000/1001", Fraction(25, 2), 7.3])
@pytest.mark.parametrize("rate", [8000, 44100, 48000, 96000])
def test_frames_cover_every_sample_once_for_an_hour(fps: float, rate: int) -> None:
    edges = borders(3600 * rate + 17, rate, fps)
    exact = rational(fps)
    assert edges[0] == 0
    assert edges[-2] < 3600 * rate + 17 <= edges[-1]
    assert set(np.diff(edges)) <= {int(rate / exact), int(rate / exact) + 1}
    last = len(edges) - 1
    assert abs(edges[-1] - Fraction(last * rate) / exact) <= Fraction(1, 2)
    for i in (1, 999, last // 2):
        assert edges[i] == int(i * rate / exact + Fraction(1, 2))


@pytest.mark.parametrize(
    ("fps", "exact"),
    [
        (23.976, Fraction(24000, 1001)),
        (23.98, Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (24, Fraction(24)),
        (24.0, Fraction(24)),
        (12.5, Fraction(25, 2)),
        ("24000/1001", Fraction(24000, 1001)),
        ("29.97", Fraction(30000, 1001)),
    ],
)
def test_rational(fps: float | str, exact: Fraction) -> None:
    assert rational(fps) == exact


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), "fast", "1/0"])
def test_impossible_frame_rates(fps: float | str) -> None:
    with pytest.raises(BadValue, match="fps"):
        rational(fps)


def test_more_frames_than_samples() -> None:
    with pytest.raises(BadValue, match="more than"):
        Sound(np.zeros(10), 8, 9)


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros((2, 9)), np.array([0.0, np.nan])])
def test_impossible_sounds(samples: np.ndarray) -> None:
    with pytest.raises(BadAudio):
        Sound(samples, RATE)


@pytest.mark.parametrize("fps", [20, 23.976, 60])
@pytest.mark.parametrize("at_s", [0.0, 0.26, 1.5, 1.999])
def test_an_impulse_is_in_one_frame(fps: float, at_s: float) -> None:
    sound = np.zeros(2 * RATE, np.float32)
    sound[int(at_s * RATE)] = 1
    hit = np.flatnonzero(feature("rms", sound, fps=fps))
    edges = borders(len(sound), RATE, fps)
    assert len(hit) == 1
    assert edges[hit[0]] <= int(at_s * RATE) < edges[hit[0] + 1]


@pytest.mark.parametrize("fps", [20, 23.976])
def test_parseval(fps: float) -> None:
    sound = Sound(noise(2.01), RATE, fps)
    energy = []
    for a, _ in sound.spectra():
        energy += [2 * (row**2).sum() - row[0] ** 2 for row in a]
    for i, length in enumerate(sound.lengths):
        samples = sound.samples[sound.borders[i] : sound.borders[i + 1]].astype(np.float64)
        spectrum = np.fft.rfft(samples)
        nyquist = abs(spectrum[-1]) ** 2 if length % 2 == 0 else 0.0
        assert (energy[i] - nyquist) / length == pytest.approx((samples**2).sum(), rel=1e-9)
    assert np.sum(sound.rms**2 * sound.lengths) == pytest.approx(np.sum(sound.samples.astype(float) ** 2))


# --- formulas -----------------------------------------------------------------------------------------


def plain(sound: Sound) -> dict[str, list[float]]:
    """The moments and the flux, in float64, as they stand on paper."""
    out: dict[str, list[float]] = {k: [] for k in ("centroid", "spread", "skewness", "kurtosis", "flux")}
    before = None
    for start, stop in zip(sound.borders[:-1], sound.borders[1:]):
        x = sound.samples[start:stop].astype(np.float64)
        a = np.abs(np.fft.rfft(x))
        f = np.fft.rfftfreq(len(x), 1 / sound.rate)
        c = (a * f).sum() / a.sum()
        s = np.sqrt((a * (f - c) ** 2).sum() / a.sum())
        out["centroid"].append(c)
        out["spread"].append(s)
        out["skewness"].append((a * (f - c) ** 3).sum() / (s**3 * a.sum()))
        out["kurtosis"].append((a * (f - c) ** 4).sum() / (s**4 * a.sum()))
        if before is None:
            before = a
        width = max(len(a), len(before))
        a, b = (np.pad(z, (0, width - len(z))) for z in (a, before))
        out["flux"].append(np.abs(a - b).sum())
        before = a
    return out


@pytest.mark.parametrize(("rate", "fps"), [(44100, 20), (44100, 23.976), (8000, 30), (96000, 25)])
def test_moments_and_flux_are_their_formulas(rate: int, fps: float) -> None:
    samples = noise(1.51, rate) + tone(440, 1.51, rate) * np.linspace(0, 1, round(1.51 * rate))
    sound = Sound(samples, rate, fps)
    expected = plain(sound)
    for name, curve in analyze_sound(sound, list(expected)).items():
        assert np.allclose(curve, expected[name], rtol=1e-5, atol=1e-5), name


@pytest.mark.parametrize("rate", [8000, 44100, 96000])
@pytest.mark.parametrize("hertz", [200, 1000, 3000])
def test_a_tone_has_its_centroid(hertz: int, rate: int) -> None:
    sound = tone(hertz, rate=rate)
    assert feature("centroid", sound, rate) == pytest.approx(hertz, abs=0.5)  # whole periods in a frame
    assert feature("spread", sound, rate).max() < 15
    assert np.median(feature("librosa.centroid", sound, rate)) == pytest.approx(hertz, rel=0.03)


def test_white_noise_lies_in_the_middle() -> None:
    sound = noise(3)
    assert feature("centroid", sound).mean() == pytest.approx(RATE / 4, rel=0.01)
    assert feature("spread", sound).mean() == pytest.approx(RATE / 2 / np.sqrt(12), rel=0.01)
    assert feature("kurtosis", sound).mean() == pytest.approx(1.8, rel=0.03)  # of an even spread
    assert 0.5 < feature("flatness", sound).mean() < 0.6


def test_flux_is_zero_while_nothing_changes() -> None:
    assert feature("flux", tone(1000)).max() < 0.01
    changing = np.concatenate([tone(1000), tone(2000)])
    assert feature("flux", changing).argmax() == 20


SCALING = {"rms", "flux", "low", "mid", "high", "bands", "percussive", "harmonic", "librosa.rms"}
LEVEL = {"mfcc", "librosa.mfcc"}


@pytest.mark.parametrize("name", [n for n in FEATURES if n not in LEVEL])
def test_gain_scales_levels_and_changes_nothing_else(name: str) -> None:
    sound = noise(1.5) + tone(330, 1.5)
    curve, loud = feature(name, sound), feature(name, 2 * sound)
    assert np.allclose(loud, 2 * curve if name in SCALING else curve, rtol=1e-3, atol=2e-3)


def test_gain_changes_only_the_first_cepstral_coefficient() -> None:
    sound = noise(1.0)
    assert np.allclose(
        feature("librosa.mfcc", sound)[:, 1:], feature("librosa.mfcc", 2 * sound)[:, 1:], atol=0.01
    )


def test_bands_add_up() -> None:
    sound = Sound(noise(1.0) + tone(100) + tone(6000), RATE, 20)
    low, mid, high = (analyze_sound(sound, [n])[n].astype(float) for n in ("low", "mid", "high"))
    whole = np.sqrt(low**2 + mid**2 + high**2)
    assert np.allclose(whole[2:-2], sound.rms[2:-2], rtol=0.1)


@pytest.mark.parametrize(("hertz", "name"), [(100, "low"), (1000, "mid"), (8000, "high")])
def test_a_tone_is_in_its_band(hertz: int, name: str) -> None:
    for other in ("low", "mid", "high"):
        level = feature(other, tone(hertz))[3:-3]
        expected = 0.5 / np.sqrt(2) if other == name else 0.0
        assert level == pytest.approx(expected, abs=0.01)


def test_bands_rise_with_pitch() -> None:
    loudest = [feature("bands:32", tone(hertz))[10].argmax() for hertz in (110, 440, 1760, 7040)]
    assert loudest == sorted(set(loudest))


@pytest.mark.parametrize(("hertz", "note"), [(261.63, 0), (440, 9), (739.99, 6), (110, 9)])
def test_chroma_of_a_tone(hertz: float, note: int) -> None:
    curve = feature("chroma", tone(hertz))
    assert (curve.argmax(axis=1)[2:-2] == note).all()
    assert curve.max() == pytest.approx(1)


def test_tonnetz_is_librosas() -> None:
    sound = Sound(tone(440) + tone(554.37) + tone(659.26), RATE, 20)
    curves = analyze_sound(sound, ["chroma", "tonnetz"])
    expected = librosa.feature.tonnetz(chroma=curves["chroma"].T)
    assert np.allclose(curves["tonnetz"].T, expected, atol=1e-5)


@pytest.mark.parametrize("hertz", [65.4, 220, 880])
def test_pitch_of_a_tone(hertz: float) -> None:
    assert feature("pitch", tone(hertz))[4:-4] == pytest.approx(hertz, rel=0.01)


def test_pitch_is_held_in_silence() -> None:
    curve = feature(
        "pitch", np.concatenate([np.zeros(RATE, np.float32), tone(220), np.zeros(RATE, np.float32)])
    )
    assert not curve[:20].any()
    assert curve[24:36] == pytest.approx(220, rel=0.01)
    assert len(set(curve[41:].tolist())) == 1


def test_zero_crossings_of_a_tone() -> None:
    assert feature("zero_crossings", tone(1000)) == pytest.approx(2 * 1000 / RATE, rel=0.03)


def test_rolloff_and_flatness_of_a_tone() -> None:
    assert feature("rolloff", tone(1000))[2:-2] == pytest.approx(1000, rel=0.05)
    assert feature("flatness", tone(1000))[2:-2].max() < 0.01


def test_embed_is_whitened_and_repeatable() -> None:
    samples = noise(3) * np.repeat(np.random.default_rng(4).uniform(0, 1, 60), RATE // 20)
    curve = feature("embed:6", samples)
    assert curve.shape == (60, 6)
    assert np.allclose(np.cov(curve.T, bias=True), np.eye(6), atol=1e-3)
    assert np.array_equal(curve, feature("embed:6", samples))


def test_embed_of_fewer_frames_than_components() -> None:
    assert np.isfinite(feature("embed:64", noise(0.2))).all()


# --- librosa ------------------------------------------------------------------------------------------


def test_librosa_variants_are_librosas_at_a_whole_hop() -> None:
    samples = (noise(1.5) + tone(440, 1.5)).astype(np.float32)
    hop, f, o = RATE // 20, librosa.feature, librosa.onset
    at = {"sr": RATE, "hop_length": hop}
    expected = {
        "librosa.rms": f.rms(y=samples, hop_length=hop)[0],
        "librosa.centroid": f.spectral_centroid(y=samples, **at)[0],
        "librosa.spread": f.spectral_bandwidth(y=samples, **at)[0],
        "librosa.flatness": f.spectral_flatness(y=samples, hop_length=hop)[0],
        "librosa.rolloff": f.spectral_rolloff(y=samples, **at)[0],
        "librosa.flux": o.onset_strength(y=samples, **at),
        "librosa.mfcc": f.mfcc(y=samples, **at).T,
    }
    for name, curve in analyze_sound(Sound(samples, RATE, 20), list(expected)).items():
        assert np.allclose(curve, expected[name][: len(curve)], rtol=2e-3, atol=2e-3), name
    crossings = f.zero_crossing_rate(samples, hop_length=hop)[0]  # pads with the edge, not with silence
    assert np.allclose(feature("librosa.zero_crossings", samples)[1:-1], crossings[1:30][:28], atol=1e-3)


# --- rhythm -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [20, 23.976, 60])
def test_onsets_are_at_the_clicks(fps: float) -> None:
    curve = feature("onset", clicks(120, 6), fps=fps)
    for at_s in np.arange(0.25, 5.8, 0.5):
        frame = int(at_s * float(rational(fps)))
        near = curve[max(0, frame - 3) : frame + 4]
        assert near.max() > 3
        assert abs(int(near.argmax()) + max(0, frame - 3) - frame) <= 1 + fps // 30


def test_beats_of_clicks() -> None:
    sound = Sound(clicks(120, 8), RATE, 50)
    curves = analyze_sound(sound, ["beat", "beat_phase", "bar_phase", "tempo"])
    found = np.flatnonzero(curves["beat"]) / 50
    off = (found - 0.25 + 0.25) % 0.5 - 0.25
    assert len(found) >= 14
    assert np.abs(off).max() < 0.04
    assert np.abs(curves["tempo"] - 120).max() < 5
    assert (curves["beat_phase"][curves["beat"] == 1] == 0).all()
    rising = np.diff(curves["beat_phase"])
    assert (rising[rising > 0] < 0.06).all()
    assert ((rising > 0) | (curves["beat_phase"][1:] < 0.05)).all()
    wraps = np.flatnonzero(np.diff(curves["bar_phase"]) < 0) / 50
    assert np.diff(wraps) == pytest.approx(2.0, abs=0.05)
    for name in ("beat_phase", "bar_phase"):
        assert curves[name].min() >= 0
        assert curves[name].max() < 1


def test_bars_begin_on_the_strong_beat() -> None:
    soft, loud = clicks(120, 12), np.zeros(12 * RATE, np.float32)
    burst = noise(0.06, seed=5) * 4
    strong = np.arange(0.75, 11.5, 2.0)
    for at_s in strong:
        loud[round(at_s * RATE) :][: len(burst)] += burst
    curve = feature("bar_phase", soft + loud, fps=50)
    at = curve[(strong * 50).astype(int) + 1]
    assert np.minimum(at, 1 - at).max() < 0.06


def test_hpss_parts_clicks_from_tones() -> None:
    steady, struck = tone(440, 3, level=0.2), clicks(120, 3)
    assert feature("harmonic", steady).mean() > 10 * feature("percussive", steady)[4:-4].mean()
    assert feature("percussive", struck).mean() > 4 * feature("harmonic", struck).mean()


def test_hpss_in_pieces_equals_the_whole() -> None:
    rate = 8000
    samples = (clicks(100, 40, rate) + tone(300, 40, rate, 0.1)).astype(np.float32)
    whole = librosa.decompose.hpss(librosa.stft(samples, n_fft=512, hop_length=128))
    wave = librosa.istft(whole[1], n_fft=512, hop_length=128, length=len(samples))
    expected = np.sqrt(np.mean(wave.reshape(-1, rate // 20) ** 2, axis=1))
    assert np.allclose(feature("percussive", samples, rate), expected, atol=1e-4)


# --- what must always hold ----------------------------------------------------------------------------

SOUNDS = {
    "silence": (np.zeros(RATE), RATE),
    "dc": (np.full(RATE, 0.7), RATE),
    "one sample": (np.array([0.3]), RATE),
    "less than a frame": (noise(0.01), RATE),
    "a last frame of one sample": (noise(0.5)[: RATE // 4 + 1], RATE),
    "8 kHz": (noise(0.7, 8000), 8000),
    "96 kHz": (noise(0.7, 96000), 96000),
    "an impulse": (np.eye(1, RATE, 777)[0], RATE),
    "full scale": (np.sign(noise(0.5)), RATE),
    "very quiet": (1e-9 * noise(0.5), RATE),
}


@pytest.mark.parametrize("what", SOUNDS)
@pytest.mark.parametrize("fps", [20, 23.976])
def test_always_finite_and_of_one_length(what: str, fps: float) -> None:
    samples, rate = SOUNDS[what]
    sound = Sound(samples, rate, fps)
    for name, curve in analyze_sound(sound, list(FEATURES)).items():
        assert curve.dtype == np.float32, name
        assert len(curve) == len(sound), name
        assert np.isfinite(curve).all(), name


def test_silence_is_zero() -> None:
    curves = analyze_sound(Sound(np.zeros(RATE), RATE, 23.976))
    for name in set(curves) - {"contrast", "mfcc"}:
        assert not curves[name].any(), name


def test_dc_has_no_width() -> None:
    curves = analyze_sound(Sound(np.full(2 * RATE + 7, 0.7), RATE, 23.976), ["centroid", "kurtosis", "flux"])
    assert not curves["centroid"][:-1].any()
    assert not curves["kurtosis"][:-1].any()


# --- asking -------------------------------------------------------------------------------------------


def test_every_row_says_what_it_is() -> None:
    for name, row in FEATURES.items():
        assert row.help.endswith("."), name
        assert len(row.help) < 110, name
        assert row.source, name
    assert unit_of(FEATURES["centroid"]) == "Hz"
    assert unit_of(FEATURES["flux"]) == ""


def test_vectors_have_their_size() -> None:
    curves = analyze_sound(Sound(noise(0.5), RATE, 20))
    assert {name: c.shape[1] for name, c in curves.items() if c.ndim == 2} == VECTORS
    assert set(curves) == set(defaults())


def test_arguments() -> None:
    assert feature("mfcc:20", noise(0.2)).shape == (4, 20)
    assert parse("spectrum:0.9,16")[1] == {"detail": 0.9, "skip": 16.0}


@pytest.mark.parametrize("spec", ["mfcc:0", "mfcc:1,2", "mfcc:many", "rms:1"])
def test_impossible_arguments(spec: str) -> None:
    with pytest.raises(BadValue):
        parse(spec)


def test_an_unknown_feature_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="centroid"):
        parse("centriod")


def test_a_wrong_name_is_refused_before_the_file_is_read() -> None:
    with pytest.raises(UnknownName):
        analyze("no-such-file.wav", 20, ["loudness"])


def test_analyze_reads_stereo(tmp_path: Path) -> None:
    stereo = np.stack([tone(440), np.zeros(RATE)], axis=1)
    soundfile.write(tmp_path / "stereo.wav", stereo, RATE, subtype="FLOAT")
    curves = analyze(tmp_path / "stereo.wav", 24, ["centroid", "rms"])
    assert list(curves) == ["centroid", "rms"]
    assert curves["rms"].shape == (24,)
    assert curves["rms"] == pytest.approx(0.25 / np.sqrt(2), rel=0.02)


# --- the piece ----------------------------------------------------------------------------------------


def test_the_piece() -> None:
    samples, rate = read(PIECE)
    assert PIECE.stat().st_size < 1_000_000
    assert 8 <= len(samples) / rate <= 12
    sound = Sound(samples, rate, 20)
    curves = analyze_sound(sound, ["rms", "onset", "centroid", "chroma", "tempo"])
    rms = curves["rms"]
    bars = [float(np.sqrt((rms[i : i + 23] ** 2).mean())) for i in (4, 27, 50, 73)]
    assert bars == sorted(bars)  # the crescendo
    assert bars[-1] > 2 * bars[0]
    assert not rms[137:156].any()  # the pause
    assert abs(int(rms.argmax()) / 20 - 5.6) < 0.15  # the chord
    assert rms[160:190].max() < 0.2 * rms.max()  # the high notes
    assert rms[-1] < 1e-3  # the end
    assert (curves["onset"] > 1).sum() > 25
    assert np.abs(np.median(curves["tempo"]) - 156) < 3
    last = curves["chroma"][200:226].mean(axis=0)
    assert set(np.argsort(last)[-3:]) == {0, 4, 7}  # C major at last: C, E, G
    assert beat_times(sound)[0] == pytest.approx(0.19, abs=0.05)


@pytest.mark.parametrize("module", [rate, audio.features, audio.spectrum])
def test_examples_in_docstrings(module: ModuleType) -> None:
    tried = doctest.testmod(module)
    assert tried.attempted > 0
    assert tried.failed == 0
