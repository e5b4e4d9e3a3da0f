"""What the sender knows of its references."""

from __future__ import annotations

import numpy as np
import pytest

from facewire.codec.picture.coded_picture import StillCodec
from facewire.sender.references.expected import expected_losses
from facewire.sender.references.known_references import KnownReferences
from facewire.sender.references.reference import Reference

from ..poses import FACE, STILL, Frame, look, looks, reference, turned


def noise(seed: int) -> Frame:
    """A quarter of CRF is several per cent of it, and nearly all limits fall between."""
    cells = np.random.default_rng(seed).integers(0, 255, (32, 32, 3), np.uint8)
    return np.kron(cells, np.ones((4, 4, 1), np.uint8))


def showing(picture: Frame, base: Reference | None = None) -> Reference:
    return Reference(0 if base is None else 1, base, 0, STILL, b"", look(FACE), picture)


def test_the_nearest_reference_is_chosen_and_kept_while_others_are_hardly_better() -> None:
    known = KnownReferences(4)
    assert known.best(look(FACE)) is None
    front, side = reference(0, turned(0)), reference(1, turned(0.8))
    known.add(front)
    known.add(side)
    assert known.best(look(turned(0.1))) is front
    assert known.best(look(turned(0.7))) is side

    def apart(yaw: float) -> float:
        losses = [expected_losses(r.look.points, turned(yaw)[None])[0] for r in known]
        return abs(float(losses[0] - losses[1]))

    middle = float(min(np.linspace(0, 0.8, 200), key=apart))
    assert known.best(look(turned(middle - 0.005))) is side
    assert known.best(look(turned(0))) is front
    assert known.best(look(turned(middle + 0.005))) is front


def test_the_one_not_used_for_longest_goes() -> None:
    known = KnownReferences(2)
    for identity, yaw in ((0, 0.0), (1, 0.8)):
        known.add(reference(identity, turned(yaw)))
    assert known.best(look(turned(0))) is not None
    known.add(reference(2, turned(-0.8)))
    assert {r.id for r in known} == {0, 2}
    known.clear()
    assert list(known) == []
    assert np.isinf(known.losses(looks(FACE[None]))).all()


def test_bytes_that_coarse_qualities_leave_over_are_filled() -> None:
    picture, limits = noise(6), (1050, 1150, 1250)
    plain = [len(showing(picture).keyframe(n).picture.data) / n for n in limits]
    filled = [len(showing(picture).keyframe(n, fill=True).picture.data) / n for n in limits]
    assert all(before <= after <= 1 for before, after in zip(plain, filled, strict=True))
    assert min(plain) < 0.97
    assert min(filled) >= 0.97


@pytest.mark.parametrize("limit", [1050, 1150])
def test_a_filled_picture_can_be_coded_after(limit: int) -> None:
    base, plain = showing(noise(6)), showing(noise(6))
    assert base.keyframe(limit, fill=True).picture != plain.keyframe(limit).picture
    moved = np.roll(noise(6), 1, axis=1)
    assert showing(moved, base).keyframe(1500).picture.codec == StillCodec.AV1_AFTER
