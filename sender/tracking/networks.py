"""The networks of MediaPipe's `face_landmarker.task`, run by OpenVINO.

The file is a zip of three TensorFlow Lite models and the canonical face. MediaPipe itself is not
needed: its newer releases report to Google while they track, and no setting stops that.
"""

from __future__ import annotations

import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...codec.errors import WeightsError
from ...models.tflite import Network, compile_network

__all__ = ["DETECTOR_SIZE", "LANDMARK_SIZE", "load_network"]

DETECTOR_SIZE = 128
"""Side of the detector's picture in pixels."""
LANDMARK_SIZE = 256
"""Side of the landmark network's picture in pixels."""

_PARTS: dict[str, tuple[str, list[int]]] = {  # member of the zip, shape of the input
    "detector": ("face_detector.tflite", [1, DETECTOR_SIZE, DETECTOR_SIZE, 3]),
    "landmarks": ("face_landmarks_detector.tflite", [1, LANDMARK_SIZE, LANDMARK_SIZE, 3]),
    "blendshapes": ("face_blendshapes.tflite", [1, 146, 2]),
}


def load_network(path: Path, part: str) -> Network:
    """One network of a task file; it is compiled once a process.

    Args:
        path: `face_landmarker.task`.
        part: "detector" (takes float32 `[1, 128, 128, 3]` on [-1, 1]), "landmarks" (float32
            `[1, 256, 256, 3]` on [0, 1]) or "blendshapes" (float32 `[1, 146, 2]`, pixels).

    Raises:
        WeightsError: not such a file.
    """
    return Network(_compiled(path, part))


@lru_cache(maxsize=8)
def _compiled(path: Path, part: str) -> Any:
    member, shape = _PARTS[part]
    try:
        with zipfile.ZipFile(path) as task:
            data = task.read(member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} is not a face landmarker's task file: {error}") from error
    return compile_network(data, shape, f"{member} of {path}")
