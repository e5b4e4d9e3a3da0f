"""Measures `MouthNet` as the receiver runs it: causal, with the level of what was heard so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from ..face.head import INNER_LIPS
from .mouth import MouthNet
from .people import Sample
from .sound import PAST, Level, first_step, is_heard, sound_window
from .talks import FPS

__all__ = ["causal_windows", "opening_correlations", "predicted"]

Array = npt.NDArray[np.float32]

_TOGETHER = 512
_LEAST = 100  # frames of a person, fewer say little


def causal_windows(mel: Array, frames: int, usual: Array) -> Array:
    """The windows of consecutive frames, less the level up to each: `[frames, STEPS, 80]`."""
    level, done, rows = Level(usual), 0, []
    for frame in range(frames):
        first = first_step(frame / FPS)
        now = max(done, first + PAST)
        level.update(mel[done:now])
        done = now
        rows.append(sound_window(mel, first) - level.value)
    return np.stack(rows)


def predicted(network: MouthNet, mel: Array, frames: int) -> Array:
    """Components of consecutive frames at 25 frames a second, `[look-aheads, frames, K]`."""
    windows = causal_windows(mel, frames, network.level.numpy())
    parts = []
    with torch.no_grad():
        for start in range(0, frames, _TOGETHER):
            found = network(torch.from_numpy(windows[start : start + _TOGETHER]))
            parts.append(found[:, :, 0].numpy())
    return np.concatenate(parts).swapaxes(0, 1)


def opening_correlations(
    network: MouthNet, samples: Sequence[Sample], most_frames: int = 500
) -> dict[str, Array]:
    """Correlation of predicted and true opening, of each person.

    Args:
        network: the network.
        samples: of people; those with fewer than 100 frames, or without sound, are left out.
        most_frames: of a person.

    Returns:
        For each person float32 `[look-aheads]`.
    """
    upper, lower = INNER_LIPS
    network.eval()
    pieces: dict[str, list[tuple[Array, Array]]] = defaultdict(list)
    used: dict[str, int] = defaultdict(int)
    for sample in samples:
        if used[sample.identity] >= most_frames or not is_heard(sample.mel).any():
            continue
        count = len(sample.movement)
        used[sample.identity] += count
        made = torch.from_numpy(predicted(network, sample.mel, count))
        wanted = sample.movement[:, 2 * lower + 1] - sample.movement[:, 2 * upper + 1]
        pieces[sample.identity].append((network.opening(made).numpy(), wanted))
    found = {}
    for person, pairs in pieces.items():
        made_all = np.concatenate([made for made, _ in pairs], -1)
        wanted_all = np.concatenate([wanted for _, wanted in pairs])
        if used[person] >= _LEAST and wanted_all.std() > 0:
            rows = [np.corrcoef(row, wanted_all)[0, 1] for row in made_all]
            found[person] = np.nan_to_num(np.array(rows, np.float32))
    return found
