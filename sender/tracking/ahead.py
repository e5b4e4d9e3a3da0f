"""Reading ahead: what an iterator gives is made in a thread of its own, a few items early."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

__all__ = ["read_ahead"]

T = TypeVar("T")


class _End:
    """After the last item: why there is no more of them."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def read_ahead(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """The same items in the same order, up to `depth` of them made before they are asked for.

    An error of the iterable is raised here, after the items before it. Closing this generator
    ends the thread.
    """
    # Ctrl-C in the middle of a `Queue` can leave its lock taken for ever; these have none.
    ready: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
    room: queue.SimpleQueue[None] = queue.SimpleQueue()  # one for each item that may be made
    for _ in range(depth):
        room.put(None)
    ended = False

    def read() -> None:
        try:
            for item in items:
                room.get()
                if ended:
                    return
                ready.put(item)
        except BaseException as error:  # handed on to the reader, whatever it is
            ready.put(_End(error))
        else:
            ready.put(_End(None))

    thread = threading.Thread(target=read, name="facewire-read-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            room.put(None)
            yield item
        if item.error is not None:
            raise item.error
    finally:
        ended = True
        room.put(None)
        thread.join()
