"""`MotionStream`: motion frames to MOTION payloads: which stand on which, and together in one.

Prediction stands on the frame before, or, once the other side acknowledges frames, on the last
one acknowledged: then a lost packet breaks nothing that follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ...codec.motion.entropy import MAX_FRAMES
from ...codec.motion.frame import MotionFrame
from ...codec.motion.profiles import MotionSettings, Profile, motion_writer

__all__ = ["MotionPayload", "MotionStream"]

_STRIDE = 255  # ticks between frames of one packet


@dataclass(frozen=True, slots=True)
class MotionPayload:
    """One MOTION packet to be.

    Attributes:
        data: its payload.
        pts: full time of its first frame.
        intra: it stands on the keyframe alone.
    """

    data: bytes
    pts: int
    intra: bool


class MotionStream:
    """Collects frames and codes them.

    Args:
        profile: of the stream.
        settings: of the profile.
        bundle: frames of a packet, 1 to `MAX_FRAMES`; profile `fp16` has one.
        refresh: ticks from one intra frame to the next at most.
    """

    def __init__(
        self, profile: str, settings: MotionSettings, bundle: int, refresh: Fraction
    ) -> None:
        self._writer = motion_writer(profile, settings)
        self._stateless = profile == Profile.FP16
        self._bundle = 1 if self._stateless else bundle
        self._refresh = refresh
        self._waiting: list[tuple[int, MotionFrame]] = []
        self._key: MotionFrame | None = None
        self._identity = 0
        self._last: int | None = None
        self._intra: int | None = None
        self._acknowledged: int | None = None
        self._answered = False
        self._sent: dict[int, None] = {}

    def begin(self, identity: int, key: MotionFrame) -> None:
        """Further frames belong to a new keyframe; `flush` first."""
        self._identity, self._key = identity, key
        self._last = self._intra = self._acknowledged = None
        self._sent = {}

    def refresh(self) -> None:
        """The next packet stands on the keyframe alone."""
        self._intra = None

    def acknowledge(self, pts: int) -> bool:
        """The other side has decoded the frame of that full time.

        Returns:
            Whether it was taken: frames never sent, of an earlier keyframe, or older than one
            acknowledged before are left aside.
        """
        newest = self._acknowledged
        if pts not in self._sent or (newest is not None and newest >= pts):
            return False
        self._acknowledged = pts
        self._answered = True
        return True

    def push(self, motion: MotionFrame, pts: int) -> list[MotionPayload]:
        """Take the next frame; the payloads that are full now."""
        ready = [] if self._continues(pts) else self.flush()
        self._waiting.append((pts, motion))
        return ready + (self.flush() if len(self._waiting) >= self._bundle else [])

    def flush(self) -> list[MotionPayload]:
        """What waits, now."""
        if not self._waiting or self._key is None:
            return []
        times = [pts for pts, _ in self._waiting]
        frames = [motion for _, motion in self._waiting]
        self._waiting = []
        start = times[0]
        reference = self._acknowledged if self._answered else self._last
        if self._intra is None or start - self._intra >= self._refresh:
            reference = None
        stride = times[1] - start if len(times) > 1 else 1
        data = self._writer.encode(
            frames, start, self._identity, self._key, stride=stride, reference=reference
        )
        intra = self._stateless or not data[0] & 7
        if intra:
            self._intra = start
        self._last = times[-1]
        self._sent.update(dict.fromkeys(times))
        while len(self._sent) > MAX_FRAMES:
            del self._sent[next(iter(self._sent))]
        return [MotionPayload(data, start, intra)]

    def _continues(self, pts: int) -> bool:
        """Whether a frame is as far from the last one as those were from each other."""
        if not self._waiting:
            return True
        gap = pts - self._waiting[-1][0]
        if len(self._waiting) == 1:
            return gap <= _STRIDE
        return gap == self._waiting[1][0] - self._waiting[0][0]
