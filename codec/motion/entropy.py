"""Profile `entropy`: motion is quantised, predicted and range-coded.

A frame takes 26 to 58 bits, depending on the rate; about 50 by default. Where the eyes look takes
two to three more, in streams that say so (`tables.GAZE_TABLES_VERSION`).

    numbers - those of the keyframe → components (a linear transform) → integers, in steps
    integers - those of an earlier frame → symbols, with tables chosen by neighbours → bits

A payload holds one frame or several. The first one is predicted from an earlier frame, which the
payload names by its time, or from the keyframe alone (intra). Each further frame is predicted from
the frame before it. The encoder chooses, and so decides how much a lost packet takes with it.

0       step << 4 | more << 3 | size        quantiser step; whether there are several frames; bytes
                                            of the reference, 0 (intra), 1 or 2
..      reference u8 or u16                 ticks from the reference frame to the first frame
..      frames - 1 u8, stride u8            only with `more`: number, ticks from frame to frame
..      code                                of all frames, up to the end
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ..counters import WRAP
from ..errors import ConfigError, MotionError, StreamError, TruncatedError
from .frame import MotionFrame
from .range_coder import RangeDecoder, RangeEncoder
from .tables import ACTIVITY, ESCAPE, MotionTables, load_tables, step_size

__all__ = [
    "MAX_FRAMES",
    "FrameDecoder",
    "FrameEncoder",
    "Integers",
    "MissingReferenceError",
    "MotionDecoder",
    "MotionEncoder",
    "MotionState",
    "SymbolEncoder",
    "TimedMotion",
    "ticks_in",
]

MAX_FRAMES = 64
"""Most frames in a payload; also the number of frames that both sides remember."""
_FARTHEST = WRAP - 1
_LARGEST = (1 << 14) - 1
Integers = list[int]
Key = npt.NDArray[np.float32]
TimedMotion = tuple[int, MotionFrame]
"""Ticks after the payload's first frame, and that frame's motion."""
F = TypeVar("F")
"""What is coded of a frame."""


class MissingReferenceError(StreamError):
    """The payload is predicted from a frame that never came.

    Attributes:
        ticks: times of the frames in it, in ticks after the first one.
    """

    def __init__(self, back: int, ticks: list[int]) -> None:
        super().__init__(f"motion depends on a frame {back} ticks earlier, which never came")
        self.ticks = ticks


class SymbolEncoder(Protocol):
    """What takes a frame's symbols: a `RangeEncoder`, or something that counts their bits."""

    def encode(self, cumulative: Sequence[int], symbol: int) -> None:
        """Take a symbol with its table."""

    def encode_bits(self, value: int, bits: int) -> None:
        """Take bits that are equally likely."""


@dataclass(frozen=True, slots=True)
class MotionState:
    """A frame as both sides remember it.

    Attributes:
        step: index of its quantiser step.
        values: its integers.
        last: absolute differences between its integers and those it was predicted from.
        before: the same of the frame that it was predicted from.
    """

    step: int
    values: Integers
    last: Integers
    before: Integers


def _nothing(components: int, step: int) -> MotionState:
    zeros = [0] * components
    return MotionState(step, zeros, zeros, zeros)


class _Memory:
    """The last `MAX_FRAMES` frames, by keyframe and time."""

    def __init__(self) -> None:
        self._frames: OrderedDict[tuple[int, int], MotionState] = OrderedDict()

    def put(self, keyframe: int, pts: int, state: MotionState) -> None:
        self._frames[keyframe, pts % WRAP] = state
        self._frames.move_to_end((keyframe, pts % WRAP))
        while len(self._frames) > MAX_FRAMES:
            self._frames.popitem(last=False)

    def get(self, keyframe: int, pts: int) -> MotionState | None:
        return self._frames.get((keyframe, pts % WRAP))


def _contexts(last: Integers, before: Integers) -> Integers:
    return [2 * a + b for a, b in zip(last, before, strict=True)]


def _context(activity: int) -> int:
    for index, bound in enumerate(ACTIVITY):
        if activity < bound:
            return index
    return len(ACTIVITY)


