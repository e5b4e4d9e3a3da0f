"""`HeadCoordinates`: the mouth within the head, for whatever predicts mouths from sound.

All is flat here: place, size and roll of the head in the picture are taken out, and nothing is
known of depth. (`turning` has the head in space without depth from a tracker, which is what a
stream's pose moves; `sender/reenactment/head.py` has it with depth, which a portrait needs.)

A reference frame, which is the keyframe in a stream, defines them: the x axis goes from the outer
corner of the right eye to that of the left eye, the distance of the two is 1, and the origin is the
mean of the points that do not move with speech (eye corners and bridge of the nose). Other frames
are laid onto the reference by the similarity that fits these points best (Umeyama 1991).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .mesh import MOUTH, POINTS

__all__ = ["INNER_LIPS", "MOUTH_AT", "MOUTH_POINTS", "HeadCoordinates", "mouth_opening"]

Array = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex128]

_STILL = (33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1)
_STILL_AT = np.array([POINTS.index(index) for index in _STILL])
_RIGHT, _LEFT = POINTS.index(33), POINTS.index(263)
MOUTH_AT: npt.NDArray[np.int64] = np.array([POINTS.index(index) for index in MOUTH])
"""Positions of the mouth's contour in `POINTS`."""
MOUTH_POINTS = len(MOUTH)
INNER_LIPS = (MOUTH.index(13), MOUTH.index(14))
"""Middle of the inner upper and lower lip, as positions in `MOUTH`."""


def mouth_opening(mouth: Array) -> Array:
    """Distance of the inner lips' middles: mouths `[..., 40, 2]` → `[...]`, in their units."""
    upper, lower = INNER_LIPS
    return np.asarray(np.linalg.norm(mouth[..., upper, :] - mouth[..., lower, :], axis=-1))


class HeadCoordinates:
    """The head coordinates of one reference frame.

    Args:
        points: landmarks of the reference in the order of `POINTS`, float32 `[P, 2]`, in any unit.
    """

    def __init__(self, points: Array) -> None:
        still = _complex(points)[_STILL_AT]
        unit = complex(*(points[_LEFT] - points[_RIGHT]))
        if abs(unit) < 1e-6:
            unit = 1e-6 + 0j
        self._still = (still - still.mean()) / unit

    def mouth(self, points: Array) -> Array:
        """Mouths of frames in head coordinates.

        Args:
            points: landmarks of the frames in the order of `POINTS`, float32 `[..., P, 2]`.

        Returns:
            float32 `[..., 40, 2]`, in distances of the outer eye corners, in the order of `MOUTH`.
        """
        turn, centre = self._fit(points)
        return _real((_complex(points)[..., MOUTH_AT] - centre) * turn)

    def placed(self, points: Array, mouth: Array) -> Array:
        """Frames with another mouth.

        Args:
            points: landmarks of the frames, float32 `[..., P, 2]`.
            mouth: their new mouths in head coordinates, float32 `[..., 40, 2]`.

        Returns:
            float32 `[..., P, 2]`: `points`, with the mouth's contour replaced.
        """
        turn, centre = self._fit(points)
        out = np.array(points, np.float32)
        out[..., MOUTH_AT, :] = _real(_complex(mouth) / turn + centre)
        return out

    def _fit(self, points: Array) -> tuple[Complex, Complex]:
        """Factor and centre, `[..., 1]`: `(point - centre) * factor` is in head coordinates."""
        still = _complex(points)[..., _STILL_AT]
        centre = still.mean(-1, keepdims=True)
        still = still - centre
        size = np.maximum((np.abs(still) ** 2).sum(-1, keepdims=True), 1e-12)
        turn = (still.conj() * self._still).sum(-1, keepdims=True) / size
        turn = np.where(np.abs(turn) < 1e-9, 1e-9, turn)
        return turn, centre


def _complex(points: Array) -> Complex:
    return np.asarray(points[..., 0] + 1j * points[..., 1].astype(np.float64), np.complex128)


def _real(points: Complex) -> Array:
    return np.stack([points.real, points.imag], -1).astype(np.float32)
