"""The papers' crops: each frame of a prepared cache, cut out closely around its face.

    python -m benchmarks.close_up --cache CACHE --out CLOSE

Both papers cut each frame by the smallest square around its landmarks, enlarged 1.4 times
(APB2Face, section 3). So a head is always in the middle and equally large. In the crops that this
project prepares, a head moves about. Where it is cannot be known from sound, head pose and blinks.
CLOSE is a cache like CACHE, with pictures and landmarks of the papers' kind; all trainings and
benchmarks of APB2Face and APB2FaceV2 take it. Person masks are left out.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from facewire.models.apb2face.landmarks import select_106
from facewire.models.training.cache import CachedClip, read_cache, write_clip

__all__ = ["close_up", "squares"]

ENLARGED = 1.4

Array = npt.NDArray[np.float32]


def squares(landmarks: Array) -> tuple[Array, Array]:
    """The papers' crops.

    Args:
        landmarks: float32 `[T, 478, 2]` on [-1, 1].

    Returns:
        The middle of each crop, `[T, 2]`, and half of its side, `[T]`, in the landmarks' unit.
    """
    marks = select_106(landmarks)
    low, high = marks.min(1), marks.max(1)
    return (low + high) / 2, ENLARGED / 2 * (high - low).max(1)


def close_up(clip: CachedClip) -> CachedClip:
    """A clip whose frames with a face are cut out around it; at its edges, pictures are extended.

    Frames without a face stay as they are: they are not used.
    """
    middle, half = squares(clip.landmarks)
    away = clip.faces == 0
    middle[away], half[away] = 0, 1
    landmarks = (clip.landmarks - middle[:, None]) / half[:, None, None]
    side = clip.frames.shape[1]
    frames = np.empty(clip.frames.shape, np.uint8)
    for position, frame in enumerate(clip.kept):
        # A pixel's centre is at +0.5: on [-1, 1] it is 2 (x + 0.5) / side - 1.
        zoom = float(half[frame])
        shift = (middle[frame] - zoom + 1) * side / 2 + zoom / 2 - 0.5
        back = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
        frames[position] = cv2.warpAffine(
            np.asarray(clip.frames[position]),
            back,
            (side, side),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    nobody = np.zeros_like(clip.mask)
    return replace(clip, landmarks=landmarks, frames=frames, mask=nobody)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="CLOSE")
    args = parser.parse_args()
    for clip in read_cache(args.cache):
        if not (args.out / f"{clip.name}.npz").exists():
            write_clip(args.out, close_up(clip))


if __name__ == "__main__":
    main()
