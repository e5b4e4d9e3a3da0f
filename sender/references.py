"""The sender's references: what it knows of each, and which of them animates a frame best."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..codec.errors import ConfigError
from ..codec.fitting import fit_picture, soften
from ..codec.inter import Anchor
from ..codec.keyframe import Keyframe
from ..codec.motion import MotionFrame
from ..codec.picture import Picture, StillCodec
from ..codec.steps import Steps, finish
from ..codec.still import decode_picture
from .expected import AFTER_GAIN, USUAL, coded_loss, expected_losses

__all__ = ["KnownReferences", "Reference"]

Frame = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]
Losses = npt.NDArray[np.float64]

_HOLD = 0.01
"""Another reference must be better by so much: a change costs bits, and can be seen."""
_FULL = 0.97  # of the bytes
_COARSE = 50  # CRF from which qualities lie far apart
_SOFTER = 0.1, 0.2, 0.25


@dataclass(slots=True, eq=False)
class Reference:
    """A frame that others are animated from.

    Attributes:
        id: as on the wire, 0 to 15.
        base: the reference from whose landmarks the receiver makes its own, None: they are sent.
        pts: the time at which it is sent; of the first one the time of the first frame shown. Its
            picture may be of another moment.
        motion: its keypoints.
        shape: its landmarks as they are sent, empty where there is a base.
        points: its landmarks, float32 `[P, 2]` on [-1, 1].
        picture: the crop, uint8 `[size, size, 3]`.
        loss: of its coded picture.
        hardness: that, as part of what was expected of so many bytes.
        coded: the picture as it is sent, once it is.
    """

    id: int
    base: Reference | None
    pts: int
    motion: MotionFrame
    shape: bytes
    points: Points
    picture: Frame
    loss: float = 0.0
    hardness: float = 1.0
    coded: Picture | None = None
    _source: Frame | None = None
    _anchor: Anchor | None = None
    _tried: bool = False

    def keyframe(self, max_bytes: int, *, fill: bool = False) -> Keyframe:
        """What is sent of it, its picture coded in so many bytes, or the least that do. With
        `fill`, they are to be used as far as can be.
        """
        return finish(self.coding(max_bytes, fill=fill))

    def coding(self, max_bytes: int, *, fill: bool = False) -> Steps[Keyframe]:
        """The same, coding by coding."""
        after = (yield from self.base.anchor()) if self.base is not None else None
        picture = yield from fit_picture(self.picture, max_bytes, smallest=True, after=after)
        self._source = self.picture
        for softness in _SOFTER if fill and picture.quality >= _COARSE else ():
            if len(picture.data) >= _FULL * max_bytes:
                break
            soft = soften(self.picture, softness)
            other = yield from fit_picture(soft, max_bytes, smallest=True, after=after)
            if len(picture.data) < len(other.data) <= max_bytes:
                picture, self._source = other, soft
        self.coded = picture
        shown = decode_picture(picture, None if after is None else after.picture)
        self.loss = coded_loss(self.picture, shown)
        gain = AFTER_GAIN if picture.codec is StillCodec.AV1_AFTER else 1.0
        self.hardness = self.loss / USUAL(gain * len(picture.data))
        base = None if self.base is None else self.base.id
        return Keyframe(self.id, self.pts, self.motion, self.shape, picture, base)

    def anchor(self) -> Steps[Anchor | None]:
        """For pictures that are coded after this one's; None where none can be."""
        if not self._tried and self.coded is not None and self._source is not None:
            self._tried = True
            with suppress(ConfigError):
                self._anchor = yield from Anchor.of(self._source, self.coded)
        return self._anchor

    @property
    def shape_bytes(self) -> int:
        """What the landmarks take."""
        return 1 if self.base is not None else len(self.shape)


class KnownReferences:
    """The references that the receiver has; of too many the one goes that was not used longest.

    Args:
        room: most of them.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._known: OrderedDict[int, Reference] = OrderedDict()
        self._current: Reference | None = None
        self._newest: Reference | None = None

    def __iter__(self) -> Iterator[Reference]:
        return iter(self._known.values())

    def __contains__(self, identity: int) -> bool:
        return identity in self._known

    def holds(self, reference: Reference) -> bool:
        """Whether this very one is among them."""
        return self._known.get(reference.id) is reference

    def add(self, reference: Reference) -> None:
        """The receiver has this one too, from now on."""
        self._known[reference.id] = self._newest = reference
        if len(self._known) > self._room:
            self._known.popitem(last=False)

    def clear(self) -> None:
        """None of them is to be used any more."""
        self._known.clear()
        self._current = None

    def picture_loss(self, size: float) -> float:
        """What one more picture of so many bytes is expected to lose, as hard as the newest was."""
        return USUAL(size) * (1.0 if self._newest is None else self._newest.hardness)

    def losses(
        self, frames: Points, also: Iterable[Reference] = (), *, pictures: bool = True
    ) -> Losses:
        """What the best of them, and of others, is expected to lose on each frame `[N, P, 2]`,
        with its picture's loss or by the pose alone; infinite where there is none.
        """
        each = [
            expected_losses(known.points, frames) + (known.loss if pictures else 0.0)
            for known in (*self, *also)
        ]
        return np.min(each, axis=0) if each else np.full(len(frames), np.inf)

    def best(self, points: Points) -> Reference | None:
        """The one for a frame `[P, 2]`: the last one chosen, unless another is clearly better."""
        if not self._known:
            return None
        losses = {k.id: k.loss + expected_losses(k.points, points[None])[0] for k in self}
        best = min(losses, key=losses.__getitem__)
        current = self._current
        if current is None or not self.holds(current) or losses[best] < losses[current.id] - _HOLD:
            current = self._known[best]
        self._current = current
        self._known.move_to_end(current.id)
        return current
