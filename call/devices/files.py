"""Files in place of devices: a video is sent in real time, and what comes is written to another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ...codec.sound.opus import SAMPLE_RATE
from ...receiver.files.writer import VideoWriter
from ...sender.tracking.capture import Capture
from .ports import DeviceEvent, Frame, Sound, Taken

__all__ = ["FileSink", "FileSource"]

_TICK = Fraction(1, 1000)
_HELD = 60 * SAMPLE_RATE  # samples that wait for the first picture at most
_BLOCK = SAMPLE_RATE // 50
_LONGEST_S = 2.0  # of sound that is caught up with after a pause of the program
_STEP_S = 0.5  # that a film goes on between two calls, at most


class FileSource:
    """Camera and microphone from a video file, at the pace of the clock. The video begins with the
    first call of a method, and pauses while none is called for more than half a second.

    Args:
        path: anything that `facewire encode` reads.
        loop: begin again at the end.

    Raises:
        MediaError, NotAVideoError: as `Capture`.
    """

    def __init__(self, path: Path, *, loop: bool = False) -> None:
        self._capture, self._loop = Capture(path), loop
        self._began: float | None = None  # the film's time 0 on the clock
        self._asked = 0.0
        self._frames: Iterator[tuple[Frame, Fraction]] = iter(())
        self._next: tuple[Frame, Fraction] | None = None
        self._pieces: Iterator[Sound] = iter(())
        self._pending = np.zeros(0, np.float32)
        self._heard = 0
        self._level = 0.0
        self._ended = False
        self._rewind()

    @property
    def ended(self) -> bool:
        """Whether the last picture was given."""
        return self._ended

    @property
    def level(self) -> float:
        """How loud it is now."""
        return self._level

    def look(self, now: float) -> Taken | None:
        """The picture of this moment, given once."""
        time = self._time(now)
        found = None
        while self._next is not None and self._next[1] <= time:
            found = Taken(self._next[0], now - time + float(self._next[1]))
            self._next = next(self._frames, None)
        if self._next is None and not self._ended:
            if self._loop:
                self._began = now
                self._rewind()
            else:
                self._ended = True
        return found

    def listen(self, now: float) -> Sound:
        """The sound up to now."""
        wanted = int(self._time(now) * SAMPLE_RATE) - self._heard
        if wanted <= 0 or not self._capture.info.has_sound:
            return np.zeros(0, np.float32)
        while len(self._pending) < wanted:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._pending = np.concatenate([self._pending, piece])
        pcm, self._pending = self._pending[:wanted], self._pending[wanted:]
        pcm = np.concatenate([pcm, np.zeros(wanted - len(pcm), np.float32)])
        self._heard += wanted
        loud = float(np.sqrt(np.mean(np.square(pcm))))
        self._level = min(1.0, max(0.0, 1 + float(np.log10(max(loud, 1e-6))) / 3))
        return pcm

    def events(self) -> list[DeviceEvent]:
        """Always empty, because files do not get unplugged."""
        return []

    def close(self) -> None:
        """Do nothing: the file is open only while it is read."""
        self._frames, self._pieces = iter(()), iter(())
        self._next, self._ended = None, True

    def _time(self, now: float) -> float:
        if self._began is None:
            self._began = self._asked = now
        self._began += max(0.0, now - self._asked - _STEP_S)
        self._asked = max(self._asked, now)
        return now - self._began

    def _rewind(self) -> None:
        self._frames, self._pieces = self._capture.frames(), self._capture.sound()
        self._next = next(self._frames, None)
        self._pending, self._heard = np.zeros(0, np.float32), 0


class FileSink:
    """Writes what is shown and played to a video file, with the times of showing and playing.

    Args:
        path: see `VideoWriter`.
        overwrite: replace the file if it exists.

    Attributes:
        pictures: how many were written.

    Raises:
        OutputExistsError, ConfigError, OutputError, OSError: as `VideoWriter`, from `show`.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self._path, self._overwrite = path, overwrite
        self._writer: VideoWriter | None = None
        self._size = (0, 0)
        self._began: float | None = None
        self._asked = self._played = 0
        self._held: deque[tuple[Sound, Fraction]] = deque()
        self._last = -1
        self.pictures = 0

    def show(self, frame: Frame, now: float) -> None:
        """Write a picture that is shown from now on. Of several within 1 ms, only the first is
        kept.
        """
        pts = round(self._time(now) * 1000)
        if pts <= self._last:
            return
        self._last = pts
        if self._writer is None:
            height, width = frame.shape[0] & ~1, frame.shape[1] & ~1
            self._size = (height, width)
            self._writer = VideoWriter(
                self._path,
                self._size,
                Fraction(25),
                _TICK,
                sound=True,
                overwrite=self._overwrite,
            )
            while self._held:
                self._writer.sound(*self._held.popleft())
        self._writer.picture(_fitted(frame, self._size), pts * _TICK)
        self.pictures += 1

    def wants(self, now: float) -> int:
        """How many samples are due up to now, in whole blocks of 20 ms."""
        due = int(self._time(now) * SAMPLE_RATE)
        if due - self._asked > _LONGEST_S * SAMPLE_RATE:
            self._asked = self._played = due - _BLOCK
        count = max(0, due - self._asked) // _BLOCK * _BLOCK
        self._asked += count
        return count

    def play(self, pcm: Sound) -> None:
        """Write sound."""
        start = Fraction(self._played, SAMPLE_RATE)
        self._played += len(pcm)
        if self._writer is not None:
            self._writer.sound(pcm, start)
        else:
            self._held.append((pcm, start))
            while sum(len(piece) for piece, _ in self._held) > _HELD:
                self._held.popleft()

    def events(self) -> list[DeviceEvent]:
        """Always empty, because files do not get unplugged."""
        return []

    def close(self) -> None:
        """Finish the file. If nothing was ever shown, there is none."""
        if self._writer is not None:
            self._writer.close()

    def _time(self, now: float) -> float:
        if self._began is None:
            self._began = now
        return now - self._began


def _fitted(frame: Frame, size: tuple[int, int]) -> Frame:
    """The picture, in another size if necessary."""
    if frame.shape[:2] == size:
        return frame
    video = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
    return np.asarray(video.reformat(width=size[1], height=size[0]).to_ndarray(format="rgb24"))
