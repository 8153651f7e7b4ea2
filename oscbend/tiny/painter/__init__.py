"""The painter: procedural pictures with captions, from which the built-in model learns to draw.

>>> scene = draw_scene(7)
>>> paint(scene).shape
(256, 256, 3)
>>> set(caption(scene).replace(",", "").split()) <= set(vocabulary())
True
"""

from oscbend.tiny.painter.colours import COLOURS
from oscbend.tiny.painter.scenes import SUBJECTS, Scene, Subject, caption, draw_scene, paint, vocabulary

__all__ = ["COLOURS", "SUBJECTS", "Scene", "Subject", "caption", "draw_scene", "paint", "vocabulary"]
