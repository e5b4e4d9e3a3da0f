"""Profiles `pose` and `pose-fp16`: how a head is turned, and how far its eyes are open.

The mouth is not sent: a receiver moves it as the sound tells (APB2Face, section 3).

`pose-fp16` is the plain form: five binary16 numbers, exactly 80 bits, without any state. The head
stays where the keyframe has it. `pose` codes the same five numbers with three more, the place and
the size of the head, as profile `entropy` codes its components: about 12 bits a frame.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, MotionError, TruncatedError
from .entropy import FrameDecoder, FrameEncoder, Integers
from .frame import LIMIT, MotionFrame
from .tables import step_size

__all__ = [
    "POSE_FP16_BYTES",
    "HeadPlace",
    "PoseDecoder",
    "PoseEncoder",
    "PoseFrame",
]

POSE_FP16_BYTES = 5 * 2
"""10: yaw, pitch, roll and the opening of both eyes in binary16."""
_MAX_OPENING = 4.0
_MAX_ANGLE = 3.25  # a little more than half a turn: quantised angles may exceed it
_SIZES = 1 / 64, 64.0

Array: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HeadPlace:
    """Where a head is, and how large (`models.face.turning.Place`).

    Attributes:
        x, y: on [-1, 1] of the picture, x right, y down; magnitudes up to `LIMIT`.
        size: in the same unit, 1/64 to 64.
    """

    x: float
    y: float
    size: float


@dataclass(frozen=True, slots=True)
class PoseFrame:
    """What is sent of one frame.

    Attributes:
        yaw, pitch, roll: of the head in radians, magnitudes up to 3.25: the rotation
            `Ry(yaw) Rx(pitch) Rz(roll)`, y up, the camera at +z.
        right, left: how far the person's right and left eye is open: the distance of the lids'
            middles over that of the corners, 0 (shut) to 4.
        place: None in the plain form: the head is where the keyframe has it.

    Raises:
        MotionError: numbers that are not finite or out of range.
    """

    yaw: float
    pitch: float
    roll: float
    right: float
    left: float
    place: HeadPlace | None = None

    def __post_init__(self) -> None:
        angles, openings = (self.yaw, self.pitch, self.roll), (self.right, self.left)
        numbers = (*angles, *openings, *(astuple(self.place) if self.place else ()))
        if not all(math.isfinite(number) for number in numbers):
            raise MotionError("a head's pose has numbers that are not finite")
        if max(map(abs, angles)) > _MAX_ANGLE:
            raise MotionError("a head is turned by more than half a turn")
        if not 0 <= min(openings) <= max(openings) <= _MAX_OPENING:
            raise MotionError(f"an eye's opening lies outside of 0 to {_MAX_OPENING:g}")
        if self.place is not None:
            if max(abs(self.place.x), abs(self.place.y)) > LIMIT:
                raise MotionError("a head lies far outside of any picture")
            if not _SIZES[0] <= self.place.size <= _SIZES[1]:
                raise MotionError("a head has a size that no picture shows")

    def to_fp16(self) -> bytes:
        """Profile `pose-fp16`: 10 bytes, little-endian binary16: yaw, pitch, roll, right, left."""
        numbers = [self.yaw, self.pitch, self.roll, self.right, self.left]
        return np.array(numbers, "<f2").tobytes()

    @classmethod
    def from_fp16(cls, data: bytes) -> PoseFrame:
        """Inverse of `to_fp16`.

        Raises:
            TruncatedError: it does not have exactly 10 bytes.
            MotionError: as the class.
        """
        if len(data) != POSE_FP16_BYTES:
            raise TruncatedError(
                f"a pose payload in its plain form has {POSE_FP16_BYTES} bytes, not {len(data)}"
            )
        yaw, pitch, roll, right, left = (float(number) for number in np.frombuffer(data, "<f2"))
        return cls(yaw, pitch, roll, right, left)

    def to_array(self) -> npt.NDArray[np.float64]:
        """Eight numbers: yaw, pitch, roll, right, left, x, y, and the size's logarithm to base 2.

        Raises:
            ConfigError: the frame has no place.
        """
        if self.place is None:
            raise ConfigError("profile pose codes the place of the head, and this frame has none")
        place = [self.place.x, self.place.y, math.log2(self.place.size)]
        return np.array([self.yaw, self.pitch, self.roll, self.right, self.left, *place])

    @classmethod
    def from_array(cls, numbers: npt.NDArray[np.floating]) -> PoseFrame:
        """Inverse of `to_array`. Eyes that rounding has shut further than shut are shut.

        Raises:
            MotionError: as the class.
        """
        yaw, pitch, roll, right, left, x, y, size = (float(number) for number in numbers)
        if not abs(size) <= 6:
            raise MotionError("a head has a size that no picture shows")
        place = HeadPlace(x, y, 2.0**size)
        return cls(yaw, pitch, roll, max(right, 0.0), max(left, 0.0), place)


class PoseEncoder(FrameEncoder[PoseFrame]):
    """Codes the frames of a stream with profile `pose`; see `FrameEncoder`."""

    def _components(self, frame: PoseFrame, key: MotionFrame) -> npt.NDArray[np.float64]:
        numbers = frame.to_array()
        return np.asarray(self._tables.forward.astype(np.float64) @ numbers / step_size(self.step))


class PoseDecoder(FrameDecoder[PoseFrame]):
    """Inverse of `PoseEncoder`."""

    def _motion(self, values: Integers, scale: float, key: MotionFrame) -> PoseFrame:
        numbers = (np.array(values, np.float32) * np.float32(scale)) @ self._tables.back
        return PoseFrame.from_array(numbers)
