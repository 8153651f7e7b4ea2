"""Contact sheets, and single pictures, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from oscbend.errors import BadValue, OscbendError

GROUND = (14, 14, 16)
INK = (188, 188, 192)
GAP = 6
FONT_SIZE = 12
LABEL_HEIGHT = 18


def contact_sheet(
    pictures: Sequence[np.ndarray], columns: int, labels: Sequence[str] | None = None
) -> np.ndarray:
    """Pictures in rows and columns on a dark ground, each with a small label below it.

    Args:
        pictures: at least one, uint8 [H, W, 3 or 4]; of different sizes, each stands in the middle of a cell
            that fits the largest.
        columns: how many stand side by side.
        labels: one for each picture, cut off where it is wider than its cell; None for no labels.

    Returns:
        uint8 [H, W, 3].

    Raises:
        BadValue: no pictures, fewer than one column, or not as many labels as pictures.
    """
    if not len(pictures) or columns < 1:
        raise BadValue(f"a contact sheet needs pictures and columns, got {len(pictures)} and {columns}")
    if labels is not None and len(labels) != len(pictures):
        raise BadValue(f"{len(pictures)} pictures need as many labels, got {len(labels)}")
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    cell_height = max(p.shape[0] for p in pictures)
    cell_width = max(p.shape[1] for p in pictures)
    step_y = cell_height + GAP + (LABEL_HEIGHT if labels is not None else 0)
    step_x = cell_width + GAP
    sheet = Image.new("RGB", (columns * step_x + GAP, rows * step_y + GAP), GROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(FONT_SIZE)
    for i, picture in enumerate(pictures):
        height, width = picture.shape[:2]
        x, y = GAP + i % columns * step_x, GAP + i // columns * step_y
        place = x + (cell_width - width) // 2, y + (cell_height - height) // 2
        sheet.paste(Image.fromarray(np.ascontiguousarray(picture[..., :3])), place)
        if labels is not None:
            text = _fitting(labels[i], cell_width, draw, font)
            draw.text((x + 1, y + cell_height + LABEL_HEIGHT // 2), text, INK, font, anchor="lm")
    return np.asarray(sheet)


def save_png(picture: np.ndarray, path: str | Path) -> Path:
    """Writes a picture, uint8 [H, W, 1 to 4], as a PNG file; makes its folder; gives back the path.

    Raises:
        OscbendError: the file cannot be written.
    """
    path = Path(path)
    pixels = picture[..., 0] if picture.shape[2] == 1 else picture
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Level 1 writes several times faster than the default, and little larger.
        Image.fromarray(np.ascontiguousarray(pixels)).save(path, format="PNG", compress_level=1)
    except OSError as error:
        raise OscbendError(f"cannot write {path}: {error.strerror or error}") from None
    return path


def _fitting(
    text: str, width: int, draw: ImageDraw.ImageDraw, font: ImageFont.ImageFont | ImageFont.FreeTypeFont
) -> str:
    text = " ".join(text.split())
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(text + "…", font) > width:
        text = text[:-1]
    return text.rstrip() + "…"
