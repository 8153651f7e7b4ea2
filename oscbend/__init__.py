"""oscbend: a render server for pictures that is played over OSC.

Every frame, operators bend the activations inside a Stable Diffusion U-Net.
"""

__version__ = "0.1.0"
