"""`Lips`: the mouth of a photograph, as the sound tells that it moves.

While somebody speaks it is the mouth that such a person has on average while talking, moved as the
predictor says. While nobody does, it is as in the photograph.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from ...models.face.fronting import FrontCoordinates
from ...models.face.head import MOUTH_AT, HeadCoordinates
from ...models.face.jaw import with_jaw
from ...models.face.mesh import MOUTH, POINTS, REGIONS, select_points
from .loudness import Loudness

__all__ = ["Lips", "Mouths"]

Points = npt.NDArray[np.float32]
Sound = npt.NDArray[np.float32]

_LIVELY = 1.9  # by how much people move their mouths more than what can be known of it
_INNER = tuple(
    (MOUTH.index(upper), MOUTH.index(lower))
    for upper, lower in (
        *((191, 95), (80, 88), (81, 178), (82, 87), (13, 14)),
        *((312, 317), (311, 402), (310, 318), (415, 324)),
    )
)
"""Opposite points of the inner lips, as positions in `MOUTH`."""
_BESIDE = np.array(sorted({index for region in REGIONS[7:] for index in region}.difference(POINTS)))
"""Landmarks of the cheeks, the corners and the chin that move with those that a receiver has."""
_STILL = np.array([index for index in POINTS if index in REGIONS[0]])
_NEAR = 0.02  # of a distance between the eyes, squared


class Mouths(Protocol):
    """What is used of the receiver's `MouthPredictor`."""

    @property
    def lookahead_ms(self) -> int:
        """How much sound after a frame is used."""

    def reset(self) -> None:
        """Forget all that was heard."""

    def hear(self, pcm: Sound, seconds: float) -> None:
        """Take a piece of sound that begins at a time."""

    def movement(self, seconds: float) -> Points:
        """How the mouth is moved at a time: offsets from its average, `[40, 2]`."""

    def neutral(self, mouth: Points) -> Points:
        """The average mouth of a person while talking, from one mouth; both `[40, 2]`."""


class Lips:
    """The mouth of one photograph.

    Args:
        landmarks: of the photograph, float32 `[478, 2]`.
        mouths: tells movements from sound.
    """

    def __init__(self, landmarks: Points, mouths: Mouths) -> None:
        points = select_points(landmarks)
        self._head, self._mouths = HeadCoordinates(points), mouths
        self._mouth = self._head.mouth(points)
        front = FrontCoordinates(points)
        talking = front.placed(points, mouths.neutral(front.mouth(points)))
        self._talking = self._head.mouth(talking)
        self._shares, self._moving = _shares(landmarks)
        self.reset()

    def reset(self) -> None:
        """Forget all that was heard."""
        self._mouths.reset()
        self._loudness = Loudness()

    def hear(self, pcm: Sound, seconds: float, *, anew: bool) -> None:
        """Take a piece of sound that begins at a time; `anew` where it does not continue the last
        one.
        """
        if anew:
            self._loudness.restart(seconds)
        self._loudness.hear(pcm)
        self._mouths.hear(pcm, seconds)

    def moved(self, landmarks: Points, seconds: float) -> Points:
        """A face, of whatever pose, with the mouth of a time.

        Args:
            landmarks: float32 `[478, 2]`, with the photograph's mouth.
            seconds: the time.

        Returns:
            float32 `[478, 2]`.
        """
        voiced = self._loudness.voiced(seconds)
        movement = self._mouths.movement(seconds)
        if not voiced or not np.isfinite(movement).all():
            return landmarks
        shift = self._talking - self._mouth + _LIVELY * movement
        mouth = np.asarray(self._mouth + voiced * shift, np.float32)
        points = select_points(landmarks)
        after = self._head.placed(points, _uncrossed(mouth))
        moved = np.array(landmarks, np.float32)
        moved[list(POINTS)] = with_jaw(points, after)
        moved[_BESIDE] += self._shares @ (moved - landmarks)[self._moving]
        return moved


def _uncrossed(mouth: Points) -> Points:
    """A mouth whose inner lips do not overlap, `[40, 2]`."""
    mouth = np.array(mouth, np.float32)
    for upper, lower in _INNER:
        over = mouth[upper, 1] - mouth[lower, 1]
        if over > 0:
            mouth[upper, 1] -= over / 2
            mouth[lower, 1] += over / 2
    return mouth


def _shares(landmarks: Points) -> tuple[Points, npt.NDArray[np.int64]]:
    """How far each landmark `_BESIDE` the mouth goes with each that is moved: `[n, m]`, and which
    those are. The nearer the more; the nose stands.
    """
    mouth = np.array(POINTS)[MOUTH_AT]
    chin = np.array([index for index in POINTS if index in REGIONS[9]])
    moving = np.concatenate([mouth, chin])
    unit = float(np.linalg.norm(landmarks[263] - landmarks[33]))
    anchors = landmarks[np.concatenate([moving, _STILL])]
    apart = ((landmarks[_BESIDE][:, None] - anchors) ** 2).sum(-1) / max(unit, 1e-6) ** 2
    weights = 1 / (apart + _NEAR) ** 2
    weights /= weights.sum(1, keepdims=True)
    return weights[:, : len(moving)].astype(np.float32), moving
