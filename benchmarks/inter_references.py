"""What a reference costs if it is predicted from earlier ones, compared with a still picture.

    python benchmarks/inter_references.py --held-out CACHE [--clips 11]

Four references, at 0, 1/4, 1/2 and 3/4 of each clip, are coded in many qualities: as stills
(`codec.picture.still`), as a chain (each predicted from all before it), and as a star (each
predicted from the first). Bytes are compared at equal RGB PSNR, interpolated over the logarithm of
the bytes. The figures are geometric means over the clips.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from low_delay import code_sequence

from facewire.codec.picture.still import decode_picture, encode_picture
from facewire.models.training.cache import read_cache

COUNT = 4
QUALITIES = (28, 34, 40, 46, 52, 58)  # CRF
OFFSETS = (0, 12)  # quantiser index of predicted references over the first one's
LEVELS = (32, 34, 36)  # dB
Frame = npt.NDArray[np.uint8]
Point = tuple[float, float]  # PSNR, bytes
Curves = dict[str, list[list[Point]]]  # by kind, quality and reference


def psnr(frame: Frame, truth: Frame) -> float:
    error = float(np.mean((frame.astype(np.float64) - truth) ** 2))
    return float(10 * np.log10(255**2 / max(error, 0.1)))


def code(references: list[Frame], crf: int) -> Iterator[tuple[str, list[Point]]]:
    """Code the references in each way, at one quality."""
    stills = [encode_picture(rgb, quality=crf) for rgb in references]
    made = [(len(still.data), decode_picture(still)) for still in stills]
    yield "still", points(references, made)
    for offset in OFFSETS:
        chain = list(zip(*code_sequence(references, crf, offset=offset), strict=True))
        yield f"chain, offset {offset}", points(references, chain)
        star = chain[:2]
        for rgb in references[2:]:
            sizes, decoded = code_sequence([references[0], rgb], crf, offset=offset)
            star.append((sizes[1], decoded[1]))
        yield f"star, offset {offset}", points(references, star)


def points(references: list[Frame], made: list[tuple[int, Frame]]) -> list[Point]:
    return [(psnr(f, rgb), size) for rgb, (size, f) in zip(references, made, strict=True)]


def log_bytes(curve: list[Point], level: float) -> float | None:
    """Logarithm of the bytes at a PSNR; None if the curve does not reach it."""
    levels, sizes = np.array(sorted(curve)).T
    if not levels[0] <= level <= levels[-1]:
        return None
    return float(np.interp(level, levels, np.log(sizes)))


def ratio(clips: list[Curves], kind: str, chosen: list[int], level: float) -> str:
    """Mean, least and greatest ratio of the chosen references' bytes to those of stills."""
    found = []
    for curves in clips:
        ours, stills = (
            log_bytes([tuple(np.array([row[i] for i in chosen]).mean(0)) for row in rows], level)
            for rows in (curves[kind], curves["still"])
        )
        if ours is not None and stills is not None:
            found.append(ours - stills)
    if not found:
        return "–"
    mean, least, most = np.exp([np.mean(found), min(found), max(found)])
    return f"{mean:.2f} ({least:.2f}–{most:.2f})"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--held-out", type=Path, required=True, metavar="CACHE")
    parser.add_argument("--clips", type=int, default=11, help="spread evenly")
    args = parser.parse_args()
    every = read_cache(args.held_out)
    clips: list[Curves] = []
    for which in np.linspace(0, len(every) - 1, min(args.clips, len(every))).astype(int):
        clip = every[which]
        places = clip.usable[np.arange(COUNT) * len(clip.usable) // COUNT]
        references = [np.array(clip.frames[int(place)]) for place in places]
        curves: Curves = defaultdict(list)
        for crf in QUALITIES:
            for kind, row in code(references, crf):
                curves[kind].append(row)
        clips.append(curves)
    print("| | " + " | ".join(f"{level} dB" for level in LEVELS) + " |")
    print("|---" * (len(LEVELS) + 1) + "|")
    groups = {f"{COUNT} together": list(range(COUNT))} | {
        f"number {i + 1}": [i] for i in range(1, COUNT)
    }
    for kind in clips[0]:
        for name, chosen in groups.items():
            if kind != "still":
                cells = [ratio(clips, kind, chosen, level) for level in LEVELS]
                print(f"| {kind}, {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
