"""Finds the depth of a face's landmarks in training clips, where nobody measured any.

    python -m facewire.models.training.fit_depth CACHE models/face/depth.npz

Landmarks of turning heads tell how deep each point lies: seen from the side, what stands out moves
further. Poses and shapes are fitted in turn, each by least squares (structure from motion under
scaled orthography; Tomasi and Kanade 1992). Each clip has a face of its own, but all share their
depth, which is the same on both sides. Frames are chosen so that turned heads count as much as
straight ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...codec.errors import TrainingError
from ...codec.whole_file import whole_file
from ..face.mesh import POINTS, mirror_map, select_points
from ..face.turning import RIGID, Place, fit_place, rotation

__all__ = ["fit_depth", "turned_frames"]

Array = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

_AT = {index: at for at, index in enumerate(POINTS)}
_MIRROR = np.array([_AT[int(index)] for index in mirror_map()[list(POINTS)]])
_RIGHT, _LEFT, _NOSE = _AT[33], _AT[263], _AT[4]
_HASTE = 1.6  # each round moves the depth further than its least squares say: they are too shy
_LOOSE = 1e-3


def turned_frames(landmarks: Array, count: int) -> Array:
    """The frames of a clip whose heads are turned most differently.

    Args:
        landmarks: float32 `[T, 478, 2]`.
        count: how many frames.

    Returns:
        float32 `[min(count, T), P, 2]`.
    """
    points = select_points(landmarks)
    eyes = points[:, [_RIGHT, _LEFT]]
    width = np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=-1, keepdims=True)
    nose = (points[:, _NOSE] - eyes.mean(1)) / np.maximum(width, 1e-6)
    chosen = [int(np.abs(nose - nose.mean(0)).sum(-1).argmax())]
    while len(chosen) < min(count, len(points)):
        near = np.abs(nose[:, None] - nose[chosen]).sum(-1).min(-1)
        chosen.append(int(near.argmax()))
    return np.asarray(points[chosen])


def fit_depth(clips: Sequence[Array], rounds: int = 14) -> Matrix:
    """The mean face in space, float64 `[P, 3]`, as `models.face.turning.mean_shape` gives it.

    Args:
        clips: frames of one person each, float32 `[F, P, 2]` on [-1, 1].
        rounds: of fitting poses and shapes in turn.

    Raises:
        TrainingError: there are no clips.
    """
    if not clips:
        raise TrainingError("no clips with faces: the depth of landmarks cannot be found")
    flat = np.mean([_upright(frame) for frames in clips for frame in frames], 0)
    flat = _symmetric(flat, odd=True)
    depth = _first_depth(flat)
    shapes = [flat.copy() for _ in clips]
    places: list[list[Place | None]] = [[None] * len(frames) for frames in clips]
    for _ in range(rounds):
        numerator, denominator = np.zeros(len(POINTS)), np.zeros(len(POINTS))
        systems = []
        for clip, frames in enumerate(clips):
            shape = np.concatenate([shapes[clip], depth[:, None]], 1)
            gram, right = np.zeros((3, 3)), np.zeros((len(POINTS), 3))
            for index, frame in enumerate(frames):
                place = fit_place(shape, frame, places[clip][index])
                places[clip][index] = place
                view = rotation(place.yaw, place.pitch, place.roll)[:2]
                seen = (frame - frame[RIGID].mean(0)) * (1, -1) / place.size
                gram += view.T @ view
                right += seen @ view
            across = gram[:2, :2] + _LOOSE * np.eye(2)
            share = np.linalg.solve(across, gram[:2, 2])
            numerator += right[:, 2] - right[:, :2] @ share
            denominator += gram[2, 2] - gram[2, :2] @ share
            systems.append((across, gram[:2, 2], right[:, :2]))
        found = _symmetric(numerator / np.maximum(denominator, 1e-9))
        depth = depth + _HASTE * (found - found[RIGID].mean() - depth)
        shapes = [
            np.linalg.solve(across, (right - depth[:, None] * mixed).T).T
            for across, mixed, right in systems
        ]
        flat = np.mean(shapes, 0)
        unit = float(np.linalg.norm(flat[_LEFT] - flat[_RIGHT]))
        depth, shapes = depth / unit, [shape / unit for shape in shapes]
    mean = _symmetric(np.mean(shapes, 0), odd=True)
    shape = np.concatenate([mean, depth[:, None]], 1)
    return np.asarray(shape - shape[RIGID].mean(0))


def _upright(frame: Array) -> Matrix:
    """A frame in distances of the outer eye corners, which lie level; y up."""
    seen = (frame - frame[RIGID].mean(0)) * (1, -1)
    numbers = seen[:, 0] + 1j * seen[:, 1]
    numbers = numbers / (numbers[_LEFT] - numbers[_RIGHT])
    return np.stack([numbers.real, numbers.imag], -1)


def _symmetric(values: Matrix, *, odd: bool = False) -> Matrix:
    """The mean of values and their mirrored ones; with `odd`, x changes its sign in a mirror."""
    sign = np.array([-1, 1]) if odd else 1
    return np.asarray((values + sign * values[_MIRROR]) / 2)


def _first_depth(flat: Matrix) -> Matrix:
    """An egg with a nose, to begin with."""
    x, y = flat.T
    depth = 0.9 * np.sqrt(np.clip(1.2 - (x / 0.85) ** 2 - 0.6 * (y / 1.4) ** 2, 0.02, None))
    depth[[_AT[index] for index in (1, 4, 5, 19)]] += 0.25
    return np.asarray(depth - depth[RIGID].mean())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cache", type=Path, help="prepared training clips, or talks")
    parser.add_argument("out", type=Path, help="models/face/depth.npz")
    parser.add_argument("--clips", type=int, default=90, help="at most, one of each person first")
    parser.add_argument("--frames", type=int, default=6, help="of each clip")
    args = parser.parse_args()
    first: dict[str, Array] = {}
    for path in sorted(args.cache.glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            name = str(file["identity"])
            if name not in first and len(first) < args.clips:
                landmarks = file["landmarks"][file["faces"] > 0]
                if len(landmarks) >= args.frames:
                    first[name] = turned_frames(landmarks, args.frames)
    shape = fit_depth(list(first.values()))
    with whole_file(args.out, overwrite=True) as file:
        np.savez_compressed(file, shape=shape.astype(np.float32))
    print(f"{args.out}: {len(first)} people")


if __name__ == "__main__":
    main()
