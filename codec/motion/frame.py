"""`MotionFrame`: the numbers that move a face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import MotionError, TruncatedError

__all__ = ["FP16_BYTES", "KEYPOINTS", "LIMIT", "MotionFrame"]

KEYPOINTS = 10
"""Number of keypoints K (AVFR-GAN, section 3)."""
FP16_BYTES = KEYPOINTS * 6 * 2
"""120: ten keypoints of two coordinates and four jacobian values in binary16."""
LIMIT = 64.0
"""Largest magnitude that a coordinate or jacobian value may have (the picture spans 2)."""

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class MotionFrame:
    """Motion of one frame: ten keypoints with their jacobians.

    Attributes:
        value: float32 `[10, 2]`, (x, y) on [-1, 1]; x points right, y down; -1 and 1 are the
            edges of the picture.
        jacobian: float32 `[10, 2, 2]`, the linear map by which the region around the keypoint
            changed from its reference shape (dimensionless; AVFR-GAN section 3, after FOMM eq. 4).

    Raises:
        MotionError: another shape, or numbers that are not finite or exceed `LIMIT`.
    """

    value: Array
    jacobian: Array

    def __post_init__(self) -> None:
        value = np.array(self.value, dtype=np.float32, order="C")
        jacobian = np.array(self.jacobian, dtype=np.float32, order="C")
        if value.shape != (KEYPOINTS, 2) or jacobian.shape != (KEYPOINTS, 2, 2):
            raise MotionError(
                f"a motion frame has {KEYPOINTS} keypoints [10, 2] and jacobians [10, 2, 2], "
                f"not {value.shape} and {jacobian.shape}"
            )
        if not (np.isfinite(value).all() and np.isfinite(jacobian).all()):
            raise MotionError("keypoints or jacobians are not finite numbers")
        if max(float(np.abs(value).max()), float(np.abs(jacobian).max())) > LIMIT:
            raise MotionError(f"keypoints or jacobians exceed {LIMIT:g}, far outside any picture")
        value.setflags(write=False)
        jacobian.setflags(write=False)
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "jacobian", jacobian)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, MotionFrame)
            and np.array_equal(self.value, other.value)
            and np.array_equal(self.jacobian, other.jacobian)
        )

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
