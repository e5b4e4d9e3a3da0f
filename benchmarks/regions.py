"""Which ten regions of the mesh describe a face best: errors of the rebuilt landmarks.

    python benchmarks/regions.py --train CACHE --held-out CACHE

For each choice a face table is fitted on `train`. Errors are means over clips of other people, from
the first frame, the keyframe, to all later ones, in pixels of a 256x256 picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from facewire.models.face import landmarks, mesh
from facewire.models.face.keypoints import MeshKeypoints
from facewire.models.face.landmarks import PointRebuilder
from facewire.models.face.mesh import MOUTH, POINTS, REGIONS, select_points
from facewire.models.training.cache import CachedClip, read_cache
from facewire.models.training.fit_face import fit_face_table

Regions = tuple[tuple[int, ...], ...]
NOSE, RIGHT, LEFT, RIGHT_BROW, LEFT_BROW, UPPER, LOWER, RIGHT_CORNER, LEFT_CORNER, CHIN = REGIONS

OPENINGS = {"mouth opening": ((13, 14),), "lid opening": ((159, 145), (386, 374))}


def _half(eye: tuple[int, ...], upper: bool) -> tuple[int, ...]:
    """The upper or lower lid of an eye, with the corners of the eye."""
    count = len(eye) // 2 + 1
    return eye[:count] if upper else (eye[0], *eye[count:], eye[count - 1])


CHOICES: dict[str, Regions] = {
    "as shipped": REGIONS,
    "each lid apart; brows one, mouth corners one": (
        NOSE, _half(RIGHT, True), _half(RIGHT, False), _half(LEFT, True), _half(LEFT, False),
        RIGHT_BROW + LEFT_BROW, UPPER, LOWER, RIGHT_CORNER + LEFT_CORNER, CHIN,
    ),
    "mouth one; upper lids apart": (
        NOSE, RIGHT, LEFT, RIGHT_BROW, LEFT_BROW, UPPER + LOWER, _half(RIGHT, True),
        _half(LEFT, True), RIGHT_CORNER + LEFT_CORNER, CHIN,
    ),
    "no mouth corners; upper lids apart": (
        NOSE, RIGHT, LEFT, RIGHT_BROW, LEFT_BROW, UPPER, LOWER, _half(RIGHT, True),
        _half(LEFT, True), CHIN,
    ),
}  # fmt: skip


def errors(train: list[CachedClip], held_out: list[CachedClip]) -> dict[str, float]:
    """Mean errors of one choice, in pixels."""
    table = fit_face_table(c.landmarks[c.faces > 0] for c in train)
    rebuilder, keypoints = PointRebuilder(table), MeshKeypoints(table)
    at = {index: position for position, index in enumerate(POINTS)}
    groups = {
        "mouth": [at[i] for i in MOUTH],
        "eyes": [at[i] for i in RIGHT + LEFT],
        "all": list(range(len(POINTS))),
    }
    found: dict[str, list[float]] = {name: [] for name in (*groups, *OPENINGS)}
    for clip in held_out:
        seen = clip.landmarks[clip.faces > 0]
        source, points = keypoints.keyframe(seen[0]).to_array(), select_points(seen[0])
        truth = select_points(seen[1:])
        numbers = np.stack([keypoints.motion(frame).to_array() for frame in seen[1:]])
        shape = (len(numbers), *points.shape)
        rebuilt = rebuilder.rebuild(
            np.broadcast_to(source, numbers.shape), np.broadcast_to(points, shape), numbers
        )
        distance = 128 * np.linalg.norm(rebuilt - truth, axis=-1)
        for name, positions in groups.items():
            found[name].append(float(distance[:, positions].mean()))
        for name, pairs in (
            ("mouth opening", ((13, 14),)),
            ("lid opening", ((159, 145), (386, 374))),
        ):
            opening = [
                np.linalg.norm(x[:, at[a]] - x[:, at[b]], axis=-1)
                for a, b in pairs
                for x in (rebuilt, truth)
            ]
            wrong = [np.abs(opening[i] - opening[i + 1]).mean() for i in range(0, len(opening), 2)]
            found[name].append(128 * float(np.mean(wrong)))
    return {name: float(np.mean(values)) for name, values in found.items()}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", type=Path, required=True, metavar="CACHE")
    parser.add_argument("--held-out", type=Path, required=True, metavar="CACHE")
    args = parser.parse_args()
    train, held_out = read_cache(args.train), read_cache(args.held_out)
    for index, (name, regions) in enumerate(CHOICES.items()):
        # The wire format fixes the regions, so they are constants; here they are replaced.
        mesh.REGIONS = landmarks.REGIONS = regions
        values = errors(train, held_out)
        if not index:
            print("| ten regions | " + " | ".join(values) + " |\n|---|" + "---|" * len(values))
        print(f"| {name} | " + " | ".join(f"{v:.2f}" for v in values.values()) + " |", flush=True)


if __name__ == "__main__":
    main()
