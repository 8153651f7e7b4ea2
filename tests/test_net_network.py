"""Pictures as bytes, and which of them can be shown."""

from __future__ import annotations

import pytest
import torch

from oscbend.net.network import finish


def test_pictures_become_bytes_with_an_opaque_alpha() -> None:
    levels = torch.tensor([-7.0, -1.0, -0.999, 0.0, 0.5, 1.0, 7.0])
    rgba, shown = finish(levels.expand(2, 3, 4, 7))
    assert rgba.shape == (2, 4, 7, 4)
    assert rgba[1, 2, :, 0].tolist() == [0, 0, 0, 128, 191, 255, 255]
    assert (rgba[..., 3] == 255).all()
    assert shown.tolist() == [True, True]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize(
    ("level", "shown"), [("inf", False), ("-inf", False), ("nan", False), ("most", True), ("-most", True)]
)
def test_a_picture_with_one_wrong_number_cannot_be_shown(
    dtype: torch.dtype, layout: torch.memory_format, level: str, shown: bool
) -> None:
    most = {"most": torch.finfo(dtype).max, "-most": torch.finfo(dtype).min}
    image = torch.zeros(3, 3, 16, 24, dtype=dtype).contiguous(memory_format=layout)
    image[1, 2, 15, 20] = most[level] if level in most else float(level)
    assert finish(image)[1].tolist() == [True, shown, True]
