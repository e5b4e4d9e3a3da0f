"""What the encoders of this machine can do."""

from __future__ import annotations

import numpy as np
import pytest

from facewire.codec.errors import ConfigError
from facewire.codec.picture.chain import ChainEncoder
from facewire.codec.picture.still import Anchor, encode_picture


def _repeats() -> bool:
    y, x = np.mgrid[:64, :64]
    picture = np.stack([3 * x, 2 * y, 120 + 0 * x], axis=2).astype(np.uint8)
    try:
        ChainEncoder(Anchor(picture, encode_picture(picture, quality=30)), 0).close()
    except ConfigError:
        return False
    return True


codes_chains = pytest.mark.skipif(
    not _repeats(), reason="this SVT-AV1 does not repeat a still, so it codes no chains (PyAV 19)"
)
"""Chains are read everywhere, as the golden streams show, but not every encoder can make them."""
