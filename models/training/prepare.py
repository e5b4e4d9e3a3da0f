"""Prepares clips for training: crops, landmarks, person masks and log-mels go into a cache."""

from __future__ import annotations

import csv
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ...codec.clean_stop import clean_stop
from ...codec.errors import FacewireError, TrainingError
from ...codec.sound.opus import SAMPLE_RATE
from ..avfr.segmenter import Segmenter
from ..face.mesh import LANDMARKS
from ..face.observation import Observation
from ..mel import log_mel
from .cache import MASK_SIDE, CachedClip, write_clip

__all__ = ["Footage", "find_clips", "people_of", "prepare", "prepare_clip"]

_VIDEOS = {".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v"}
_LONGEST_S = 60.0
"""Only the first minute of a clip is used, so that it fits in memory."""


class Footage(Protocol):
    """A video of one talking person, for example the sender's `TrackedFootage`."""

    fps: float

    def frames(self) -> Iterator[tuple[float, Observation | None]]:
        """For each frame its time in seconds, and what was seen or None if there is no face."""

    def sound(self) -> Iterator[npt.NDArray[np.float32]]:
        """Pieces of the sound, float32 mono at 16 kHz."""


def find_clips(folder: Path) -> list[Path]:
    """All videos below a folder, sorted. Raises `TrainingError` if there are none."""
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _VIDEOS and p.is_file())
    if not found:
        raise TrainingError(f"no video ({', '.join(sorted(_VIDEOS))}) in {folder}")
    return found


def people_of(clips: Iterable[Path], folder: Path, table: Path | None = None) -> dict[Path, str]:
    """The person shown in each clip.

    A CSV with the columns `file` and `identity` may name them. Other clips in a subfolder show the
    person that the subfolder is named after; each clip in `folder` itself shows another person.
    """
    names: dict[str, str] = {}
    if table is not None:
        try:
            with table.open(newline="") as file:
                names = {Path(r["file"]).stem: r["identity"] for r in csv.DictReader(file)}
        except (OSError, KeyError, UnicodeDecodeError) as error:
            raise TrainingError(
                f"{table} is not a CSV with the columns `file` and `identity`: {error}"
            ) from error
    result = {}
    for clip in clips:
        parent = clip.parent.name if clip.parent != folder else clip.stem
        result[clip] = names.get(clip.stem, parent)
    return result


def prepare(
    folder: Path,
    cache: Path,
    open_footage: Callable[[Path, int], Footage],
    *,
    people: Path | None = None,
    every: int = 6,
    size: int = 256,
    jobs: int = 1,
) -> Iterator[tuple[int, int, str]]:
    """Prepare all clips that the cache does not hold yet.

    Each clip is tracked frame by frame, as the encoder does it, so what can be done side by side
    is clips. Batches of frames would gain little: with the landmark network in float32 on one
    core, four or eight frames at once take as long as one after the other.

    Args:
        folder: holds videos, also in subfolders.
        cache: folder to write to (`models.training.cache`).
        open_footage: opens a video whose crops have the given side.
        people: CSV of identities, see `people_of`.
        every: keep every n-th frame and the one after it as pictures, since the loss for flicker
            looks at the change between the two. Landmarks and log-mels are kept for all.
        size: side of the pictures in pixels.
        jobs: clips that are prepared at the same time, each by a thread of its own.

    Yields:
        After each clip: number of clips done, number in all, and what went wrong or "".
    """
    clips = find_clips(folder)
    identities = people_of(clips, folder, people)
    own, ended = threading.local(), threading.Event()

    def prepare_one(path: Path) -> str:
        name = "-".join(path.relative_to(folder).with_suffix("").parts)
        if (cache / f"{name}.npz").exists():
            return ""
        if not hasattr(own, "segmenter"):
            own.segmenter = Segmenter()
        try:
            footage = _Stoppable(open_footage(path, size), ended)
            clip = prepare_clip(footage, name, identities[path], own.segmenter, every)
            write_clip(cache, clip)
        except FacewireError as error:
            return f"{path.name}: {error}"
        return ""

    with clean_stop(), ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(prepare_one, path) for path in clips]
        try:
            for done, future in enumerate(as_completed(futures), 1):
                yield done, len(clips), future.result()
        finally:
            ended.set()
            pool.shutdown(cancel_futures=True)


class _Stoppable:
    """A `Footage` whose frames end with an error once an event is set."""

    def __init__(self, footage: Footage, ended: threading.Event) -> None:
        self._footage, self._ended = footage, ended
        self.fps = footage.fps

    def frames(self) -> Iterator[tuple[float, Observation | None]]:
        for frame in self._footage.frames():
            if self._ended.is_set():
                raise TrainingError("the preparation was stopped")
            yield frame

    def sound(self) -> Iterator[npt.NDArray[np.float32]]:
        return self._footage.sound()


def prepare_clip(
    footage: Footage, name: str, identity: str, segmenter: Segmenter, every: int
) -> CachedClip:
    """Prepare one clip: its first minute, up to its first cut.

    Raises:
        NotAVideoError, MediaError: the video cannot be read.
        TrainingError: fewer than two of its frames show a face.
    """
    landmarks, masks, faces, kept, frames = [], [], [], [], []
    for index, (seconds, seen) in enumerate(footage.frames()):
        if seconds >= _LONGEST_S:
            break
        if seen is not None:
            landmarks.append(seen.landmarks)
            masks.append(_shrink(segmenter.segment(seen.picture)))
            if index % every <= 1:
                kept.append(index)
                frames.append(seen.picture)
        else:
            landmarks.append(np.zeros((LANDMARKS, 2), np.float32))
            masks.append(np.zeros((MASK_SIDE, MASK_SIDE), np.uint8))
        faces.append(int(seen is not None))
    if sum(faces) < 2 or len(frames) < 2:
        raise TrainingError("fewer than two of its frames show a face")
    sound = np.concatenate([np.zeros(0, np.float32), *footage.sound()])
    return CachedClip(
        name=name,
        identity=identity,
        fps=footage.fps,
        landmarks=np.stack(landmarks),
        mask=np.stack(masks),
        mel=log_mel(sound[: int(_LONGEST_S * SAMPLE_RATE)]),
        faces=np.array(faces, np.uint8),
        kept=np.array(kept, np.int64),
        frames=np.stack(frames),
    )


def _shrink(mask: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """`[H, H]` on [0, 1] → uint8 `[64, 64]`, area-averaged."""
    factor = mask.shape[0] // MASK_SIDE
    small = mask.reshape(MASK_SIDE, factor, MASK_SIDE, factor).mean((1, 3))
    return np.asarray(np.round(small * 255), np.uint8)
