"""Which pictures of prepared clips are learned from, and which are held out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...codec.errors import TrainingError
from ..training.cache import CachedClip
from ..training.evaluate import shown

__all__ = ["Shot", "as_picture", "split_shots", "spread"]


@dataclass(frozen=True)
class Shot:
    """One kept picture of a clip, with a face in it.

    Attributes:
        clip: see there.
        position: of the picture in `clip.kept`.
    """

    clip: CachedClip
    position: int

    @property
    def frame(self) -> int:
        """Number of the frame in its clip."""
        return int(self.clip.kept[self.position])

    def picture(self, size: int) -> npt.NDArray[np.uint8]:
        """uint8 RGB `[size, size, 3]`."""
        return shown(self.clip, self.position, size)


def split_shots(
    clips: Sequence[CachedClip], part: float = 0.2
) -> tuple[dict[str, list[Shot]], dict[str, list[Shot]]]:
    """Each person's pictures in the order of clips and time, and apart from them the last ones.

    Args:
        clips: prepared clips.
        part: how much of each person is held out.

    Returns:
        Pictures to learn from and held-out ones, by person. People of whom there are fewer than
        two pictures to learn from are left out.

    Raises:
        TrainingError: nobody is left.
    """
    of: dict[str, list[Shot]] = defaultdict(list)
    for clip in clips:
        of[clip.identity] += [Shot(clip, int(position)) for position in clip.usable]
    first: dict[str, list[Shot]] = {}
    last: dict[str, list[Shot]] = {}
    for person, shots in of.items():
        border = min(round((1 - part) * len(shots)), len(shots) - 1)
        if border > 1:
            first[person], last[person] = shots[:border], shots[border:]
    if not first:
        raise TrainingError("nobody has three pictures with a face: nothing to learn from")
    return first, last


def spread(shots: Sequence[Shot], count: int) -> list[Shot]:
    """At most `count` of some pictures, evenly apart."""
    at = np.linspace(0, len(shots) - 1, min(count, len(shots))).round().astype(int)
    return [shots[i] for i in at]


def as_picture(pictures: Sequence[npt.NDArray[np.uint8]]) -> Tensor:
    """uint8 `[S, S, 3]` each → float32 `[B, 3, S, S]` on [0, 1]."""
    stacked = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return stacked.contiguous().float() / 255
