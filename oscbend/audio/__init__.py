"""Sound files -> feature curves -> a score: the analyzer that stands in for a host."""

from oscbend.audio.curves import check_ending, to_score, write, write_csv, write_npz
from oscbend.audio.features import analyze, analyze_sound, defaults, parse, unit_of
from oscbend.audio.plot import plot
from oscbend.audio.read import read
from oscbend.audio.smooth import scale, smooth
from oscbend.audio.sound import FEATURES, Sound, borders
from oscbend.rate import rational

__all__ = [
    "FEATURES",
    "Sound",
    "analyze",
    "analyze_sound",
    "borders",
    "check_ending",
    "defaults",
    "parse",
    "plot",
    "rational",
    "read",
    "scale",
    "smooth",
    "to_score",
    "unit_of",
    "write",
    "write_csv",
    "write_npz",
]
