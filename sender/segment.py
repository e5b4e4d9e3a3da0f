"""`SegmentCoder`: a stretch of video that is known as a whole, coded within its bytes.

Motion is coded first, since it does not depend on the references' pictures; what sound and motion
leave of the rate is then shared by the pictures, to the byte.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..codec.errors import MotionError
from ..codec.packet import Packet
from ..models.mesh import select_points
from .animation import Animation
from .config import EncoderConfig
from .keypoints import Observation
from .planning import MOST, plan_references
from .rate import RateControl
from .references import Reference

__all__ = ["Moment", "SegmentCoder"]

_SPARE = 0.03  # of a picture's bytes: more is what finer quality would have filled


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame as it was observed.

    Attributes:
        pts: its time in ticks.
        seen: the face, None where there is none.
        join: nothing from it on may stand on an earlier reference.
    """

    pts: int
    seen: Observation | None
    join: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a reference's packets go, once its picture is coded."""

    reference: Reference
    join: bool


Item = Moment | Packet


class SegmentCoder:
    """Codes stretches of one stream.

    Args:
        config: of the stream.
        fps: its frames a second.
        animation: its references and motion.
        rate: its bytes.
        announce: gives what goes before a keyframe from which one can join, at a time in ticks.

    Attributes:
        joined: whether a frame that was to be one to join at, became it.
    """

    def __init__(
        self,
        config: EncoderConfig,
        fps: Fraction,
        animation: Animation,
        rate: RateControl,
        announce: Callable[[int], list[Packet]],
    ) -> None:
        self._config, self._fps = config, fps
        self._animation, self._rate, self._announce = animation, rate, announce
        self.joined = True

    def code(self, items: Sequence[Item], end: Fraction) -> list[Packet]:
        """Code a stretch.

        Args:
            items: observed frames and packets of sound in the order of time; only the first frame
                with a face may be one to join at.
            end: seconds from the stream's beginning to the stretch's end.

        Returns:
            Its packets, not numbered yet.
        """
        moments = [item for item in items if isinstance(item, Moment)]
        references = self._plan(items, moments, end)
        coded: list[Packet | _Place] = []
        join = any(moment.join for moment in moments)
        for item in items:
            if isinstance(item, Packet):
                coded.append(item)
                continue
            seen = item.seen
            if seen is not None and (join or item.pts in references):
                try:
                    coded += self._refer(seen, item.pts, join=join)
                    join = False
                except MotionError:  # so distorted a mesh that its numbers do not fit
                    seen = None
            coded += self._animate(seen, item.pts)
        self.joined = not join
        return self._fill([*coded, *self._animation.flush()], end)

    def _plan(self, items: Sequence[Item], moments: Sequence[Moment], end: Fraction) -> set[int]:
        faces = [moment for moment in moments if moment.seen is not None]
        if not faces:
            return set()
        points = np.stack([select_points(m.seen.landmarks) for m in faces if m.seen is not None])
        room = None
        if self._rate.per_second is not None:
            sound = sum(
                self._rate.framed(len(item.payload)) for item in items if isinstance(item, Packet)
            )
            frames = len(moments) + len(self._animation.waiting)
            left = self._rate.left(end) - sound - self._rate.expected_motion(frames)
            room = max(0, int(left))
        chosen = plan_references(
            points,
            self._animation.known,
            room=room,
            overhead=self._rate.overhead(1),
            size=self._config.keyframe_bytes,
            fps=float(self._fps),
            first=faces[0].join,
            most=1 if self._config.references == 1 else MOST,
        )
        return {faces[at].pts for at in chosen}

    def _refer(self, seen: Observation, pts: int, *, join: bool) -> list[Packet | _Place]:
        waiting = self._animation.waiting
        # Frames before the first face show it too: the keyframe is as early as they are.
        reference = self._animation.refer(seen, waiting[0] if waiting else pts, join=join)
        reference.loss = self._animation.known.picture_loss(self._config.keyframe_bytes)
        flushed = self._animation.flush()
        self._animation.add(reference, join=join)
        return [*flushed, _Place(reference, join)]

    def _animate(self, seen: Observation | None, pts: int) -> list[Packet]:
        try:
            return self._animation.animate(seen, pts)
        except MotionError:
            return self._animation.animate(None, pts)

    def _fill(self, coded: Sequence[Packet | _Place], end: Fraction) -> list[Packet]:
        """Put the references' packets in their places."""
        packets = [item for item in coded if isinstance(item, Packet)]
        self._rate.count(packets)
        left = len(coded) - len(packets)
        result: list[Packet] = []
        for item in coded:
            if isinstance(item, Packet):
                result.append(item)
                continue
            if item.join:
                before = self._announce(item.reference.pts)
                self._rate.count(before)
                result += before
            sent = self._send(item.reference, self._rate.left(end) / left, last=left == 1)
            self._rate.count(sent)
            left -= 1
            result += sent
        return result

    def _send(self, reference: Reference, room: float, *, last: bool) -> list[Packet]:
        if not math.isfinite(room):
            return reference.keyframe(self._config.keyframe_bytes).to_packets(0)
        size = self._rate.picture_bytes(room, reference.shape_bytes)
        keyframe = reference.keyframe(size)
        spare = size - len(keyframe.picture.data)
        # The coarsest pictures come in steps of up to a fifth of their bytes, and nothing after
        # the last one takes what it leaves: as far above its bytes is as good as below.
        if last and spare > _SPARE * size:
            keyframe = reference.keyframe(size + spare - 1)
        return keyframe.to_packets(0)
