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


@dataclass(frozen=True)
class LearnedHabits:
    """What was learned, and the correlation of the mouth's opening on held-out footage.

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


def learn_habits(talks: Sequence[Talk], held_out: float = 0.2) -> LearnedHabits | None:
    """Learn a person's mouth for the predictor that facewire brings.

    Args:
        talks: of that person.
        held_out: part at the end of the footage that is measured on and not learned from.

    Returns:
        None if there is too little talk, or the mouth does not move more as it should with what was
        learned. Then it is better to know nothing.

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
    learned = round(count * (1 - held_out))
    basis = network.basis.numpy()
    fits, centres, average = [], [], mouths[:learned].mean(0)
    for state, movement in zip(states, movements, strict=True):
        person = PersonFit(state.shape[-1])
        for n in range(learned):
            person.update(state[n], mouths[n], movement[n])
        person.solve()
        centre, fit = person.fit
        fits.append(fit @ np.linalg.pinv(basis))
        centres.append(centre)
    found = [np.stack(fits), np.stack(centres), average]
    fit, centre, average = (values.astype(np.float16).astype(np.float32) for values in found)
    habits = MouthHabits(card.sha256, fit, centre, average)
    known = ((states[-1, learned:] - centre[-1]) @ fit[-1] @ basis).reshape(-1, *average.shape)
    truth = mouth_opening(mouths[learned:])
    before, after = (
        _correlation(mouth_opening(average + movements[-1, learned:] + more), truth)
        for more in (0 * known, known)
    )
    return LearnedHabits(habits, before, after) if after > before else None


def _correlation(made: Array, true: Array) -> float:
    if min(made.std(), true.std()) < 1e-6:
        return 0.0
    return float(np.corrcoef(made, true)[0, 1])
