"""The networks of MediaPipe's `face_landmarker.task`, run by OpenVINO.

The file is a zip of three TensorFlow Lite models and of the canonical face; OpenVINO reads the
models as they are. MediaPipe itself is not needed: its newer releases report to Google while they
track, and no setting stops that.

The networks run in float32, as in MediaPipe. At bfloat16, OpenVINO's default where the processor
has it, landmarks would be off by PIXELS, and other processors would give other ones.
"""

from __future__ import annotations

import tempfile
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...codec.errors import WeightsError

__all__ = ["DETECTOR_SIZE", "LANDMARK_SIZE", "Network", "load_geometry", "load_network"]

DETECTOR_SIZE = 128
"""Side of the detector's picture in pixels."""
LANDMARK_SIZE = 256
"""Side of the landmark network's picture in pixels."""

_SETTINGS = {
    "INFERENCE_PRECISION_HINT": "f32",
    "INFERENCE_NUM_THREADS": 1,
    "PERFORMANCE_HINT": "LATENCY",
}
# Of each network: the member of the zip, the shape of its input, and for a picture the range
# [low, high] to which bytes are mapped.
_PARTS: dict[str, tuple[str, list[int], tuple[float, float] | None]] = {
    "detector": ("face_detector.tflite", [1, DETECTOR_SIZE, DETECTOR_SIZE, 3], (-1.0, 1.0)),
    "landmarks": (
        "face_landmarks_detector.tflite",
        [1, LANDMARK_SIZE, LANDMARK_SIZE, 3],
        (0.0, 1.0),
    ),
    "blendshapes": ("face_blendshapes.tflite", [1, 146, 2], None),
}
_GEOMETRY = "geometry_pipeline_metadata_landmarks.binarypb"


class Network:
    """One compiled network with a request of its own; used by one thread at a time."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._outputs = range(len(compiled.outputs))

    def __call__(self, values: npt.NDArray[Any]) -> list[npt.NDArray[np.float32]]:
        """Outputs for one input; they are valid until the next call."""
        self._request.infer([values], share_inputs=True)
        return [self._request.get_output_tensor(index).data for index in self._outputs]


def load_network(path: Path, part: str) -> Network:
    """One network of a task file.

    Args:
        path: `face_landmarker.task`.
        part: "detector" (takes uint8 `[1, 128, 128, 3]`), "landmarks" (uint8 `[1, 256, 256, 3]`)
            or "blendshapes" (float32 `[1, 146, 2]`).

    Raises:
        WeightsError: not such a file.
    """
    return Network(_compiled(path, part))


def load_geometry(path: Path) -> bytes:
    """The canonical face of a task file; `pose.py` reads it.

    Raises:
        WeightsError: not such a file.
    """
    return _member(path, _GEOMETRY)


@lru_cache(maxsize=8)
def _compiled(path: Path, part: str) -> Any:
    """Compiled once a process: trackers share the weights."""
    import openvino
    from openvino.preprocess import PrePostProcessor

    member, shape, span = _PARTS[part]
    data = _member(path, member)
    core = openvino.Core()
    core.set_property({"ENABLE_MMAP": False})  # the file is gone in a moment
    try:
        # OpenVINO takes such a model from a file only.
        with tempfile.TemporaryDirectory(prefix="facewire-") as folder:
            file = Path(folder) / member
            file.write_bytes(data)
            model = core.read_model(file)
        model.reshape(shape)
        if span is not None:
            low, high = span
            steps = PrePostProcessor(model)
            steps.input().tensor().set_element_type(openvino.Type.u8)
            convert = steps.input().preprocess().convert_element_type(openvino.Type.f32)
            scale = 255 / (high - low)
            convert.mean(-low * scale).scale(scale)
            model = steps.build()
        return core.compile_model(model, "CPU", _SETTINGS)
    except RuntimeError as error:
        raise WeightsError(f"{path} holds no {part} network that OpenVINO can run") from error


def _member(path: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as task:
            return task.read(name)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} is not a face landmarker's task file: {error}") from error
