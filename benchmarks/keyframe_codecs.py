"""Which still codec should carry the keyframe? PSNR at 1 to 6 kB and milliseconds, as a table.

    python benchmarks/keyframe_codecs.py FOLDER [FOLDER ...] [--limit 24] [--json OUT.json]

It takes the first frame of every video in the folders, and every picture, as squares of 256 pixels.
Each codec codes each of them in a dozen qualities; PSNR is interpolated over log(bytes). Bytes are
what a keyframe would have to carry: AVIF, WebP and JPEG with their file headers, AV1 and HEVC as
bare streams with their sequence headers. It needs pillow (extra `dev`).
"""

from __future__ import annotations

import argparse
import io
import json
import math
import platform
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image

from facewire.codec.picture.colour import rgb_to_yuv420, yuv420_to_rgb
from facewire.codec.picture.still import CodedPicture, StillCodec, decode_picture, encode_picture

Rgb = npt.NDArray[np.uint8]
SIZES = (1000, 1500, 2000, 3000, 4500, 6000)
SIDE = 256
VIDEOS = {".mp4", ".mkv", ".mov", ".webm", ".avi"}
PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True)
class Contestant:
    name: str
    qualities: Sequence[int]
    encode: Callable[[Rgb, int], bytes]
    decode: Callable[[bytes], Rgb]


def of_facewire(name: str, codec: StillCodec, qualities: Sequence[int]) -> Contestant:
    return Contestant(
        name,
        qualities,
        lambda rgb, quality: encode_picture(rgb, quality=quality, codec=codec).data,
        lambda data: decode_picture(CodedPicture(codec, 0, data)),
    )


def of_pillow(name: str, kind: str, qualities: Sequence[int], **options: object) -> Contestant:
    def encode(rgb: Rgb, quality: int) -> bytes:
        out = io.BytesIO()
        Image.fromarray(rgb).save(out, kind, quality=quality, **options)
        return out.getvalue()

    def decode(data: bytes) -> Rgb:
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    return Contestant(name, qualities, encode, decode)


def encode_hevc(rgb: Rgb, quality: int) -> bytes:
    """Code an HEVC stream (Annex B) with parameter sets, from the same planes as the others."""
    context = av.CodecContext.create("libx265", "w")
    context.height, context.width = rgb.shape[:2]
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, 25)
    parameters = "keyint=1:info=0:log-level=none:pools=none:frame-threads=1"
    context.options = {"preset": "slow", "qp": str(quality), "x265-params": parameters}
    planes = [plane.reshape(-1, rgb.shape[1]) for plane in rgb_to_yuv420(rgb)]
    frame = av.VideoFrame.from_ndarray(np.concatenate(planes).astype(np.uint8), format="yuv420p")
    frame.pts = 0
    return b"".join(map(bytes, [*context.encode(frame), *context.encode(None)]))


def decode_hevc(data: bytes) -> Rgb:
    context = av.CodecContext.create("hevc", "r")
    context.thread_count = 1
    frame = (context.decode(av.Packet(data)) or context.decode(None))[0]
    planes = np.asarray(frame.to_ndarray(), np.uint8)
    height = frame.height
    u, v = planes[height:].reshape(2, height // 2, frame.width // 2)
    return yuv420_to_rgb(planes[:height], u, v)


CONTESTANTS = (
    of_facewire("AV1 (PyAV, SVT-AV1, 10 bit)", StillCodec.AV1, (62, 58, 54, *range(50, 5, -4))),
    Contestant("HEVC (PyAV, x265)", (51, 50, *range(47, 7, -3)), encode_hevc, decode_hevc),
    of_facewire(
        "WebP (PyAV, libwebp)", StillCodec.WEBP, (0, 3, 6, 12, 20, 30, 45, 60, 75, 85, 92, 97)
    ),
    of_pillow(
        "AVIF (Pillow)", "AVIF", (0, 2, 8, 14, *range(20, 97, 6)), subsampling="4:2:0", speed=4
    ),
    of_pillow("JPEG (Pillow)", "JPEG", (1, 3, 6, *range(10, 95, 6)), optimize=True),
)


def load(folder: Path, limit: int) -> list[Rgb]:
    """Load up to `limit` squares of a folder, in the order of their names."""
    squares: list[Rgb] = []
    for path in sorted(folder.rglob("*")):
        if len(squares) == limit:
            break
        if path.suffix.lower() in VIDEOS:
            with av.open(str(path)) as container:
                frame = next(container.decode(video=0))
                squares.append(square(Image.fromarray(frame.to_ndarray(format="rgb24"))))
        elif path.suffix.lower() in PICTURES:
            squares.append(square(Image.open(path).convert("RGB")))
    return squares


def square(picture: Image.Image) -> Rgb:
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    box = (left, top, left + side, top + side)
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box))


