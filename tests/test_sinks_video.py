"""Films, decoded again: pictures, times, colours, sound and bytes."""

import sys
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from oscbend.errors import BadAudio, BadValue, MissingLibrary, OscbendError
from oscbend.frame import Frame
from oscbend.rate import rational
from oscbend.sinks.film import FilmWriter, film_path
from oscbend.sinks.video import VideoSink

RATES = ["24000/1001", 25, 30]

BARS = [
    *[(255, 255, 255), (255, 255, 0), (0, 255, 255), (0, 255, 0), (255, 0, 255), (255, 0, 0), (0, 0, 255)],
    *[(0, 0, 0), (128, 128, 128), (64, 128, 192), (200, 100, 50), (10, 20, 30)],
]


def grey(level: int, width: int = 64, height: int = 48) -> np.ndarray:
    picture = np.full((height, width, 4), level, np.uint8)
    picture[..., 3] = 255
    return picture


def moving(count: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    still = np.kron(rng.integers(0, 256, (6, 8, 4), np.uint8), np.ones((8, 8, 1), np.uint8))
    return [np.roll(still, 3 * i, 1) for i in range(count)]


def colour_bars() -> np.ndarray:
    row = np.repeat(np.array(BARS, np.uint8), 16, axis=0)
    return np.dstack([np.repeat(row[None], 32, 0), np.full((32, len(row)), 255, np.uint8)])


def write_wav(path: Path, samples: np.ndarray, rate: int) -> Path:
    """float32 [N] or [N, channels], -1…1, as 16 bit."""
    samples = samples.reshape(len(samples), -1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def click_track(path: Path, rate: int, times_s: list[float], length_s: float, channels: int = 1) -> Path:
    samples = np.zeros((int(length_s * rate), channels), np.float32)
    for time_s in times_s:
        at = round(time_s * rate)
        samples[at : at + rate // 100] = 0.9
    return write_wav(path, samples, rate)


def decode_video(path: Path) -> list[tuple[Fraction, np.ndarray]]:
    """(seconds, uint8 [H, W, 3]) of every picture."""
    with av.open(str(path)) as film:
        video = film.streams.video[0]
        return [(f.pts * video.time_base, f.to_ndarray(format="rgb24")) for f in film.decode(video)]


def decode_sound(path: Path) -> tuple[np.ndarray, int]:
    """float32 [N, channels] from second 0 on, and the sample rate."""
    with av.open(str(path)) as film:
        sound = film.streams.audio[0]
        frames = list(film.decode(sound))
        assert frames[0].pts == 0
        return np.concatenate([f.to_ndarray() for f in frames], axis=1).T, sound.rate


def onsets(path: Path) -> list[float]:
    samples, rate = decode_sound(path)
    loud = np.flatnonzero(np.abs(samples[:, 0]) > 0.4) / rate
    return [float(t) for i, t in enumerate(loud) if i == 0 or t - loud[i - 1] > 0.1]


@pytest.mark.parametrize("fps", [*RATES, "60000/1001", "25/2"])
def test_every_frame_is_there_at_its_exact_time(tmp_path, fps):
    path = tmp_path / "film.mp4"
    levels = [i * 4 for i in range(50)]
    with FilmWriter(path, fps, (64, 48)) as film:
        for level in levels:
            film.write(grey(level))
        assert film.frames == 50
        assert film.duration_s == pytest.approx(50 / Fraction(fps))
    pictures = decode_video(path)
    assert [time_s for time_s, _ in pictures] == [i / Fraction(fps) for i in range(50)]
    assert all(abs(int(p[20, 30, 1]) - level) <= 2 for (_, p), level in zip(pictures, levels))
    with av.open(str(path)) as file:
        video = file.streams.video[0]
        assert video.average_rate == Fraction(fps)
        assert float(video.duration * video.time_base) == pytest.approx(50 / Fraction(fps), abs=1e-3)


def test_colours_come_back(tmp_path):
    path = tmp_path / "bars.mp4"
    with FilmWriter(path, 25, (len(BARS) * 16, 32)) as film:
        for _ in range(5):
            film.write(colour_bars())
    for _, picture in decode_video(path):
        middles = picture[16, 8::16].astype(int)
        assert np.abs(middles - np.array(BARS)).max() <= 4
    with av.open(str(path)) as file:
        context = file.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
        assert context.color_range == 1
        assert context.pix_fmt == "yuv420p"


def test_the_index_stands_before_the_pictures(tmp_path):
    path = tmp_path / "film.mp4"
    with FilmWriter(path, 25, (64, 48)) as film:
        film.write(grey(9))
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("rate", [44100, 48000])
@pytest.mark.parametrize("fps", RATES)
def test_flashes_and_clicks_coincide(tmp_path, fps, rate):
    times_s = [0.0, 0.31, 1.07, 2.5, 4.444, 5.8]
    sound = click_track(tmp_path / "clicks.wav", rate, times_s, 6.0)
    path, fps = tmp_path / "film.mp4", Fraction(fps)
    count = int(6 * fps)
    flashing = {int(t * fps) for t in times_s}
    with FilmWriter(path, fps, (64, 48), audio=sound) as film:
        for i in range(count):
            film.write(grey(255 if i in flashing else 0))
    flashes = [float(t + 1 / fps / 2) for t, p in decode_video(path) if p.mean() > 128]
    clicks = onsets(path)
    assert len(flashes) == len(clicks) == len(times_s)
    for flash_s, click_s, true_s in zip(flashes, clicks, times_s):
        assert abs(click_s - true_s) < 0.001
        assert abs(flash_s - click_s) <= 0.5 / fps + 0.001
    assert len(decode_sound(path)[0]) == pytest.approx(count / fps * rate, abs=1024)


@pytest.mark.parametrize(
    ("rate", "channels", "kept"), [(96000, 2, 48000), (11025, 1, 48000), (48000, 6, 48000)]
)
def test_any_rate_and_channels_become_what_aac_takes(tmp_path, rate, channels, kept):
    times_s = [0.25, 1.5]
    sound = click_track(tmp_path / "clicks.wav", rate, times_s, 2.0, channels)
    path = tmp_path / "film.mp4"
    with FilmWriter(path, 25, (64, 48), audio=sound) as film:
        for _ in range(50):
            film.write(grey(0))
    samples, got = decode_sound(path)
    assert (got, samples.shape[1]) == (kept, min(2, channels))
    assert np.allclose(onsets(path), times_s, atol=0.002)


@pytest.mark.parametrize(("suffix", "codec"), [("mp3", "libmp3lame"), ("m4a", "aac"), ("flac", "flac")])
def test_compressed_sound_stays_in_time(tmp_path, suffix, codec):
    rate, times_s = 44100, [0.25, 1.5]
    wav = click_track(tmp_path / "clicks.wav", rate, times_s, 2.0)
    sound = tmp_path / f"clicks.{suffix}"
    with av.open(str(wav)) as source, av.open(str(sound), "w") as target:
        stream = target.add_stream(codec, rate=rate, layout="mono")
        resampler = av.AudioResampler(
            stream.codec_context.format, "mono", rate, stream.codec_context.frame_size or 1024
        )
        for frame in [*source.decode(audio=0), None]:
            for block in resampler.resample(frame):
                target.mux(stream.encode(block))
        target.mux(stream.encode(None))
    path = tmp_path / "film.mp4"
    with FilmWriter(path, 25, (64, 48), audio=sound) as film:
        for _ in range(50):
            film.write(grey(0))
    assert np.allclose(onsets(path), times_s, atol=0.004)


def test_the_sound_can_start_later_in_its_file(tmp_path):
    sound = click_track(tmp_path / "clicks.wav", 48000, [0.5, 1.75], 3.0)
    path = tmp_path / "film.mp4"
    with FilmWriter(path, 25, (64, 48), audio=sound, audio_start_s=1.25) as film:
        for _ in range(25):
            film.write(grey(0))
    assert np.allclose(onsets(path), [0.5], atol=0.001)


def test_a_track_that_begins_later_begins_with_silence(tmp_path):
    source = tmp_path / "late.mkv"
    clicks = np.zeros((1, 48000), np.float32)
    clicks[0, 12000:12480] = 0.9
    with av.open(str(source), "w") as file:
        video, sound = (
            file.add_stream("mpeg4", rate=25),
            file.add_stream("pcm_s16le", rate=48000, layout="mono"),
        )
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for i in range(50):
            picture = av.VideoFrame.from_ndarray(grey(0)[..., :3].copy(), "rgb24")
            picture.pts, picture.time_base = i, Fraction(1, 25)
            file.mux(video.encode(picture))
        block = av.AudioFrame.from_ndarray((clicks * 32767).astype(np.int16), "s16", "mono")
        block.sample_rate, block.pts, block.time_base = 48000, 48000, Fraction(1, 48000)
        file.mux(sound.encode(block))
        file.mux(video.encode(None))
        file.mux(sound.encode(None))
    for start_s, at_s in [(0.0, 1.25), (0.75, 0.5), (1.125, 0.125)]:
        path = tmp_path / "film.mp4"
        with FilmWriter(path, 25, (64, 48), audio=source, audio_start_s=start_s) as film:
            for _ in range(50):
                film.write(grey(0))
        assert np.allclose(onsets(path), [at_s], atol=0.001)


def test_sound_that_is_not_finite_becomes_silence(tmp_path):
    samples = np.zeros((1, 48000), np.float32)
    samples[0, 12000:12480] = 0.9
    samples[0, 3000:3100], samples[0, 30000] = np.nan, np.inf
    source = tmp_path / "nan.wav"
    with av.open(str(source), "w") as file:
        stream = file.add_stream("pcm_f32le", rate=48000, layout="mono")
        block = av.AudioFrame.from_ndarray(samples, "flt", "mono")
        block.sample_rate = 48000
        file.mux(stream.encode(block))
        file.mux(stream.encode(None))
    path = tmp_path / "film.mp4"
    with FilmWriter(path, 25, (64, 48), audio=source) as film:
        for _ in range(25):
            film.write(grey(0))
    assert np.allclose(onsets(path), [0.25], atol=0.001)


def test_sound_shorter_than_the_film_just_ends(tmp_path):
    sound = click_track(tmp_path / "clicks.wav", 48000, [0.25], 0.5)
    path = tmp_path / "film.mp4"
    with FilmWriter(path, 25, (64, 48), audio=sound) as film:
        for _ in range(50):
            film.write(grey(0))
    assert len(decode_video(path)) == 50
    assert len(decode_sound(path)[0]) == pytest.approx(24000, abs=1024)


class Cancelled(Exception):
    """What a musician does in the middle."""


@pytest.mark.parametrize("reason", [KeyboardInterrupt, Cancelled])
def test_a_film_broken_off_plays_as_far_as_it_came(tmp_path, reason):
    sound = click_track(tmp_path / "clicks.wav", 44100, [0.25, 3.0], 8.0)
    path = tmp_path / "film.mp4"

    def make() -> None:
        with FilmWriter(path, 25, (64, 48), audio=sound) as film:
            for i in range(200):
                film.write(grey(i))
                if i == 29:
                    assert not path.exists()
                    raise reason

    with pytest.raises(reason):
        make()
    pictures = decode_video(path)
    assert len(pictures) == 30
    assert pictures[-1][0] == Fraction(29, 25)
    assert len(decode_sound(path)[0]) == pytest.approx(1.2 * 44100, abs=1024)
    assert np.allclose(onsets(path), [0.25], atol=0.001)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clicks.wav", "film.mp4"]


def test_equal_input_gives_equal_bytes(tmp_path):
    sound = click_track(tmp_path / "clicks.wav", 44100, [0.25], 1.0)

    def film(name: str, seed: int) -> bytes:
        with FilmWriter(tmp_path / name, "24000/1001", (64, 48), audio=sound) as film:
            for picture in moving(40, seed):
                film.write(picture)
        return (tmp_path / name).read_bytes()

    # Several times, since x264 has differed from run to run only now and then.
    assert {film(f"{i}.mp4", 0) == film("a.mp4", 0) for i in range(5)} == {True}
    assert film("a.mp4", 0) != film("b.mp4", 1)


def test_odd_sizes_get_a_copy_of_the_last_row_and_column(tmp_path):
    path = tmp_path / "odd.mp4"
    with FilmWriter(path, 25, (33, 17)) as film:
        film.write(grey(200, 33, 17)[..., :3])
    [(_, picture)] = decode_video(path)
    assert picture.shape == (18, 34, 3)
    assert np.abs(picture.astype(int) - 200).max() <= 3


def test_pictures_of_another_size_are_refused_or_stretched(tmp_path):
    with FilmWriter(tmp_path / "a.mp4", 25, (64, 48)) as film:
        film.write(grey(9))
        with pytest.raises(BadValue, match="64 x 48 pixels, got a picture of 32 x 48"):
            film.write(grey(9, 32, 48))
        with pytest.raises(BadValue, match="uint8"):
            film.write(grey(9).astype(np.float32))
    with FilmWriter(tmp_path / "b.mp4", 25, (64, 48), scale=True) as film:
        film.write(grey(90, 32, 17))
    [(_, picture)] = decode_video(tmp_path / "b.mp4")
    assert picture.shape == (48, 64, 3)
    assert np.abs(picture.astype(int) - 90).max() <= 3


def test_frames_may_leave_places_out_but_not_go_back(tmp_path):
    with FilmWriter(tmp_path / "a.mp4", 25, (64, 48)) as film:
        for index in (0, 3, 4, 10):
            film.write(grey(index * 20), index)
        with pytest.raises(BadValue, match="frame 10"):
            film.write(grey(0), 10)
    assert [t for t, _ in decode_video(tmp_path / "a.mp4")] == [Fraction(i, 25) for i in (0, 3, 4, 10)]


def test_a_note_stands_in_the_file(tmp_path):
    note = '{"seed": 7, "prompt": "étoiles"}\n' + "x" * 5000
    with FilmWriter(tmp_path / "a.mp4", 25, (64, 48), note=note) as film:
        film.write(grey(1))
    with av.open(str(tmp_path / "a.mp4")) as file:
        assert file.metadata["comment"] == note


def test_a_film_without_frames_leaves_no_file(tmp_path):
    with FilmWriter(tmp_path / "deep" / "a.mp4", 25, (64, 48)):
        pass
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_closed_film_takes_no_more(tmp_path):
    film = FilmWriter(tmp_path / "a.mp4", 25, (64, 48))
    film.write(grey(1))
    film.close()
    film.close()
    with pytest.raises(OscbendError, match="closed"):
        film.write(grey(1))


def test_wrong_settings_are_refused(tmp_path):
    for path, fps, size in [
        ("a.avi", 25, (4, 4)),
        ("a", 25, (4, 4)),
        ("a.mp4", 0, (4, 4)),
        ("a.mp4", 25, (0, 4)),
    ]:
        with pytest.raises(BadValue):
            FilmWriter(tmp_path / path, fps, size)
    with pytest.raises(BadValue, match="crf"):
        FilmWriter(tmp_path / "a.mp4", 25, (4, 4), crf=70)
    with pytest.raises(OscbendError, match="nearest: slow"):
        FilmWriter(tmp_path / "a.mp4", 25, (4, 4), preset="slo")
    (tmp_path / "file").write_text("")
    with pytest.raises(OscbendError, match="cannot write"):
        FilmWriter(tmp_path / "file" / "a.mp4", 25, (4, 4))


def test_sound_that_cannot_be_read(tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    with FilmWriter(tmp_path / "silent.mp4", 25, (64, 48)) as film:
        film.write(grey(1))
    for name, says in [("none.wav", "No such file"), ("text.wav", "read"), ("silent.mp4", "no sound in it")]:
        with pytest.raises(BadAudio, match=says):
            FilmWriter(tmp_path / "a.mp4", 25, (64, 48), audio=tmp_path / name)
    with pytest.raises(BadValue, match="begins at 0"):
        FilmWriter(tmp_path / "a.mp4", 25, (64, 48), audio=tmp_path / "none.wav", audio_start_s=-1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["silent.mp4", "text.wav"]


@pytest.mark.parametrize(
    ("fps", "exact"),
    [
        (25, Fraction(25)),
        (23.976, Fraction(24000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (12.5, Fraction(25, 2)),
        ("24000/1001", Fraction(24000, 1001)),
        (0.5, Fraction(1, 2)),
    ],
)
def test_frame_rates_are_exact(fps, exact):
    assert rational(fps) == exact


@pytest.mark.parametrize("fps", [0, -25, float("nan"), float("inf"), "fast", "1/0", 5000])
def test_impossible_frame_rates(fps):
    with pytest.raises(BadValue):
        rational(fps)


def test_live_frames_stand_at_their_times(tmp_path):
    path = tmp_path / "live.mp4"
    sink = VideoSink(path, fps=50)
    times_s = [100.0, 100.1, 100.105, 100.5, 100.4, 101.0]  # one too close, one gone back
    for i, time_s in enumerate(times_s):
        sink.show(Frame(i, time_s, grey(i * 40)))
    sink.end()
    assert [float(t) for t, _ in decode_video(path)] == [0.0, 0.1, 0.5, 1.0]


def test_the_live_sink_keeps_its_size_and_closes_its_film(tmp_path):
    path = tmp_path / "live.mp4"
    with VideoSink(path) as sink:
        sink.put(Frame(0, 0.0, grey(50)))
        while not sink.stats.shown:
            assert not sink.stats.error
        sink.put(Frame(1, 0.5, grey(50, 128, 96)))
    assert sink.stats.error == ""
    assert [p.shape for _, p in decode_video(path)] == [(48, 64, 3)] * 2


def test_live_names_are_checked_at_once(monkeypatch):
    with pytest.raises(BadValue, match="must end in"):
        VideoSink("film.gif")
    assert film_path("A.MP4") == Path("A.MP4")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingLibrary, match="pip install av"):
        VideoSink("film.mp4")
