"""Keypoints from a trained detector (AVFR-GAN section 3); needs the extra `[torch]`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...codec.errors import ConfigError, MissingExtraError
from ...codec.motion.frame import MotionFrame
from ..face.observation import Observation
from .priors import PriorMaker

__all__ = ["DetectorSource"]


class DetectorSource:
    """A `KeypointSource` for networks with `keypoint_mode` `detector` or `unsupervised`.

    Args:
        folder: holds the network's weights.

    Raises:
        MissingExtraError: torch is not installed.
        ConfigError: the network has no detector; its keypoints come from the mesh.
        WeightsError: the weights cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import torch

            from .model import Avfr
        except ImportError as error:
            raise MissingExtraError("the keypoint detector", "torch") from error
        model = Avfr.from_pretrained(folder)
        if model.detector is None:
            raise ConfigError(f"the network in {folder} has no keypoint detector")
        self._torch, self._detector = torch, model.detector
        self._priors = PriorMaker() if model.detector.inputs == 5 else None

    def keyframe(self, seen: Observation, identity: int) -> MotionFrame:
        """Motion of a frame that becomes a reference."""
        return self.motion(seen, identity)

    def motion(self, seen: Observation, identity: int) -> MotionFrame:
        """Motion of any frame; the detector sees each frame on its own."""
        if self._priors is not None:
            inputs = self._priors.make(seen.picture, seen.landmarks).stack(seen.picture)
        else:
            inputs = _colours(seen.picture)
        with self._torch.inference_mode():
            value, jacobian = self._detector(self._torch.from_numpy(inputs[None]))
        return MotionFrame(value[0].numpy(), jacobian[0].numpy())

    def close(self) -> None:
        """There is nothing to free."""


def _colours(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32) / np.float32(255)
