"""`Segmenter`: the person mask, one of the two structural priors of AVFR-GAN (section 3)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...codec.errors import MissingExtraError, WeightsError
from ..tflite import Network, compile_network
from .selfie_model import split_model

__all__ = ["Segmenter"]

Frame = npt.NDArray[np.uint8]

_SIZE = 256  # side of the network's picture in pixels
_UNIT = np.float32(1 / 255)


class Segmenter:
    """MediaPipe's selfie segmentation network, run by OpenVINO.

    Args:
        model: path of `selfie_segmentation.tflite`; by default found as `models.third_party` says.

    Raises:
        WeightsError: the model is not there, or is another one.
        MissingExtraError: OpenCV is not installed.
    """

    def __init__(self, model: Path | None = None) -> None:
        from ..third_party import find_asset

        try:
            import cv2  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("the person mask", "encode") from error
        path = model or find_asset("selfie_segmentation.tflite")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise WeightsError(f"{path} cannot be read: {error}") from error
        data, self._last = split_model(data)
        self._network = Network(compile_network(data, [1, _SIZE, _SIZE, 3], str(path)))

    def segment(self, frame: Frame) -> npt.NDArray[np.float32]:
        """Where the person is.

        Args:
            frame: uint8 RGB `[H, W, 3]`.

        Returns:
            float32 `[H, W]`, 0 to 1, 1 where the person is.
        """
        import cv2

        picture = frame
        if frame.shape[:2] != (_SIZE, _SIZE):
            picture = np.asarray(cv2.resize(frame, (_SIZE, _SIZE)), np.uint8)
        np.multiply(picture, _UNIT, out=self._network.input[0])
        mask = self._last(self._network.run()[0][0])
        if mask.shape != frame.shape[:2]:
            mask = np.asarray(cv2.resize(mask, frame.shape[1::-1]), np.float32)
        return mask
