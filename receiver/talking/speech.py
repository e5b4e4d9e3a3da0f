"""`Speech`: moves the mouth of a frame as the sound tells, where no motion tells it.

It stands between the tracks, which know sound and motion, and `MouthPredictor`, which knows mouths.
Where motion comes beside the sound, the predictor learns from it how this person's mouth moves.
Without the predictor's weights nothing is changed.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...codec.errors import FacewireError, MotionError
from ...codec.identity import Identity, MouthHabits
from ...codec.motion.frame import MotionFrame
from ...models.face.fronting import FrontCoordinates
from ...models.face.head import HeadCoordinates
from ...models.face.jaw import with_jaw
from ...models.face.posing import moved_regions
from ...models.mel import SAMPLE_RATE
from ..generators.protocol import Array
from .mouth import MouthPredictor

__all__ = ["HeardSound", "LastSeen", "Predictor", "Speech", "TheirMouth"]

_LEARN_S = 0.1  # from one frame that is learned from to the next
_FRAMES_A_SECOND = 25
_MOST_WAITING = 32  # frames whose sound has not come yet
_FARTHEST = 0.8  # distances of the eyes from the keyframe's mouth; farther away is none
_MEMORY_S = 0.5  # after so long, a third is left of where the mouth was when it was last seen
_log = logging.getLogger(__name__)


class Predictor(Protocol):
    """What is used of `MouthPredictor`."""

    @property
    def lookahead_ms(self) -> int:
        """See `MouthPredictor.lookahead_ms`."""

    def reset(self) -> None:
        """See `MouthPredictor.reset`."""

    def forget(self) -> None:
        """See `MouthPredictor.forget`."""

    def know(self, habits: MouthHabits | None) -> None:
        """See `MouthPredictor.know`."""

    def hear(self, pcm: Array, seconds: float) -> None:
        """See `MouthPredictor.hear`."""

    def movement(self, seconds: float) -> Array:
        """See `MouthPredictor.movement`."""

    def learn(self, mouth: Array, seconds: float, weight: float) -> None:
        """See `MouthPredictor.learn`."""

    def average(self, mouth: Array) -> Array:
        """See `MouthPredictor.average`."""


class HeardSound(Protocol):
    """Where the sound comes from: a `SoundTrack`."""

    heard: int
    """The sound is known up to this sample."""

    def since(self, sample: int) -> tuple[Array, int]:
        """The sound from a sample on, as far as it is known, and the sample where it begins."""


@dataclass(frozen=True, slots=True, eq=False)
class LastSeen:
    """The last frame whose motion came: its landmarks, float32 `[P, 2]`, and its time."""

    points: Array
    seconds: float


class TheirMouth:
    """The predictor of the person whom a decoder shows. It is loaded once."""

    def __init__(self) -> None:
        self._predictor: Predictor | None = None
        self._habits: MouthHabits | None = None
        self._loaded = False

    def predictor(self) -> Predictor | None:
        """The predictor that facewire brings; None where it has none that runs here. The first call
        loads it.
        """
        if not self._loaded:
            predictor = _load()
            if not self._loaded:  # `Decoder.prepare` may run in another thread
                self._predictor, self._loaded = predictor, True
                if predictor is not None:
                    predictor.know(self._habits)
        return self._predictor

    def know(self, identity: Identity | None) -> None:
        """Begin with what an identity knows of the person's mouth."""
        habits = None if identity is None else identity.mouth
        if habits is not self._habits:
            self._habits = habits
            if self._predictor is not None:
                self._predictor.know(habits)

    def forget(self) -> None:
        """Forget what was heard and learned."""
        if self._predictor is not None:
            self._predictor.reset()


def _load() -> Predictor | None:
    try:
        return MouthPredictor()
    except FacewireError as error:
        _log.info("mouths do not move with the sound: %s", error)
        return None


