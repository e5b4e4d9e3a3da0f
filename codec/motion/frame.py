"""`MotionFrame`: the numbers that move a face."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..errors import MotionError, TruncatedError

__all__ = [
    "FP16_BYTES",
    "GAZE_BYTES",
    "KEYPOINTS",
    "LIMIT",
    "MAX_GAZE",
    "MotionFrame",
    "pack_gaze",
    "unpack_gaze",
]

KEYPOINTS = 10
"""Number of keypoints K (AVFR-GAN, section 3)."""
FP16_BYTES = KEYPOINTS * 6 * 2
"""120: ten keypoints of two coordinates and four jacobian values in binary16."""
LIMIT = 64.0
"""Largest magnitude that a coordinate or jacobian value may have (the picture spans 2)."""
MAX_GAZE = 1.0
"""Gazes lie on [-1, 1]; at 1 an iris lies on a corner of its eye."""
GAZE_BYTES = 2
"""A keyframe's gaze in bytes: two signed integers of 8 bits."""
_GAZE_STEPS = 127

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class MotionFrame:
    """Motion of one frame: ten keypoints with their jacobians, and where the eyes look.

    Attributes:
        value: float32 `[10, 2]`, (x, y) on [-1, 1]; x points right, y down; -1 and 1 are the
            edges of the picture.
        jacobian: float32 `[10, 2, 2]`, the linear map by which the region around the keypoint
            changed from its reference shape (dimensionless; AVFR-GAN section 3, after FOMM eq. 4).
        gaze: float32 `[2]` on [-1, 1], where the irises lie between the corners of the eyes, right
            and down, both eyes together (`models.face.gaze`). 0, the middle, where a stream says
            nothing of it.

    Raises:
        MotionError: another shape, or numbers that are not finite or exceed their limits.
    """

    value: Array
    jacobian: Array
    gaze: Array = field(default_factory=lambda: np.zeros(2, np.float32))

    def __post_init__(self) -> None:
        value = np.array(self.value, dtype=np.float32, order="C")
        jacobian = np.array(self.jacobian, dtype=np.float32, order="C")
        gaze = np.array(self.gaze, dtype=np.float32)
        if value.shape != (KEYPOINTS, 2) or jacobian.shape != (KEYPOINTS, 2, 2):
            raise MotionError(
                f"a motion frame has {KEYPOINTS} keypoints [10, 2] and jacobians [10, 2, 2], "
                f"not {value.shape} and {jacobian.shape}"
            )
        if not (np.isfinite(value).all() and np.isfinite(jacobian).all()):
            raise MotionError("keypoints or jacobians are not finite numbers")
        if max(float(np.abs(value).max()), float(np.abs(jacobian).max())) > LIMIT:
            raise MotionError(f"keypoints or jacobians exceed {LIMIT:g}, far outside any picture")
        if gaze.shape != (2,) or not float(np.abs(gaze).max()) <= MAX_GAZE:
            raise MotionError("a gaze is two numbers on [-1, 1]")
        for name, numbers in (("value", value), ("jacobian", jacobian), ("gaze", gaze)):
            numbers.setflags(write=False)
            object.__setattr__(self, name, numbers)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, MotionFrame)
            and np.array_equal(self.value, other.value)
            and np.array_equal(self.jacobian, other.jacobian)
            and np.array_equal(self.gaze, other.gaze)
        )

    @property
    def numbers(self) -> Array:
        """All its numbers, float32 `[62]`: the 60 of `to_array`, then the gaze."""
        return np.concatenate([self.to_array().reshape(-1), self.gaze])

    @classmethod
    def from_numbers(cls, numbers: Array) -> MotionFrame:
        """Inverse of `numbers`; a gaze beyond [-1, 1] is held there. Raises `MotionError` as the
        class does.
        """
        keypoints = numbers[:-2].reshape(KEYPOINTS, 6)
        jacobian = keypoints[:, 2:].reshape(KEYPOINTS, 2, 2)
        return cls(keypoints[:, :2], jacobian, np.clip(numbers[-2:], -MAX_GAZE, MAX_GAZE))

    def to_array(self) -> Array:
        """The 60 numbers as float32 `[10, 6]`: x, y, j00, j01, j10, j11 per keypoint."""
        return np.concatenate([self.value, self.jacobian.reshape(KEYPOINTS, 4)], axis=1)

    @classmethod
    def from_array(cls, numbers: npt.ArrayLike) -> MotionFrame:
        """Inverse of `to_array`. Raises `MotionError` as the class does."""
        array = np.asarray(numbers, dtype=np.float32)
        if array.shape != (KEYPOINTS, 6):
            raise MotionError(f"expected [10, 6] numbers, not {array.shape}")
        return cls(array[:, :2], array[:, 2:].reshape(KEYPOINTS, 2, 2))

    def to_fp16(self) -> bytes:
        """Profile `fp16`: 120 bytes, little-endian binary16, in `to_array`'s order."""
        return self.to_array().astype("<f2").tobytes()

    @classmethod
    def from_fp16(cls, data: bytes) -> MotionFrame:
        """Inverse of `to_fp16`.

        Raises:
            TruncatedError: it does not have exactly 120 bytes.
            MotionError: values that are not finite or exceed `LIMIT`.
        """
        if len(data) != FP16_BYTES:
            raise TruncatedError(f"an FP16 motion payload has {FP16_BYTES} bytes, not {len(data)}")
        return cls.from_array(np.frombuffer(data, "<f2").reshape(KEYPOINTS, 6).astype(np.float32))


def pack_gaze(gaze: Array) -> bytes:
    """A gaze, float32 `[2]` on [-1, 1], as a keyframe carries it: in steps of 1/127."""
    return np.round(gaze * _GAZE_STEPS).astype(np.int8).tobytes()


def unpack_gaze(data: bytes) -> Array:
    """Inverse of `pack_gaze`. The integer -128 gives a number that no `MotionFrame` takes."""
    return np.frombuffer(data, np.int8).astype(np.float32) / np.float32(_GAZE_STEPS)
