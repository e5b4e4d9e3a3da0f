"""Training that goes on: numbered rounds, each of which begins with the weights of the last one.

RUNS/0001/    a run as `loop.fit` writes it: checkpoint.pt, model.safetensors, curves.csv, pictures/
RUNS/0002/    the next one
…

A round is over when its folder holds `comparison.txt`, which is written last. So whatever stops a
round, and whenever, the next call goes on with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ...codec.errors import TrainingError
from ..weights.store import WEIGHTS_FILE

__all__ = ["VERDICT", "Round", "next_round"]

VERDICT = "comparison.txt"
_NUMBER = re.compile(r"\d{4}")


@dataclass(frozen=True)
class Round:
    """A round to begin, or to go on with.

    Attributes:
        folder: of the round; it need not exist yet.
        start: folder of the round before, whose weights it begins with; None for the first round.
        resume: whether the folder holds a checkpoint to go on from.
    """

    folder: Path
    start: Path | None
    resume: bool

    @property
    def verdict(self) -> Path:
        """The file that ends the round."""
        return self.folder / VERDICT


def next_round(runs: Path) -> Round:
    """The round that was stopped, or else a new one.

    Args:
        runs: folder of all rounds; it need not exist yet.

    Raises:
        TrainingError: the last round has ended, but its weights are gone.
    """
    found = sorted(
        path for path in runs.glob("*") if _NUMBER.fullmatch(path.name) and path.is_dir()
    )
    done = [path for path in found if (path / VERDICT).is_file()]
    start = done[-1] if done else None
    if start is not None and not (start / WEIGHTS_FILE).is_file():
        raise TrainingError(
            f"{start} has no {WEIGHTS_FILE}, with which the next round would begin: put it back, "
            "or delete the folder"
        )
    folder = runs / f"{int(start.name) + 1 if start else 1:04d}"
    return Round(folder, start, (folder / "checkpoint.pt").is_file())
