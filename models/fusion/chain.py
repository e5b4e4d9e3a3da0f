"""A base layer as it is sent: AV1 in low delay that continues from a reference's own still."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np
import numpy.typing as npt

from ...codec.errors import MediaError
from ...codec.picture.coded_picture import StillCodec
from ...codec.picture.coders import CODERS, create, own_priority, to_frame, to_rgb

__all__ = ["OWN", "STEEP", "Chain", "code_chain", "resized"]

Frame = npt.NDArray[np.uint8]
_LOW_DELAY = "lp=1:keyint=-1:pred-struct=1:lookahead=0:enable-tf=0:scd=0:scm=0"
_MOST_OFFSET = 63
OWN: tuple[int, ...] = ()
STEEP = (-40, 0, 10, 20)
"""Layers in which every eighth frame is much finer than the rest."""


@dataclass(frozen=True)
class Chain:
    """How a base layer is coded.

    Attributes:
        crf: CRF of the frames after the still, 35 to 63 in real streams.
        still_crf: CRF of the still from which they continue.
        side: side of its pictures in pixels.
        every: 1 to code every frame of the clip, 2 to code every second one, and so on; the frames
            between show the last coded one.
        layers: what is added to the quantiser index (4 make one step of CRF) in each layer of
            frames after the still. The first is the layer that all others are predicted from, the
            last the one that none is predicted from. `OWN` leaves this to SVT-AV1, and the still
            then has the quality of the chain.
        preset: the speed of SVT-AV1.
    """

    crf: float
    still_crf: float
    side: int = 256
    every: int = 1
    layers: tuple[int, ...] = STEEP
    preset: int = 8


def resized(picture: Frame, side: int) -> Frame:
    """A square picture in another size: averaged if it shrinks, cubic if it grows."""
    if len(picture) == side:
        return picture
    way = cv2.INTER_AREA if len(picture) > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (side, side), interpolation=way), np.uint8)


def code_chain(frames: Sequence[Frame], chain: Chain) -> tuple[list[int], list[Frame]]:
    """Code a still and the frames after it, and decode them with dav1d.

    Args:
        frames: uint8 `[256, 256, 3]`; the first one becomes the still.
        chain: which of them are coded, and how.

    Returns:
        The bytes of each coded frame, beginning with the still, and the coded frames as they are
        shown, in the size of `frames`. Frame `i` of the clip is shown as number `i // every`.

    Raises:
        MediaError: SVT-AV1 or dav1d did not return each frame at once.
    """
    os.environ.setdefault("SVT_LOG", "1")
    coder = CODERS[StillCodec.AV1]
    encoder, decoder = create(coder.encoder, "w"), create(coder.decoder, "r")
    encoder.width = encoder.height = chain.side
    encoder.pix_fmt = coder.pixels
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    middle, params = round(chain.crf), _LOW_DELAY
    if chain.layers:
        middle = round((chain.crf + chain.still_crf) / 2)
        params += f":{_offsets(chain, middle)}"
    encoder.options = {"preset": f"{chain.preset}", "crf": f"{middle}", "svtav1-params": params}
    packets: list[bytes] = []
    with own_priority():
        for number, rgb in enumerate(frames[:: chain.every]):
            frame = to_frame(resized(rgb, chain.side), coder.pixels)
            frame.pts = number
            packets += map(bytes, encoder.encode(frame))
        packets += map(bytes, encoder.encode(None))
    shown = [picture for data in packets for picture in decoder.decode(av.Packet(data))]
    shown += decoder.decode(None)
    if len(shown) != len(frames[:: chain.every]) or len(packets) != len(shown):
        raise MediaError(f"{len(frames)} frames became {len(packets)} packets")
    size = len(frames[0])
    return [len(data) for data in packets], [resized(to_rgb(picture), size) for picture in shown]


def _offsets(chain: Chain, middle: int) -> str:
    """SVT-AV1's parameters: how much finer or coarser than CRF `middle` still and layers are."""
    first = _offset(4 * (chain.still_crf - middle))
    rest = ",".join(f"{_offset(4 * (chain.crf - middle) + more)}" for more in chain.layers)
    return (
        f"use-fixed-qindex-offsets=1:key-frame-qindex-offset={first}:qindex-offsets=[{rest}]:"
        f"hierarchical-levels={len(chain.layers) - 1}"
    )


def _offset(steps: float) -> int:
    """The value, limited to what can be added to the quantiser index."""
    return int(np.clip(round(steps), -_MOST_OFFSET, _MOST_OFFSET))
