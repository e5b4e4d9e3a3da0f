from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.codec.counters import nearest


@given(st.integers(-(10**12), 10**12), st.integers(-32768, 32767))
def test_every_step_of_half_the_range_is_followed(known: int, step: int) -> None:
    assert nearest((known + step) % 65536, known) == known + step


@pytest.mark.parametrize(
    ("value", "known", "full"),
    [
        (65535, 0, -1),
        (0, 65535, 65536),
        (60000, 30000, 60000),
        (5, 60000, 65541),
        (2, 1 << 40, (1 << 40) + 2),
        (32768, 0, -32768),
    ],
)
def test_the_nearest_number_is_taken(value: int, known: int, full: int) -> None:
    assert nearest(value, known) == full
