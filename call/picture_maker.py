"""`PictureMaker`: pictures are made beside the call, since they take longer than sound may wait."""

from __future__ import annotations

import threading

from ..receiver.outputs import PictureOutput
from ..receiver.tracks.pictures import DuePicture
from .party import Party

__all__ = ["PictureMaker"]


class PictureMaker:
    """Makes pictures in a thread of its own, the newest first.

    Args:
        session: makes them.
    """

    def __init__(self, session: Party) -> None:
        self._session = session
        self._condition = threading.Condition()
        self._due: DuePicture | None = None
        self._made: PictureOutput | None = None
        self._error: Exception | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="facewire-pictures", daemon=True)
        self._thread.start()

    def ask(self, due: DuePicture | None) -> None:
        """Make this one, in place of one that still waits."""
        if due is not None:
            with self._condition:
                self._due = due
                self._condition.notify()

    def made(self) -> PictureOutput | None:
        """The newest picture, once. Raises what went wrong."""
        with self._condition:
            made, self._made = self._made, None
            error, self._error = self._error, None
        if error is not None:
            raise error
        return made

    def close(self) -> None:
        """End the thread."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join(5.0)

    def _run(self) -> None:
        while True:
            with self._condition:
                while self._due is None and not self._closing:
                    self._condition.wait()
                if self._closing:
                    return
                due, self._due = self._due, None
            assert due is not None
            try:
                made = self._session.render(due)
            except Exception as error:  # told to the thread that asked
                with self._condition:
                    self._error = error
                continue
            with self._condition:
                self._made = made
