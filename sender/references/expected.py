"""What animating a face is expected to lose, estimated without the network.

Generating each frame from each reference would tell exactly, but it would cost more than everything
else together. The estimate needs landmarks alone: how far the face is from its place in the
reference, how different its shape is once it has been moved, turned and scaled, and how much of its
structure the reference's picture lost when it was coded. `benchmarks/reference_loss.py` checks it
against the network, with people that it was not fitted on.
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
"""Loss for each part of its structure that a picture loses when it is coded."""
_LEVEL, _FALL = 247.0, 1.138  # structure lost by a still: `_LEVEL * bytes ** -_FALL`
_FAINT = 5.0  # squared grey levels: contrast that can hardly be seen
_PROBES = 55, 40  # CRF: the qualities of references lie between them
_FALLS = 0.5, 1.6  # what `fall` is for faces
_LEAST = 1e-4
AFTER_GAIN = 1.5
"""How many bytes of a still are as good as one byte of a picture that is coded after another one
(docs/rate.md).
"""


def pose_change(reference: Points, frames: Points) -> tuple[Losses, Losses]:
    """How far a face is from its place in a reference, and how different its shape is.

    Args:
        reference: landmarks, float32 `[P, 2]` on [-1, 1], or those of M references, `[M, P, 2]`.
        frames: those of the frames, `[N, P, 2]`.

    Returns:
        The mean distance of the landmarks, and the root of the mean square distance that remains
        once the reference has been moved, turned and scaled in the plane; both `[N]` or `[M, N]`.
    """
    a, b = _complex(reference)[..., None, :], _complex(frames)
    count = a.shape[-1]  # a sum that is divided is a mean that is found faster
    distance = np.abs(a - b).sum(-1) / count
    a, b = a - a.sum(-1, keepdims=True) / count, b - b.sum(-1, keepdims=True) / count
    turn = (a.conj() * b).sum(-1, keepdims=True) / (np.abs(a) ** 2).sum(-1, keepdims=True)
    return distance, np.sqrt((np.abs(b - turn * a) ** 2).sum(-1) / count)


def expected_loss(distance: Losses, bend: Losses) -> Losses:
    """What animating a perfect picture is expected to lose, for the two results of `pose_change`.
    The unit is the mean of LPIPS-Alex over the whole picture and over the face box, 0 to about 0.3.
    """
    return _FAR * distance + _BENT * bend


def expected_losses(reference: Points, frames: Points) -> Losses:
    """The same, from landmarks as in `pose_change`."""
    return expected_loss(*pose_change(reference, frames))


def typical(frames: Points) -> int:
    """Index of the frame of `[N, P, 2]` that is nearest to the mean of all."""
    return int(np.abs(_complex(frames - frames.mean(0))).mean(-1).argmin())


def coded_loss(picture: Frame, shown: Frame) -> float:
    """What a picture loses when it is coded, on the scale of `expected_loss`; `shown` is what the
    receiver sees of it. What counts is contrast and structure, as in SSIM, at half the resolution,
    because the squared error says little about faces of little contrast.
    """
    return PICTURE * structure_loss(picture, shown)


def structure_loss(picture: Frame, shown: Frame) -> float:
    """1 minus the mean of SSIM's contrast and structure, in windows of 7x7 at half size. It is 0
    for equal pictures, 1 if nothing is left, and more if dark and light have changed places.
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
    """What pictures of one face are expected to lose when they are coded, on the scale of
    `expected_loss`: `level * bytes ** -fall`.
    """

    level: float = PICTURE * _LEVEL
    fall: float = _FALL

    def __call__(self, size: float) -> float:
        """The loss of a still of so many bytes."""
        return float(self.level * size**-self.fall)

    @classmethod
    def of(cls, picture: Frame) -> PictureLoss:
        """Measure it by coding a picture twice."""
        logs = []
        for quality in _PROBES:
            coded = encode_picture(picture, quality=quality)
            loss = max(coded_loss(picture, decode_picture(coded)), _LEAST)
            logs.append((np.log(len(coded.data)), np.log(loss)))
        (small, worse), (large, better) = logs
        fall = float(np.clip((worse - better) / max(large - small, _LEAST), *_FALLS))
        return cls(float(np.exp((worse + better + fall * (small + large)) / 2)), fall)


USUAL = PictureLoss()
"""For a face of which nothing is known."""


def _complex(points: Points) -> npt.NDArray[np.complex128]:
    return points[..., 0].astype(np.float64) + 1j * points[..., 1]
