"""`shown_losses`: what a frame loses if it is shown from a reference.

Landmarks do not tell that a subtitle has gone, that a hand covers the face, or that the light
fades. So a change of pose counts, and beside it a difference between what the frame and the
reference look like.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..appearance import FACE_CELLS, REST_CELLS, Appearance
from .expected import expected_losses
from .light import measure_light

__all__ = ["losses_between", "shown_losses"]

Losses = npt.NDArray[np.float64]

_NOISE, _SURE = 8, 40  # grey levels up to which a cell has not changed, and from which it has
_WEIGHTS = np.array([1.0 / FACE_CELLS, 1.2 / REST_CELLS]) / (_SURE - _NOISE)
"""Loss for each level of each cell, in the face and in the rest: 1 if all the face has changed, 1.2
if all the rest has. Fitted to LPIPS between frames of `val` with and without bars and hands (the
unit of `expected_loss`).
"""
_PARTS = np.zeros((FACE_CELLS + REST_CELLS, 2), np.float32)
_PARTS[:FACE_CELLS, 0] = _PARTS[FACE_CELLS:, 1] = 1
"""Sums levels to those of the face and of the rest. Such sums are whole numbers below 2^24, so they
are the same in whatever order a machine adds."""
_LIGHT = 0.003  # loss for each level beyond the noise by which the light has changed otherwise
_FOLLOWED = 0.0003  # the same where the light is sent, so that the receiver follows it
_BRIGHTER = 0.1  # loss of a picture that is shown twice as bright as it was coded
_STEADY = 4  # grey levels by which the light may differ before cells are adjusted to it
_SAMPLED = 9  # every so many cells tell the light
_EXPLAINED = 1.5
"""A change of pose changes the cells, too. So much of it, in units of its loss, does not count."""
_NO_FACE = 1.0  # loss of a face that is shown from a picture without one


def shown_losses(reference: Appearance, frames: Appearance) -> Losses:
    """What each frame of a stack is expected to lose if it is shown from a reference: by the change
    of pose (`expected_losses`), and by what has changed otherwise.

    Returns:
        Float64 `[N]`, in units of `expected_loss`.
    """
    return np.asarray(losses_between(Appearance.stack([reference]), frames)[0])


def losses_between(references: Appearance, frames: Appearance) -> Losses:
    """The same for a stack of M references at once: float64 `[M, N]`. It needs memory for M x N
    appearances.
    """
    poses = expected_losses(references.points, frames.points)
    losses = poses + np.maximum(_differences(references, frames) - _EXPLAINED * poses, 0)
    return losses + _NO_FACE * (references.faceless[:, None] & ~frames.faceless)


def _differences(references: Appearance, frames: Appearance) -> Losses:
    """The weighted part of the cells that differ, and the change of light; `[M, N]`."""
    light = _light(references, frames)
    steady = np.abs(light) <= _STEADY
    cells, low, high = (
        part[:, None] for part in (references.cells, references.low, references.high)
    )
    dimmed = _LIGHT * np.maximum(np.abs(light) - _NOISE, 0)
    if not steady.all():
        gain = np.ones(light.shape, np.float32)
        offset = np.zeros(light.shape, np.float32)
        for row in np.flatnonzero(~steady.all(1)):
            gain[row], offset[row] = measure_light(references[int(row)], frames)
        lit = ((gain != 1) | (offset != 0)) & ~steady
        offset = np.where(steady, 0, np.where(lit, offset, light))[..., None]
        cells, low, high = (
            np.clip(np.where(lit, gain, 1)[..., None] * each + offset, 0, 255).astype(np.uint8)
            for each in (cells, low, high)
        )
        brighter = _BRIGHTER * np.log2(np.maximum(gain, 1))
        dimmed = np.where(lit, _FOLLOWED / _LIGHT * dimmed + brighter, dimmed)
    # Unsigned numbers: max(a, b) - b is what a exceeds b by.
    levels = np.maximum(frames.cells, high) - high
    levels = np.maximum(levels, low - np.minimum(frames.cells, low))
    levels = np.maximum(levels, np.maximum(cells, frames.high) - frames.high)
    levels = np.maximum(levels, frames.low - np.minimum(cells, frames.low))
    levels = np.minimum(np.maximum(levels, np.uint8(_NOISE)), np.uint8(_SURE)) - np.uint8(_NOISE)
    levels *= references.counts[:, None] & frames.counts
    changed = (levels.astype(np.float32) @ _PARTS) @ _WEIGHTS
    return np.asarray(changed + dimmed, np.float64)


def _light(references: Appearance, frames: Appearance) -> npt.NDArray[np.int16]:
    """By how many grey levels the frames are brighter than the references, `[M, N]`: the median of
    the cells, which a bar or a hand moves little.
    """
    some = slice(None, None, _SAMPLED)
    change = frames.cells[:, some].astype(np.int16) - references.cells[:, None, some]
    middle = change.shape[-1] // 2
    return np.partition(change, middle, axis=-1)[..., middle]
