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
        portrait: the photograph that is sent in place of the camera's pictures anyway. It speaks
            then, and no picture of the camera is looked at.

    Attributes:
        eye: gives the photograph's pictures; None while the camera's are sent.
        shown: the photograph as it is sent; None in that case.
    """

    def __init__(
        self,
        workers: CallWorkers,
        make: Callable[[Frame], Encoder],
        portrait: Frame | None = None,
    ) -> None:
        self._workers, self._make, self._portrait = workers, make, portrait
        self._name = "your last picture" if portrait is None else "your portrait"
        self._camera = workers.session.outgoing.encoder
        self._speaking: Encoder | None = None
        self._made: queue.SimpleQueue[Encoder | FacewireError] = queue.SimpleQueue()
        self._preparing = False
        self.eye: Photograph | None = None
        self.shown: Frame | None = None

    def toggle(self, picture: Frame | None) -> str:
        """Change from the camera to a picture, which then speaks, or back to the camera.

        Args:
            picture: the last picture of the camera that was sent; None if there is none. A portrait
                speaks in its place.

        Returns:
            A sentence about what happens.
        """
        if self.eye is not None:
            self._workers.change_encoder(self._camera)
            self.eye = self.shown = None
            return "the camera's pictures are sent again"
        if self._preparing:
            return f"{self._name} is still being prepared"
        picture = picture if self._portrait is None else self._portrait
        if picture is None:
            return "no picture of the camera has been sent yet that could speak"
        self._preparing = True
        threading.Thread(
            target=self._prepare, args=(picture.copy(),), name="facewire-photo", daemon=True
        ).start()
        return f"preparing {self._name}, to speak in the camera's place"

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
            return f"{self._name} cannot speak: {made}"
        before, self._speaking = self._speaking, made
        if before is not None:
            before.close()
        self.shown = made.shown
        if self.shown is not None:
            self.eye = Photograph(self.shown)
        self._workers.change_encoder(made)
        return f"{self._name} speaks in the camera's place; both windows say so"

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
