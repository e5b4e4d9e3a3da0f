"""What a reference is expected to lose, against what the generator loses with it.

    python benchmarks/reference_loss.py --train CACHE --held-out CACHE [--network s]

Pairs of frames of one clip, the source's picture coded at several sizes: each is animated, and the
mean of LPIPS-Alex over the whole picture and over the face box is taken. On `--train` the
coefficients of `facewire.sender.references` are fitted, those of a coded picture alone first; on
`--held-out` the ones that ship are checked: correlation over all pairs, and within the pairs of a
clip, which is what choosing takes.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from facewire.codec.still import decode_picture, encode_picture
from facewire.models.avfr.model import Avfr
from facewire.models.mesh import select_points
from facewire.models.training.cache import CachedClip, read_cache
from facewire.models.training.evaluate import Figures, animate_clip, score
from facewire.sender.references import expected_loss, picture_loss, pose_change

SIZES = (1000, 1800, 3000, 6000)
STILLS = (900, 1300, 1800, 2500, 3500, 5000, 8000)
LEAST = 1e-3  # a loss below it says nothing of the slope
PER_SIZE = 3


def measure(model: Avfr, clip: CachedClip, rng: np.random.Generator) -> list[tuple[float, ...]]:
    """Rows of (distance, bend, bytes, loss) for pairs of one clip."""
    usable = clip.usable
    source = int(rng.choice(usable[: max(1, len(usable) // 2)]))
    later = usable[usable > source]
    points = select_points(clip.landmarks[clip.kept])
    faces = clip.faces.copy()
    faces[clip.kept[:source]] = 0  # `animate_clip` begins at the first usable frame
    rows = []
    for size in SIZES:
        frames = np.array(clip.frames)
        coded = encode_picture(frames[source], max_bytes=size, smallest=True)
        frames[source] = decode_picture(coded)
        chosen = [int(i) for i in rng.choice(later, min(PER_SIZE, len(later)), replace=False)]
        seen = replace(clip, faces=faces, frames=frames)
        made, _ = animate_clip(model, seen, chosen, torch.device("cpu"))
        distance, bend = pose_change(points[source], points[chosen])
        for position, picture, *change in zip(chosen, made, distance, bend, strict=True):
            figures = Figures()
            score(figures, clip, [position], picture[None])
            means = figures.means()
            loss = (means["lpips"] + means["face_lpips"]) / 2
            rows.append((*change, float(len(coded.data)), loss))
    return rows


def stills(cache: Path, most: int) -> npt.NDArray[np.float64]:
    """Rows of (bytes, PSNR of the face, loss) of pictures that are coded and not animated."""
    rng = np.random.default_rng(7)
    clips = [clip for clip in read_cache(cache) if len(clip.usable) > 8]
    rows = []
    for index in rng.permutation(len(clips))[:most]:
        clip = clips[int(index)]
        position = int(rng.choice(clip.usable))
        for size in STILLS:
            coded = encode_picture(np.array(clip.frames[position]), max_bytes=size, smallest=True)
            figures = Figures()
            score(figures, clip, [position], decode_picture(coded)[None])
            means = figures.means()
            loss = (means["lpips"] + means["face_lpips"]) / 2
            rows.append((float(len(coded.data)), means["face_psnr"], loss))
    return np.array([row for row in rows if row[-1] > LEAST])


def collect(model: Avfr, cache: Path, most: int) -> list[npt.NDArray[np.float64]]:
    """A table for each clip, `[pairs, 4]`."""
    rng = np.random.default_rng(3)
    clips = [clip for clip in read_cache(cache) if len(clip.usable) > 8]
    picked = rng.permutation(len(clips))[:most]
    return [np.array(measure(model, clips[int(i)], rng)) for i in picked]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", type=Path, required=True, metavar="CACHE")
    parser.add_argument("--held-out", type=Path, required=True, metavar="CACHE")
    parser.add_argument("--network", default="s", metavar="SIZE|DIR")
    parser.add_argument("--clips", type=int, default=60)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = Avfr.from_pretrained(args.network)
    sizes, psnr, loss = stills(args.train, args.clips * 2 // 3).T
    fall, level = np.polyfit(np.log(sizes), np.log(loss), 1)
    blur, clear = np.polyfit(-psnr * np.log(10) / 10, np.log(loss), 1)
    print(
        f"stills on train: {np.exp(level):.0f} bytes^{fall:.3f}, {np.exp(clear):.0f} mse^{blur:.3f}"
    )
    table = np.concatenate(collect(model, args.train, args.clips))
    inputs = np.stack([table[:, 0], table[:, 1], [picture_loss(s) for s in table[:, 2]]], 1)
    fit = np.linalg.lstsq(inputs, table[:, 3], rcond=None)[0]
    print("fitted on train: far {:.3f}, bent {:.3f}, picture {:.3f}".format(*fit))
    clips = collect(model, args.held_out, args.clips)
    expected = [
        np.array([float(expected_loss(*row[:2])) + picture_loss(row[2]) for row in c])
        for c in clips
    ]
    found = [c[:, 3] for c in clips]
    over = np.corrcoef(np.concatenate(expected), np.concatenate(found))[0, 1]
    centred = [np.concatenate([v - v.mean() for v in values]) for values in (expected, found)]
    within = np.corrcoef(*centred)[0, 1]
    off = np.concatenate(expected) - np.concatenate(found)
    print(f"held out: correlation {over:.3f}, within a clip {within:.3f}, error {off.mean():+.4f}")


if __name__ == "__main__":
    main()
