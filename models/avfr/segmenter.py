"""`Segmenter`: the person mask, one of the two structural priors of AVFR-GAN (section 3)."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..mediapipe_tasks import checked_model, hushed, load_vision

Frame = npt.NDArray[np.uint8]

__all__ = ["Segmenter"]


class Segmenter:
    """Person mask (selfie segmentation), one of the two structural priors of AVFR-GAN."""

    def __init__(self, model: Path | None = None) -> None:
        from ..assets import find_asset

        self._mediapipe, base, vision = load_vision()
        path = model or find_asset("selfie_segmentation.tflite")
        options = vision.ImageSegmenterOptions(
            base_options=base(model_asset_path=str(path)),
            running_mode=vision.RunningMode.IMAGE,
            output_confidence_masks=True,
        )
        with hushed(), checked_model(path):
            self._segmenter = vision.ImageSegmenter.create_from_options(options)
        self._new = True

    def segment(self, frame: Frame) -> npt.NDArray[np.float32]:
        """uint8 RGB `[H, W, 3]` → float32 `[H, W]`, 1 where the person is."""
        image = self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame)
        )
        with hushed() if self._new else contextlib.nullcontext():
            result = self._segmenter.segment(image)
        self._new = False
        # Copied while `result` lives: the view's memory is freed with it.
        mask = np.array(result.confidence_masks[0].numpy_view(), np.float32)
        return mask.reshape(frame.shape[:2])

    def close(self) -> None:
        """Free the native segmenter."""
        self._segmenter.close()
