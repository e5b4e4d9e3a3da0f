"""A chain: AV1 frames that follow a still, each predicted from those before it.

The still is the intra frame of an AV1 stream, and the chain is the rest of it. So a receiver that
has the still needs nothing but the chain. A frame that is lost ends the chain, since later ones may
be predicted from it.

`ChainEncoder` codes a chain in low delay, frame by frame, as calls need it. `chain_ahead.py` codes
one whose frames are all known.
"""

from __future__ import annotations

import math

import av
import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, MediaError, StreamError
from .after import Anchor
from .coded_picture import CodedPicture, StillCodec
from .coders import (
    CODERS,
    MAX_PIXELS,
    create,
    open_encoder,
    own_priority,
    to_frame,
    to_rgb,
    without_delimiter,
)
from .obus import begins_sequence, count_frames, count_shown

__all__ = [
    "COARSEST",
    "FINEST",
    "MAX_FRAME",
    "MOST_TOGETHER",
    "ChainDecoder",
    "ChainEncoder",
    "chain_crf",
]

MAX_FRAME = 65535
"""Bytes of one frame of a chain, at most."""
MOST_TOGETHER = 8
"""Frames of AV1 in one part of a chain, at most. One of them is shown now, others later."""
FINEST, COARSEST = -64, 103
"""Range of a chain's quantiser, relative to the CRF of its `Anchor`."""
_CODER = CODERS[StillCodec.AV1]
_LAYERS = -40, 0, 10, 20
"""What is added to the chain's quantiser index in each layer of frames. The lowest layer, every
eighth frame, is the one that all others are predicted from, directly or not.
"""
_LEAST, _MOST = Anchor.BEST, Anchor.WORST


class ChainEncoder:
    """Codes the frames of one chain, in low delay: each call gives the bytes of its frame.

    Args:
        anchor: the still that the chain follows.
        quantiser: of the chain relative to the anchor's CRF, which usually is the still's own, from
            `FINEST` to `COARSEST`, in quarters. Four are a step of CRF, above 0 is coarser.

    Raises:
        ConfigError: the quantiser is out of range, or this machine's encoder does not repeat the
            still's bytes.
        MediaError: the encoder refuses.
        UnsupportedError: PyAV was built without the encoder.
    """

    def __init__(self, anchor: Anchor, quantiser: float) -> None:
        if not FINEST <= quantiser <= COARSEST:
            raise ConfigError(
                f"a chain's quantiser lies between {FINEST} and {COARSEST}, not at {quantiser:g}"
            )
        # Whole numbers in each layer; those of a quarter differ from layer to layer.
        indices = [math.floor(quantiser + number / 4) for number in range(len(_LAYERS))]
        offsets = [
            min(max(index + more, _LEAST), _MOST)
            for index, more in zip(indices, _LAYERS, strict=True)
        ]
        self._size = anchor.size
        self._context = open_encoder(_CODER, anchor.frame, anchor.crf, offsets, anchor.still)
        self._count = 0
        self._closed = False
        if self._code(anchor.frame) != anchor.picture.data:
            self.close()
            raise ConfigError(
                "the SVT-AV1 of this PyAV does not repeat the still that frames are to follow; "
                "that of PyAV 18 does"
            )

    def encode(self, frame: npt.NDArray[np.uint8] | av.VideoFrame) -> bytes:
        """Code the next frame.

        Args:
            frame: uint8 RGB `[H, W, 3]` of the still's size, or what `to_frame` made of it.

        Returns:
            At most `MAX_FRAME` bytes.

        Raises:
            MediaError: a frame of another size, or the encoder refuses.
        """
        if not isinstance(frame, av.VideoFrame):
            frame = to_frame(frame, _CODER.pixels)
        if (frame.width, frame.height) != self._size:
            raise MediaError(
                f"a frame of {frame.width}x{frame.height} in a chain of "
                f"{self._size[0]}x{self._size[1]}"
            )
        data = self._code(frame)
        if len(data) > MAX_FRAME:
            raise MediaError(f"a frame of {len(data)} bytes; a chain's have {MAX_FRAME} at most")
        return data

    def close(self) -> None:
        """End the chain. Nothing can be coded afterwards."""
        if not self._closed:
            self._closed = True
            with own_priority():
                self._context.encode(None)

    def __del__(self) -> None:  # else the library complains that it was not told of the end
        if not getattr(self, "_closed", True):
            self.close()

    def __enter__(self) -> ChainEncoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _code(self, frame: av.VideoFrame) -> bytes:
        frame.pts = self._count
        self._count += 1
        try:
            with own_priority():
                packets = self._context.encode(frame)
        except av.error.FFmpegError as error:
            raise MediaError(f"{_CODER.encoder} cannot code the frame: {error}") from error
        if len(packets) != 1:
            raise MediaError(f"{_CODER.encoder} gave {len(packets)} packets for a frame")
        return without_delimiter(bytes(packets[0]), _CODER)


class ChainDecoder:
    """Decodes the frames of one chain in their order.

    Args:
        still: the picture that the chain follows, of codec `AV1`.

    Raises:
        StreamError: the still cannot be decoded, or is of another codec.
        UnsupportedError: PyAV was built without the decoder.
    """

    def __init__(self, still: CodedPicture) -> None:
        if still.codec is not StillCodec.AV1:
            raise StreamError(f"no chain can follow a picture of codec {still.codec.name}")
        self._context = create(_CODER.decoder, "r")
        self._context.options = {"max_pixels": str(MAX_PIXELS)}
        self._size: tuple[int, int] | None = None
        first = self._decode(still.data)
        self._size = first.width, first.height

    def decode(self, data: bytes) -> npt.NDArray[np.uint8]:
        """Decode the next part, which shows one frame: uint8 RGB `[H, W, 3]`, of the still's size.

        After an error, no further frame of the chain can be decoded.

        Raises:
            StreamError: the bytes do not continue the chain, or do not show exactly one frame.
            UnsupportedError: the frame is not 4:2:0 of 8 or 10 bits.
        """
        if len(data) > MAX_FRAME:
            raise StreamError(f"a frame of {len(data)} bytes; a chain's have {MAX_FRAME} at most")
        if begins_sequence(data):
            raise StreamError("a frame of a chain begins a sequence of its own")
        if count_shown(data) != 1:
            raise StreamError(
                f"a part of a chain shows {count_shown(data)} frames; each shows exactly one"
            )
        return to_rgb(self._decode(data))

    def _decode(self, data: bytes) -> av.VideoFrame:
        if not 1 <= count_frames(data) <= MOST_TOGETHER:
            raise StreamError(
                f"a part of a chain holds {count_frames(data)} frames of AV1; it may hold 1 to "
                f"{MOST_TOGETHER}, of which one is shown"
            )
        try:
            frames = self._context.decode(av.Packet(data))
        except (av.error.FFmpegError, MemoryError) as error:
            raise StreamError(f"a frame of a chain cannot be decoded: {error}") from error
        if len(frames) != 1:
            raise StreamError(f"a part of a chain decodes to {len(frames)} frames")
        frame = frames[0]
        if self._size is not None and (frame.width, frame.height) != self._size:
            raise StreamError(
                f"a frame of {frame.width}x{frame.height} in a chain of "
                f"{self._size[0]}x{self._size[1]}"
            )
        return frame


def chain_crf(anchor: Anchor, quantiser: float) -> int:
    """The whole CRF that is nearest to a chain's quantiser, 1 to 63."""
    return min(max(round(anchor.crf + quantiser / 4), _CODER.best), _CODER.worst)
