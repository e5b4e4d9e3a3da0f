"""`Identity`: what a network learned about one person, packed, and as a `.fwid` file.

    body    raw deflate (RFC 1951) of a msgpack map: model, sha256 of its weights, tensors, mouth
    file    magic "\\x93FWID" | version u8 | body | crc32 u32, little-endian, of all before

How it travels in packets is in `identity_packets.py`.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
import zlib
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import numpy.typing as npt

from .errors import ConfigError, DamagedError, StreamError, TruncatedError, UnsupportedError
from .untrusted import unpack
from .whole_file import whole_file

__all__ = [
    "ID_BYTES",
    "MAX_BODY",
    "MAX_FILE",
    "Identity",
    "MouthHabits",
    "TensorChange",
    "identity_id",
    "read_identity",
    "write_identity",
]

MAX_FILE = 300_000
"""Largest `.fwid` file in bytes."""
ID_BYTES = 8
VERSION = 1
_MAGIC = b"\x93FWID"
_CRC = struct.Struct("<I")
_FRAMING = len(_MAGIC) + 1 + _CRC.size
MAX_BODY = MAX_FILE - _FRAMING
"""Largest body in bytes."""
_MAX_UNPACKED = 4 << 20
_MAX_TENSORS, _MAX_AXES = 256, 4
_MAX_CONTAINERS = 4 + 2 * _MAX_TENSORS  # a map and a list for each tensor and for the mouth
_MOUTH = (40, 2)
_MOST_HABITS = (8, 512, 64)  # look-aheads, channels, components
_LARGEST = np.finfo(np.float16).max
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_HABITS = ("fit", "centre", "average")
_COARSE = (0.0, *(0.03 * 1.15**k for k in range(40)))
"""Step sizes to try, in units of a channel's root mean square: coarser ones pack smaller."""

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TensorChange:
    """What is added to one tensor: whole numbers of steps, with a step size per output channel.

    Attributes:
        levels: int8, in the tensor's own shape `[O, …]`.
        steps: float32 `[O]`, step sizes from 0 to 65504 (the largest number of FP16).
    """

    levels: npt.NDArray[np.int8]
    steps: Array

    def delta(self) -> Array:
        """The change itself, float32, in the tensor's own shape."""
        return np.asarray(self.levels * _by_row(self.steps, self.levels.ndim), np.float32)

    @classmethod
    def quantise(cls, delta: Array, coarse: float) -> TensorChange:
        """Round a change to whole steps.

        Args:
            delta: float32 `[O, …]`.
            coarse: step size as a share of each channel's root mean square. A channel gets larger
                steps where its largest change would be more than 127 of them.
        """
        rows = delta.reshape(len(delta), -1)
        finest = np.abs(rows).max(1) / np.float32(127)
        steps = np.maximum(finest, coarse * np.sqrt((rows**2).mean(1))).astype(np.float32)
        size = _by_row(steps, delta.ndim)
        counts = np.divide(delta, size, out=np.zeros_like(delta), where=size > 0)
        return cls(np.clip(np.round(counts), -127, 127).astype(np.int8), steps)


@dataclass(frozen=True, slots=True, eq=False)
class MouthHabits:
    """How a person's mouth moves otherwise than the mouth predictor says (`receiver.talking`).

    To the components of a movement that it predicts with a look-ahead, `(state - centre) @ fit` is
    added. All numbers are rounded to FP16.

    Attributes:
        sha256: 32 bytes, hash of the predictor's weights.
        fit: float32 `[L, C, K]`, for each look-ahead from its state to the components.
        centre: float32 `[L, C]`.
        average: float32 `[40, 2]`, the person's average mouth in head coordinates.
    """

    sha256: bytes
    fit: Array
    centre: Array
    average: Array


