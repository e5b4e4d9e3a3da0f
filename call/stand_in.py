"""`StandIn`: lets a photograph speak in the camera's place in a call that goes on, and ends that.

camera ─────→ Encoder ─┐
                       ├→ the session sends the stream of one of them
photograph ─→ Encoder ─┘  (its face is moved by the voice)

Each change begins a new stream, as a restart does: its first picture takes a moment to arrive.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from ..codec.errors import FacewireError
from ..sender.encoder import Encoder
from .devices.photograph import Photograph
from .devices.ports import Frame
from .workers import CallWorkers

__all__ = ["StandIn"]


class StandIn:
    """Changes between camera and photograph when asked.

    Args:
        workers: run the call, which begins with the camera.
        make: makes the encoder of a stream whose face is this picture (uint8 RGB `[H, W, 3]`), and
            prepares it. It takes a second or two, and runs in a thread of its own. It may raise
            `FacewireError`.

    Attributes:
        eye: gives the photograph's pictures; None while the camera's are sent.
        shown: the photograph as it is sent; None in that case.
    """

    def __init__(self, workers: CallWorkers, make: Callable[[Frame], Encoder]) -> None:
        self._workers, self._make = workers, make
        self._camera = workers.session.outgoing.encoder
        self._speaking: Encoder | None = None
        self._made: queue.SimpleQueue[Encoder | FacewireError] = queue.SimpleQueue()
        self._preparing = False
        self.eye: Photograph | None = None
        self.shown: Frame | None = None

    def toggle(self, picture: Frame | None) -> str:
        """Change from the camera to its newest picture, which then speaks, or back to the camera.

        Args:
            picture: the camera's newest picture, which is to speak; None if there is none.

        Returns:
            A sentence about what happens.
        """
        if self.eye is not None:
            self._workers.change_encoder(self._camera)
            self.eye = self.shown = None
            return "the camera's pictures are sent again"
        if self._preparing:
            return "your picture is still being prepared"
        if picture is None:
            return "the camera has not given a picture yet that could speak"
        self._preparing = True
        threading.Thread(
            target=self._prepare, args=(picture.copy(),), name="facewire-photo", daemon=True
        ).start()
        return "preparing your last picture, to speak in the camera's place"

    def poll(self) -> str:
        """Change to the photograph if it is ready by now; returns a sentence about what happened,
        "" if nothing did.
        """
        try:
            made = self._made.get_nowait()
        except queue.Empty:
            return ""
        self._preparing = False
        if not isinstance(made, Encoder):
            return f"your last picture cannot speak: {made}"
        before, self._speaking = self._speaking, made
        if before is not None:
            before.close()
        self.shown = made.shown
        if self.shown is not None:
            self.eye = Photograph(self.shown)
        self._workers.change_encoder(made)
        return "your last picture speaks in the camera's place; both windows say so"

    def close(self) -> None:
        """Free the encoder that is not in use; the session closes the one that is. Call it after
        the workers' threads have ended.
        """
        used = self._workers.session.outgoing.encoder
        for encoder in (self._camera, self._speaking):
            if encoder is not None and encoder is not used:
                encoder.close()

    def _prepare(self, picture: Frame) -> None:
        try:
            self._made.put(self._make(picture))
        except FacewireError as error:
            self._made.put(error)
