"""Where frames go: each output is a thread of its own that shows the newest frame and slows nobody."""

from oscbend.sinks import jitter, null, tcp, video, zmq
from oscbend.sinks.base import KINDS, Sink, Stats, make_sink, open_sink

__all__ = ["KINDS", "Sink", "Stats", "jitter", "make_sink", "null", "open_sink", "tcp", "video", "zmq"]
