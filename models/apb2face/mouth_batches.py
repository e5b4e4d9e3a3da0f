"""Batches for `MouthNet`: stretches of talks of several people, with varied sound."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..mel import SILENCE
from .augment import SoundAugmentation, at_pace, varied
from .people import MouthTables, Sample
from .sound import AHEAD, PAST, Level

__all__ = ["MouthBatch", "MouthBatchSettings", "mouth_batches"]

_CAP = 1500.0  # frames of a person that count
_FARTHEST = 3.5  # spreads; movements beyond are cut off


@dataclass(frozen=True)
class MouthBatchSettings:
    """What a batch holds.

    Attributes:
        stretches: of a batch, mostly of different people.
        frames: of a stretch, at 25 frames a second; shorter talks are filled up and masked.
        sound: how the sound is varied.
    """

    stretches: int = 32
    frames: int = 40
    sound: SoundAugmentation = field(default_factory=SoundAugmentation)


@dataclass(frozen=True)
class MouthBatch:
    """One batch.

    Attributes:
        sound: `[B, PAST + 4 (n - 1) + AHEAD, 80]`, less its level.
        components: `[B, n, K]`, what is wanted.
        known: `[B, n]`, 1 where there is a frame.
    """

    sound: Tensor
    components: Tensor
    known: Tensor


def mouth_batches(
    samples: Sequence[Sample], tables: MouthTables, settings: MouthBatchSettings, seed: int
) -> Iterator[MouthBatch]:
    """Endless seeded batches; a person comes the oftener, the more there is of that person, but
    only as the root of it.
    """
    rng = np.random.default_rng(seed)
    of: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        of[sample.identity].append(sample)
    people = list(of)
    length = {p: np.array([len(s.movement) for s in of[p]], np.float64) for p in people}
    weight = np.array([np.sqrt(min(length[p].sum(), _CAP)) for p in people])
    weight /= weight.sum()
    while True:
        chosen = [people[i] for i in rng.choice(len(people), settings.stretches, p=weight)]
        rows = []
        for person in chosen:
            share = length[person] / length[person].sum()
            sample = of[person][rng.choice(len(share), p=share)]
            rows.append(_stretch(sample, tables, settings, rng))
        yield MouthBatch(*(torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True)))


def _stretch(
    sample: Sample, tables: MouthTables, settings: MouthBatchSettings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    how, count = settings.sound, settings.frames
    pace = rng.uniform(1 - how.pace, 1 + how.pace)
    first = int(rng.integers(max(1, len(sample.movement) - int(count * pace))))
    steps = 4 * first + (np.arange(-PAST - 1, 4 * (count - 1) + AHEAD - 1)) * pace
    sound = varied(at_pace(sample.mel, steps, SILENCE), how, rng)
    level = Level(tables.level)
    level.update(sound)
    frames = first + np.arange(count) * pace
    movement = at_pace(sample.movement, frames, None)
    components = np.clip(movement @ tables.components.T, -_FARTHEST, _FARTHEST)
    known = (frames <= len(sample.movement) - 1).astype(np.float32)
    return sound - level.value, components.astype(np.float32), known
