"""The percentile of a few values, found without numpy."""

from __future__ import annotations

import numpy as np
import pytest

from facewire.call.playing.lateness import percentile


@pytest.mark.parametrize("share", [0.0, 50.0, 95.0, 97.0, 100.0])
def test_the_percentile_is_that_of_numpy(share: float) -> None:
    rng = np.random.default_rng(0)
    for count in (1, 2, 3, 10, 83, 125):
        for _ in range(20):
            values = rng.normal(4900, 0.05, count).tolist()
            assert percentile(values, share) == float(np.percentile(values, share))
