"""What animating a face is expected to lose, without doing it.

To generate each frame from each reference would tell exactly, and cost more than all the rest. The
estimate here needs landmarks alone: how far the face is from where the reference has it, and how
far its shape is, once moved, turned and scaled; and how much of its structure the reference's
picture lost. `benchmarks/reference_loss.py` checks it against the generator on people that it was
not fitted on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...codec.picture.still import decode_picture, encode_picture

__all__ = [
    "AFTER_GAIN",
    "PICTURE",
    "USUAL",
    "PictureLoss",
    "coded_loss",
    "expected_loss",
    "expected_losses",
    "pose_change",
    "structure_loss",
    "typical",
]

Frame = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]
Losses = npt.NDArray[np.float64]

_FAR, _BENT = 0.213, 1.298
PICTURE = 0.497
"""Of the structure that a picture loses by its coding."""
_LEVEL, _FALL = 247.0, 1.138  # what a still loses of it in one byte; the power by which that falls
_FAINT = 5.0  # squared grey levels: contrast that hardly shows
_PROBES = 55, 40  # CRF: what references have
_FALLS = 0.5, 1.6  # of faces
_LEAST = 1e-4
AFTER_GAIN = 1.5
"""Bytes of a still as good as a byte of a picture that is coded after another (docs/rate.md)."""


def pose_change(reference: Points, frames: Points) -> tuple[Losses, Losses]:
    """How far a face is from where a reference has it, and how far its shape.

    Args:
        reference: landmarks, float32 `[P, 2]` on [-1, 1].
        frames: those of the frames, `[N, P, 2]`.

    Returns:
        Mean distance of the landmarks, and the root of its mean square that remains once the
        reference is moved, turned and scaled in the plane; both `[N]`.
    """
    a, b = _complex(reference)[None], _complex(frames)
    distance = np.abs(a - b).mean(-1)
    a, b = a - a.mean(-1, keepdims=True), b - b.mean(-1, keepdims=True)
    turn = (a.conj() * b).sum(-1, keepdims=True) / (np.abs(a) ** 2).sum()
    return distance, np.sqrt((np.abs(b - turn * a) ** 2).mean(-1))


def expected_loss(distance: Losses, bend: Losses) -> Losses:
    """What animating a perfect picture so far (see `pose_change`) is expected to lose: the mean
    of LPIPS-Alex over the whole picture and over the face box, about 0 to 0.3.
    """
    return _FAR * distance + _BENT * bend


def expected_losses(reference: Points, frames: Points) -> Losses:
    """The same for landmarks, as in `pose_change`."""
    return expected_loss(*pose_change(reference, frames))


def typical(frames: Points) -> int:
    """The frame of `[N, P, 2]` that is nearest to their mean."""
    return int(np.abs(_complex(frames - frames.mean(0))).mean(-1).argmin())


def coded_loss(picture: Frame, shown: Frame) -> float:
    """What a picture that is coded loses, on the scale of `expected_loss`; `shown` is what the
    receiver sees of it. Contrast and structure count, as in SSIM (at half the resolution): the
    squared error says little of faces that have little contrast.
    """
    return PICTURE * structure_loss(picture, shown)


def structure_loss(picture: Frame, shown: Frame) -> float:
    """1 less the mean of SSIM's contrast and structure, in windows of 7 at half size: 0 for equal
    pictures, 1 where nothing is left, more where dark and light have changed places.
    """
    import cv2

    def half(image: Frame) -> npt.NDArray[np.float32]:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        return np.asarray(cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))

    def mean(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(cv2.boxFilter(values, -1, (7, 7), borderType=cv2.BORDER_REFLECT))

    a, b = half(picture), half(shown)
    both = mean(a * a) - mean(a) ** 2 + mean(b * b) - mean(b) ** 2
    alike = 2 * (mean(a * b) - mean(a) * mean(b))
    return float(1 - ((alike + _FAINT) / (both.clip(0) + _FAINT)).mean())


@dataclass(frozen=True, slots=True)
class PictureLoss:
    """What pictures of one face are expected to lose (on the scale of `expected_loss`), over
    their bytes: `level * bytes ** -fall`.
    """

    level: float = PICTURE * _LEVEL
    fall: float = _FALL

    def __call__(self, size: float) -> float:
        """That of a still of so many bytes."""
        return float(self.level * size**-self.fall)

    @classmethod
    def of(cls, picture: Frame) -> PictureLoss:
        """By two codings of a picture."""
        logs = []
        for quality in _PROBES:
            coded = encode_picture(picture, quality=quality)
            loss = max(coded_loss(picture, decode_picture(coded)), _LEAST)
            logs.append((np.log(len(coded.data)), np.log(loss)))
        (small, worse), (large, better) = logs
        fall = float(np.clip((worse - better) / max(large - small, _LEAST), *_FALLS))
        return cls(float(np.exp((worse + better + fall * (small + large)) / 2)), fall)


USUAL = PictureLoss()
"""Of a face that is not known."""


def _complex(points: Points) -> npt.NDArray[np.complex128]:
    return points[..., 0].astype(np.float64) + 1j * points[..., 1]
