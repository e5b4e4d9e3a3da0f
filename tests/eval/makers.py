"""Small prepared clips, and a stand-in for the face tracker."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facewire.eval.clips import Clip
from facewire.sender.tracking.tracker import Face

Frame = npt.NDArray[np.uint8]


def moving_frames(frames: int, size: int) -> Frame:
    """A soft coloured pattern that moves: uint8 `[frames, size, size, 3]`."""
    y, x = np.mgrid[:size, :size] / size
    pictures = []
    for index in range(frames):
        shift = 0.03 * index
        waves = [np.sin(7 * x + shift), np.cos(5 * y - shift), np.sin(6 * (x + y) + 2 * shift)]
        pictures.append(np.stack([128 + 90 * wave for wave in waves], -1))
    return np.stack(pictures).astype(np.uint8)


def clip_of(
    folder: Path, frames: Frame, sound: npt.NDArray[np.float32] | None = None, key: str = "0a"
) -> Clip:
    """A clip at 25 fps as `prepare_clip` leaves it, of these frames."""
    folder.mkdir(parents=True, exist_ok=True)
    frames.tofile(folder / "frames.rgb")
    np.save(folder / "sound.npy", np.zeros(0, np.float32) if sound is None else sound)
    count, height, width = frames.shape[:3]
    return Clip("made.mp4", key * 32, folder, count, Fraction(25), width, height)


def psnr(one: Frame, other: Frame) -> float:
    """In dB, over all samples."""
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return 99.0 if error == 0 else 10 * float(np.log10(255**2 / error))


class ScriptedTracker:
    """A face where the script says x0, y0, x1, y1 and none where it says None; then as the last."""

    def __init__(self, *script: tuple[float, float, float, float] | None) -> None:
        self._script, self._at = script, 0

    def track(self, frame: Frame, time_ms: int | None = None) -> list[Face]:
        box = self._script[min(self._at, len(self._script) - 1)]
        self._at += 1
        if box is None:
            return []
        unit = np.random.default_rng(7).uniform(0, 1, (478, 2))
        unit = (unit - unit.min(0)) / (unit.max(0) - unit.min(0))
        low, high = np.array(box[:2]), np.array(box[2:])
        return [Face((low + unit * (high - low)).astype(np.float32))]

    def close(self) -> None:
        pass

    def __enter__(self) -> ScriptedTracker:
        return self

    def __exit__(self, *_: object) -> None:
        pass
