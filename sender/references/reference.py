"""`Reference`: a frame that others are animated from, and how its picture is coded."""

from __future__ import annotations

import zlib
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...codec.control import ReferenceState
from ...codec.errors import ConfigError
from ...codec.keyframe import Keyframe
from ...codec.motion.frame import GAZE_BYTES, MotionFrame
from ...codec.picture.after import Anchor
from ...codec.picture.coded_picture import CodedPicture, StillCodec
from ...codec.picture.fitting import fit_picture
from ...codec.picture.soften import soften
from ...codec.picture.steps import Steps, finish
from ...codec.picture.still import decode_picture
from ..appearance import Appearance
from .expected import AFTER_GAIN, USUAL, coded_loss

__all__ = ["Reference"]

Frame = npt.NDArray[np.uint8]


_FULL = 0.97  # of its bytes: a picture that takes this much needs no filling
_COARSE = 50  # CRF from which the sizes of two qualities lie far apart
_SOFTER = 0.1, 0.2, 0.25  # how much a picture is softened, tried in this order


@dataclass(slots=True, eq=False)
class Reference:
    """A frame that others are animated from.

    Attributes:
        id: as on the wire, 0 to 15.
        base: the reference from whose landmarks the receiver computes those of this one; None if
            they are sent.
        pts: the time at which it is sent, in ticks. For the first reference, it is the time of the
            first frame that is shown. Its picture may be of another moment.
        motion: its keypoints and its gaze.
        shape: its landmarks as they are sent; empty if it has a base.
        look: what it looks like, and its landmarks.
        picture: the crop, uint8 `[size, size, 3]`.
        loss: what its coded picture loses.
        hardness: that loss, relative to what a picture of so many bytes usually loses.
        coded: the picture as it is sent; None until it is coded.
        state: id and CRC-32, as the receiver reports it; None until it is coded.
        middle: the CRF around which frames of the base layer may follow its picture, if it is coded
            as a still (`around`); None for that of the picture itself.
    """

    id: int
    base: Reference | None
    pts: int
    motion: MotionFrame
    shape: bytes
    look: Appearance
    picture: Frame
    loss: float = 0.0
    hardness: float = 1.0
    coded: CodedPicture | None = None
    state: ReferenceState | None = None
    middle: float | None = None
    _source: Frame | None = None
    _anchor: Anchor | None = None
    _tried: bool = False

    def expect(self, loss: float) -> None:
        """Set what its picture is expected to lose, until it is coded."""
        self.loss = loss

    def keyframe(self, max_bytes: int, *, fill: bool = False, alone: bool = False) -> Keyframe:
        """Code its picture, and give what is sent of it.

        Args:
            max_bytes: of the picture; it may take more if no quality is small enough.
            fill: use these bytes as fully as possible, by softening the picture if need be.
            alone: code the picture as a still, even if that takes more bytes than after another
                one.
        """
        return finish(self.coding(max_bytes, fill=fill, alone=alone))

    def coding(
        self, max_bytes: int, *, fill: bool = False, alone: bool = False, quick: bool = False
    ) -> Steps[Keyframe]:
        """The same in steps, one coding each; with `quick` they are as few as can be."""
        after = None
        if self.base is not None and not alone:
            after = yield from self.base.anchor()
        picture = yield from fit_picture(
            self.picture, max_bytes, smallest=True, after=after, quick=quick, middle=self.middle
        )
        self._source = self.picture
        for softness in _SOFTER if fill and picture.quality >= _COARSE else ():
            if len(picture.data) >= _FULL * max_bytes:
                break
            soft = soften(self.picture, softness)
            other = yield from fit_picture(
                soft, max_bytes, smallest=True, after=after, middle=self.middle
            )
            if len(picture.data) < len(other.data) <= max_bytes:
                picture, self._source = other, soft
        self._anchor, self._tried = None, False
        return self._settle(picture, None if after is None else after.picture)

    def coded_with_chain(self, picture: CodedPicture) -> Keyframe:
        """Take a picture that was coded together with the chain that follows it. No other picture
        can be coded after it, since SVT-AV1 would not make it again by itself.
        """
        self._anchor, self._tried = None, True
        return self._settle(picture, None)

    def anchor(self) -> Steps[Anchor | None]:
        """What pictures that are coded after this one need, in steps; None if none can be."""
        if not self._tried and self.coded is not None and self._source is not None:
            with suppress(ConfigError):
                self._anchor = yield from Anchor.of(self._source, self.coded, self.middle)
            self._tried = True
        return self._anchor

    def _settle(self, picture: CodedPicture, after: CodedPicture | None) -> Keyframe:
        """Note its picture, and give what is sent of it."""
        self.coded = picture
        self.loss = coded_loss(self.picture, decode_picture(picture, after))
        gain = AFTER_GAIN if picture.codec is StillCodec.AV1_AFTER else 1.0
        self.hardness = self.loss / USUAL(gain * len(picture.data))
        base = None if self.base is None else self.base.id
        keyframe = Keyframe(self.id, self.pts, self.motion, self.shape, picture, base)
        self.state = ReferenceState(self.id, zlib.crc32(bytes(keyframe)))
        return keyframe

    @property
    def shape_bytes(self) -> int:
        """Bytes that its landmarks and its gaze take."""
        gaze = GAZE_BYTES if self.motion.gaze.any() else 0
        return gaze + (1 if self.base is not None else len(self.shape))