class Speech:
    """The mouth of one stream.

    Args:
        predictor: of mouths. It forgets what it has heard and learned of another stream.
        sound: of the stream.
    """

    def __init__(self, predictor: Predictor, sound: HeardSound) -> None:
        self._predictor, self._sound = predictor, sound
        self.restart()

    def restart(self) -> None:
        """The sender began anew: times may be anything, and the person may be another one."""
        self._predictor.reset()
        self._heard: int | None = None
        self._seen: deque[tuple[Array, float]] = deque(maxlen=_MOST_WAITING)  # mouth, time
        self._learned = -math.inf  # time of the newest frame that is learned from
        self._left: tuple[float, Array] | None = None  # a time, and the movement there
        self._head: tuple[Array, FrontCoordinates] | None = None  # of the keyframe used last

    def forget(self) -> None:
        """Another person is shown: forget what was learned."""
        self._predictor.forget()
        self._seen.clear()
        self._left = None

    def learns(self, seconds: float) -> bool:
        """Whether a frame at this time is to be learned from. It is ten frames a second."""
        return not 0 <= seconds - self._learned < _LEARN_S - 1e-3

    def saw(self, key: Array, points: Array, seconds: float) -> None:
        """Learn from a frame whose motion came, as soon as its sound has been heard.

        Args:
            key: the keyframe's landmarks, float32 `[P, 2]`.
            points: the frame's landmarks, float32 `[P, 2]`.
            seconds: its time.
        """
        head = self._coordinates(key)
        mouth = head.mouth(points)
        self._learned = seconds
        if np.abs(mouth - head.mouth(key)).max() < _FARTHEST:
            self._seen.append((mouth, seconds))
        self._listen()
        ahead = self._predictor.lookahead_ms / 1000
        while self._seen and self._seen[0][1] + ahead <= (self._heard or 0) / SAMPLE_RATE:
            self._predictor.learn(*self._seen.popleft(), _FRAMES_A_SECOND * _LEARN_S)

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
        head = self._coordinates(key)
        mouth = head.mouth(key)
        shift = self._predictor.average(mouth) - mouth + self._predictor.movement(seconds)
        if not np.isfinite(shift).all():
            return motion
        return _moved(points, motion, head.placed(points, head.mouth(points) + shift))

    def went_on(
        self, key: Array, points: Array, motion: MotionFrame, last: LastSeen, seconds: float
    ) -> MotionFrame:
        """A frame whose motion is missing: the motion with the mouth of `mouth_after`. Other
        arguments as for `said`.
        """
        self._listen()
        if self._heard is None:
            return motion
        # The mouth is drawn on the last head that was seen. One that was predicted has this pose
        # only roughly; place, size and roll are taken from it.
        mouth = self.mouth_after(key, last, seconds)
        if not np.isfinite(mouth).all():
            return motion
        drawn = self._coordinates(key).placed(last.points, mouth)
        flat = HeadCoordinates(last.points)
        return _moved(points, motion, flat.placed(points, flat.mouth(drawn)))

    def mouth_after(self, key: Array, last: LastSeen, seconds: float) -> Array:
        """Where the mouth is some time after it was seen last.

        It moves on as the sound tells that it changes. What the sound does not tell is forgotten
        little by little: the mouth comes back to where this person's is on average.

        Args:
            key: the keyframe's landmarks, float32 `[P, 2]`.
            last: the last frame that came.
            seconds: time of the frame.

        Returns:
            float32 `[40, 2]`, in the keyframe's `FrontCoordinates`.
        """
        self._listen()
        head = self._coordinates(key)
        average = self._predictor.average(head.mouth(key))
        own = head.mouth(last.points) - average - self._movement_at(last.seconds)
        kept = math.exp(-max(seconds - last.seconds, 0.0) / _MEMORY_S)
        return average + self._predictor.movement(seconds) + np.float32(kept) * own

    def _coordinates(self, key: Array) -> FrontCoordinates:
        """Those of a keyframe. They take milliseconds, so they are kept."""
        if self._head is None or self._head[0] is not key:
            self._head = key, FrontCoordinates(key)
        return self._head[1]

    def _movement_at(self, seconds: float) -> Array:
        """The movement where the mouth was seen last. It is kept as long as that is asked for."""
        if self._left is None or self._left[0] != seconds:
            self._left = seconds, self._predictor.movement(seconds)
        return self._left[1]

    def _listen(self) -> None:
        """Hear what came since the last frame."""
        if self._heard is not None and self._sound.heard < self._heard:
            self._heard = None  # the sender's times have gone back
        pcm, start = self._sound.since(self._heard or 0)
        if len(pcm):
            self._predictor.hear(pcm, start / SAMPLE_RATE)
            self._heard = start + len(pcm)


def _moved(points: Array, motion: MotionFrame, after: Array) -> MotionFrame:
    """The motion of a frame whose landmarks `[P, 2]` have another mouth now, and its jaw. A mouth
    far outside of any picture leaves it as it was.
    """
    try:
        return moved_regions(motion, points, with_jaw(points, after))
    except MotionError:
        return motion
