"""Fits the tables of profile `entropy` that also say where the eyes look, on prepared clips.

    python -m facewire.models.training.fit_gaze CACHE codec/motion/tables_3.npz

They are the tables without gaze, unchanged, and two components more, one for each number of the
gaze. So the other numbers cost what they cost without it. Clips are coded as for `fit_motion`, with
the gaze held through blinks as a sender does.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...codec.motion.entropy import MotionEncoder
from ...codec.motion.frame import MotionFrame
from ...codec.motion.tables import MotionTables, load_tables
from ..face.gaze import GazeFollower
from ..face.keypoints import MeshKeypoints
from ..face.table import FaceTable
from ..weights import load_card
from .fit_motion import fit_symbols

__all__ = ["UNIT", "fit_gaze_tables", "gazing"]

UNIT = 0.045
"""What one step of size 1 is of a gaze. At the finest step that a rate leads to, of index 3, a gaze
is off by 0.023 at most: that is 0.3 pixels where an eye is 25 pixels wide."""
_STEPS = (2, 3, 5, 8)
Array = npt.NDArray[np.float32]


def gazing(landmarks: Array, table: FaceTable) -> list[MotionFrame]:
    """Motion of a clip with its gaze; the first frame is the keyframe.

    Args:
        landmarks: of successive frames, float32 `[T, 478, 2]` on [-1, 1].
        table: of the network.
    """
    keypoints, follower = MeshKeypoints(table), GazeFollower()
    return [replace(keypoints.motion(frame), gaze=follower.push(frame)) for frame in landmarks]


def fit_gaze_tables(sequences: Sequence[Sequence[MotionFrame]]) -> MotionTables:
    """Tables with gaze, from the motion of many people; the first frame of each is its keyframe."""
    known = load_tables()
    forward, back = (_extended(known.forward, 1 / UNIT), _extended(known.back, UNIT))
    found = fit_symbols(forward, back, sequences, _STEPS, MotionEncoder, lambda frames: frames[0])
    count = known.components
    difference = (*known.difference, *found.difference[count:])
    return MotionTables(forward, back, difference, (*known.intra, *found.intra[count:]))


def _extended(transform: Array, unit: float) -> Array:
    """A transform `[C, N]` with two numbers and two components more, each times a unit."""
    rows, columns = transform.shape
    extended = np.zeros((rows + 2, columns + 2), np.float32)
    extended[:rows, :columns] = transform
    extended[rows:, columns:] = unit * np.eye(2)
    return extended


def _sequences(cache: Path, every: int, table: FaceTable) -> Iterator[list[MotionFrame]]:
    for path in sorted(cache.glob("*.npz"))[::every]:
        with np.load(path, allow_pickle=False) as file:
            seen = file["landmarks"][file["faces"] > 0]
        for start in {0, len(seen) // 2}:
            if len(seen) - start > 2:
                yield gazing(seen[start:], table)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cache", type=Path, help="prepared training clips")
    parser.add_argument("out", type=Path, help="codec/motion/tables_N.npz")
    parser.add_argument("--every", type=int, default=1, help="use every N-th clip")
    parser.add_argument("--network", default="s", help="whose face table makes the motion")
    args = parser.parse_args()
    sequences = list(_sequences(args.cache, args.every, load_card(args.network).face_table()))
    fit_gaze_tables(sequences).save(args.out)
    print(f"{args.out}: {len(sequences)} sequences, {sum(map(len, sequences))} frames")


if __name__ == "__main__":
    main()
