"""`Voice`: a sound file and a photograph, read as if they were a video of somebody who speaks."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...codec.errors import MediaError, NotAVideoError
from ...codec.sound.opus import SAMPLE_RATE
from ..photo import Portrait
from ..tracking.capture import VideoInfo
from ..tracking.mixing import SILENCE
from ..tracking.reading import Damage, decode, open_video, packets_of
from ..tracking.sound import Aligner, choose_track
from ..tracking.timing import Timing

__all__ = ["FPS", "Voice"]

Frame = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]

FPS = Fraction(25)
"""Pictures a second of a photograph that speaks."""
_LOG = logging.getLogger(__name__)


class Voice:
    """The sound of a file, and a photograph that stands as long as the sound lasts.

    Args:
        path: anything with sound that PyAV reads, a video too: any rate, any number of channels.
        portrait: the photograph.
        track: number of the sound track, from 1; None takes the first that is not silent.

    Attributes:
        info: as of a video.

    Raises:
        MediaError: there is no sound in it.
        ConfigError: there is no such sound track.
    """

    def __init__(self, path: Path, portrait: Portrait, track: int | None = None) -> None:
        self._path, self._picture = path, portrait.picture
        with self._open() as container:
            self._track = self._chosen(choose_track(container, path.name, track))
        samples, peak, damage = 0, 0.0, Damage()
        # Stamps may lie: only decoding tells where it ends.
        for piece in self._decoded(damage, say=True):
            samples += len(piece)
            peak = max(peak, float(np.abs(piece).max(initial=0.0)))
        damage.warn(path.name, "sound")
        if not samples:
            raise MediaError(f"the sound track of {path.name} is empty: nothing of it can be heard")
        if peak <= SILENCE:
            _LOG.warning("%s is silent from beginning to end: the mouth will rest", path.name)
        frames = math.ceil(Fraction(samples, SAMPLE_RATE) * FPS)
        height, width = self._picture.shape[:2]
        timing = Timing(FPS, constant=True, frames=frames, duration_s=frames / FPS)
        self.info = VideoInfo(width, height, timing, has_sound=True)

    def frames(self) -> Iterator[tuple[Frame, Fraction]]:
        """The photograph again and again, uint8 RGB `[H, W, 3]`, each time with its second."""
        for number in range(self.info.timing.frames):
            yield self._picture, number / FPS

    def sound(self) -> Iterator[Sound]:
        """The sound as mono at 16 kHz, float32 `[n]` on [-1, 1]. Gaps are silence."""
        return self._decoded(Damage())

    def _decoded(self, damage: Damage, say: bool = False) -> Iterator[Sound]:
        with self._open() as container:
            stream = container.streams[self._track]
            aligner: Aligner | None = None
            for packet in packets_of(container, [stream]):
                for frame in decode(packet, damage):
                    if aligner is None:
                        at = Fraction(frame.pts or 0) * Fraction(frame.time_base or 1)
                        aligner = Aligner(at)
                    yield from aligner.push(frame)
            if aligner is not None:
                yield from aligner.flush()
                if say:
                    aligner.warn(self._path.name)

    def _open(self) -> Any:
        try:
            return open_video(self._path)
        except NotAVideoError as error:
            if not self._path.is_file():
                raise
            raise MediaError(
                f"{self._path.name} cannot be read as sound: give a WAV, MP3, M4A, Opus or FLAC "
                "file, or a video with sound"
            ) from error

    def _chosen(self, found: int | None) -> int:
        if found is None:
            raise MediaError(
                f"{self._path.name} has no sound: give a WAV, MP3, M4A, Opus or FLAC file, or a "
                "video with sound"
            )
        return found
