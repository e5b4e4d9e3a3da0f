"""AV1 in low delay through PyAV: each packet comes out before the next frame goes in.

SVT-AV1 with one intra frame and fixed quantiser offsets. The intra frame has as many bytes as
`codec.picture.still` gives it at the same CRF, and no packet depends on later frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt

from facewire.codec.picture.coders import create, own_priority, to_frame, to_rgb

__all__ = ["WORST_CRF", "code_sequence"]

WORST_CRF = 63
Frames = npt.NDArray[np.uint8]
_DELIMITER = b"\x12\x00"
_PIXELS = "yuv420p10le"
_FIXED = "lp=1:pred-struct=1:keyint=-1:lookahead=0:enable-tf=0:scd=0:hierarchical-levels=2"
_FLAT = "use-fixed-qindex-offsets=1:key-frame-qindex-offset=0:qindex-offsets=[{0},{0},{0}]"


def code_sequence(
    frames: Iterable[Frames], crf: int, *, offset: int | None = None
) -> tuple[list[int], list[Frames]]:
    """Code RGB frames one after another, and decode them with dav1d.

    Args:
        frames: each uint8 `[H, W, 3]`, with even sides of at least 64 pixels.
        crf: 1 to 63.
        offset: added to the quantiser index (0 to 255) of all but the first frame; None for
            SVT-AV1's own offsets, which favour frames that others are predicted from.

    Returns:
        Bytes of each frame's packet without temporal delimiters, and the decoded frames.
    """
    encoder, decoder = create("libsvtav1", "w"), create("libdav1d", "r")
    encoder.pix_fmt, encoder.gop_size = _PIXELS, 9999
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    params = _FIXED if offset is None else f"{_FIXED}:{_FLAT.format(offset)}"
    encoder.options = {"preset": "4", "crf": f"{crf}", "svtav1-params": params}
    packets: list[bytes] = []
    with own_priority():
        for number, rgb in enumerate(frames):
            frame = to_frame(rgb, _PIXELS)
            frame.pts = number
            if not number:
                encoder.height, encoder.width = frame.height, frame.width
            packets += map(bytes, encoder.encode(frame))
        packets += map(bytes, encoder.encode(None))
    shown = [picture for data in packets for picture in decoder.decode(av.Packet(data))]
    shown += decoder.decode(None)
    sizes = [len(data.removeprefix(_DELIMITER)) for data in packets]
    return sizes, [to_rgb(picture) for picture in shown]
