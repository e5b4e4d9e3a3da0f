"""How a chain of the base layer is best coded: layers of the hierarchy, and full or half size.

    python benchmarks/base_chain.py v0002.mp4 v0012.mp4 v0008.mp4 --frames 100

The still has 2000 bytes and is the first frame. Each row codes the frames after it. Bytes are those
of a frame on average, without packets; LPIPS-Alex and PSNR are means of every seventh frame from
the twentieth on. Half size is coded by SVT-AV1 after the full-size still (reference scaling), and
enlarged by bicubic interpolation.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import torch

from facewire.codec.picture.coded_picture import StillCodec
from facewire.codec.picture.coders import (
    CODERS,
    create,
    open_encoder,
    own_priority,
    to_frame,
    to_rgb,
)
from facewire.codec.picture.still import Anchor, encode_picture
from facewire.models.judges.perceptual import load_lpips
from facewire.models.judges.tensors import to_tensor

STILL_BYTES = 2000
LAYERS = (
    ("flat", (0, 0, 0)),
    ("3 layers", (-10, 0, 10)),
    ("3 layers, steep", (-40, 0, 14)),
    ("4 layers, as sent", (-40, 0, 10, 20)),
    ("5 layers", (-40, -10, 0, 10, 20)),
)
QUANTISERS = 0, 32
HALF = ":resize-mode=1:resize-denom=16:resize-kf-denom=8"
Frame = npt.NDArray[np.uint8]


def code(anchor: Anchor, frames: list[Frame], offsets: tuple[int, ...], half: bool) -> list[bytes]:
    coder = CODERS[StillCodec.AV1]
    context = open_encoder(coder, anchor.frame, anchor.crf, [min(max(o, -64), 63) for o in offsets])
    if half:
        context.options = {
            **context.options,
            "svtav1-params": context.options["svtav1-params"] + HALF,
        }
    packets: list[bytes] = []
    with own_priority():
        for number, frame in enumerate(
            [anchor.frame, *(to_frame(f, coder.pixels) for f in frames)]
        ):
            frame.pts = number
            packets += map(bytes, context.encode(frame))
        context.encode(None)
    return packets


def shown(packets: list[bytes], side: int) -> list[Frame]:
    decoder = create("libdav1d", "r")
    pictures = [to_rgb(picture) for data in packets for picture in decoder.decode(av.Packet(data))]
    return [
        np.asarray(cv2.resize(p, (side, side), interpolation=cv2.INTER_CUBIC)) for p in pictures[1:]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path, nargs="+", help="square head crops")
    parser.add_argument("--frames", type=int, default=100)
    args = parser.parse_args()
    torch.set_num_threads(1)
    judge = load_lpips("alex")
    print("| clip | | quantiser | bytes a frame | LPIPS | PSNR |\n|---|---|---|---|---|---|")
    for path in args.clips:
        with av.open(str(path)) as video:
            every = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        first, *frames = every[: args.frames]
        anchor = Anchor(first, encode_picture(first, max_bytes=STILL_BYTES))
        ways = [(name, layers, False) for name, layers in LAYERS]
        for name, layers, half in [*ways, ("half size, flat", (0, 0, 0), True)]:
            for quantiser in QUANTISERS:
                packets = code(anchor, frames, tuple(quantiser + o for o in layers), half)
                pictures = shown(packets, len(first))
                some = range(19, len(frames), 7)
                with torch.inference_mode():
                    lost = [
                        float(judge(to_tensor(pictures[n]), to_tensor(frames[n]))) for n in some
                    ]
                errors = [np.mean((pictures[n].astype(float) - frames[n]) ** 2) for n in some]
                size = np.mean([len(data) - 2 for data in packets[1:]])
                print(
                    f"| {path.stem} | {name} | {quantiser} | {size:.1f} | {np.mean(lost):.4f} "
                    f"| {np.mean([10 * np.log10(255**2 / e) for e in errors]):.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
