"""The samples that the fusion network learns from, on disk: two files for each piece of a clip.

`NAME.pictures.npy` is memory mapped, uint8 `[N, 2 + K, 2, 256, 256, 3]`. It holds N pairs of
neighbouring frames: as they were, as the generator shows them, and as each of K base layers shows
them, enlarged to full size. `NAME.npz`, written last, holds the numbers that belong to them.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...codec.errors import TrainingError
from ...codec.whole_file import whole_file

__all__ = ["Samples", "read_samples", "write_samples"]

_NUMBERS = ("points", "age", "crf", "side", "bpp", "fair", "person")


@dataclass(frozen=True)
class Samples:
    """The samples of one piece of a clip: N pairs of frames with K base layers.

    Attributes:
        name: the name of the piece.
        person: the identity; pieces of one person have the same.
        pictures: uint8 `[N, 2 + K, 2, 256, 256, 3]`: true, generated, and the base layers.
        points: float32 `[N, 2, P, 2]` on [-1, 1], the landmarks that the generator drew.
        age: uint8 `[K, N, 2]`, how many frames ago the picture of the base was coded.
        crf: float32 `[K]`, quality of the base layers.
        side: int64 `[K]`, their size in pixels.
        bpp: float32 `[K]`, their bits per pixel of the whole picture, without the still.
        fair: bool `[N]`, whether the generator was asked for what the frames show.
    """

    name: str
    person: str
    pictures: npt.NDArray[np.uint8]
    points: npt.NDArray[np.float32]
    age: npt.NDArray[np.uint8]
    crf: npt.NDArray[np.float32]
    side: npt.NDArray[np.int64]
    bpp: npt.NDArray[np.float32]
    fair: npt.NDArray[np.bool_]


def write_samples(folder: Path, samples: Samples) -> None:
    """Write a piece; it appears under its name only when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / f"{samples.name}.pictures.npy", overwrite=True) as file:
        np.save(file, samples.pictures)
    values = {name: np.asarray(getattr(samples, name)) for name in _NUMBERS}
    with whole_file(folder / f"{samples.name}.npz", overwrite=True) as file:
        np.savez_compressed(file, **values)  # type: ignore[arg-type]


def read_samples(folder: Path) -> list[Samples]:
    """Read all pieces of a folder, sorted by name.

    Raises:
        TrainingError: the folder is missing or empty, or a file in it is damaged.
    """
    found = [_read(path) for path in sorted(folder.glob("*.npz"))] if folder.is_dir() else []
    if not found:
        raise TrainingError(f"no samples of a fusion network in {folder}: prepare them first")
    return found


def _read(path: Path) -> Samples:
    name = path.stem
    try:
        with np.load(path, allow_pickle=False) as file:
            values = {field: file[field] for field in _NUMBERS}
        where = path.with_name(f"{name}.pictures.npy")
        pictures = np.load(where, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise TrainingError(
            f"{path} is damaged ({error}); delete it and prepare the samples again"
        ) from error
    person = str(values.pop("person"))
    return Samples(name=name, person=person, pictures=pictures, **values)
