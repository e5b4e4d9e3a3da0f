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
from ..models.face.mesh import select_points
from ..models.face.observation import Observation
from .config import EncoderConfig
from .motion.animation import Animation
from .observed import ObservedFrame
from .rate import RateControl
from .references.expected import USUAL, PictureLoss, typical
from .references.planning import MOST, Planned, plan_references
from .references.reference import Reference

__all__ = ["SegmentCoder"]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a reference's packets go, once its picture is coded; `share` is its part of the room,
    against that of others.
    """

    reference: Reference
    join: bool
    share: float


Item = ObservedFrame | Packet


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
        self._pictures = USUAL
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
        moments = [item for item in items if isinstance(item, ObservedFrame)]
        faces = [moment for moment in moments if moment.seen is not None]
        planned = {faces[one.use].pts: one for one in self._plan(items, faces, len(moments), end)}
        coded: list[Packet | _Place] = []
        join = any(moment.join for moment in moments)
        for item in items:
            if isinstance(item, Packet):
                coded.append(item)
                continue
            seen, plan = item.seen, planned.get(item.pts)
            if seen is not None and (join or plan):
                shown = faces[plan.frame].seen if plan else None
                places = self._refer(shown or seen, item.pts, plan, join=join)
                if not places and shown is not None:
                    places = self._refer(seen, item.pts, plan, join=join)
                coded += places
                if join and not places:
                    seen = None
                join = join and not places
            coded += self._animate(seen, item.pts)
        self.joined = not join
        return self._fill([*coded, *self._animation.flush()], end)

    def _plan(
        self, items: Sequence[Item], faces: Sequence[ObservedFrame], frames: int, end: Fraction
    ) -> list[Planned]:
        seen = [moment.seen for moment in faces if moment.seen is not None]
        if not seen:
            return []
        points = np.stack([select_points(one.landmarks) for one in seen])
        room = None
        if self._rate.per_second is not None:
            sound = sum(
                self._rate.framed(len(item.payload)) for item in items if isinstance(item, Packet)
            )
            motion = self._rate.expected_motion(frames + len(self._animation.waiting))
            room = max(0, int(self._rate.left(end) - sound - motion))
        first, single = faces[0].join, self._config.references == 1
        if room is not None and first:
            room = max(0, room - self._rate.join_bytes())
        if first and not single:  # another face, of which nothing is coded yet
            self._pictures = PictureLoss.of(seen[typical(points)].picture)
        return plan_references(
            points,
            self._animation.known.losses(points),
            room=room,
            overhead=self._rate.overhead(1),
            size=self._config.keyframe_bytes,
            fps=float(self._fps),
            first=first,
            pictures=self._pictures,
            most=1 if single else MOST,
        )

    def _refer(
        self, seen: Observation, pts: int, plan: Planned | None, *, join: bool
    ) -> list[Packet | _Place]:
        """Motion that waited, and the reference's place; nothing where its mesh is so distorted
        that its numbers do not fit.
        """
        waiting = self._animation.waiting
        # Frames before the first face show it too: the keyframe is as early as they are.
        try:
            reference = self._animation.refer(seen, waiting[0] if waiting else pts, join=join)
        except MotionError:
            return []
        size = self._config.keyframe_bytes
        reference.expect(plan.loss if plan else self._animation.known.picture_loss(size))
        flushed = self._animation.flush()
        self._animation.add(reference, join=join)
        return [*flushed, _Place(reference, join, plan.picture if plan else size)]

    def _animate(self, seen: Observation | None, pts: int) -> list[Packet]:
        try:
            return self._animation.animate(seen, pts)
        except MotionError:
            return self._animation.animate(None, pts)

    def _fill(self, coded: Sequence[Packet | _Place], end: Fraction) -> list[Packet]:
        """Put the references' packets in their places."""
        packets = [item for item in coded if isinstance(item, Packet)]
        self._rate.count(packets)
        places = [item for item in coded if not isinstance(item, Packet)]
        result: list[Packet] = []
        for item in coded:
            if isinstance(item, Packet):
                result.append(item)
                continue
            if item.join:
                before = self._announce(item.reference.pts)
                self._rate.count(before)
                result += before
            fixed = [self._rate.overhead(place.reference.shape_bytes) for place in places]
            part = item.share / sum(place.share for place in places)
            room = fixed[0] + (self._rate.left(end) - sum(fixed)) * part
            sent = self._send(item.reference, room, last=len(places) == 1)
            self._rate.count(sent)
            places.pop(0)
            result += sent
        return result

    def _send(self, reference: Reference, room: float, *, last: bool) -> list[Packet]:
        if not math.isfinite(room):
            return reference.keyframe(self._config.keyframe_bytes).to_packets(0)
        size = self._rate.picture_bytes(room, reference.shape_bytes)
        return reference.keyframe(size, fill=last).to_packets(0)
