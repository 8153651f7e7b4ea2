"""Plays oscbend from Python: python send.py [PORT], with python-osc installed."""

import math
import sys
import time

from pythonosc.udp_client import SimpleUDPClient

port = int(sys.argv[1]) if len(sys.argv) > 1 else 57130
oscbend = SimpleUDPClient("127.0.0.1", port)

oscbend.send_message("/prompt", "starry night in blue")
oscbend.send_message("/bend/1", ["rotate", "latent.1"])
oscbend.send_message("/feature/wave/range", [0.0, 1.0])
oscbend.send_message("/bend/1/angle/map", ["wave", 0.0, math.tau])
for n in range(200):  # four seconds of a feature, as from a sound
    oscbend.send_message("/feature/wave", 0.5 - 0.5 * math.cos(math.tau * n / 100))
    time.sleep(0.02)
