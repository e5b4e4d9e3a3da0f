"""`Playback`: keeps decoded sound and pictures until they are heard and seen, by one clock."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from ...codec.sound.opus import SAMPLE_RATE
from ...receiver.decoder import Due
from ...receiver.outputs import SoundOutput
from ...receiver.tracks.pictures import DuePicture
from .pictures import PictureQueue
from .playout import SoundPlayout

__all__ = ["Playback"]

_HURRY_S = 0.03  # before it is played, sound no longer waits for what is missing before it
_RESUMES_S = 1.5  # after an outage, sound begins again within such a time
_SILENT_S = 0.5  # without sound for so long, pictures no longer follow it


class Playback:
    """Sound and pictures of one peer.

    Attributes:
        playout: the sound that waits to be heard.
        pictures: the pictures that wait to be seen.
        made_up_s: seconds of sound that the decoder made up.
    """

    def __init__(self) -> None:
        self.made_up_s = 0.0
        self.begin()

    def begin(self) -> None:
        """Forget everything that waits, because the peer begins another stream."""
        self.playout = SoundPlayout()
        self.pictures = PictureQueue()
        self._heard: tuple[float, float] | None = None  # when sound was last played, and which

    def take(self, due: Iterable[Due], now: float) -> None:
        """Take what the decoder gave; `now` is this side's clock in seconds."""
        waited = False
        for one in due:
            if isinstance(one, SoundOutput):
                # What comes together with made-up sound has waited for what was lost. That says
                # nothing about the line.
                waited |= one.concealed
                self.made_up_s += len(one.pcm) / SAMPLE_RATE if one.concealed else 0.0
                late = now - float(one.pts) > self.playout.target_s
                if not (late and self._is_useless(one, now)):
                    timely = not (waited or one.pause)
                    self.playout.push(one.pcm, round(one.pts * SAMPLE_RATE), now, timely=timely)
            else:
                self.pictures.push(one, now)

    def _is_useless(self, sound: SoundOutput, now: float) -> bool:
        """Whether sound that comes too late is better left out. A pause is: there is silence anyway
        while nothing comes. So is sound that was made up right after an outage, because it would
        only delay all that follows.
        """
        if sound.pause:
            return True
        lately = now - self.playout.resumed < _RESUMES_S
        return sound.concealed and lately and not self.playout.buffered_s

    def needed(self, now: float) -> float | None:
        """Seconds of the peer's stream up to which sound must be here by now; None before any."""
        if self.playout.position() is None:
            return None
        return now - self.playout.target_s + _HURRY_S

    def sound(self, count: int, now: float) -> npt.NDArray[np.float32]:
        """The next samples for the loudspeaker: float32 mono `[count]` at 16 kHz."""
        before = self.playout.statistics.silent
        pcm = self.playout.pull(count, now)
        position = self.playout.position()
        if position is not None and self.playout.statistics.silent == before:
            self._heard = now, position - self.playout.block_s
        return pcm

    def choose(self, now: float) -> DuePicture | None:
        """The picture to be shown from `now` on, which may lie in the future; None if there is no
        new one.
        """
        return self.pictures.choose(self.position(now), now)

    def position(self, now: float) -> float | None:
        """Stream time in seconds of the sound that is heard now; None while none is."""
        if self._heard is None or now - self._heard[0] > _SILENT_S:
            return None
        at, position = self._heard  # time goes on in a pause too
        return position + max(now - at, 0.0)
