"""`Anchor`: a still after which other pictures are coded, as the frame that follows it in AV1.

Each of them depends on the anchor only. Whoever has the anchor can decode it, whatever else was
lost.
"""

from __future__ import annotations

import av
import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from .coded_picture import CodedPicture, StillCodec
from .coders import CODERS, encode, to_frame
from .steps import Steps, finish

__all__ = ["Anchor", "around"]

_CODER = CODERS[StillCodec.AV1]
_QUARTERS = 4  # steps of the quantiser index in one of CRF


class Anchor:
    """A still with the pixels that it was coded from.

    The pixels are needed because SVT-AV1 has to code the still again each time, to continue from
    there.

    Args:
        rgb: uint8 `[H, W, 3]`.
        picture: what `encode_picture` made of it, of codec `AV1`.
        crf: its CRF in quarters, if it is known. Otherwise the picture is coded again to find it.
        middle: with which it was coded (`around`).

    Attributes:
        picture: as given.
        size: width and height of the picture.
        crf: the CRF, in quarters, from which the offsets of further pictures count. It is that of
            the picture itself, unless there is a `middle`.
        still: what is added to the quantiser index of the picture itself, so that it has its own.
        frame: the pixels, as the encoder takes them.

    Raises:
        ConfigError: the picture is not what this machine's encoder makes of `rgb`.
        MediaError: `rgb` has another shape or type.
        UnsupportedError: PyAV was built without the encoder.
    """

    WORST, BEST = 63, -64
    """Range of what SVT-AV1 can add to the anchor's quantiser index; 4 are a step of CRF."""

    def __init__(
        self,
        rgb: npt.NDArray[np.uint8],
        picture: CodedPicture,
        crf: float | None = None,
        middle: float | None = None,
    ) -> None:
        if picture.codec is not StillCodec.AV1:
            raise ConfigError(f"no picture can be coded after one of codec {picture.codec.name}")
        self.picture = picture
        self.size = (rgb.shape[1], rgb.shape[0])
        self.frame = to_frame(rgb, _CODER.pixels)
        if crf is None:
            crf = finish(_find_crf(self.frame, picture, middle))
        self.crf, self.still = around(crf, middle)

    @classmethod
    def of(
        cls, rgb: npt.NDArray[np.uint8], picture: CodedPicture, middle: float | None = None
    ) -> Steps[Anchor]:
        """Make an anchor; the search for the CRF rests after each coding."""
        crf = yield from _find_crf(to_frame(rgb, _CODER.pixels), picture, middle)
        return cls(rgb, picture, crf, middle)

    def code(self, frame: av.VideoFrame, offset: int) -> bytes:
        """Code a frame after the anchor.

        Args:
            frame: of the anchor's size and format.
            offset: added to the anchor's quantiser index, from `WORST` down to `BEST`.

        Returns:
            The data of a picture of codec `AV1_AFTER`.

        Raises:
            MediaError: the encoder refuses.
        """
        return encode(_CODER, [self.frame, frame], self.crf, offset, still=self.still)

    def quality(self, offset: int) -> int:
        """The whole CRF that is nearest to an offset of the quantiser index."""
        return min(max(round(self.crf + offset / _QUARTERS), _CODER.best), _CODER.worst)


def around(crf: float, middle: float | None) -> tuple[float, int]:
    """How a still is coded so that further pictures may lie around another CRF than its own.

    SVT-AV1 can add no more than `Anchor.WORST` to its CRF's index, and take no more than
    `-Anchor.BEST` off. So pictures after a fine still could not be much coarser. But it can also
    add something to the index of the still: a still of CRF 26 may be coded as one of CRF 42 that is
    64 steps finer, and further pictures then count from 42.

    Args:
        crf: of the still, in quarters.
        middle: the CRF from which the offsets of further pictures are to count, in quarters. None
            is that of the still.

    Returns:
        The encoder's CRF, which is `middle` or as near to it as can be, and what is added to the
        index of the still.
    """
    if middle is None:
        return crf, 0
    least, most = crf - Anchor.WORST / _QUARTERS, crf - Anchor.BEST / _QUARTERS
    nearest = min(max(middle, least, _CODER.best), most, _CODER.worst)
    return nearest, round(_QUARTERS * (crf - nearest))


def _find_crf(frame: av.VideoFrame, picture: CodedPicture, middle: float | None) -> Steps[float]:
    """The CRF in quarters. `CodedPicture.quality` tells it in whole steps only, rounded up."""
    for quarter in (0.0, 0.5, 0.25, 0.75):
        crf = picture.quality - quarter
        if crf >= _CODER.best:
            first, still = around(crf, middle)
            same = encode(_CODER, [frame], first, still=still) == picture.data
            yield
            if same:
                return crf
    raise ConfigError(
        "no picture can be coded after this one: it is not what SVT-AV1 makes of these pixels "
        "on this machine"
    )
