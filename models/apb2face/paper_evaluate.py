"""How far the landmarks of the paper's predictor are from the true ones (section 4)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .network import GeometryPredictor
from .objective import PIXELS, landmark_error_px
from .paper_frames import PaperFrames

__all__ = ["landmark_figures", "predicted"]

_TOGETHER = 256
_MOUTH = slice(-20, None)  # the last part of the table


def predicted(network: GeometryPredictor, frames: PaperFrames) -> tuple[Tensor, Tensor]:
    """Predicted and true landmarks of all frames, both `[N, 106, 2]` on [-1, 1]."""
    network.eval()
    made, true = [], []
    with torch.no_grad():
        for start in range(0, len(frames.at), _TOGETHER):
            rows = np.arange(start, min(start + _TOGETHER, len(frames.at)))
            *inputs, wanted = frames.batch(rows)
            made.append(network(*inputs))
            true.append(wanted)
    return torch.cat(made), torch.cat(true)


def landmark_figures(made: Tensor, true: Tensor) -> dict[str, float]:
    """Errors in pixels of a picture of 256x256, of landmarks `[N, 106, 2]` on [-1, 1].

    Returns:
        `landmarks_px` and `mouth_px`: mean Euclidean distance of all landmarks, and of the 20 of
        the mouth. `l1_px`: mean absolute difference of a coordinate, which is what the paper means
        by the L1 loss of generated landmarks in pixels, as far as it says.
    """
    return {
        "landmarks_px": float(landmark_error_px(made, true)),
        "mouth_px": float(landmark_error_px(made[:, _MOUTH], true[:, _MOUTH])),
        "l1_px": float((made - true).abs().mean()) * PIXELS,
    }
