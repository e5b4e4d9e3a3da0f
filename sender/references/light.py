"""`measure_light`: by how much frames are brighter or darker than a reference."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..appearance import Appearance

__all__ = ["measure_light"]

Numbers = npt.NDArray[np.float32]

_SAMPLED = 5  # every so many cells tell the light
_STEPS = 3
_FAR, _TIMES = 6.0, 2.5  # levels; medians: a cell that is off by more than both is left out
_RIDGE = 25.0  # square levels: keeps the gain near 1 where a flat picture does not tell it
_BRIGHTEST = 2.0  # more gain would show the noise of a dark picture
_CLIPPED = 40.0  # levels; a larger difference counts no more than this one
_FLAT = 4.0  # levels, see below
_EXPLAINED = 0.6  # of the difference must remain at most, or it is not the light that has changed


def measure_light(
    reference: Appearance, frames: Appearance, least: float = 6.0
) -> tuple[Numbers, Numbers]:
    """Measure the light of each frame of a stack: `gain` times the reference's levels plus `offset`
    are those of the frame. What differs for another reason, as a bar of text or a hand, does not
    count.

    Args:
        reference: what the reference looks like.
        frames: what N frames look like (`Appearance.stack`).
        least: levels by which the light must differ in the mean.

    Returns:
        Gain and offset (levels of 255), float32 `[N]` each. They are 1 and 0 where the light has
        not changed, or where it does not explain what has.
    """
    some = slice(None, None, _SAMPLED)
    x = reference.cells[some].astype(np.float32)[None]
    y = frames.cells[:, some].astype(np.float32)
    counts = (reference.counts & frames.counts)[:, some].astype(np.float32)
    gain = np.ones((len(y), 1), np.float32)
    offset = np.median(y - x, axis=1, keepdims=True)
    for _ in range(_STEPS):
        apart = np.abs(y - gain * x - offset)
        near = np.maximum(_FAR, _TIMES * np.median(apart, axis=1, keepdims=True))
        weights = counts * (apart <= near)
        total = np.maximum(weights.sum(1, keepdims=True), 1)
        mean_x = (weights * x).sum(1, keepdims=True) / total
        mean_y = (weights * y).sum(1, keepdims=True) / total
        spread = (weights * (x - mean_x) ** 2).sum(1, keepdims=True) / total
        together = (weights * (x - mean_x) * (y - mean_y)).sum(1, keepdims=True) / total
        gain = np.clip((together + _RIDGE) / (spread + _RIDGE), 0, _BRIGHTEST)
        offset = np.clip(mean_y - gain * mean_x, -254, 254)
    counted = np.maximum(counts.sum(1), 1)

    def off(predicted: Numbers) -> Numbers:
        apart = np.minimum(np.abs(y - predicted), _CLIPPED)
        return np.asarray((counts * apart).sum(1) / counted, np.float32)

    changes = (counts * np.abs((gain - 1) * x + offset)).sum(1) / counted
    lit = (changes >= least) & (off(np.clip(gain * x + offset, 0, 255)) <= _EXPLAINED * off(x))
    # A flat grey picture is nearer to any frame than a picture of something else is. So the
    # reference in this light must also show what is bright in the frame and what is dark, unless
    # the frame is nearly flat itself.
    left, flat = (
        (weights * np.abs(y - each)).sum(1) / total[:, 0] for each in (gain * x + offset, mean_y)
    )
    lit &= left <= np.maximum(_EXPLAINED * flat, _FLAT)
    return np.where(lit, gain[:, 0], 1).astype(np.float32), np.where(lit, offset[:, 0], 0).astype(
        np.float32
    )
