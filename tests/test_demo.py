"""The demonstration: its parts, and the whole of it."""

from __future__ import annotations

import socket
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from oscbend.demo import CUES, MUSIC, Seen, delays_ms, free_port, host_score, picture_at, run
from oscbend.errors import OscbendError
from oscbend.osc import Message


def test_the_host_sends_cues_and_features_in_time() -> None:
    score = host_score(MUSIC, CUES)
    addresses = {m.address for b in score for m in b.elements if isinstance(m, Message)}
    assert {"/prompt", "/feature/rms", "/feature/onset"} <= addresses
    assert any(a.startswith("/bend/") for a in addresses)
    assert score.duration_s == pytest.approx(12.0, abs=0.1)


def test_a_cue_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.cues").write_text("# fine\n0.0 /prompt an orb\nsoon /prompt waves\n")
    with pytest.raises(OscbendError, match=r"x\.cues:3"):
        host_score(MUSIC, tmp_path / "x.cues")


def test_latency_is_counted_to_the_first_frame_begun_after_the_message() -> None:
    published = np.array([1.0, 1.05, 1.10])
    pings = [{"sent": 1.0, "synced": 1.01}, {"sent": 1.04, "synced": 1.06}, {"sent": 2.0, "synced": 2.1}]
    assert delays_ms(pings, published) == pytest.approx([50.0, 60.0])


def test_a_film_shows_what_stood_on_the_screen() -> None:
    pictures = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    seen = Seen(np.array([1.0, 1.1, 1.2]), pictures)
    assert [int(picture_at(seen, t)[0, 0, 0]) for t in (0.9, 1.05, 1.1, 1.5)] == [0, 0, 1, 2]


def test_a_port_in_use_is_left_alone() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert free_port(port) != port


def test_the_demonstration(tmp_path: Path) -> None:
    said: list[str] = []
    figures = run(tmp_path, stay=False, say=said.append)
    assert figures.fps > 1
    assert figures.latency_ms > 0
    assert any("demo.mp4" in line for line in said)
    with av.open(str(tmp_path / "demo.mp4")) as film:
        pictures = [f.to_ndarray(format="rgb24") for f in film.decode(video=0)]
        assert film.streams.audio
    assert len(pictures) == pytest.approx(360, abs=2)
    colours = np.array([p.mean(axis=(0, 1)) for p in pictures])
    loud, silent = colours[150:200], colours[210:230]
    assert np.ptp(colours, axis=0).max() > 40, "the pictures change with the music"
    assert np.abs(loud.mean(0) - silent.mean(0)).max() > 15, "silence looks unlike the loudest part"
    assert Image.open(tmp_path / "demo.png").width > 600
