"""`ReferencePool`: the keyframes that motion may refer to, each prepared once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...codec.errors import StreamError
from ...codec.keyframe import Keyframe, decode_picture
from ...models.face.shape import unpack_shape

if TYPE_CHECKING:
    from ..generators.protocol import Generator, Source

__all__ = ["MissingBaseError", "PreparedReference", "ReferencePool"]


class MissingBaseError(StreamError):
    """A keyframe stands on one that never came, or was pushed out."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedReference:
    """A keyframe with the generator's features of it."""

    keyframe: Keyframe
    source: Source


class ReferencePool:
    """The keyframes used last, by id; a new one with an old id takes its place.

    Args:
        generator: computes the source-side features, once a keyframe.
        size: keyframes kept; the one not used for longest goes first. Bounds the memory.
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
        """Their ids."""
        return iter(self._pool)

    def add(self, keyframe: Keyframe) -> bool:
        """Decode and prepare a keyframe; one that is sent again costs nothing.

        Returns:
            Whether it was new.

        Raises:
            MissingBaseError: the keyframe that it stands on is not here.
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
        source = self._generator.set_source(picture, keyframe.motion, points)
        self._pool[keyframe.id] = PreparedReference(keyframe, source)
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
                f"keyframe {keyframe.id} stands on keyframe {keyframe.base}, which is not here"
            )
        return base

    def use(self, generator: Generator) -> None:
        """Prepare later keyframes with this one; those that are ready fit it too."""
        self._generator = generator

    def get(self, identity: int) -> PreparedReference | None:
        """The keyframe of that id, now the one used last, or None where it never came or was
        pushed out.
        """
        if identity in self._pool:
            self._pool.move_to_end(identity)
        return self._pool.get(identity)