@dataclass(frozen=True, slots=True)
class Identity:
    """Changes to a network's weights that fit it to one person.

    `pack` and `parse` make it; two are equal if their bodies are.

    Attributes:
        body: the packed form, which travels in packets and files.
        id: `identity_id(body)`.
        model: name of the network, as "avfr-s".
        weights_sha256: 32 bytes, hash of the weights that the changes are added to.
        changes: the change of each tensor, by the tensor's name.
        mouth: what was learned of the person's mouth; None in most identities.
    """

    body: bytes = field(repr=False)
    id: bytes = field(compare=False)
    model: str = field(compare=False)
    weights_sha256: bytes = field(compare=False)
    changes: Mapping[str, TensorChange] = field(compare=False, repr=False)
    mouth: MouthHabits | None = field(default=None, compare=False, repr=False)

    @property
    def file_bytes(self) -> int:
        """Size of its `.fwid` file in bytes."""
        return len(self.body) + _FRAMING

    @classmethod
    def pack(
        cls,
        model: str,
        weights_sha256: bytes,
        deltas: Mapping[str, Array],
        mouth: MouthHabits | None = None,
    ) -> Identity:
        """Round changes and pack them, as finely as fits into `MAX_FILE` bytes.

        Args:
            model: name of the network.
            weights_sha256: hash of the weights that the changes are added to.
            deltas: the changes, float32 `[O, …]`, by the tensor's name.
            mouth: what was learned of the person's mouth, if anything was.

        Raises:
            ConfigError: no tensors or too many, values beyond the range of FP16, or so many
                values that they do not fit even with the coarsest steps.
        """
        if not 0 < len(deltas) <= _MAX_TENSORS:
            raise ConfigError(f"an identity changes 1 to {_MAX_TENSORS} tensors, not {len(deltas)}")
        if not all((np.abs(delta) <= _LARGEST).all() for delta in deltas.values()):
            raise ConfigError(f"an identity's changes are numbers of up to {_LARGEST:.0f}")

        def packed(coarse: float) -> bytes:
            changes = {name: TensorChange.quantise(d, coarse) for name, d in deltas.items()}
            return _pack(model, weights_sha256, changes, mouth)

        # Coarser steps pack smaller, so bisection finds the finest steps that fit.
        first = bisect_left(_COARSE, True, key=lambda coarse: len(packed(coarse)) <= MAX_BODY)
        if first == len(_COARSE):
            count = sum(delta.size for delta in deltas.values())
            raise ConfigError(f"{count} changed weights do not fit into {MAX_FILE} bytes")
        try:
            return cls.parse(packed(_COARSE[first]))
        except StreamError as error:
            raise ConfigError(f"these changes make no identity: {error}") from error

    @classmethod
    def parse(cls, body: bytes) -> Identity:
        """Read a body.

        Raises:
            TruncatedError: it ends early.
            StreamError: it is not a body of an identity, or exceeds the limits.
        """
        if len(body) > MAX_BODY:
            raise StreamError(f"an identity of {len(body)} bytes; at most {MAX_BODY} are allowed")
        try:
            fields = unpack(_inflate(body), containers=_MAX_CONTAINERS, entries=_MAX_TENSORS)
            model, sha256, tensors = fields["model"], fields["sha256"], fields["tensors"]
            if not isinstance(model, str) or not _NAME.fullmatch(model):
                raise StreamError("an identity without the name of its network")
            if not isinstance(sha256, bytes) or len(sha256) != 32:
                raise StreamError("an identity without the hash of its weights")
            if not isinstance(tensors, dict) or not 0 < len(tensors) <= _MAX_TENSORS:
                raise StreamError(f"an identity changes 1 to {_MAX_TENSORS} tensors")
            changes = {name: _parse_change(name, value) for name, value in tensors.items()}
            mouth = _parse_mouth(fields["mouth"]) if "mouth" in fields else None
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, StreamError):
                raise
            raise StreamError(f"an identity is not a map of tensors ({error})") from error
        return cls(bytes(body), identity_id(body), model, sha256, changes, mouth)


def identity_id(body: bytes) -> bytes:
    """The first `ID_BYTES` bytes of the body's SHA-256: they name an identity and check it."""
    return hashlib.sha256(body).digest()[:ID_BYTES]


def write_identity(identity: Identity, path: Path, *, overwrite: bool = False) -> None:
    """Write a `.fwid` file; it appears only when it is complete.

    Raises:
        OutputExistsError: the file exists, and `overwrite` is false.
        OSError: it cannot be written.
    """
    data = _MAGIC + bytes([VERSION]) + identity.body
    with whole_file(path, overwrite=overwrite) as file:
        file.write(data + _CRC.pack(zlib.crc32(data)))


