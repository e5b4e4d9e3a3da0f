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

__all__ = ["Anchor"]

_CODER = CODERS[StillCodec.AV1]


class Anchor:
    """A still with the pixels that it was coded from.

    The pixels are needed because SVT-AV1 has to code the still again each time, to continue from
    there.

    Args:
        rgb: uint8 `[H, W, 3]`.
        picture: what `encode_picture` made of it, of codec `AV1`.
        crf: its CRF in quarters, if it is known. Otherwise the picture is coded again to find it.

    Attributes:
        picture: as given.
        size: width and height of the picture.
        crf: its CRF, in quarters.
        frame: the pixels, as the encoder takes them.

    Raises:
        ConfigError: the picture is not what this machine's encoder makes of `rgb`.
        MediaError: `rgb` has another shape or type.
        UnsupportedError: PyAV was built without the encoder.
    """

    WORST, BEST = 63, -64
    """Range of what SVT-AV1 can add to the anchor's quantiser index; 4 are a step of CRF."""

    def __init__(
        self, rgb: npt.NDArray[np.uint8], picture: CodedPicture, crf: float | None = None
    ) -> None:
        if picture.codec is not StillCodec.AV1:
            raise ConfigError(f"no picture can be coded after one of codec {picture.codec.name}")
        self.picture = picture
        self.size = (rgb.shape[1], rgb.shape[0])
        self.frame = to_frame(rgb, _CODER.pixels)
        self.crf = finish(_find_crf(self.frame, picture)) if crf is None else crf

    @classmethod
    def of(cls, rgb: npt.NDArray[np.uint8], picture: CodedPicture) -> Steps[Anchor]:
        """Make an anchor; the search for the CRF rests after each coding."""
        crf = yield from _find_crf(to_frame(rgb, _CODER.pixels), picture)
        return cls(rgb, picture, crf)

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
        return encode(_CODER, [self.frame, frame], self.crf, offset)

    def quality(self, offset: int) -> int:
        """The whole CRF that is nearest to an offset of the quantiser index."""
        return min(max(round(self.crf + offset / 4), _CODER.best), _CODER.worst)


def _find_crf(frame: av.VideoFrame, picture: CodedPicture) -> Steps[float]:
    """The CRF in quarters. `CodedPicture.quality` tells it in whole steps only, rounded up."""
    for quarter in (0.0, 0.5, 0.25, 0.75):
        crf = picture.quality - quarter
        if crf >= _CODER.best:
            same = encode(_CODER, [frame], crf) == picture.data
            yield
            if same:
                return crf
    raise ConfigError(
        "no picture can be coded after this one: it is not what SVT-AV1 makes of these pixels "
        "on this machine"
    )
