"""Receives oscbend's pictures: python receive.py [COUNT [ADDRESS]], with pyzmq and numpy installed."""

import struct
import sys

import numpy as np
import zmq

count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
frames = zmq.Context().socket(zmq.SUB)
frames.setsockopt(zmq.CONFLATE, 1)  # always the newest
frames.setsockopt(zmq.SUBSCRIBE, b"")
frames.connect(sys.argv[2] if len(sys.argv) > 2 else "tcp://127.0.0.1:57132")

for _ in range(count):
    block = frames.recv()
    magic, _, size, number, _, width, height, channels = struct.unpack_from("<4sHHQQIIB", block)
    assert magic == b"OSCB"
    picture = np.frombuffer(block, np.uint8, offset=size).reshape(height, width, channels)
    print(f"frame {number}: {width} x {height}, mean {picture[..., :3].mean():.1f}", flush=True)
