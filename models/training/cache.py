"""The prepared data set: a folder with two files for each clip, which every run reads.

`NAME.npz` holds what was measured on every frame. `NAME.frames.npy` holds the kept pictures; they
are memory mapped, so that a run over hours of video needs little memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...codec.errors import TrainingError
from ...codec.whole_file import whole_file

__all__ = ["MASK_SIDE", "CachedClip", "read_cache", "write_clip"]

MASK_SIDE = 64
_FIELDS = ("landmarks", "mask", "mel", "faces", "kept", "fps", "identity")


@dataclass(frozen=True)
class CachedClip:
    """One clip of T frames, n of them kept as pictures.

    Attributes:
        name: the clip's name.
        identity: the person shown; clips of one person have the same.
        fps: frames a second.
        landmarks: float32 `[T, 478, 2]` on [-1, 1].
        mask: uint8 `[T, 64, 64]`, person mask, 255 inside the person.
        mel: float32 `[n, 80]`, log-mel steps of the sound (`models.mel`); empty without sound.
        faces: uint8 `[T]`, number of faces that were found; frames with 0 are not used.
        kept: int64 `[n]`, numbers of the frames that have pictures.
        frames: uint8 `[n, 256, 256, 3]`, memory mapped.
    """

    name: str
    identity: str
    fps: float
    landmarks: npt.NDArray[np.float32]
    mask: npt.NDArray[np.uint8]
    mel: npt.NDArray[np.float32]
    faces: npt.NDArray[np.uint8]
    kept: npt.NDArray[np.int64]
    frames: npt.NDArray[np.uint8]

    @property
    def usable(self) -> npt.NDArray[np.int64]:
        """Positions in `kept` of the frames with a face."""
        return np.flatnonzero(self.faces[self.kept] > 0)


def write_clip(folder: Path, clip: CachedClip) -> None:
    """Write a clip; it appears under its name only when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures, numbers = folder / f"{clip.name}.frames.npy", folder / f"{clip.name}.npz"
    with whole_file(pictures, overwrite=True) as file:
        np.save(file, clip.frames)
    values = {name: np.asarray(getattr(clip, name)) for name in _FIELDS}
    values["landmarks"] = values["landmarks"].astype(np.float32)
    values["mel"] = values["mel"].astype(np.float16)
    with whole_file(numbers, overwrite=True) as file:
        np.savez_compressed(file, **values)  # type: ignore[arg-type]


def read_cache(folder: Path) -> list[CachedClip]:
    """All clips of a cache, sorted by name.

    Raises:
        TrainingError: the folder is missing or empty, or a file in it is damaged.
    """
    clips = list(_clips(folder)) if folder.is_dir() else []
    if not clips:
        raise TrainingError(f"no prepared clips in {folder}: run `facewire train --data DIR` first")
    return clips


def _clips(folder: Path) -> Iterator[CachedClip]:
    for path in sorted(folder.glob("*.npz")):
        name = path.stem
        try:
            with np.load(path, allow_pickle=False) as file:
                values = {field: file[field] for field in _FIELDS}
            frames = np.load(folder / f"{name}.frames.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, KeyError) as error:
            raise TrainingError(
                f"{path} is damaged ({error}); delete it and prepare the data again"
            ) from error
        yield CachedClip(
            name=name,
            identity=str(values["identity"]),
            fps=float(values["fps"]),
            landmarks=values["landmarks"],
            mask=values["mask"],
            mel=values["mel"].astype(np.float32),
            faces=values["faces"],
            kept=values["kept"],
            frames=frames,
        )
