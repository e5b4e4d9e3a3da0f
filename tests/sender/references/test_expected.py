"""What animating a face is expected to lose."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from facewire.codec.picture.still import decode_picture, encode_picture
from facewire.sender.references.expected import (
    USUAL,
    PictureLoss,
    coded_loss,
    expected_losses,
    pose_change,
    structure_loss,
    typical,
)

from ..poses import FACE, turned


def test_the_same_pose_loses_nothing() -> None:
    assert expected_losses(FACE, FACE[None]) == pytest.approx([0])


def test_a_face_that_is_only_moved_bends_nothing() -> None:
    angle = 0.4
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (FACE @ rotation.T * 1.2 + [0.1, -0.2]).astype(np.float32)
    distance, bend = pose_change(FACE, moved[None])
    assert distance[0] > 0.1
    assert bend[0] < 1e-6


def test_the_further_it_turns_the_more_is_lost() -> None:
    frames = np.stack([turned(yaw) for yaw in np.linspace(0, 1.2, 9)])
    assert (np.diff(expected_losses(FACE, frames)) > 0).all()


def test_larger_pictures_lose_less() -> None:
    losses = [USUAL(size) for size in (700, 1500, 3000, 10_000)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] > 0


def portrait(contrast: float, seed: int = 3) -> npt.NDArray[np.uint8]:
    """Blobs of all sizes."""
    noise = np.random.default_rng(seed)
    total = np.zeros((256, 256))
    for side in (4, 8, 16, 32, 64):
        total += np.kron(noise.normal(0, 1, (side, side)), np.ones((256 // side, 256 // side)))
    grey = 128 + contrast * total / total.std()
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def test_structure_that_is_lost_counts_and_not_the_error() -> None:
    def dull(picture: npt.NDArray[np.uint8], by: float) -> npt.NDArray[np.uint8]:
        mean = picture.astype(np.float32).mean((0, 1))
        return np.asarray(mean + (picture - mean) * by, np.uint8)

    strong, faint = portrait(40), portrait(8)
    assert structure_loss(strong, strong) == pytest.approx(0, abs=1e-6)
    losses = [structure_loss(strong, dull(strong, by)) for by in (0.9, 0.6, 0.3, 0)]
    assert losses == sorted(losses)
    assert losses[-1] == pytest.approx(1, abs=0.05)
    noise = np.random.default_rng(5).integers(-6, 7, strong.shape)
    assert structure_loss(faint, (faint + noise).clip(0, 255).astype(np.uint8)) > 2 * (
        structure_loss(strong, (strong + noise).clip(0, 255).astype(np.uint8))
    )


def test_what_pictures_of_a_face_lose_is_known_from_two_codings() -> None:
    picture = portrait(30)
    expected = PictureLoss.of(picture)
    for quality in (55, 50, 45, 40):
        coded = encode_picture(picture, quality=quality)
        lost = coded_loss(picture, decode_picture(coded))
        assert expected(len(coded.data)) == pytest.approx(lost, rel=0.35)
    flat = np.full((256, 256, 3), 90, np.uint8)
    assert PictureLoss.of(flat)(1000) < expected(1000)


def test_the_typical_frame_is_in_the_middle() -> None:
    turning = np.stack([turned(yaw) for yaw in np.linspace(0, 1, 101)])
    assert 40 <= typical(turning) <= 60
