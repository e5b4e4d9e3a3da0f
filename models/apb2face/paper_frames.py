"""`PaperFrames`: prepared talks as the paper's predictor takes them, and which are held out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...codec.errors import TrainingError
from ..mel import HOP
from .features import HeadAngles, mfcc, mfcc_window
from .landmarks import blinks, select_106
from .talks import FPS, Talk

__all__ = ["PaperFrames", "paper_frames", "split_by_time"]

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PaperFrames:
    """Frames of talks, as the predictor takes them.

    Attributes:
        sound: MFCC steps of each talk, float32 `[n, 60]`.
        clip: int64 `[N]`, the talk of each frame.
        at: int64 `[N]`, number of the frame in its talk.
        pose: float32 `[N, 3]`, yaw, pitch and roll in radians.
        blink: float32 `[N, 2]`.
        landmarks: float32 `[N, 106, 2]` on [-1, 1].
    """

    sound: list[Array]
    clip: npt.NDArray[np.int64]
    at: npt.NDArray[np.int64]
    pose: Array
    blink: Array
    landmarks: Array

    def batch(self, rows: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Inputs and landmarks of some frames: see `GeometryPredictor.forward`."""
        windows = [
            mfcc_window(self.sound[self.clip[row]], round(self.at[row] / FPS * 100) * HOP)
            for row in rows
        ]
        values = (np.stack(windows)[:, None], self.pose[rows], self.blink[rows])
        sound, pose, blink = (torch.from_numpy(value) for value in values)
        return sound, pose, blink, torch.from_numpy(self.landmarks[rows])


def paper_frames(talks: Sequence[Talk], angles: HeadAngles) -> PaperFrames:
    """All frames of some talks. Raises `TrainingError` if there are none."""
    if not talks:
        raise TrainingError("there are no talks to learn from")
    lengths = [len(talk.landmarks) for talk in talks]
    marks = np.concatenate([talk.landmarks for talk in talks])
    return PaperFrames(
        sound=[mfcc(talk.mel) for talk in talks],
        clip=np.repeat(np.arange(len(talks)), lengths),
        at=np.concatenate([np.arange(length) for length in lengths]),
        pose=angles.angles(marks),
        blink=blinks(marks),
        landmarks=select_106(marks),
    )


def split_by_time(talks: Sequence[Talk], part: float = 0.2) -> tuple[list[Talk], list[Talk]]:
    """Each person's last clips, about `part` of that person's frames, apart from the others.

    A person with one clip gives the end of it.
    """
    of: dict[str, list[Talk]] = defaultdict(list)
    for talk in talks:
        of[talk.identity].append(talk)
    first: list[Talk] = []
    last: list[Talk] = []
    for own in of.values():
        total = sum(len(talk.landmarks) for talk in own)
        before = 0
        for talk in own:
            border = round((1 - part) * total) - before
            before += len(talk.landmarks)
            if len(own) > 1:
                (first if border > len(talk.landmarks) / 2 else last).append(talk)
            else:
                steps = border * 4
                first.append(Talk(talk.name, talk.identity, talk.landmarks[:border], talk.mel))
                rest = talk.landmarks[border:]
                last.append(Talk(talk.name, talk.identity, rest, talk.mel[steps:]))
    return first, last
