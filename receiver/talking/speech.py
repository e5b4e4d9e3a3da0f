"""`Speech`: moves the mouth of a frame as the sound tells, where no motion tells it.

It stands between the tracks, which know sound and motion, and `MouthPredictor`, which knows mouths.
Without the predictor's weights it changes nothing.
"""

from __future__ import annotations

import logging
from typing import Protocol

import numpy as np

from ...codec.errors import FacewireError, MotionError
from ...codec.motion.frame import MotionFrame
from ...models.face.head import HeadCoordinates
from ...models.face.jaw import with_jaw
from ...models.face.posing import moved_regions
from ...models.mel import SAMPLE_RATE
from ..generators.protocol import Array
from .mouth import MouthPredictor

__all__ = ["HeardSound", "Predictor", "Speech", "find_predictor"]

_log = logging.getLogger(__name__)


class Predictor(Protocol):
    """What is used of `MouthPredictor`."""

    def reset(self) -> None:
        """See `MouthPredictor.reset`."""

    def hear(self, pcm: Array, seconds: float) -> None:
        """See `MouthPredictor.hear`."""

    def movement(self, seconds: float) -> Array:
        """See `MouthPredictor.movement`."""

    def average(self, mouth: Array) -> Array:
        """See `MouthPredictor.average`."""


class HeardSound(Protocol):
    """Where the sound comes from: a `SoundTrack`."""

    def since(self, sample: int) -> tuple[Array, int]:
        """The sound from a sample on, as far as it is known, and the sample where it begins."""


def find_predictor(lookahead_ms: int) -> Predictor | None:
    """The predictor that facewire brings; None where it has none that runs here."""
    try:
        return MouthPredictor(lookahead_ms=lookahead_ms)
    except FacewireError as error:
        _log.info("mouths do not move with the sound: %s", error)
        return None


class Speech:
    """The mouth of one stream.

    Args:
        predictor: of mouths.
        sound: of the stream.
    """

    def __init__(self, predictor: Predictor, sound: HeardSound) -> None:
        self._predictor, self._sound = predictor, sound
        self._heard: int | None = None

    def restart(self) -> None:
        """The sender began anew: times may be anything."""
        self._predictor.reset()
        self._heard = None

    def said(self, key: Array, points: Array, motion: MotionFrame, seconds: float) -> MotionFrame:
        """A frame whose mouth was not sent: it stands as in the keyframe.

        Args:
            key: the keyframe's landmarks, float32 `[P, 2]`.
            points: the frame's landmarks, float32 `[P, 2]`.
            motion: of the frame.
            seconds: its time.

        Returns:
            The motion with the mouth that the person has on average while talking, moved as the
            sound tells. While no sound has come, it is the motion as it was.
        """
        self._listen()
        if self._heard is None:
            return motion
        mouth = HeadCoordinates(key).mouth(key)
        shift = self._predictor.average(mouth) - mouth + self._predictor.movement(seconds)
        return _shifted(key, points, motion, shift)

    def went_on(
        self, key: Array, points: Array, motion: MotionFrame, since: float, seconds: float
    ) -> MotionFrame:
        """A frame whose motion is missing: its mouth is as it was last, at the time `since`, and
        moves on as the sound tells that it changes. Other arguments as for `said`.
        """
        self._listen()
        if self._heard is None:
            return motion
        shift = self._predictor.movement(seconds) - self._predictor.movement(since)
        return _shifted(key, points, motion, shift)

    def _listen(self) -> None:
        """Hear what came since the last frame."""
        pcm, start = self._sound.since(self._heard or 0)
        if len(pcm):
            self._predictor.hear(pcm, start / SAMPLE_RATE)
            self._heard = start + len(pcm)


def _shifted(key: Array, points: Array, motion: MotionFrame, shift: Array) -> MotionFrame:
    """The motion after the mouth was shifted in head coordinates, `[40, 2]`, and the jaw with it.

    A mouth that nobody could have leaves the motion as it was.
    """
    if not np.isfinite(shift).all():
        return motion
    head = HeadCoordinates(key)
    before = head.mouth(points)
    after = head.placed(points, before + shift)
    try:
        return moved_regions(motion, points, with_jaw(points, after))
    except MotionError:
        return motion
