"""`unpack`: msgpack from strangers, with limits on what it may unfold to.

A byte of msgpack can stand for an empty map or list, which takes 60 bytes of memory and more: four
megabytes of them, well packed in four packets, took 309 MB.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgpack

from .errors import StreamError

__all__ = ["unpack"]

T = TypeVar("T")


def unpack(data: bytes, *, containers: int, entries: int) -> Any:
    """Decode one msgpack value.

    Args:
        data: of bounded length: it bounds strings and byte strings.
        containers: most maps and lists in it, the outermost and all inside counted.
        entries: most entries that each of them may have.

    Raises:
        StreamError: not msgpack, more than one value, or beyond the limits.
    """
    count = 0

    def counted(container: T) -> T:
        nonlocal count
        count += 1
        if count > containers:
            raise ValueError(f"more than {containers} maps and lists")
        return container

    try:
        return msgpack.unpackb(
            data,
            object_hook=counted,
            list_hook=counted,
            max_array_len=entries,
            max_map_len=entries,
            max_ext_len=0,
        )
    except msgpack.StackError as error:
        raise StreamError("msgpack that is nested too deeply") from error
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise StreamError(f"not the msgpack that is expected here: {error}") from error
