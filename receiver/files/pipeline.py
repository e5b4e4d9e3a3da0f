"""`Pipeline`: renders several pictures at the same time and writes them in order meanwhile.

Frames of a file do not depend on one another, so each core can render one. One more thread writes,
so that the video encoder works beside the renderers. What lies between is bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from ...codec.stream import StreamHeader
from ..decoder import Due
from ..outputs import Frame, SoundOutput

__all__ = ["Pipeline"]

_AHEAD = 8
"""Pictures and pieces of sound that may wait, for each picture rendered at the same time."""


class Pipeline:
    """A context manager; leaving it stops the threads, and drops what waits.

    Args:
        write: takes each item in order, from one thread: the item, the picture that was rendered
            for it (None if there was nothing to render), and the header of its stream.
        parallel: how many pictures are rendered at the same time.
    """

    def __init__(
        self, write: Callable[[Due, Frame | None, StreamHeader], None], parallel: int
    ) -> None:
        self._write = write
        self._room = _AHEAD * (parallel + 1)
        self._renderers = ThreadPoolExecutor(parallel, "facewire-render")
        self._writer = ThreadPoolExecutor(1, "facewire-write")
        self._pending: deque[Future[None]] = deque()
        self._failed = False

    def put(self, due: Due, header: StreamHeader) -> None:
        """Add an item; wait while too many are pending. Raises what rendering or writing raised."""
        picture = None
        if not isinstance(due, SoundOutput) and due.rendering is not None:
            picture = self._renderers.submit(due.rendering.picture)
        self._pending.append(self._writer.submit(self._write_next, due, picture, header))
        while len(self._pending) > self._room:
            self._pending.popleft().result()

    def finish(self) -> None:
        """Wait until everything is written. Raises what rendering or writing raised."""
        while self._pending:
            self._pending.popleft().result()

    def _write_next(self, due: Due, picture: Future[Frame] | None, header: StreamHeader) -> None:
        if self._failed:  # what comes after it is not written
            return
        try:
            self._write(due, None if picture is None else picture.result(), header)
        except BaseException:
            self._failed = True
            raise

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, *_: object) -> None:
        # The writer first: it may wait for a renderer, which still runs then.
        self._writer.shutdown(wait=False, cancel_futures=True)
        self._renderers.shutdown(wait=True, cancel_futures=True)
        self._writer.shutdown(wait=True)
