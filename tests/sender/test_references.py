"""What the sender knows of its references."""

from __future__ import annotations

import numpy as np

from facewire.sender.expected import expected_losses
from facewire.sender.references import KnownReferences

from .poses import FACE, reference, turned


def test_the_nearest_reference_is_chosen_and_kept_while_others_are_hardly_better() -> None:
    known = KnownReferences(4)
    assert known.best(FACE) is None
    front, side = reference(0, turned(0)), reference(1, turned(0.8))
    known.add(front)
    known.add(side)
    assert known.best(turned(0.1)) is front
    assert known.best(turned(0.7)) is side

    def apart(yaw: float) -> float:
        losses = [expected_losses(r.points, turned(yaw)[None])[0] for r in known]
        return abs(float(losses[0] - losses[1]))

    middle = float(min(np.linspace(0, 0.8, 200), key=apart))
    assert known.best(turned(middle - 0.005)) is side
    assert known.best(turned(0)) is front
    assert known.best(turned(middle + 0.005)) is front


def test_the_one_not_used_for_longest_goes() -> None:
    known = KnownReferences(2)
    for identity, yaw in ((0, 0.0), (1, 0.8)):
        known.add(reference(identity, turned(yaw)))
    assert known.best(turned(0)) is not None
    known.add(reference(2, turned(-0.8)))
    assert {r.id for r in known} == {0, 2}
    known.clear()
    assert list(known) == []
    assert np.isinf(known.losses(FACE[None])).all()