def read_identity(path: Path) -> Identity:
    """Read a `.fwid` file.

    Raises:
        StreamError: it is not a `.fwid` file, or exceeds the limits.
        TruncatedError: it ends before its checksum.
        UnsupportedError: it has a later version.
        DamagedError: the checksum does not match.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(MAX_FILE + 1)
    if not data.startswith(_MAGIC):
        raise StreamError(f"{path} is not a .fwid file: `facewire enroll` makes one")
    if len(data) > MAX_FILE:
        raise StreamError(f"{path} has more than {MAX_FILE} bytes: no identity is so large")
    if len(data) <= _FRAMING:
        raise TruncatedError(f"{path} ends after {len(data)} bytes: copy it again")
    if data[len(_MAGIC)] != VERSION:
        raise UnsupportedError(
            f"{path} has version {data[len(_MAGIC)]}; this build reads {VERSION}, a newer "
            "facewire may read it"
        )
    if _CRC.pack(zlib.crc32(data[: -_CRC.size])) != data[-_CRC.size :]:
        raise DamagedError(f"{path} is damaged: its checksum does not match; copy it again")
    return Identity.parse(data[len(_MAGIC) + 1 : -_CRC.size])


def _by_row(steps: Array, axes: int) -> Array:
    """`[O]` → `[O, 1, …]` with so many axes, to be multiplied with a tensor."""
    return steps.reshape(-1, *[1] * (axes - 1))


def _pack(
    model: str, sha256: bytes, changes: Mapping[str, TensorChange], mouth: MouthHabits | None
) -> bytes:
    tensors = {
        name: {
            "shape": list(change.levels.shape),
            "steps": change.steps.astype("<f4").tobytes(),
            "levels": change.levels.tobytes(),
        }
        for name, change in changes.items()
    }
    fields: dict[str, Any] = {"model": model, "sha256": sha256, "tensors": tensors}
    if mouth is not None:
        fields["mouth"] = {
            "sha256": mouth.sha256,
            "shape": list(mouth.fit.shape),
            **{name: getattr(mouth, name).astype("<f2").tobytes() for name in _HABITS},
        }
    data = msgpack.packb(fields)
    # Noise has no repetitions that deflate could use, unless nearly all of it is zero.
    return min((_deflate(data, how) for how in (zlib.Z_HUFFMAN_ONLY, zlib.Z_FILTERED)), key=len)


def _deflate(data: bytes, strategy: int) -> bytes:
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15, 9, strategy)
    return deflate.compress(data) + deflate.flush()


def _inflate(body: bytes) -> bytes:
    inflate = zlib.decompressobj(-15)
    try:
        data = inflate.decompress(body, _MAX_UNPACKED)
    except zlib.error as error:
        raise StreamError(f"an identity that cannot be unpacked ({error})") from error
    if inflate.unconsumed_tail or (len(data) == _MAX_UNPACKED and not inflate.eof):
        raise StreamError(f"an identity that unpacks to more than {_MAX_UNPACKED} bytes")
    if not inflate.eof:
        raise TruncatedError("an identity ends early")
    return data


def _parse_change(name: object, value: Any) -> TensorChange:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise StreamError("an identity changes a tensor without a proper name")
    shape = value["shape"]
    if not isinstance(shape, list) or not 0 < len(shape) <= _MAX_AXES:
        raise StreamError(f"an identity's tensor {name} has no proper shape")
    if not all(type(n) is int and 0 < n <= _MAX_UNPACKED for n in shape):
        raise StreamError(f"an identity's tensor {name} has no proper shape")
    levels, steps = np.frombuffer(value["levels"], np.int8), np.frombuffer(value["steps"], "<f4")
    size = 1
    for n in shape:
        size *= n
    if len(levels) != size or len(steps) != shape[0]:
        raise StreamError(
            f"an identity's tensor {name} has not the number of values that its shape says"
        )
    if not ((steps >= 0) & (steps <= _LARGEST)).all():
        raise StreamError(f"an identity's tensor {name} has step sizes out of range")
    return TensorChange(levels.reshape(shape), steps.astype(np.float32))


def _parse_mouth(value: Any) -> MouthHabits:
    sha256, shape = value["sha256"], value["shape"]
    if not isinstance(sha256, bytes) or len(sha256) != 32:
        raise StreamError("an identity's mouth is without the hash of its predictor")
    if not isinstance(shape, list) or len(shape) != len(_MOST_HABITS):
        raise StreamError("an identity's mouth has no proper shape")
    if not all(
        type(n) is int and 0 < n <= most for n, most in zip(shape, _MOST_HABITS, strict=True)
    ):
        raise StreamError("an identity's mouth has no proper shape")
    found = [np.frombuffer(value[name], "<f2").astype(np.float32) for name in _HABITS]
    sizes = [math.prod(shape), math.prod(shape[:2]), math.prod(_MOUTH)]
    if [len(values) for values in found] != sizes:
        raise StreamError("an identity's mouth has not the number of values that its shape says")
    if not all(np.isfinite(values).all() for values in found):
        raise StreamError("an identity's mouth has numbers that are none")
    fit, centre, average = found
    return MouthHabits(
        sha256, fit.reshape(shape), centre.reshape(shape[:2]), average.reshape(_MOUTH)
    )
