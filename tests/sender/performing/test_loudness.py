"""A voice is told from silence, from noise that never ends, and from no sound at all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from facewire.sender.performing.loudness import Loudness

RATE = 16_000
Sound = npt.NDArray[np.float32]


def noise(seconds: float, level: float, seed: int = 1) -> Sound:
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal(round(seconds * RATE))).astype(np.float32)


def test_a_voice_in_a_quiet_room() -> None:
    loudness = Loudness()
    assert loudness.voiced(0.0) == 0
    loudness.hear(np.concatenate([noise(1, 1e-3), noise(1, 0.1), noise(1, 1e-3)]))
    assert loudness.voiced(0.9) < 0.05
    assert loudness.voiced(1.3) > 0.95
    assert loudness.voiced(2.9) < 0.05
    assert 0 < loudness.voiced(2.1) < loudness.voiced(2.02)  # it fades


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_silence(level: float) -> None:
    loudness = Loudness()
    loudness.hear(noise(2, level))
    assert loudness.voiced(1.5) == 0


def test_a_fan_is_no_voice_and_a_voice_above_it_is() -> None:
    loudness = Loudness()
    for second in range(40):
        loudness.hear(noise(1, 0.02, second))
    assert loudness.voiced(39.9) < 0.2
    loudness.hear(noise(0.5, 0.2))
    assert loudness.voiced(40.3) > 0.9


def test_pieces_of_any_size_and_what_was_before_four_seconds() -> None:
    sound = np.concatenate([noise(1, 1e-3), noise(5, 0.1)])
    whole, parts = Loudness(), Loudness()
    whole.hear(sound)
    for start in range(0, len(sound), 333):
        parts.hear(sound[start : start + 333])
    for time in np.arange(2.1, 6, 0.1):
        assert whole.voiced(time) == pytest.approx(parts.voiced(time))
    assert whole.voiced(1.0) == 0  # forgotten


def test_where_the_sound_ends_the_voice_fades() -> None:
    loudness = Loudness()
    loudness.hear(noise(1, 0.1))
    assert loudness.voiced(0.99) > loudness.voiced(1.1) > loudness.voiced(1.25) > 0
    assert loudness.voiced(1.4) == 0
    loudness.restart(5.0)
    loudness.hear(noise(0.5, 0.1))
    assert loudness.voiced(4.9) == 0
    assert loudness.voiced(5.4) > 0.9