def psnr(one: Rgb, other: Rgb) -> float:
    """RGB PSNR in dB."""
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return 10 * math.log10(255**2 / error) if error else 99.0


def measure(contestant: Contestant, pictures: Iterable[Rgb]) -> dict[str, object]:
    """Mean PSNR at each of `SIZES`, None if a picture cannot be so small, and times in ms."""
    curves: list[npt.NDArray[np.float64]] = []
    encode_ms: list[float] = []
    decode_ms: list[float] = []
    for rgb in pictures:
        points = []
        for quality in contestant.qualities:
            start = time.perf_counter()
            data = contestant.encode(rgb, quality)
            middle = time.perf_counter()
            decoded = contestant.decode(data)
            end = time.perf_counter()
            points.append((math.log(len(data)), psnr(rgb, decoded)))
            if 900 <= len(data) <= 6600:
                encode_ms.append(1e3 * (middle - start))
                decode_ms.append(1e3 * (end - middle))
        sizes, values = np.array(sorted(points)).T
        curves.append(np.interp(np.log(SIZES), sizes, values, left=np.nan, right=np.nan))
    table = np.array(curves)
    reached = np.isfinite(table).mean(axis=0)
    return {
        "name": contestant.name,
        "bytes": list(SIZES),
        "psnr": [
            float(column[np.isfinite(column)].mean()) if share == 1 else None
            for column, share in zip(table.T, reached, strict=True)
        ],
        "pictures_that_reach": [float(share) for share in reached],
        "encode_ms": {"p50": percentile(encode_ms, 50), "p95": percentile(encode_ms, 95)},
        "decode_ms": {"p50": percentile(decode_ms, 50), "p95": percentile(decode_ms, 95)},
    }


def percentile(values: list[float], at: int) -> float:
    return float(np.percentile(values, at)) if values else math.nan


def markdown(rows: list[dict[str, object]]) -> str:
    heads = [*(f"{size / 1000:g} kB" for size in SIZES), "encode ms p50 / p95", "decode ms"]
    lines = ["| codec | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for row in rows:
        values = row["psnr"]
        encode, decode = row["encode_ms"], row["decode_ms"]
        if not (isinstance(values, list) and isinstance(encode, dict) and isinstance(decode, dict)):
            raise TypeError("a row of measure() holds a list and two maps")
        cells = ["–" if value is None else f"{value:.2f}" for value in values]
        cells += [f"{encode['p50']:.0f} / {encode['p95']:.0f}"]
        cells += [f"{decode['p50']:.1f} / {decode['p95']:.1f}"]
        lines.append(f"| {row['name']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, default=24, help="pictures a folder (default 24)")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args(argv)
    pictures = [rgb for folder in options.folders for rgb in load(folder, options.limit)]
    if not pictures:
        print("keyframe_codecs: no video or picture in these folders", file=sys.stderr)
        return 1
    print(
        f"{len(pictures)} pictures, {SIDE}x{SIDE}; PyAV {av.__version__}, Pillow {PIL.__version__}"
    )
    print(f"{platform.machine()}; libavif with threads of its own, the others with one\n")
    measure(CONTESTANTS[0], pictures[:1])  # warm-up
    rows = [measure(contestant, pictures) for contestant in CONTESTANTS]
    print(markdown(rows))
    if options.json:
        options.json.write_text(json.dumps({"pictures": len(pictures), "rows": rows}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
