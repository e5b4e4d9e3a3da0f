"""Prepared talks: the landmarks and the log-mel of clips with sound.

They are read from the caches that every training shares (`models.training.cache`), without their
pictures. Where only talks are needed, `prepare_talks` writes files with nothing else in them, in a
small part of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...codec.errors import FacewireError, TrainingError
from ...codec.whole_file import whole_file
from ..face.head import HeadCoordinates
from ..face.mesh import select_points
from ..mel import SAMPLE_RATE, log_mel
from ..training.cache import CachedClip
from ..training.prepare import Footage, find_clips, people_of
from .sound import is_heard

__all__ = ["FPS", "Talk", "prepare_talks", "read_talks", "talk_of"]

FPS = 25.0
"""All talks are brought to this rate."""
_LONGEST_S = 60.0
_SHORTEST = 24  # frames
_LONGEST_GAP = 3  # frames without a face that are filled in between others
_SIZE = 64  # of the crops, which nobody looks at
_FIELDS = ("landmarks", "mel", "faces", "fps", "identity")

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Talk:
    """A clip of somebody who is seen and heard, at 25 frames a second.

    Attributes:
        name: the clip's name.
        identity: the person.
        landmarks: float32 `[T, 478, 2]` on [-1, 1].
        mel: float32 `[n, 80]`, log-mel steps of the sound.
    """

    name: str
    identity: str
    landmarks: Array
    mel: Array

    def mouth(self) -> Array:
        """The mouth in head coordinates of the first frame, float32 `[T, 40, 2]`."""
        points = select_points(self.landmarks)
        return HeadCoordinates(points[0]).mouth(points)


def read_talks(folder: Path) -> list[Talk]:
    """All talks of a folder, sorted by name; clips without sound or with long gaps are left out.

    Raises:
        TrainingError: there is none, or a file is damaged.
    """
    talks = [talk for path in sorted(folder.glob("*.npz")) if (talk := _read(path)) is not None]
    if not talks:
        raise TrainingError(f"no prepared clips with sound in {folder}")
    return talks


def talk_of(clip: CachedClip) -> Talk | None:
    """A prepared clip as a talk; None without sound, or where the face is not seen for long enough
    at its beginning.
    """
    found = _at_25(clip.landmarks, clip.faces > 0, clip.fps)
    if found is None or not is_heard(clip.mel).any():
        return None
    return Talk(clip.name, clip.identity, found, clip.mel.astype(np.float32))


def _read(path: Path) -> Talk | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            values = {name: file[name] for name in _FIELDS}
        found = _at_25(values["landmarks"], values["faces"] > 0, float(values["fps"]))
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(
            f"{path} is damaged ({error}); delete it and prepare the data again"
        ) from error
    mel = values["mel"].astype(np.float32)
    if found is None or not is_heard(mel).any():
        return None
    return Talk(path.stem, str(values["identity"]), found, mel)


def _at_25(landmarks: Array, seen: npt.NDArray[np.bool_], fps: float) -> Array | None:
    """The longest stretch from the first frame on in which the face is never long away."""
    at = np.flatnonzero(seen)
    if not len(at) or at[0] > _LONGEST_GAP:
        return None
    away = np.flatnonzero(np.diff(at) > _LONGEST_GAP + 1)
    at = at[: away[0] + 1] if len(away) else at
    times = np.arange(int(at[-1] / fps * FPS + 1e-6) + 1) * (fps / FPS)  # in frames of the clip
    if len(times) < _SHORTEST:
        return None
    after = np.clip(np.searchsorted(at, times), 1, len(at) - 1)
    low, high = at[after - 1], at[after]
    part = np.clip((times - low) / (high - low), 0, 1)[:, None, None].astype(np.float32)
    return np.asarray(landmarks[low] * (1 - part) + landmarks[high] * part, np.float32)


def prepare_talks(
    folder: Path,
    cache: Path,
    open_footage: Callable[[Path, int], Footage],
    *,
    people: Path | None = None,
) -> Iterator[tuple[int, int, str]]:
    """Prepare all clips that the cache does not hold yet; see `models.training.prepare.prepare`.

    Yields:
        After each clip: number of clips done, number in all, and what went wrong or "".
    """
    clips = find_clips(folder)
    identities = people_of(clips, folder, people)
    for index, path in enumerate(clips):
        problem = ""
        name = "-".join(path.relative_to(folder).with_suffix("").parts)
        target = cache / f"{name}.npz"
        if not target.exists():
            try:
                _prepare(path, target, open_footage(path, _SIZE), identities[path])
            except FacewireError as error:
                problem = f"{path.name}: {error}"
        yield index + 1, len(clips), problem


def _prepare(path: Path, target: Path, footage: Footage, identity: str) -> None:
    sound = np.concatenate([np.zeros(0, np.float32), *footage.sound()])
    mel = log_mel(sound[: int(_LONGEST_S * SAMPLE_RATE)])
    if not is_heard(mel).any():
        raise TrainingError("it has no sound")
    landmarks, faces = [], []
    nobody = np.zeros((478, 2), np.float32)
    for seconds, seen in footage.frames():
        if seconds >= _LONGEST_S:
            break
        landmarks.append(nobody if seen is None else seen.landmarks)
        faces.append(seen is not None)
    if sum(faces) < _SHORTEST:
        raise TrainingError(f"fewer than {_SHORTEST} of its frames show a face")
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target, overwrite=True) as file:
        np.savez_compressed(
            file,
            landmarks=np.stack(landmarks).astype(np.float32),
            faces=np.array(faces, np.uint8),
            mel=mel.astype(np.float16),
            fps=np.array(footage.fps),
            identity=np.array(identity),
        )
