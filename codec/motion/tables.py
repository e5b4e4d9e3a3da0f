"""`MotionTables`: the transform and the frequencies of profile `entropy`, and those of `pose`.

`models/training/fit_motion.py` and `fit_pose.py` make them from training clips. A version of them
never changes, since streams name it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import UnsupportedError
from ..whole_file import whole_file
from .range_coder import FREQUENCY_BITS

__all__ = [
    "ACTIVITY",
    "CLASSES",
    "ESCAPE",
    "GAZE_TABLES_VERSION",
    "POSE_TABLES_VERSION",
    "TABLES_VERSION",
    "MotionTables",
    "load_pose_tables",
    "load_tables",
    "step_size",
]

TABLES_VERSION = 2
"""Version that the streams of this build use."""
GAZE_TABLES_VERSION = 3
"""Version of those that say where the eyes look: two components more for two numbers more."""
POSE_TABLES_VERSION = 1
"""The same with profile `pose`."""
ESCAPE = 16
"""A difference d has the symbol d + 15 if |d| < 16; else 31, and its value follows."""
CLASSES = 15
"""Classes of numbers by their bit length, 0 to 14, for the values of intra frames and escapes."""
ACTIVITY = (1, 2, 3, 5, 8, 13, 21, 37)
"""Bounds between the contexts of a difference, by the weighted sum of its neighbours."""

_HERE = Path(__file__).parent
Cumulative = tuple[int, ...]


def step_size(index: int) -> float:
    """Quantiser step of index 0 to 15, in units of the tables: 0.5 to 6.7; doubles every four."""
    return float(0.5 * 2 ** (index / 4))


@dataclass(frozen=True)
class MotionTables:
    """What both sides of profile `entropy` share, or both sides of profile `pose`.

    Attributes:
        forward: float32 `[C, 60]`, turns motion relative to the keyframe into components, sorted
            by falling variance. An error of one step harms the picture about equally in each.
            With gaze, `[C, 62]`, and the last two components are those of the gaze. With profile
            `pose`, `[8, 8]`.
        back: the same shape, turns components (a row vector) into motion.
        difference: cumulative frequencies `[component][context]` of symbols, see `ESCAPE`.
        intra: cumulative frequencies `[component]` of classes, see `CLASSES`.
    """

    forward: npt.NDArray[np.float32]
    back: npt.NDArray[np.float32]
    difference: tuple[tuple[Cumulative, ...], ...]
    intra: tuple[Cumulative, ...]

    @property
    def components(self) -> int:
        """C."""
        return len(self.forward)

    def save(self, path: Path) -> None:
        """Write transform and frequencies as an `.npz` file, replacing one that exists."""
        frequencies = np.diff(np.array(self.difference), axis=-1).astype(np.uint16)
        classes = np.diff(np.array(self.intra), axis=-1).astype(np.uint16)
        with whole_file(path, overwrite=True) as file:
            np.savez_compressed(
                file, forward=self.forward, back=self.back, difference=frequencies, intra=classes
            )

    @classmethod
    def from_frequencies(
        cls,
        forward: npt.NDArray[np.float32],
        back: npt.NDArray[np.float32],
        difference: npt.NDArray[np.integer],
        intra: npt.NDArray[np.integer],
    ) -> MotionTables:
        """Make tables from frequencies, which add up to 2 ** `FREQUENCY_BITS`, each at least 1.

        Args:
            forward, back: float32 `[C, N]`.
            difference: `[C, len(ACTIVITY) + 1, 2 * ESCAPE]`.
            intra: `[C, CLASSES]`.

        Raises:
            ValueError: the frequencies do not add up, or one is 0.
        """
        for table in (difference, intra):
            if (table.sum(-1) != 1 << FREQUENCY_BITS).any() or table.min() < 1:
                raise ValueError("frequencies of a table must add up to 2 ** 14, each at least 1")
        return cls(
            forward,
            back,
            tuple(tuple(_cumulative(context) for context in rows) for rows in difference),
            tuple(_cumulative(row) for row in intra),
        )


def _cumulative(frequencies: npt.NDArray[np.integer]) -> Cumulative:
    return (0, *accumulate(int(f) for f in frequencies))


def _find(kind: str, version: int, newest: int) -> Path:
    """The file of some tables. Raises `UnsupportedError` if this build lacks the version."""
    path = _HERE / f"{kind}_{version}.npz"
    if version < 1 or not path.is_file():
        raise UnsupportedError(
            f"the stream's motion is coded with tables of version {version}, this build has "
            f"{newest}; a newer facewire may read it"
        )
    return path


@lru_cache(maxsize=3)
def load_tables(version: int = TABLES_VERSION) -> MotionTables:
    """The tables that a stream names. Raises `UnsupportedError` if this build lacks the version."""
    with np.load(_find("tables", version, GAZE_TABLES_VERSION), allow_pickle=False) as file:
        if version == 1:  # orthonormal rows, of numbers in units
            basis, units = file["basis"], file["units"]
            transform = basis * units, basis / units
        else:
            transform = file["forward"], file["back"]
        return MotionTables.from_frequencies(*transform, file["difference"], file["intra"])


@lru_cache(maxsize=2)
def load_pose_tables(version: int = POSE_TABLES_VERSION) -> MotionTables:
    """The same for profile `pose`: 8 components of 8 numbers (`pose.py`)."""
    with np.load(_find("pose", version, POSE_TABLES_VERSION), allow_pickle=False) as file:
        return MotionTables.from_frequencies(
            file["forward"], file["back"], file["difference"], file["intra"]
        )
