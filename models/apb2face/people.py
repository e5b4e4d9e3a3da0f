"""How the mouths of people differ, and how they move: what `MouthNet` is trained on.

People open their mouths differently wide, and each mouth has a shape of its own. Neither can be
heard. So movements are relative to the average mouth of a person, and are measured in parts of the
spread of that person's mouth opening.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...codec.errors import TrainingError
from ..face.head import MOUTH_POINTS, HeadCoordinates, mouth_opening
from ..face.mesh import select_points
from .sound import is_heard
from .talks import Talk

__all__ = ["MouthTables", "Sample", "fit_tables", "samples_of"]

Array = npt.NDArray[np.float32]

_SAME_MOUTH = 50.0  # frames that a person's average counts for, beside that of the clip
_LEAST_SPREAD = 0.01  # eye distances; mouths that hardly move are not magnified more
_NEUTRAL_RIDGE = 0.02  # chosen on held-out people
_REFERENCES = 3  # frames of a talk that are taken as keyframes


@dataclass(frozen=True)
class Sample:
    """One talk, ready to learn from.

    Attributes:
        identity: the person.
        mel: float32 `[n, 80]`.
        movement: float32 `[T, 80]`, of the mouth from the person's average, in spreads.
        spread: of the person's mouth opening, in eye distances.
    """

    identity: str
    mel: Array
    movement: Array
    spread: float


@dataclass(frozen=True)
class MouthTables:
    """What `MouthNet` holds beside its weights; see there.

    Attributes:
        components: float32 `[K, 80]`, takes a movement in spreads to components.
        basis: float32 `[K, 80]`, takes components back, to eye distances.
        share: float32 `[K]`, root of each component's part of the variance, the first being 1.
        level: float32 `[80]`.
        neutral_mean: float32 `[80]`.
        neutral_map: float32 `[80, 80]`.
    """

    components: Array
    basis: Array
    share: Array
    level: Array
    neutral_mean: Array
    neutral_map: Array


def samples_of(talks: Sequence[Talk]) -> list[Sample]:
    """The talks as samples; averages and spreads are those of each person among them."""
    by_person: dict[str, list[tuple[Talk, Array]]] = defaultdict(list)
    for talk in talks:
        by_person[talk.identity].append((talk, talk.mouth()))
    found = []
    for identity, pairs in by_person.items():
        average = np.concatenate([mouth for _, mouth in pairs]).mean(0)
        moved = []
        for _, mouth in pairs:
            count = len(mouth)
            own = (mouth.sum(0) + _SAME_MOUTH * average) / (count + _SAME_MOUTH)
            moved.append((mouth - own, mouth_opening(mouth) - mouth_opening(own)))
        spread = float(np.concatenate([opening for _, opening in moved]).std()) + _LEAST_SPREAD
        for (talk, _), (movement, _) in zip(pairs, moved, strict=True):
            flat = (movement / spread).reshape(len(movement), -1).astype(np.float32)
            found.append(Sample(identity, talk.mel, flat, spread))
    return found


def fit_tables(talks: Sequence[Talk], samples: Sequence[Sample], count: int) -> MouthTables:
    """Principal components of movement, usual level, and the map to average mouths.

    Raises:
        TrainingError: there are not enough frames for so many components.
    """
    people = {sample.identity: sample.spread for sample in samples}
    # Each person counts the same, so each gives as many frames.
    rng = np.random.default_rng(0)
    rows = []
    for identity in people:
        own = np.concatenate([s.movement for s in samples if s.identity == identity])
        rows.append(own[rng.integers(len(own), size=200)])
    frames = np.concatenate(rows).astype(np.float64)
    if len(frames) < count:
        raise TrainingError(f"{len(frames)} frames are too few for {count} components")
    _, singular, axes = np.linalg.svd(frames, full_matrices=False)
    scale = singular[:count, None] / np.sqrt(len(frames))
    spread = float(np.mean(list(people.values())))
    heard = [s.mel[is_heard(s.mel)].mean(0) for s in samples if is_heard(s.mel).any()]
    mean, matrix = _fit_neutral(talks)
    return MouthTables(
        components=(axes[:count] / scale).astype(np.float32),
        basis=(axes[:count] * scale * spread).astype(np.float32),
        share=(scale[:, 0] / scale[0, 0]).astype(np.float32),
        level=np.mean(heard, 0).astype(np.float32),
        neutral_mean=mean,
        neutral_map=matrix,
    )


def _fit_neutral(talks: Sequence[Talk]) -> tuple[Array, Array]:
    """Ridge regression from one mouth of a talk to its average mouth; each person counts as one."""
    given, wanted, weight = [], [], []
    number: dict[str, int] = defaultdict(int)
    for talk in talks:
        number[talk.identity] += 1
    for talk in talks:
        points = select_points(talk.landmarks)
        for at in np.linspace(0, len(points) - 1, _REFERENCES).astype(int):
            mouths = HeadCoordinates(points[at]).mouth(points).reshape(len(points), -1)
            given.append(mouths[at])
            wanted.append(mouths.mean(0))
            weight.append(1 / number[talk.identity])
    x, y, w = (np.array(values, np.float64) for values in (given, wanted, weight))
    w /= w.sum()
    mean = w @ y
    x, y = x - mean, y - mean
    gram = (x * w[:, None]).T @ x
    ridge = _NEUTRAL_RIDGE * np.trace(gram) / (2 * MOUTH_POINTS) * np.eye(2 * MOUTH_POINTS)
    matrix = np.linalg.solve(gram + ridge, (x * w[:, None]).T @ y).T
    return mean.astype(np.float32), matrix.astype(np.float32)
