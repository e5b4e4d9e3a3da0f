"""What a receiver gains from more references, and from a mask of the background.

    python benchmarks/at_the_receiver.py --held-out CACHE [--network s]

The network is not changed.

- references: 1, 2 or 4 keyframes, spread over the clip. Each frame is animated from the one whose
  landmarks are nearest. The clip is known in advance, so this is an upper bound.
- background: pixels that show the person neither in the keyframe nor in the frame are taken from
  the keyframe. They lie outside of the keyframe's mask, and outside of that mask moved by the flow;
  both are widened a little.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from facewire.models.avfr.model import Avfr
from facewire.models.face.mesh import select_points
from facewire.models.training.cache import CachedClip, read_cache
from facewire.models.training.evaluate import Figures, animate_clip, score, shown

Frames = npt.NDArray[np.uint8]


def from_references(model: Avfr, clip: CachedClip, chosen: list[int], count: int) -> Frames:
    """Animate each frame from the nearest of `count` references."""
    usable = clip.usable
    references = usable[np.linspace(0, len(usable) - 1, count + 1).astype(int)[:-1]]
    points = select_points(clip.landmarks[clip.kept])
    made = []
    for position in chosen:
        distance = np.linalg.norm(points[references] - points[position], axis=-1).mean(-1)
        nearest = int(references[distance.argmin()])
        faces = clip.faces.copy()
        faces[clip.kept[:nearest]] = 0  # `animate_clip` begins at the first usable frame
        frames, _ = animate_clip(model, replace(clip, faces=faces), [position], torch.device("cpu"))
        made.append(frames[0])
    return np.stack(made)


def with_background(model: Avfr, clip: CachedClip, chosen: list[int]) -> Frames:
    """Animate from one keyframe, and take its pixels where the person is not."""
    first = int(clip.usable[0])
    frames, flows = animate_clip(model, clip, chosen, torch.device("cpu"))
    side = frames.shape[1]
    still = shown(clip, first, side).astype(np.float32)
    mask = cv2.resize(clip.mask[clip.kept[first]], (side, side)).astype(np.float32) / 255
    result = []
    for frame, flow in zip(frames, flows, strict=True):
        place = (cv2.resize(flow, (side, side)) + 1) * side / 2 - 0.5
        moved = cv2.remap(mask, place[..., 0], place[..., 1], cv2.INTER_LINEAR)
        wide = cv2.dilate(np.maximum(mask, moved), np.ones((9, 9), np.uint8))
        person = cv2.GaussianBlur(wide, (0, 0), 3)[..., None]
        result.append(np.round(person * frame + (1 - person) * still).astype(np.uint8))
    return np.stack(result)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--held-out", type=Path, required=True, metavar="CACHE")
    parser.add_argument("--network", default="s", metavar="SIZE|DIR")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = Avfr.from_pretrained(args.network)
    ways = {
        "1 reference": lambda clip, chosen: from_references(model, clip, chosen, 1),
        "2 references": lambda clip, chosen: from_references(model, clip, chosen, 2),
        "4 references": lambda clip, chosen: from_references(model, clip, chosen, 4),
        "1 reference, background kept": lambda clip, chosen: with_background(model, clip, chosen),
    }
    figures = {name: Figures() for name in ways}
    for clip in read_cache(args.held_out):
        usable = clip.usable
        if len(usable) < 8:
            continue
        chosen = [int(i) for i in usable[np.linspace(1, len(usable) - 1, 6).astype(int)]]
        for name, way in ways.items():
            score(figures[name], clip, chosen, way(clip, chosen))
    for index, (name, found) in enumerate(figures.items()):
        means = found.means()
        if not index:
            print("| at the receiver | " + " | ".join(means) + " |\n|---|" + "---|" * len(means))
        print(f"| {name} | " + " | ".join(f"{v:.4g}" for v in means.values()) + " |")


if __name__ == "__main__":
    main()
