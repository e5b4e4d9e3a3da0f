"""Real inputs of the exported graph `frame`, on which the ranges for int8 are measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from ...codec.errors import TrainingError
from ..avfr.model import Avfr
from .cache import CachedClip
from .evaluate import generator_inputs

__all__ = ["calibration_inputs"]

_FRAMES_PER_CLIP = 4


def calibration_inputs(
    model: Avfr, clips: Sequence[CachedClip], count: int = 120
) -> Iterator[dict[str, npt.NDArray[np.float32]]]:
    """Inputs of `frame` by name (`models.avfr.export`), from clips spread over the list.

    Args:
        model: the network, on the CPU.
        clips: prepared clips; those with fewer than two usable frames are skipped.
        count: about how many frames to give, four of each clip.

    Raises:
        TrainingError: no clip can be used.
    """
    usable = [clip for clip in clips if len(clip.usable) > 1]
    if not usable:
        raise TrainingError("no clip has two frames with a face: nothing to calibrate int8 with")
    wanted = min(len(usable), -(-count // _FRAMES_PER_CLIP))
    for index in np.linspace(0, len(usable) - 1, wanted).astype(int):
        clip = usable[index]
        late = np.linspace(1, len(clip.usable) - 1, _FRAMES_PER_CLIP).astype(int)
        positions = [int(position) for position in clip.usable[late]]
        for inputs in generator_inputs(model, clip, positions, torch.device("cpu")):
            picture, features, source, driving, mel = inputs
            named = {"picture": picture, "mel": mel, **driving}
            named |= {f"source_{name}": value for name, value in source.items()}
            named |= {f"feature{i}": value for i, value in enumerate(features)}
            yield {name: np.ascontiguousarray(value.numpy()) for name, value in named.items()}
