"""Makes samples on disk from videos: cuts clips into pieces, and prepares each piece.

Preparation can be stopped at any moment; the same call goes on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...codec.errors import FacewireError, TrainingError
from ...codec.sound.opus import SAMPLE_RATE
from ..face.table import FaceTable
from ..mel import log_mel, mel_window
from ..training.prepare import Footage, find_clips, people_of
from .held_out import held_out_piece, usual_layers
from .prepare import Animator, Piece, Recipe, prepare_piece
from .samples import Samples, write_samples

__all__ = ["cut_pieces", "prepare", "prepare_held_out"]

_SHORTEST, _LONGEST = 28, 76  # frames of a piece
_HELD_OUT = 100  # frames of a held-out clip
_PERSON_S = 75.0
OpenFootage = Callable[[Path, int], Footage]
Progress = tuple[int, int, str]
"""Clips that are done, of how many, and what was left out, or ""."""


def prepare(
    folder: Path,
    cache: Path,
    open_footage: OpenFootage,
    animator: Animator,
    table: FaceTable,
    *,
    people: Path | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
) -> Iterator[Progress]:
    """Prepare all clips that the cache does not hold yet, at most 75 seconds of each person.

    Args:
        folder: a folder of videos, also in subfolders.
        cache: the folder to write to (`samples`).
        open_footage: opens a video with crops of the given side.
        animator: a generator.
        table: the generator's face table.
        people: a CSV of identities, see `training.prepare.people_of`.
        recipe: how samples are made.
        seed: decides every random choice; each clip has choices of its own.
    """
    clips = find_clips(folder)
    identities = people_of(clips, folder, people)
    used: dict[str, float] = defaultdict(float)
    for number, path in enumerate(clips):
        who, name, problem = identities[path], _name(path, folder), ""
        known = sorted(cache.glob(f"{name}-[0-9][0-9].npz"))
        if known:  # the first piece is written last
            used[who] += _LONGEST / 25 * len(known)
        elif used[who] < _PERSON_S:
            rng = np.random.default_rng([seed, *name.encode()])
            try:
                pieces = cut_pieces(open_footage(path, 256), name, who, rng, _PERSON_S - used[who])
                done = [prepare_piece(p, animator, table, recipe or Recipe(), rng) for p in pieces]
                for samples in reversed(done):
                    write_samples(cache, samples)
                used[who] += _LONGEST / 25 * len(done)
            except FacewireError as error:
                problem = f"{path.name}: {error}"
        yield number + 1, len(clips), problem


def prepare_held_out(
    folder: Path,
    cache: Path,
    open_footage: OpenFootage,
    animator: Animator,
    table: FaceTable,
    *,
    people: Path | None = None,
) -> Iterator[Progress]:
    """Prepare clips to measure with. The arguments are those of `prepare`."""
    clips = find_clips(folder)
    identities = people_of(clips, folder, people)
    for number, path in enumerate(clips):
        name, problem = _name(path, folder), ""
        if not (cache / f"{name}.npz").exists():
            try:
                samples = _held_out(
                    open_footage(path, 256), name, identities[path], animator, table
                )
                write_samples(cache, samples)
            except FacewireError as error:
                problem = f"{path.name}: {error}"
        yield number + 1, len(clips), problem


def cut_pieces(
    footage: Footage, name: str, person: str, rng: np.random.Generator, seconds: float
) -> list[Piece]:
    """Cut a clip into pieces of one to three seconds in which every frame shows a face.

    Args:
        footage: the footage of the clip.
        name: the name of the clip; pieces add their number.
        person: the identity.
        rng: chooses how long pieces are.
        seconds: how much of the clip is used at most.

    Raises:
        TrainingError: no piece would be long enough.
    """
    runs: list[list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], float]]] = [[]]
    length = int(rng.integers(_SHORTEST, _LONGEST))
    for when, seen in footage.frames():
        if when >= seconds:
            break
        if seen is None or len(runs[-1]) == length:
            runs.append([])
            length = int(rng.integers(_SHORTEST, _LONGEST))
        if seen is not None:
            runs[-1].append((seen.picture, seen.landmarks, when))
    runs = [run for run in runs if len(run) >= _SHORTEST]
    if not runs:
        raise TrainingError(f"it never shows a face in {_SHORTEST} frames that follow each other")
    sounds = iter(_sound(footage, [when for run in runs for _, _, when in run]))
    return [
        Piece(
            name=f"{name}-{number:02d}",
            person=person,
            frames=[picture for picture, _, _ in run],
            landmarks=[points for _, points, _ in run],
            mel=[next(sounds) for _ in run],
        )
        for number, run in enumerate(runs)
    ]


def _held_out(
    footage: Footage, name: str, person: str, animator: Animator, table: FaceTable
) -> Samples:
    """The piece of the first hundred frames with a face."""
    frames, landmarks, times = [], [], []
    for when, seen in footage.frames():
        if seen is not None:
            frames.append(seen.picture)
            landmarks.append(seen.landmarks)
            times.append(when)
        if len(frames) == _HELD_OUT:
            break
    if len(frames) < _SHORTEST:
        raise TrainingError(f"it shows a face in {len(frames)} frames only")
    piece = Piece(name, person, frames, landmarks, _sound(footage, times))
    return held_out_piece(piece, animator, table, usual_layers)


def _sound(footage: Footage, times: Sequence[float]) -> list[npt.NDArray[np.float32] | None]:
    """The log-mel windows at these times; None without sound."""
    mel = log_mel(np.concatenate([np.zeros(0, np.float32), *footage.sound()]))
    return [mel_window(mel, round(t * SAMPLE_RATE)) if len(mel) else None for t in times]


def _name(path: Path, folder: Path) -> str:
    return "-".join(path.relative_to(folder).with_suffix("").parts)
