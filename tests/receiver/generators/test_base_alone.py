"""What stands in for the fusion network, and when."""

from __future__ import annotations

import numpy as np
import pytest

from facewire.codec.errors import WeightsError
from facewire.models.face.mesh import POINTS
from facewire.receiver.config import DecoderConfig
from facewire.receiver.generators import load
from facewire.receiver.generators.base_alone import BaseAlone
from facewire.receiver.generators.fusion import Fusion

GENERATED = np.full((4, 4, 3), 100, np.uint8)
BASE = np.full((4, 4, 3), 201, np.uint8)
DRAWN = np.zeros((len(POINTS), 2), np.float32)


@pytest.mark.parametrize(("trust", "level"), [(1.0, 201), (0.5, 150), (0.25, 125), (0.0, 100)])
def test_the_base_is_shown_as_far_as_it_is_trusted(trust: float, level: int) -> None:
    shown = BaseAlone().fuse(GENERATED, BASE, DRAWN, trust=trust)
    assert shown.dtype == np.uint8
    assert np.abs(shown.astype(int) - level).max() <= 1


def test_the_network_is_used_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(load.open_fuser(DecoderConfig(threads=1)), Fusion)

    def missing() -> None:
        raise WeightsError("not here")

    monkeypatch.setattr(load, "fusion_card", missing)
    assert isinstance(load.open_fuser(DecoderConfig()), BaseAlone)


def test_several_threads_may_fuse_at_the_same_time() -> None:
    fuser = load.open_fuser(DecoderConfig(parallel=2))
    rng = np.random.default_rng(3)
    generated, base = rng.integers(0, 256, (2, 256, 256, 3), np.uint8)
    first = fuser.fuse(generated, base, DRAWN)
    assert first.shape == (256, 256, 3)
    assert np.array_equal(fuser.fuse(generated, base, DRAWN), first)
