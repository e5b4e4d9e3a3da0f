"""Fits the tables of profile `pose`, the frequencies of its symbols, on prepared clips.

    python -m facewire.models.training.fit_pose CACHE codec/motion/pose_1.npz

Each number has a quantiser step of its own, such that an error of one step harms about equally.
Clips are coded from their first frame, smoothed as a sender does, with several steps, and the
symbols are counted (`fit_motion.fit_symbols`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...codec.motion.frame import MotionFrame
from ...codec.motion.pose import PoseEncoder, PoseFrame
from ...codec.motion.tables import MotionTables
from ..face.mesh import select_points
from ..face.posing import PosedFace
from .fit_motion import fit_symbols

__all__ = ["UNITS", "fit_pose_tables"]

UNITS = np.array([0.02, 0.025, 0.015, 0.05, 0.05, 0.012, 0.012, 0.03])
"""What one step of size 1 is of each number: radians of yaw, pitch and roll, openings of the right
and the left eye, x, y, and octaves of the size."""
_STEPS = (2, 3, 5, 8)
_NO_KEY = MotionFrame(np.zeros((10, 2), np.float32), np.zeros((10, 2, 2), np.float32))


def fit_pose_tables(sequences: Sequence[Sequence[PoseFrame]]) -> MotionTables:
    """Fit tables on the poses of many people's clips."""
    forward, back = (np.diag(n).astype(np.float32) for n in (1 / UNITS, UNITS))
    return fit_symbols(forward, back, sequences, _STEPS, PoseEncoder, lambda _: _NO_KEY)


def poses_of(path: Path, most: int) -> list[PoseFrame]:
    """Poses of a prepared clip's first frames."""
    with np.load(path, allow_pickle=False) as file:
        seen = file["landmarks"][file["faces"] > 0][:most]
        rate = float(file["fps"])
    if len(seen) < 3:
        return []
    # The smoother of the sender is not imported here: models stand below it. A running mean of
    # three frames shakes as little.
    steady = seen.copy()
    steady[1:-1] = (seen[:-2] + seen[1:-1] + seen[2:]) / 3 if rate > 20 else seen[1:-1]
    points = select_points(steady)
    face = PosedFace(points[0])
    return [face.look(frame) for frame in points]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cache", type=Path, help="prepared training clips, or talks")
    parser.add_argument("out", type=Path, help="codec/motion/pose_N.npz")
    parser.add_argument("--every", type=int, default=1, help="use every N-th clip")
    parser.add_argument("--frames", type=int, default=100, help="of each clip, at most")
    args = parser.parse_args()
    clips = sorted(args.cache.glob("*.npz"))[:: args.every]
    sequences = [poses for path in clips if (poses := poses_of(path, args.frames))]
    fit_pose_tables(sequences).save(args.out)
    print(f"{args.out}: {len(sequences)} clips, {sum(map(len, sequences))} frames")


if __name__ == "__main__":
    main()
