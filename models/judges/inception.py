"""Inception: features of pictures, of which FID and KID are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from ...codec.errors import WeightsError
from ..third_party import find_asset
from .tensors import Frame, to_tensor

__all__ = ["FEATURES", "Features", "Inception"]

FEATURES = 2048
"""Length of a picture's feature vector."""
_SIDE = 299
Features = npt.NDArray[np.float32]


class Inception:
    """Pool features of the FID Inception (2015-12-05; Heusel et al. 2017, arXiv 1706.08500).

    Pictures are enlarged to 299x299 by `RESIZE`. Of the resizes in use (TensorFlow 1's, torch's,
    Pillow's) the choice decides FID's second digit; all codecs share this one.

    Raises:
        WeightsError: the network is not here, or is not one.
    """

    RESIZE = "torch bilinear to 299x299, align_corners=False, antialias=False"

    def __init__(self) -> None:
        path = find_asset("fid_inception.pt")
        load: Any = torch.jit.load
        try:
            self._network = load(str(path), map_location="cpu").eval()
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise WeightsError(f"{path} is not the TorchScript Inception: {reason}") from error

    @torch.inference_mode()
    def __call__(self, frames: Sequence[Frame]) -> Features:
        """Features of some frames of one size, uint8 `[H, W, 3]` → float32 `[N, 2048]`."""
        x = to_tensor(*frames) * 255
        x = F.interpolate(x, (_SIDE, _SIDE), mode="bilinear", align_corners=False)
        found = self._network((x - 128) / 128)
        return np.asarray(found.reshape(len(frames), -1).numpy(), np.float32)
