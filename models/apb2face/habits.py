"""`learn_habits`: how one person's mouth moves otherwise than `MouthNet` says, from footage.

It is what `PersonFit` learns in a call, found beforehand from a minute of video, so that a receiver
can begin with it. It is kept as few numbers, because it travels within an identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from ...codec.identity import MouthHabits
from ..face.head import mouth_opening
from ..weights import geometry_card
from .mouth import MouthNet
from .mouth_evaluate import causal_windows
from .person import PersonFit
from .store import load_mouth
from .talks import FPS, Talk

__all__ = ["LearnedHabits", "heard", "learn_habits"]

Array = npt.NDArray[np.float32]

_LEAST_S = 10.0  # of talk
_PARTS = 5


@dataclass(frozen=True)
class LearnedHabits:
    """What was learned, and the correlation of the mouth's opening, on parts of the footage that
    were not learned from.

    Attributes:
        habits: the numbers that travel.
        before, after: correlation with the longest look-ahead, without and with them.
    """

    habits: MouthHabits
    before: float
    after: float


def heard(network: MouthNet, talks: Sequence[Talk]) -> tuple[Array, Array]:
    """States `[L, T, C]` and movements `[L, T, 40, 2]` of all frames of some talks, for each
    look-ahead.
    """
    states, movements = [], []
    with torch.no_grad():
        for talk in talks:
            windows = causal_windows(talk.mel, len(talk.landmarks), network.level.numpy())
            state = network.states(torch.from_numpy(windows))[:, :, 0]
            made = torch.stack([head(state[:, n]) for n, head in enumerate(network.heads)])
            states.append(state.transpose(0, 1).numpy())
            movements.append(network.movement(made).numpy())
    return np.concatenate(states, 1), np.concatenate(movements, 1)


def learn_habits(talks: Sequence[Talk]) -> LearnedHabits | None:
    """Learn a person's mouth for the predictor that facewire brings.

    Whether that helps is measured on each fifth of the footage, learned from the other four.

    Args:
        talks: of that person.

    Returns:
        None if there is too little talk, or what is learned of one part of the footage does not
        hold for the others. Then it is better to know nothing.

    Raises:
        WeightsError: the predictor is missing or damaged.
    """
    count = sum(len(talk.landmarks) for talk in talks)
    if count < _LEAST_S * FPS:
        return None
    card = geometry_card()
    network = load_mouth(card.folder)
    states, movements = heard(network, talks)
    mouths = np.concatenate([talk.mouth() for talk in talks])
    basis = network.basis.numpy()
    before, after = mouths.copy(), mouths.copy()
    for part in np.array_split(np.arange(count), _PARTS):
        others = np.setdiff1d(np.arange(count), part)
        fit, centre = _fit(states[-1, others], mouths[others], movements[-1, others], basis)
        before[part] = mouths[others].mean(0) + movements[-1, part]
        known = (states[-1, part] - centre) @ fit @ basis
        after[part] = before[part] + known.reshape(-1, *mouths.shape[1:])
    r_before, r_after = (_correlation(made, mouths) for made in (before, after))
    if r_after <= r_before:
        return None
    fits, centres = zip(
        *(
            _fit(state, mouths, moved, basis)
            for state, moved in zip(states, movements, strict=True)
        ),
        strict=True,
    )
    habits = MouthHabits(card.sha256, np.stack(fits), np.stack(centres), mouths.mean(0))
    return LearnedHabits(habits, r_before, r_after)


def _fit(states: Array, mouths: Array, movements: Array, basis: Array) -> tuple[Array, Array]:
    """From states `[T, C]` to components `[C, K]`, and the centre of the states `[C]`."""
    person = PersonFit(states.shape[-1])
    for state, mouth, movement in zip(states, mouths, movements, strict=True):
        person.update(state, mouth, movement)
    person.solve()
    centre, fit = person.fit
    return fit @ np.linalg.pinv(basis), centre


def _correlation(made: Array, true: Array) -> float:
    """Of the openings of mouths `[T, 40, 2]`; 0 for one that does not move."""
    openings = mouth_opening(made), mouth_opening(true)
    if min(opening.std() for opening in openings) < 1e-6:
        return 0.0
    return float(np.corrcoef(*openings)[0, 1])