class FrameEncoder(ABC, Generic[F]):
    """Codes the frames of a stream, whatever their numbers mean.

    Args:
        step: index of the quantiser step, 0 (fine) to 15, see `step_size`.
        dead_zone: 0.5 to 1, in steps. A component that differs by less than this from its last
            value keeps that value. This keeps a still head still, and saves bits.
        tables: by default those of `TABLES_VERSION`.

    Raises:
        ConfigError: a value out of range.
    """

    def __init__(
        self, step: int, dead_zone: float = 0.6, tables: MotionTables | None = None
    ) -> None:
        if not 0 <= step <= 15 or not 0.5 <= dead_zone <= 1:
            raise ConfigError("a quantiser step is 0 to 15, a dead zone 0.5 to 1")
        self.step = step
        self._dead_zone = dead_zone
        self._tables = tables or load_tables()
        self._memory = _Memory()

    def encode(
        self,
        frames: Sequence[F],
        pts: int,
        keyframe: int,
        key: MotionFrame,
        *,
        stride: int = 1,
        reference: int | None = None,
    ) -> bytes:
        """The payload of a MOTION packet.

        Args:
            frames: 1 to `MAX_FRAMES`, `stride` ticks apart (1 to 255).
            pts: full time of the first frame, in ticks.
            keyframe: id of the keyframe that they belong to.
            key: motion of that keyframe, exactly as its packet carries it.
            reference: full time of an earlier frame of this keyframe, from which the first frame
                is predicted; None for intra. The payload is intra, too, if that frame is no longer
                remembered or is too far away.

        Raises:
            ConfigError: too many frames, none, or a stride out of range.
        """
        if not 1 <= len(frames) <= MAX_FRAMES or not 1 <= stride <= 255:
            raise ConfigError(f"{len(frames)} frames {stride} ticks apart do not fit a payload")
        state = None
        if reference is not None and 0 < pts - reference <= _FARTHEST:
            state = self._memory.get(keyframe, reference)
            if state is not None and state.step != self.step:
                state = None
        back = pts - reference if reference is not None and state is not None else 0
        kind = 0 if not back else 1 if back < 256 else 2
        head = bytes([self.step << 4 | (len(frames) > 1) << 3 | kind])
        head += back.to_bytes(kind, "little")
        if len(frames) > 1:
            head += bytes([len(frames) - 1, stride])
        coder = RangeEncoder()
        for index, frame in enumerate(frames):
            state = self.write(coder, frame, key, state)
            self._memory.put(keyframe, pts + index * stride, state)
        return head + coder.finish()

    def write(
        self, coder: SymbolEncoder, frame: F, key: MotionFrame, state: MotionState | None
    ) -> MotionState:
        """Code one frame, predicted from `state` (None: intra); return the decoder's next state."""
        wanted = self._components(frame, key)
        return self._intra(coder, wanted) if state is None else self._next(coder, wanted, state)

    @abstractmethod
    def _components(self, frame: F, key: MotionFrame) -> npt.NDArray[np.float64]:
        """The frame's components, `[C]`, in quantiser steps."""

    def _intra(self, coder: SymbolEncoder, wanted: npt.NDArray[np.float64]) -> MotionState:
        values = [max(-_LARGEST, min(_LARGEST, round(float(x)))) for x in wanted]
        for value, table in zip(values, self._tables.intra, strict=True):
            size = abs(value).bit_length()
            coder.encode(table, size)
            _encode_rest(coder, value, size)
        zeros = [0] * len(values)
        return MotionState(self.step, values, zeros, zeros)

    def _next(
        self, coder: SymbolEncoder, wanted: npt.NDArray[np.float64], state: MotionState
    ) -> MotionState:
        values, sizes = [], []
        left = farther = 0
        known = _contexts(state.last, state.before)
        for index, (x, old) in enumerate(zip(wanted, state.values, strict=True)):
            distance = float(x) - old
            whole = int(abs(distance) + 1 - self._dead_zone)
            step = whole if distance > 0 else -whole
            step = max(-_LARGEST - old, min(_LARGEST - old, step))
            context = _context(known[index] + 2 * left + farther)
            _encode_difference(coder, self._tables.difference[index][context], step)
            values.append(old + step)
            sizes.append(abs(step))
            left, farther = abs(step), left
        return MotionState(self.step, values, sizes, state.last)


class MotionEncoder(FrameEncoder[MotionFrame]):
    """Codes motion, relative to that of the keyframe; see `FrameEncoder`."""

    def _components(self, frame: MotionFrame, key: MotionFrame) -> npt.NDArray[np.float64]:
        forward = self._tables.forward
        moved = (frame.numbers - key.numbers)[: forward.shape[1]]
        return np.asarray(forward.astype(np.float64) @ moved / step_size(self.step))


