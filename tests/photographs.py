"""Photographs that are made for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image


def save_8k(face: npt.NDArray[np.uint8], path: Path) -> Path:
    """A square picture of a face in the middle of a photograph of 7680x4320 pixels."""
    scene = Image.new("RGB", (7680, 4320), (120, 120, 120))
    scene.paste(Image.fromarray(face).resize((4320, 4320)), (1680, 0))
    scene.save(path, quality=90)
    return path
