"""`MotionStream`: motion frames to MOTION payloads.

It decides how many frames go into a payload, and from which earlier frame they are predicted: from
the frame before, or, while the receiver acknowledges frames, from the last one acknowledged, so
that a lost packet breaks nothing after it. In profile `pose`, a payload that takes too many bits
is coded with a coarser step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from ...codec.motion.entropy import MAX_FRAMES
from ...codec.motion.frame import MotionFrame
from ...codec.motion.profiles import STATELESS, Motion, MotionSettings, Profile, motion_writer

__all__ = ["MotionPayload", "MotionStream"]

_STRIDE = 255  # ticks between two frames of one packet, at most
_POSE_BITS = 16  # of a frame in profile `pose`, on average over a packet, at most
_POSE_FRAMES = 10  # of smaller packets, as calls send them, the heads alone take nearly as much
_COARSEST = 15


@dataclass(frozen=True, slots=True)
class MotionPayload:
    """The content of a MOTION packet.

    Attributes:
        data: its payload.
        pts: time of its first frame in ticks, not wrapped.
        intra: whether it depends on the keyframe alone.
    """

    data: bytes
    pts: int
    intra: bool


class MotionStream:
    """Collects frames and codes them.

    Args:
        profile: of the stream.
        settings: of the profile.
        bundle: frames in a packet, 1 to `MAX_FRAMES`; with profiles `fp16` and
            `pose-fp16` it is always one.
        refresh: ticks from one intra packet to the next, at most.
        patience: ticks without an acknowledgement after which no more are expected. None: without
            end.
        tables: version of the tables that the stream names; None for those that this build writes.
    """

    def __init__(
        self,
        profile: str,
        settings: MotionSettings,
        bundle: int,
        refresh: Fraction,
        patience: Fraction | None = None,
        *,
        tables: int | None = None,
    ) -> None:
        self._profile, self._tables = profile, tables
        self._settings = settings
        self._writer = motion_writer(profile, settings, tables)
        self._step = settings.step  # of the writer
        self._stateless = profile in STATELESS
        self._bundle = 1 if self._stateless else bundle
        self._refresh, self._patience = refresh, patience
        self._waiting: list[tuple[int, Motion]] = []
        self._key: MotionFrame | None = None
        self._identity = 0
        self._last: int | None = None
        self._intra: int | None = None
        self._acknowledged: int | None = None
        self._newest: int | None = None  # frame that was sent last
        self._answered: int | None = None  # that frame when an acknowledgement came last
        self._sent: dict[int, None] = {}

    def begin(self, identity: int, key: MotionFrame) -> None:
        """Code further frames relative to this reference and its motion. Call `flush` first."""
        self._identity, self._key = identity, key
        self._last = self._intra = self._acknowledged = None
        self._sent = {}

    def refresh(self) -> None:
        """Make the next packet depend on the keyframe alone."""
        self._intra = None

    def acknowledge(self, pts: int) -> bool:
        """Report that the receiver has decoded a frame.

        Args:
            pts: its time in ticks, not wrapped.

        Returns:
            Whether the frame counts. It does not if it was never sent, used an earlier reference,
            or is older than another that was acknowledged.
        """
        newest = self._acknowledged
        if pts not in self._sent or (newest is not None and newest >= pts):
            return False
        self._acknowledged = pts
        self._answered = self._newest
        return True

    def adapt(self, settings: MotionSettings, bundle: int) -> list[MotionPayload]:
        """Use other settings and bundles from now on. Frames that wait are given with the old
        settings, if the new ones cannot wait for more of them.
        """
        changed = settings != self._settings
        ready = self.flush() if changed or len(self._waiting) >= bundle else []
        self._bundle = 1 if self._stateless else bundle
        if changed:  # frames of another step cannot be predicted from
            self._settings = settings
            self._write_anew(settings.step)
            self._last = self._intra = self._acknowledged = None
            self._sent = {}
        return ready

    @property
    def since(self) -> int | None:
        """Time in ticks of the first frame that waits for more; None if none does."""
        return self._waiting[0][0] if self._waiting else None

    def push(self, motion: Motion, pts: int) -> list[MotionPayload]:
        """Take the next frame, and give the payloads that are complete."""
        ready = [] if self._continues(pts) else self.flush()
        self._waiting.append((pts, motion))
        return ready + (self.flush() if len(self._waiting) >= self._bundle else [])

    def flush(self) -> list[MotionPayload]:
        """Give the frames that wait, as one payload."""
        if not self._waiting or self._key is None:
            return []
        times = [pts for pts, _ in self._waiting]
        frames = [motion for _, motion in self._waiting]
        self._waiting = []
        start = times[0]
        reference = self._acknowledged if self._is_answered(start) else self._last
        if self._intra is None or start - self._intra >= self._refresh:
            reference = None
        stride = times[1] - start if len(times) > 1 else 1
        data = self._coded(frames, start, self._key, stride, reference)
        intra = self._stateless or not data[0] & 7
        if intra:
            self._intra = start
        self._last = self._newest = times[-1]
        self._sent.update(dict.fromkeys(times))
        while len(self._sent) > MAX_FRAMES:
            del self._sent[next(iter(self._sent))]
        return [MotionPayload(data, start, intra)]

    def _coded(
        self, frames: list[Motion], start: int, key: MotionFrame, stride: int, reference: int | None
    ) -> bytes:
        """The payload of these frames. In profile `pose` it has the finest step with which it takes
        no more than `_POSE_BITS` a frame.
        """
        most = _POSE_BITS if self._profile == Profile.POSE and len(frames) >= _POSE_FRAMES else None
        for step in range(self._settings.step, _COARSEST + 1):
            if step != self._step:
                self._write_anew(step)
            data = self._writer.encode(
                frames, start, self._identity, key, stride=stride, reference=reference
            )
            if most is None or 8 * len(data) <= most * len(frames):
                break
        return data

    def _write_anew(self, step: int) -> None:
        """With another step, and nothing to predict from."""
        settings = replace(self._settings, step=step)
        self._writer, self._step = motion_writer(self._profile, settings, self._tables), step

    def _is_answered(self, pts: int) -> bool:
        """Whether the receiver acknowledges frames, and did so lately."""
        if self._answered is None:
            return False
        return self._patience is None or pts - self._answered <= self._patience

    def _continues(self, pts: int) -> bool:
        """Whether a frame follows the last one at the same distance as those before it."""
        if not self._waiting:
            return True
        gap = pts - self._waiting[-1][0]
        if len(self._waiting) == 1:
            return gap <= _STRIDE
        return gap == self._waiting[1][0] - self._waiting[0][0]
