from __future__ import annotations

import numpy as np
import pytest

from facewire.codec.errors import ConfigError
from facewire.receiver.tracks.badge import draw_badge


@pytest.mark.parametrize("shade", [0, 128, 255])
@pytest.mark.parametrize("size", [(256, 256), (720, 1280)])
def test_badge_is_small_legible_and_in_its_corner(shade: int, size: tuple[int, int]) -> None:
    frame = np.full((*size, 3), shade, np.uint8)
    before = frame.copy()
    marked = draw_badge(frame)
    assert np.array_equal(frame, before)  # held pictures are shared: never written to
    plate = np.argwhere((marked != frame).any(2)) if shade else np.argwhere(marked.any(2))
    assert plate[:, 0].min() > size[0] * 0.92
    assert plate[:, 1].min() > size[1] * 0.85
    region = marked[plate[:, 0], plate[:, 1]]
    assert int(marked.max()) - int(min(region.min(), marked.min())) > 100
    assert 0.0001 < len(plate) / (size[0] * size[1]) < 0.01


def test_tiny_and_wrong_pictures() -> None:
    tiny = np.zeros((8, 8, 3), np.uint8)
    assert np.array_equal(draw_badge(tiny), tiny)
    with pytest.raises(ConfigError, match="uint8"):
        draw_badge(np.zeros((8, 8), np.uint8))
