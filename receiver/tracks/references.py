"""`ReferencePool`: the keyframes that motion may refer to, each prepared once."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...codec.control import ReferenceState
from ...codec.errors import ConfigError, StreamError
from ...codec.keyframe import Keyframe, decode_picture
from ...models.face.shape import unpack_shape

if TYPE_CHECKING:
    from ..generators.protocol import Array, Generator, Source

__all__ = ["MissingBaseError", "PreparedReference", "ReferencePool"]


class MissingBaseError(StreamError):
    """A keyframe depends on one that never came, or that was dropped since."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedReference:
    """A keyframe with the features that the generator computed from it.

    Attributes:
        keyframe: as it came.
        source: the features.
        points: its landmarks, float32 `[P, 2]` on [-1, 1].
        state: its id and checksum, for reports. Ids are used again: only both together say which
            keyframe it is.
    """

    keyframe: Keyframe
    source: Source
    points: Array
    state: ReferenceState


class ReferencePool:
    """Keyframes by id. A new one with the id of an old one replaces it.

    Args:
        generator: computes the features of a keyframe, once.
        size: number of keyframes kept, which bounds the memory. When full, the pool drops the
            least recently used one.
        shape: (height, width) that the pictures must have.
    """

    def __init__(self, generator: Generator, size: int, shape: tuple[int, int]) -> None:
        self._generator = generator
        self._size = size
        self._shape = shape
        self._pool: OrderedDict[int, PreparedReference] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pool)

    def __iter__(self) -> Iterator[int]:
        """The ids of the keyframes."""
        return iter(self._pool)

    @property
    def states(self) -> tuple[ReferenceState, ...]:
        """Ids and checksums of the keyframes."""
        return tuple(reference.state for reference in self._pool.values())

    def add(self, keyframe: Keyframe) -> bool:
        """Decode and prepare a keyframe. One that was sent before costs nothing.

        Returns:
            Whether it was new.

        Raises:
            MissingBaseError: the keyframe that it depends on is not here.
            StreamError: the picture or the face shape in it cannot be used.
        """
        known = self._pool.get(keyframe.id)
        if known is not None and known.keyframe == keyframe:
            self._pool.move_to_end(keyframe.id)
            return False
        base = self._base(keyframe)
        picture = decode_picture(keyframe.picture, None if base is None else base.keyframe.picture)
        if picture.shape[:2] != self._shape:
            height, width = picture.shape[:2]
            raise StreamError(
                f"the keyframe is {width}x{height}, the stream {self._shape[1]}x{self._shape[0]}"
            )
        if base is None:
            points = unpack_shape(keyframe.shape)
        else:
            points = self._generator.points(base.source, keyframe.motion)
        try:
            source = self._generator.set_source(picture, keyframe.motion, points)
        except ConfigError as error:
            raise StreamError(f"the generator cannot use the keyframe: {error}") from error
        state = ReferenceState(keyframe.id, zlib.crc32(bytes(keyframe)))
        self._pool[keyframe.id] = PreparedReference(keyframe, source, points, state)
        self._pool.move_to_end(keyframe.id)
        while len(self._pool) > self._size:
            self._pool.popitem(last=False)
        return True

    def _base(self, keyframe: Keyframe) -> PreparedReference | None:
        if keyframe.base is None:
            return None
        base = self._pool.get(keyframe.base)
        if base is None:
            raise MissingBaseError(
                f"keyframe {keyframe.id} depends on keyframe {keyframe.base}, which is not here"
            )
        return base

    def use(self, generator: Generator) -> None:
        """Prepare later keyframes with this generator. Those already prepared stay valid, since
        an identity changes the decoder of the network only.
        """
        self._generator = generator

    def get(self, identity: int) -> PreparedReference | None:
        """The keyframe of that id, which counts as used now; None if it is not here."""
        if identity in self._pool:
            self._pool.move_to_end(identity)
        return self._pool.get(identity)
