"""MediaPipe's selfie segmentation network (TensorFlow Lite) for OpenVINO.

OpenVINO reads the file but for its last layer, a transposed convolution that MediaPipe has made an
operator of its own. So the file is cut before that layer, and the layer, which gives each pixel
its own product of 16 features and 16 weights, is computed here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...codec.errors import WeightsError

__all__ = ["LastLayer", "split_model"]

_OWN_OPERATOR = b"Convolution2DTransposeBias"
_DEQUANTIZE = 6  # builtin operator: float16 weights to float32
# Numbers of the fields in TensorFlow Lite's schema.
_CODES, _SUBGRAPHS, _BUFFERS = 1, 2, 4
_TENSORS, _OUTPUTS, _OPERATORS = 0, 2, 3
_BUILTIN, _CUSTOM = 0, 1
_CODE_INDEX, _INPUTS = 0, 1
_SURE = 80  # a logit beyond which float32 knows only 0 and 1


@dataclass(frozen=True, slots=True)
class LastLayer:
    """A transposed convolution, 2x2 with stride 2, and a sigmoid.

    Attributes:
        kernel: float32 `[16, 4]`: features to the four pixels of a square, row by row.
        bias: added to each.
    """

    kernel: npt.NDArray[np.float32]
    bias: float

    def __call__(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Features `[H, W, 16]` → probabilities `[2H, 2W]`."""
        height, width, _ = features.shape
        squares = (features @ self.kernel + self.bias).reshape(height, width, 2, 2)
        logits = squares.transpose(0, 2, 1, 3).reshape(2 * height, 2 * width)
        return np.asarray(1 / (1 + np.exp(-logits.clip(-_SURE, _SURE))), np.float32)


def split_model(data: bytes) -> tuple[bytes, LastLayer]:
    """The file without its last layer, and that layer.

    Args:
        data: `selfie_segmentation.tflite`.

    Raises:
        WeightsError: not that network.
    """
    try:
        return _split(bytearray(data))
    except (ValueError, IndexError, struct.error) as error:
        raise WeightsError(f"this is not the selfie segmentation network: {error}") from error


def _split(data: bytearray) -> tuple[bytes, LastLayer]:
    reader = _FlatBuffer(data)
    model = reader.target(0)
    graph = reader.target(reader.items(model, _SUBGRAPHS)[0])
    operators = reader.items(graph, _OPERATORS)
    own = reader.target(operators[-2])  # the last one is the sigmoid
    codes = [reader.target(at) for at in reader.items(model, _CODES)]
    if _OWN_OPERATOR not in reader.text(codes[reader.number(own, _CODE_INDEX)], _CUSTOM):
        raise ValueError("its last layer is another one")
    features, kernel, bias = (reader.int32(at) for at in reader.items(own, _INPUTS))
    weights = _Weights(reader, model, graph, codes)
    last = LastLayer(
        weights.read(kernel).reshape(4, 16).T.astype(np.float32), float(weights.read(bias)[0])
    )
    # Two operators fewer, and what they took becomes the output: both have their place in the file.
    struct.pack_into("<I", data, reader.vector(graph, _OPERATORS), len(operators) - 2)
    struct.pack_into("<i", data, reader.items(graph, _OUTPUTS)[0], features)
    return bytes(data), last


class _Weights:
    """Reads float16 weights, which operators of their own turn into float32."""

    def __init__(self, reader: _FlatBuffer, model: int, graph: int, codes: list[int]) -> None:
        self._reader = reader
        self._tensors = [reader.target(at) for at in reader.items(graph, _TENSORS)]
        self._buffers = [reader.target(at) for at in reader.items(model, _BUFFERS)]
        self._sources = {}
        for at in reader.items(graph, _OPERATORS):
            operator = reader.target(at)
            if reader.byte(codes[reader.number(operator, _CODE_INDEX)], _BUILTIN) == _DEQUANTIZE:
                source, result = (
                    reader.int32(reader.items(operator, field)[0]) for field in (_INPUTS, 2)
                )
                self._sources[result] = source

    def read(self, tensor: int) -> npt.NDArray[np.float16]:
        """Values of a tensor, flat."""
        if tensor not in self._sources:
            raise ValueError("its weights are no float16")
        buffer = self._reader.number(self._tensors[self._sources[tensor]], 2)
        return np.frombuffer(self._reader.text(self._buffers[buffer], 0), "<f2")


class _FlatBuffer:
    """Reads tables of a FlatBuffer (google.github.io/flatbuffers, "Internals")."""

    def __init__(self, data: bytearray) -> None:
        self._data = data

    def target(self, at: int) -> int:
        """Where an offset points to."""
        return at + self._unpack("<I", at)

    def int32(self, at: int) -> int:
        """A whole number."""
        return self._unpack("<i", at)

    def number(self, table: int, field: int) -> int:
        """A whole number that is a field, 0 where it is left out."""
        at = self._field(table, field)
        return self._unpack("<i", at) if at else 0

    def byte(self, table: int, field: int) -> int:
        """A byte that is a field, 0 where it is left out."""
        at = self._field(table, field)
        return self._data[at] if at else 0

    def vector(self, table: int, field: int) -> int:
        """Where a vector begins: with its length."""
        at = self._field(table, field)
        if not at:
            raise ValueError("a vector is missing")
        return self.target(at)

    def items(self, table: int, field: int) -> list[int]:
        """Where the items (of four bytes) of a vector lie."""
        start = self.vector(table, field)
        count = self._unpack("<I", start)
        if count > len(self._data) // 4:
            raise ValueError("a vector is longer than the file")
        return [start + 4 + 4 * index for index in range(count)]

    def text(self, table: int, field: int) -> bytes:
        """Bytes of a vector or string; none where it is left out."""
        at = self._field(table, field)
        if not at:
            return b""
        start = self.target(at)
        return bytes(self._data[start + 4 : start + 4 + self._unpack("<I", start)])

    def _field(self, table: int, field: int) -> int:
        directory = table - self._unpack("<i", table)
        if 4 + 2 * field >= self._unpack("<H", directory):
            return 0
        offset = self._unpack("<H", directory + 4 + 2 * field)
        return table + offset if offset else 0

    def _unpack(self, kind: str, at: int) -> int:
        if at < 0:
            raise ValueError("an offset points before the file")
        return int(struct.unpack_from(kind, self._data, at)[0])