class FrameDecoder(ABC, Generic[F]):
    """Inverse of `FrameEncoder`. Takes payloads in the order of sending; some may be missing.

    Args:
        tables: those that the stream names; by default those of `TABLES_VERSION`.
    """

    def __init__(self, tables: MotionTables | None = None) -> None:
        self._tables = tables or load_tables()
        self._memory = _Memory()

    def decode(
        self, payload: bytes, pts: int, keyframe: int, key: MotionFrame
    ) -> list[tuple[int, F]]:
        """The frames of a MOTION packet.

        Args:
            payload: of the packet.
            pts: time of the packet; it may be taken modulo 65536.
            keyframe: id of the keyframe that it refers to.
            key: motion of that keyframe.

        Raises:
            TruncatedError: it is shorter than its head.
            MissingReferenceError: it is predicted from a frame that never came.
            StreamError: its head has values out of range.
            MotionError: its numbers are far outside any picture.
        """
        integers = self.decode_integers(payload, pts, keyframe)
        scale = step_size(payload[0] >> 4)
        return [(ticks, self._motion(values, scale, key)) for ticks, values in integers]

    def decode_integers(
        self, payload: bytes, pts: int, keyframe: int
    ) -> list[tuple[int, Integers]]:
        """The frames as integers, which are the same on every machine. Arguments as `decode`."""
        step, back, count, stride, code = _parse_head(payload)
        state: MotionState | None = None
        if back:
            state = self._memory.get(keyframe, pts - back)
            if state is None or state.step != step:
                raise MissingReferenceError(back, [i * stride for i in range(count)])
        coder = RangeDecoder(code)
        result = []
        for index in range(count):
            state = self._intra(coder, step) if state is None else self._next(coder, state)
            self._memory.put(keyframe, pts + index * stride, state)
            result.append((index * stride, state.values))
        return result

    def _intra(self, coder: RangeDecoder, step: int) -> MotionState:
        values = [_decode_rest(coder, coder.decode(table)) for table in self._tables.intra]
        zeros = [0] * len(values)
        return MotionState(step, values, zeros, zeros)

    def _next(self, coder: RangeDecoder, state: MotionState) -> MotionState:
        values, sizes = [], []
        left = farther = 0
        known = _contexts(state.last, state.before)
        for index, old in enumerate(state.values):
            context = _context(known[index] + 2 * left + farther)
            step = _decode_difference(coder, self._tables.difference[index][context])
            if abs(old + step) > _LARGEST:
                raise MotionError("motion far outside any picture")
            values.append(old + step)
            sizes.append(abs(step))
            left, farther = abs(step), left
        return MotionState(state.step, values, sizes, state.last)

    @abstractmethod
    def _motion(self, values: Integers, scale: float, key: MotionFrame) -> F:
        """The frame of these integers, in steps of `scale`."""


class MotionDecoder(FrameDecoder[MotionFrame]):
    """Inverse of `MotionEncoder`; see `FrameDecoder`."""

    def _motion(self, values: Integers, scale: float, key: MotionFrame) -> MotionFrame:
        moved = (np.array(values, np.float32) * np.float32(scale)) @ self._tables.back
        numbers = key.numbers
        numbers[: len(moved)] += moved
        return MotionFrame.from_numbers(numbers)


def ticks_in(payload: bytes) -> list[int]:
    """Times of a payload's frames, in ticks after the first one. Only the head is read.

    Raises:
        StreamError: the head has values out of range.
    """
    _, _, count, stride, _ = _parse_head(payload)
    return [index * stride for index in range(count)]


def _parse_head(payload: bytes) -> tuple[int, int, int, int, bytes]:
    """Step, ticks back to the reference (0: intra), frames, stride, code."""
    if not payload:
        raise TruncatedError("an empty motion payload")
    kind, more = payload[0] & 7, payload[0] >> 3 & 1
    size = 1 + kind + 2 * more
    if kind > 2:
        raise StreamError(f"a motion payload whose reference is of kind {kind}")
    if len(payload) < size:
        raise TruncatedError(f"a motion payload of {len(payload)} bytes")
    back = int.from_bytes(payload[1 : 1 + kind], "little")
    if kind and not back:
        raise StreamError("motion that is predicted from itself")
    count, stride = struct.unpack_from("<BB", payload, 1 + kind) if more else (0, 1)
    if count >= MAX_FRAMES or not stride:
        raise StreamError(f"a motion payload of {count + 1} frames {stride} ticks apart")
    return payload[0] >> 4, back, count + 1, stride, payload[size:]


def _encode_difference(coder: SymbolEncoder, table: Sequence[int], step: int) -> None:
    if abs(step) < ESCAPE:
        coder.encode(table, step + ESCAPE - 1)
        return
    coder.encode(table, 2 * ESCAPE - 1)
    size = abs(step).bit_length()
    coder.encode_bits(size, 4)
    _encode_rest(coder, step, size)


def _decode_difference(coder: RangeDecoder, table: Sequence[int]) -> int:
    symbol = coder.decode(table)
    if symbol < 2 * ESCAPE - 1:
        return symbol - ESCAPE + 1
    return _decode_rest(coder, coder.decode_bits(4))


def _encode_rest(coder: SymbolEncoder, value: int, size: int) -> None:
    """Code the sign and the lower bits of a number whose bit length was coded before."""
    if size:
        coder.encode_bits(value < 0, 1)
    if size > 1:
        coder.encode_bits(abs(value) - (1 << size - 1), size - 1)


def _decode_rest(coder: RangeDecoder, size: int) -> int:
    if not size:
        return 0
    negative = coder.decode_bits(1)
    value = (1 << size - 1) + (coder.decode_bits(size - 1) if size > 1 else 0)
    return -value if negative else value
