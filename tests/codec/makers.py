"""Makes small pictures, motion and keyframes for tests, without files."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facewire.codec.keyframe import Keyframe
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.picture.still import CodedPicture, StillCodec


def make_motion(seed: int = 0) -> MotionFrame:
    numbers = np.random.default_rng(seed).uniform(-1, 1, (10, 6))
    return MotionFrame.from_array(numbers.astype(np.float16).astype(np.float32))


def make_picture(side: int = 64) -> npt.NDArray[np.uint8]:
    """A smooth picture with an edge and colours."""
    y, x = np.mgrid[:side, :side] / side
    rgb = np.stack([255 * x, 200 * y, 128 + 100 * np.sin(6 * x + 4 * y)], axis=2)
    rgb[side // 4 : side // 2, side // 4 : side // 2] = (220, 180, 150)
    return rgb.round().astype(np.uint8)


def make_keyframe(identity: int = 3, pts: int = 70000, size: int = 3000) -> Keyframe:
    """A keyframe whose picture is noise that claims to be AV1."""
    noise = np.random.default_rng(size).bytes(size)
    return Keyframe(
        identity, pts, make_motion(identity), b"shape" * 50, CodedPicture(StillCodec.AV1, 30, noise)
    )


def psnr(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> float:
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return 10 * np.log10(255**2 / error) if error else 99.0
