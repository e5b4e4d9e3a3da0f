"""Batches for the fusion network: crops of pairs of frames. Every person comes up equally often."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..face.mesh import POINTS, mirror_map
from .samples import Samples

__all__ = ["Batch", "BatchSettings", "batches"]

_GRID = 8  # the network halves three times
_MIRRORED = [POINTS.index(int(mirror_map()[index])) for index in POINTS]


@dataclass(frozen=True)
class Batch:
    """Crops of B pairs; the two frames of a pair follow each other in the first dimension.

    Attributes:
        target, made, base: float `[2 B, 3, side, side]` on [0, 1].
        points: float `[2 B, P, 2]` on [-1, 1] of the whole picture.
        corner: int `[2 B, 2]`, x and y of the crop in pixels of the whole picture.
        age: float `[2 B]`, how many frames old the base layer's picture is.
    """

    target: Tensor
    made: Tensor
    base: Tensor
    points: Tensor
    corner: npt.NDArray[np.int64]
    age: Tensor


@dataclass(frozen=True)
class BatchSettings:
    """How batches are put together.

    Attributes:
        pairs: number of pairs in a batch.
        side: side of the crops in pixels, a multiple of 8.
        in_face: share of crops around the face; the others lie anywhere.
        stranger: share of pairs whose generated picture shows somebody else.
    """

    pairs: int = 3
    side: int = 128
    in_face: float = 0.6
    stranger: float = 0.04


def batches(samples: Sequence[Samples], settings: BatchSettings, seed: int) -> Iterator[Batch]:
    """Make batches without end. The same seed gives the same ones.

    Args:
        samples: samples of at least one person.
        settings: see `BatchSettings`.
        seed: decides every random choice.
    """
    people: dict[str, list[Samples]] = defaultdict(list)
    for piece in samples:
        people[piece.person].append(piece)
    names, rng = sorted(people), np.random.default_rng(seed)

    def draw() -> tuple[Samples, int]:
        pieces = people[names[int(rng.integers(len(names)))]]
        piece = pieces[int(rng.integers(len(pieces)))]
        return piece, int(rng.integers(len(piece.pictures)))

    while True:
        crops = []
        for _ in range(settings.pairs):
            piece, pair = draw()
            other = draw() if rng.random() < settings.stranger else (piece, pair)
            crops.append(_crop(piece, pair, other, settings, rng))
        pictures = torch.from_numpy(np.concatenate([c[0] for c in crops], 1))
        pictures = pictures.permute(0, 1, 4, 2, 3).float() / 255
        yield Batch(
            target=pictures[0],
            made=pictures[1],
            base=pictures[2],
            points=torch.from_numpy(np.concatenate([c[1] for c in crops])),
            corner=np.repeat([c[2] for c in crops], 2, 0),
            age=torch.from_numpy(np.concatenate([c[3] for c in crops])).float(),
        )


def _crop(
    piece: Samples,
    pair: int,
    other: tuple[Samples, int],
    settings: BatchSettings,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], tuple[int, int], npt.NDArray[np.uint8]]:
    """Pictures `[3, 2, side, side, 3]` (true, generated, base), points, corner and ages of a pair.

    The generated picture and its landmarks are those of `other`, which is usually the same pair.
    """
    size, side = piece.pictures.shape[3], settings.side
    layer = int(rng.integers(len(piece.age)))
    points = other[0].points[other[1]]
    centre = rng.uniform(0.2, 0.8, 2) * size
    if rng.random() < settings.in_face:
        centre = (piece.points[pair].mean((0, 1)) + 1) / 2 * size + rng.uniform(-24, 24, 2)
    corner = np.clip(centre - side / 2, 0, size - side) // _GRID * _GRID
    x, y = (int(v) for v in corner)
    cut = np.s_[:, y : y + side, x : x + side]
    pictures = np.stack(
        [
            piece.pictures[pair, 0][cut],
            other[0].pictures[other[1], 1][cut],
            piece.pictures[pair, 2 + layer][cut],
        ]
    )
    if rng.random() < 0.5:
        pictures, x = pictures[:, :, :, ::-1], size - side - x
        points = points[:, _MIRRORED] * np.array([-1, 1], np.float32)
    return pictures, points, (x, y), piece.age[layer, pair]
