"""How well the expected loss of a reference predicts the loss of the generated picture.

    python benchmarks/reference_loss.py --train CACHE --held-out CACHE [--network s]

Pairs of frames of a clip are animated, with the source coded in several sizes; the loss is the mean
of LPIPS-Alex over the whole picture and over the box of the face. On `--train` the coefficients of
`facewire.sender.references.expected` are fitted, first those of a coded picture alone. On
`--held-out` the coefficients that facewire uses are checked: by the correlation over all pairs, and
by that within the pairs of each clip, on which the choice of a reference depends.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from facewire.codec.picture.still import decode_picture, encode_picture
from facewire.models.avfr.model import Avfr
from facewire.models.face.mesh import select_points
from facewire.models.training.cache import CachedClip, read_cache
from facewire.models.training.evaluate import Figures, animate_clip, score
from facewire.sender.references.expected import PICTURE, expected_loss, pose_change, structure_loss

SIZES = (1000, 1800, 3000, 6000)
STILLS = (900, 1300, 1800, 2500, 3500, 5000, 8000)
LEAST = 1e-3  # a loss below it says nothing of the slope
PER_SIZE = 3
OUTLIER = 0.05


def measure(model: Avfr, clip: CachedClip, rng: np.random.Generator) -> list[tuple[float, ...]]:
    """Rows of (distance, bend, bytes, structure lost, loss) for the pairs of a clip."""
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
        shown = decode_picture(coded)
        structure = structure_loss(frames[source], shown)
        frames[source] = shown
        chosen = [int(i) for i in rng.choice(later, min(PER_SIZE, len(later)), replace=False)]
        seen = replace(clip, faces=faces, frames=frames)
        made, _ = animate_clip(model, seen, chosen, torch.device("cpu"))
        distance, bend = pose_change(points[source], points[chosen])
        for position, picture, *change in zip(chosen, made, distance, bend, strict=True):
            figures = Figures()
            score(figures, clip, [position], picture[None])
            means = figures.means()
            loss = (means["lpips"] + means["face_lpips"]) / 2
            rows.append((*change, float(len(coded.data)), structure, loss))
    return rows


def stills(cache: Path, most: int) -> npt.NDArray[np.float64]:
    """Rows of (bytes, structure lost, loss) for pictures that are coded but not animated."""
    rng = np.random.default_rng(7)
    clips = [clip for clip in read_cache(cache) if len(clip.usable) > 8]
    rows = []
    for index in rng.permutation(len(clips))[:most]:
        clip = clips[int(index)]
        position = int(rng.choice(clip.usable))
        for size in STILLS:
            picture = np.array(clip.frames[position])
            coded = encode_picture(picture, max_bytes=size, smallest=True)
            shown = decode_picture(coded)
            figures = Figures()
            score(figures, clip, [position], shown[None])
            means = figures.means()
            loss = (means["lpips"] + means["face_lpips"]) / 2
            rows.append((float(len(coded.data)), structure_loss(picture, shown), loss))
    return np.array([row for row in rows if row[-1] > LEAST])


def collect(model: Avfr, cache: Path, most: int) -> list[npt.NDArray[np.float64]]:
    """A table for each clip, `[pairs, 5]`."""
    rng = np.random.default_rng(3)
    clips = [clip for clip in read_cache(cache) if len(clip.usable) > 8]
    picked = rng.permutation(len(clips))[:most]
    return [np.array(measure(model, clips[int(i)], rng)) for i in picked]


def robust(
    inputs: npt.NDArray[np.float64], loss: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Coefficients by least squares, where errors beyond `OUTLIER` count linearly."""
    weights = np.ones(len(loss))
    for _ in range(50):
        roots = np.sqrt(weights)
        fit = np.linalg.lstsq(inputs * roots[:, None], loss * roots, rcond=None)[0]
        weights = 1 / np.sqrt(1 + ((inputs @ fit - loss) / OUTLIER) ** 2)
    return np.asarray(fit)


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
    sizes, lost, loss = np.log(stills(args.train, args.clips * 2 // 3)).T
    fall, level = np.polyfit(sizes, lost, 1)
    steep, scale = np.polyfit(lost, loss, 1)
    print(
        f"stills on train: structure lost {np.exp(level):.0f} bytes^{fall:.3f}; "
        f"loss {np.exp(scale):.2f} structure^{steep:.2f}, "
        f"off by {np.std(loss - steep * lost - scale):.2f} in its logarithm"
    )
    table = np.concatenate(collect(model, args.train, args.clips))
    fit = robust(table[:, [0, 1, 3]], table[:, 4])
    print("fitted on train: far {:.3f}, bent {:.3f}, picture {:.3f}".format(*fit))
    clips = collect(model, args.held_out, args.clips)
    expected = [
        np.array([float(expected_loss(*row[:2])) + PICTURE * row[3] for row in c]) for c in clips
    ]
    found = [c[:, 4] for c in clips]
    over = np.corrcoef(np.concatenate(expected), np.concatenate(found))[0, 1]
    centred = [np.concatenate([v - v.mean() for v in values]) for values in (expected, found)]
    within = np.corrcoef(*centred)[0, 1]
    off = np.concatenate(expected) - np.concatenate(found)
    print(f"held out: correlation {over:.3f}, within a clip {within:.3f}, error {off.mean():+.4f}")


if __name__ == "__main__":
    main()
