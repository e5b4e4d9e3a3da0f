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
_PARTS: dict[str, tuple[str, list[int]]] = {  # member of the zip, shape of the input
    "detector": ("face_detector.tflite", [1, DETECTOR_SIZE, DETECTOR_SIZE, 3]),
    "landmarks": ("face_landmarks_detector.tflite", [1, LANDMARK_SIZE, LANDMARK_SIZE, 3]),
    "blendshapes": ("face_blendshapes.tflite", [1, 146, 2]),
}
_GEOMETRY = "geometry_pipeline_metadata_landmarks.binarypb"


class Network:
    """One compiled network with memory of its own; used by one thread at a time.

    Attributes:
        input: float32, written by the caller before `run`. It stays the same array, because new
            memory for each picture costs as much as a tenth of the network.
    """

    def __init__(self, compiled: Any) -> None:
        import openvino

        self.input = np.zeros(list(compiled.input(0).shape), np.float32)
        self._request = compiled.create_infer_request()
        self._request.set_input_tensor(openvino.Tensor(self.input, shared_memory=True))
        count = len(compiled.outputs)
        self._outputs = [self._request.get_output_tensor(n).data for n in range(count)]

    def run(self) -> list[npt.NDArray[np.float32]]:
        """Outputs for what `input` holds; they are valid until the next call."""
        self._request.infer(share_inputs=True)
        return self._outputs


def load_network(path: Path, part: str) -> Network:
    """One network of a task file.

    Args:
        path: `face_landmarker.task`.
        part: "detector" (takes float32 `[1, 128, 128, 3]` on [-1, 1]), "landmarks" (float32
            `[1, 256, 256, 3]` on [0, 1]) or "blendshapes" (float32 `[1, 146, 2]`, pixels).

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

    member, shape = _PARTS[part]
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
        return core.compile_model(model, "CPU", _SETTINGS)
    except RuntimeError as error:
        raise WeightsError(f"{path} holds no {part} network that OpenVINO can run") from error


def _member(path: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as task:
            return task.read(name)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} is not a face landmarker's task file: {error}") from error
