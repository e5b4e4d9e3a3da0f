"""`Animation`: observed frames to MOTION packets, each animated from the best known reference."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from fractions import Fraction

from ...codec.control import ReferenceState
from ...codec.counters import WRAP
from ...codec.motion.frame import pack_gaze, unpack_gaze
from ...codec.motion.profiles import POSES, Motion, MotionSettings
from ...codec.packet import Flags, Kind, Packet
from ...codec.stream import StreamHeader
from ...models.face.gaze import gaze_of
from ...models.face.shape import pack_shape
from ..config import EncoderConfig
from ..observed import View
from ..references.known_references import KnownReferences
from ..references.reference import Reference
from .keypoints import KeypointSource
from .light import LightMeter
from .poses import Poses
from .stream import MotionPayload, MotionStream

__all__ = ["Animation"]

_IDS = 16
_PATIENCE_S = Fraction(3, 2)  # seconds without an acknowledgement after which none is expected
_MOST_WAITING = 250  # frames of a call that wait for the first face, at most


class Animation:
    """The references and the motion of one stream. Its packets are not numbered yet.

    Args:
        config, header: of the stream.
        motion: how motion is quantised.
        bundle: frames in a packet.
        keypoints: where motion comes from.
        live: whether this is a call. Motion is then not held back, and of the frames before the
            first face only the last are kept.

    Attributes:
        known: references that motion may use.
        sent: a reference that is sent but not confirmed by the receiver yet, or None.
        followed: a reference that the base layer follows, or None. Its id stays its own.
        stream: codes the motion.
        waiting: times of frames before the first face.
        frames: frames of motion so far.
        repeated: those of them without the face.
        references: references so far.
    """

    def __init__(
        self,
        config: EncoderConfig,
        header: StreamHeader,
        motion: MotionSettings,
        bundle: int,
        keypoints: KeypointSource,
        *,
        live: bool,
    ) -> None:
        self._keypoints = keypoints
        self._poses = Poses() if config.profile in POSES else None
        refresh = Fraction(config.refresh_interval).limit_denominator(1000) / header.time_base
        patience = _PATIENCE_S / header.time_base
        self._gaze = header.gaze
        self.stream = MotionStream(
            config.profile, motion, bundle, refresh, patience, tables=header.tables
        )
        self._light = LightMeter()
        self.known = KnownReferences(config.references)
        self.sent: Reference | None = None
        self.followed: Reference | None = None
        self._answers = False
        self._confirmed: frozenset[int | ReferenceState] = frozenset()
        self._live = live
        self.waiting: list[int] = []
        self.frames = self.repeated = self.references = 0
        self._next = 0
        self._base: Reference | None = None
        self._current: Reference | None = None
        self._motion: Motion | None = None

    @property
    def begun(self) -> bool:
        """Whether a face was coded, so that frames without one can repeat it."""
        return self._motion is not None

    def refer(self, view: View, pts: int, *, join: bool, middle: float | None = None) -> Reference:
        """Make a frame a reference. Motion does not use it before it is `add`ed.

        Args:
            view: what it shows.
            pts: the time at which it is sent.
            join: whether one can join at it: it then depends on no earlier reference itself.
            middle: the CRF around which frames of a base layer may follow it, if there is one.

        Raises:
            MotionError: the mesh is too distorted for its numbers to fit.
        """
        taken = {one.id for one in (self.sent, self.followed) if one is not None}
        while self._next in self.known or self._next in taken:
            self._next = (self._next + 1) % _IDS
        motion = self._keypoints.keyframe(view.seen, self._next)
        if self._gaze:  # that of the picture itself, rounded as it is sent
            gaze = unpack_gaze(pack_gaze(gaze_of(view.seen.landmarks)))
            motion = replace(motion, gaze=gaze)
        if self._poses is not None:
            self._poses.keyframe(view.seen, self._next)
        base = self._base
        if join or (base is not None and not self.known.holds(base)):
            base = None
        shape = pack_shape(view.look.points) if base is None else b""
        picture = view.seen.picture
        reference = Reference(
            self._next, base, pts, motion, shape, view.look, picture, middle=middle
        )
        self._base = reference if base is None else base
        self._next = (self._next + 1) % _IDS
        self.references += 1
        return reference

    def add(self, reference: Reference, *, join: bool) -> None:
        """Report that a reference is sent. Motion may use it from now on, or, if the receiver
        confirms references, once it has confirmed this one. A reference at which one can `join`
        needs no confirmation, and motion never uses earlier ones again.
        """
        if self._answers and not join:
            self.sent = reference
            return
        if join:
            self.known.clear()
            self.sent = None
            if self._motion is not None:  # frames without the face now repeat the new one
                self.stream.begin(reference.id, reference.motion)
                self._light.begin(reference.id)
                self._current, self._motion = reference, self._unmoved(reference)
        self.known.add(reference)

    def give_up(self) -> None:
        """Stop waiting for the reference that is sent but not confirmed."""
        self.sent = None

    def confirm(self, references: Collection[int | ReferenceState]) -> None:
        """Report that the receiver has these references. Ids are used again, so that an id alone
        is taken at its word, and one with the keyframe's CRC-32 confirms that keyframe only.
        """
        self._answers = True
        self._confirmed = frozenset(references)
        if self.sent is None:
            return
        if self.sent.id in references or self.sent.state in references:
            self.known.add(self.sent)
            self.sent = None

    def is_confirmed(self, reference: Reference) -> bool:
        """Whether the receiver has said that it has a reference; true of each that was sent if it
        says nothing.
        """
        if not self._answers:
            return True
        return reference.state in self._confirmed or reference.id in self._confirmed

    def animate(self, view: View | None, pts: int) -> list[Packet]:
        """Code the next frame. One without the face repeats the motion before, or shows another
        reference, unmoved, if that looks more like it.

        Raises:
            MotionError: as `refer`; nothing has changed then.
        """
        best = None if view is None else self.known.best(view.look)
        if view is None or best is None or (view.faceless and best is self._current):
            return self._repeat(pts, view)
        motion = self._unmoved(best) if view.faceless else self._moved(view, best)
        self.repeated += view.faceless
        packets: list[Packet] = []
        if best is not self._current:
            packets = self.flush()
            self.stream.begin(best.id, best.motion)
            self._light.begin(best.id)
            self._current = best
        waiting, self.waiting = self.waiting, []
        self.repeated += len(waiting)
        for at in waiting:
            packets += self._push(motion, at, None)
        return packets + self._push(motion, pts, view)

    def adapt(self, motion: MotionSettings, bundle: int) -> list[Packet]:
        """Quantise and bundle motion in another way from now on."""
        return self._packets(self.stream.adapt(motion, bundle))

    def flush(self) -> list[Packet]:
        """Give the motion that waits for more frames."""
        return self._packets(self.stream.flush())

    def _unmoved(self, reference: Reference) -> Motion:
        """What shows a reference as it is."""
        return reference.motion if self._poses is None else self._poses.still(reference.id)

    def _moved(self, view: View, reference: Reference) -> Motion:
        """What shows a frame, animated from a reference."""
        if self._poses is not None:
            return self._poses.motion(view.seen, reference.id)
        motion = self._keypoints.motion(view.seen, reference.id)
        return replace(motion, gaze=view.seen.gaze) if self._gaze else motion

    def _repeat(self, pts: int, view: View | None) -> list[Packet]:
        if self._motion is None:
            self.waiting.append(pts)
            if self._live:
                del self.waiting[:-_MOST_WAITING]
            return []
        self.repeated += 1
        return self._push(self._motion, pts, view)

    def _push(self, motion: Motion, pts: int, view: View | None) -> list[Packet]:
        self.frames += 1
        self._motion = motion
        if self._current is not None:
            self._light.push(self._current.look, None if view is None else view.look, pts)
        return self._packets(self.stream.push(motion, pts))

    def _packets(self, payloads: list[MotionPayload]) -> list[Packet]:
        reference = self._current.id if self._current else 0
        lights = self._light.packets(self.stream.since) if payloads else []
        return [
            *lights,
            *(
                Packet(
                    Kind.MOTION,
                    Flags.SYNTHETIC | (Flags.INTRA if payload.intra else Flags.NONE),
                    reference,
                    0,
                    payload.pts % WRAP,
                    payload.data,
                )
                for payload in payloads
            ),
        ]
