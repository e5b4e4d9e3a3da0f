"""`SegmentCoder`: codes a stretch of video that is known as a whole, within its bytes.

Motion is coded first, since it does not depend on the references' pictures. The pictures then
share what sound and motion leave of the rate, to the byte. Where that is more than pictures can use
well, the base layer takes the most of it (`base/layer.py`), provided that it fits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from ..codec.errors import MotionError
from ..codec.packet import Packet
from .appearance import Appearance
from .base.layer import BaseChain, BaseLayer, Moment, weave
from .config import EncoderConfig
from .motion.animation import Animation
from .observed import ObservedFrame, View
from .rate.control import MOST, RateControl
from .references.expected import USUAL, PictureLoss, typical
from .references.planning import Budget, Losses, Planned, expected_with, plan_references
from .references.reference import Reference

__all__ = ["Item", "SegmentCoder"]

Item = ObservedFrame | Packet
"""A frame, or a packet of sound."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A planned reference, and what it shows."""

    plan: Planned
    view: View


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a reference's packets go once its picture is coded. `share` is its part of the room,
    in proportion to the others' shares.
    """

    reference: Reference
    share: float


class SegmentCoder:
    """Codes the stretches of one stream.

    Args:
        config: of the stream.
        fps: its frames a second.
        animation: its references and motion.
        rate: its bytes.
        announce: gives the packets that go before a keyframe at which one can join, for a time
            in ticks.

    Attributes:
        joined: false if a requested join keyframe could not be made.
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
        self._base = BaseLayer(fps, rate)
        self.joined = True

    def code(self, items: Sequence[Item], end: Fraction) -> list[Packet]:
        """Code a stretch.

        Args:
            items: observed frames and packets of sound in the order of time; only the first frame
                with a face may ask for a join keyframe.
            end: seconds from the stream's beginning to the stretch's end.

        Returns:
            Its packets, not numbered yet.
        """
        planned, chain = self._plan(items, end)
        self.joined = not any(isinstance(item, ObservedFrame) and item.join for item in items)
        coded: list[Packet | _Place] = []
        for item in items:
            if isinstance(item, Packet):
                coded.append(item)
            else:
                coded += self._frame(item, planned.get(item.pts))
        coded += self._animation.flush()
        self._rate.count(item for item in coded if isinstance(item, Packet))
        based = [] if chain is None else self._with_base(coded, end, chain)
        return based or self._fill(coded, end)

    def _plan(
        self, items: Sequence[Item], end: Fraction
    ) -> tuple[dict[int, _Shown], BaseChain | None]:
        """The references that pay, by the time of the frame before which each is sent; and the base
        layer, if that is expected to lose less and fits. It leaves room for one reference.
        """
        frames = [item for item in items if isinstance(item, ObservedFrame)]
        views = [(frame, frame.view) for frame in frames if frame.view is not None]
        if not views:
            return {}, None
        looks = Appearance.stack([view.look for _, view in views])
        first, single = views[0][0].join, self._config.references == 1
        middle = views[typical(looks.points)][1].seen.picture
        if first and not single:  # another face, of which nothing is coded yet
            self._pictures = PictureLoss.of(middle)
        room, overhead = self._room(items, len(frames), end, join=first), self._rate.overhead(1)
        known = self._animation.known
        before = np.full(len(looks), np.inf) if first else known.losses(looks)
        budget = Budget(room, overhead, self._config.keyframe_bytes, 1 if single else MOST)
        planned = self._references(looks, before, budget, first=first)
        chain = None
        if self._config.base and room is not None:
            moments = [Moment(frame.pts, view.seen.picture) for frame, view in views]
            base = self._base.plan(middle, moments, room)
            if base is not None and base.loss < expected_with(planned, looks, before):
                budget = replace(budget, room=base.still + overhead, most=1)
                alone = self._references(looks, before, budget, first=first)
                picture = views[alone[0].frame][1].seen.picture
                chain = self._base.begin(picture, base, room - overhead)
                planned = planned if chain is None else alone
        shown = {views[one.use][0].pts: _Shown(one, views[one.frame][1]) for one in planned}
        return shown, chain

    def _references(
        self, looks: Appearance, before: Losses, budget: Budget, *, first: bool
    ) -> list[Planned]:
        return plan_references(
            looks, before, budget, fps=float(self._fps), first=first, pictures=self._pictures
        )

    def _room(self, items: Sequence[Item], frames: int, end: Fraction, *, join: bool) -> int | None:
        """Bytes for the references of a stretch of so many frames; None where no rate is set."""
        if self._rate.per_second is None:
            return None
        sound = [len(item.payload) for item in items if isinstance(item, Packet)]
        motion = self._rate.expected_motion(frames + len(self._animation.waiting))
        spent = sum(self._rate.framed(size) for size in sound) + motion
        room = max(0, int(self._rate.left(end) - spent))
        return max(0, room - self._rate.join_bytes()) if join else room

    def _frame(self, frame: ObservedFrame, shown: _Shown | None) -> list[Packet | _Place]:
        """A frame's motion, after the reference that is planned or needed before it."""
        view, places = frame.view, list[Packet | _Place]()
        if view is not None and view.faceless and not self.joined:
            view = None
        if view is not None and (shown is not None or not self.joined):
            plan = None if shown is None else shown.plan
            if shown is not None:
                places = self._refer(shown.view, frame.pts, plan)
            places = places or self._refer(view, frame.pts, plan)
            self.joined = self.joined or bool(places)
            if not self.joined:
                view = None  # no earlier reference may show it
        return [*places, *self._animate(view, frame.pts)]

    def _refer(self, view: View, pts: int, plan: Planned | None) -> list[Packet | _Place]:
        """Motion that was held back, and the place of a new reference; nothing if the mesh is too
        distorted for its numbers to fit.
        """
        waiting, join = self._animation.waiting, not self.joined
        try:  # frames before the first face show it too: the keyframe is as early as they are
            reference = self._animation.refer(view, waiting[0] if waiting else pts, join=join)
        except MotionError:
            return []
        size = self._config.keyframe_bytes
        reference.expect(plan.loss if plan else self._animation.known.picture_loss(size))
        flushed = self._animation.flush()
        self._animation.add(reference, join=join)
        before = self._announce(reference.pts) if join else []
        return [*flushed, *before, _Place(reference, plan.picture if plan else size)]

    def _animate(self, view: View | None, pts: int) -> list[Packet]:
        try:
            return self._animation.animate(view, pts)
        except MotionError:
            return self._animation.animate(None, pts)

    def _fill(self, coded: Sequence[Packet | _Place], end: Fraction) -> list[Packet]:
        """Code the pictures, and put the references' packets into their places."""
        places = [item for item in coded if not isinstance(item, Packet)]
        result: list[Packet] = []
        for item in coded:
            if isinstance(item, Packet):
                result.append(item)
                continue
            fixed = [self._rate.overhead(place.reference.shape_bytes) for place in places]
            part = item.share / sum(place.share for place in places)
            room = fixed[0] + (self._rate.left(end) - sum(fixed)) * part
            sent = self._send(item.reference, room, last=len(places) == 1)
            self._rate.count(sent)
            places.pop(0)
            result += sent
        return result

    def _with_base(
        self, coded: Sequence[Packet | _Place], end: Fraction, chain: BaseChain
    ) -> list[Packet]:
        """The same with a base layer, which is coded together with the picture. Nothing if there is
        not exactly one picture, or too little is left for both.
        """
        places = [item for item in coded if not isinstance(item, Packet)]
        if len(places) != 1:
            return []
        reference = places[0].reference
        base = self._base.code(chain, reference.id, reference.shape_bytes, self._rate.left(end))
        if base is None:
            return []
        sent = reference.coded_with_chain(base.still).to_packets(0)
        self._rate.count([*sent, *base.packets])
        packets: list[Packet] = []
        for item in coded:
            packets += [item] if isinstance(item, Packet) else sent
        return weave(packets, base.packets, self._config.profile)

    def _send(self, reference: Reference, room: float, *, last: bool) -> list[Packet]:
        if not math.isfinite(room):
            return reference.keyframe(self._config.keyframe_bytes).to_packets(0)
        size = self._rate.picture_bytes(room, reference.shape_bytes)
        return reference.keyframe(size, fill=last).to_packets(0)
