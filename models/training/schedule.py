"""What the steps of all trainings share: the learning rate, and the averaged weights."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

__all__ = ["follow", "rate_at"]


def rate_at(
    step: int, done: float, *, highest: float, warmup: int = 0, lowest: float = 0.01
) -> float:
    """The learning rate of a step: it rises in a line, then falls along a cosine.

    Args:
        step: number of the step, from 0.
        done: how much of the run is over, on [0, 1].
        highest: rate.
        warmup: steps until the rate has risen.
        lowest: rate at the end, in parts of the highest.
    """
    warm = min(1.0, (step + 1) / max(1, warmup))
    return highest * warm * (lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * done)))


@torch.no_grad()
def follow(average: Iterable[Tensor], now: Iterable[Tensor], step: int, ema: float) -> None:
    """Move averaged weights towards those of now, in place.

    Args:
        average: averaged weights.
        now: the weights after a step, in the same order.
        step: number of that step, from 0. In the first ones the average keeps less.
        ema: how much of the average a step keeps, on [0, 1).
    """
    kept = min(ema, (1 + step) / (10 + step))
    for mean, value in zip(average, now, strict=True):
        mean.lerp_(value.detach(), 1 - kept)
