"""Clips to be measured: any video of a face becomes a square crop of raw frames, once.

Every codec is given the same raw frames: never the compressed file that they came from, and never
a copy that another codec has been through.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..codec.errors import ConfigError, MediaError, NoFaceError
from ..codec.sound.opus import SAMPLE_RATE
from ..sender.tracking.capture import Capture
from ..sender.tracking.observer import Observer
from ..sender.tracking.tracker import Tracker

__all__ = ["VIDEO_SUFFIXES", "Clip", "Frame", "clip_key", "find_videos", "prepare_clip"]

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".y4m", ".mpg", ".mpeg")
_VERSION = 1  # of the preparation: what changes the pixels changes this

Frame = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Clip:
    """One prepared clip; its pixels lie on disk and are memory mapped.

    Attributes:
        name: name of the video file.
        key: hex SHA-256 of the video file and of how it was prepared.
        folder: where `frames.rgb` (all frames, raw) and `sound.npy` lie.
        frames: number of frames, T.
        fps: frames a second.
        width, height: size of a frame in pixels.
    """

    name: str
    key: str
    folder: Path
    frames: int
    fps: Fraction
    width: int
    height: int

    @property
    def seconds(self) -> float:
        """Length of the picture."""
        return float(self.frames / self.fps)

    def rgb(self) -> Frame:
        """Frames, uint8 `[T, H, W, 3]`, memory mapped, read-only."""
        shape = (self.frames, self.height, self.width, 3)
        frames: Frame = np.memmap(self.folder / "frames.rgb", np.uint8, "r", shape=shape)
        return frames

    def pcm(self) -> Sound:
        """Sound, float32 mono `[n]` at 16 kHz on [-1, 1]; empty where there is none."""
        sound: Sound = np.load(self.folder / "sound.npy")
        return sound

    @classmethod
    def load(cls, folder: Path) -> Clip:
        """A clip that `prepare_clip` has written."""
        about = json.loads((folder / "clip.json").read_text())
        about["fps"] = Fraction(about["fps"])
        return cls(folder=folder, **about)


def find_videos(data: Path) -> list[Path]:
    """The videos of a folder, sorted by name, or the one video that is named.

    Raises:
        ConfigError: there is no such folder or video, or the folder holds no video.
    """
    if data.is_file():
        return [data]
    if not data.is_dir():
        raise ConfigError(f"{data}: no such folder or video")
    found = sorted(p for p in data.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file())
    if not found:
        raise ConfigError(f"{data} holds no video ({', '.join(VIDEO_SUFFIXES)})")
    return found


def clip_key(video: Path, size: int, seconds: float | None) -> str:
    """Hex SHA-256 of everything that the prepared clip depends on."""
    with video.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(f"{_VERSION} {size} {seconds}".encode())
    return digest.hexdigest()


def prepare_clip(
    video: Path,
    folder: Path,
    *,
    size: int = 256,
    seconds: float | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Clip:
    """Crop the face out of a video, or find the crop of an earlier run.

    A square video that is a head crop already keeps its pixels where its side is `size`. Frames
    before the first face are left out; where the face is away later, the crop stays where it was.

    Args:
        video: any video that PyAV reads.
        folder: folder of all clips; the clip gets a folder of its own in it.
        size: side of the crop in pixels.
        seconds: take no more than so many seconds of it.
        progress: called with the number of frames done.

    Raises:
        MediaError, NotAVideoError, NoFaceError: the video cannot be used, or has fewer than two
            frames with a face.
        OSError: the folder cannot be written.
    """
    key = clip_key(video, size, seconds)
    done = folder / key[:24]
    if clip := _found(done, video.name):
        return clip
    # Of this task alone: another may be at the same clip, or at a copy of it.
    draft = folder / f".{key[:24]}.{os.getpid()}-{threading.get_ident()}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        with Capture(video) as capture:
            fps = Fraction(capture.info.timing.fps)
            limit = None if seconds is None else max(2, round(seconds * fps))
            start, frames = _write_frames(capture, draft, size, limit, progress)
            _write_sound(capture, draft, start, frames / fps)
        if frames < 2:
            raise MediaError(f"{video.name} has {frames} usable frames; two are needed")
        about = {"name": video.name, "key": key, "frames": frames, "fps": str(fps)}
        (draft / "clip.json").write_text(json.dumps({**about, "width": size, "height": size}))
        if clip := _found(done, video.name):
            return clip
        shutil.rmtree(done, ignore_errors=True)
        draft.rename(done)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Clip.load(done)


def _found(folder: Path, name: str) -> Clip | None:
    """A clip that is there and whole, under the name that its video has now."""
    try:
        clip = replace(Clip.load(folder), name=name)
        clip.rgb(), clip.pcm()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return clip


def _write_frames(
    capture: Capture, folder: Path, size: int, limit: int | None, progress: Callable[[int], None]
) -> tuple[Fraction, int]:
    """Write `frames.rgb`; returns the time of the first frame and the number of frames."""
    start, count = Fraction(0), 0
    with Tracker() as tracker, (folder / "frames.rgb").open("wb") as file:
        observer = Observer(tracker, size, lambda: Tracker(still=True))
        try:
            for picture, moment in itertools.islice(_crops(capture, observer), limit):
                start = start if count else moment
                file.write(picture.tobytes())
                count += 1
                progress(count)
        finally:
            observer.close()
    if count == 0:
        raise NoFaceError("no face was found in the whole video")
    return start, count


def _crops(capture: Capture, observer: Observer) -> Iterator[tuple[Frame, Fraction]]:
    before: Fraction | None = None
    for frame, moment in capture.frames():
        step = 1 / capture.info.timing.fps if before is None else moment - before
        before = moment
        seen = observer.crop(frame, float(step), round(moment * 1000))
        if seen is not None:
            yield seen, moment


def _write_sound(capture: Capture, folder: Path, start: Fraction, seconds: Fraction) -> None:
    first = round(start * SAMPLE_RATE)
    end, have = first + round(seconds * SAMPLE_RATE), 0
    pieces = [np.zeros(0, np.float32)]
    for piece in capture.sound():
        pieces.append(piece)
        have += len(piece)
        if have >= end:  # no more than is used: the video may go on for hours
            break
    np.save(folder / "sound.npy", np.concatenate(pieces)[first:end])
