from __future__ import annotations

import numpy as np

from facewire.models.mel import HOP, MEL_BANDS, MEL_STEPS, SAMPLE_RATE, SILENCE, log_mel, mel_window


def tone(hertz: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.3 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def test_silence_and_empty_sound() -> None:
    assert log_mel(np.zeros(0, np.float32)).shape == (0, MEL_BANDS)
    steps = log_mel(np.zeros(1601, np.float32))
    assert steps.shape == (11, MEL_BANDS)
    assert (steps == SILENCE).all()


def test_a_higher_tone_lies_in_a_higher_band() -> None:
    bands = [int(log_mel(tone(f))[50].argmax()) for f in (200, 500, 1000, 3000, 7000)]
    assert bands == sorted(bands)
    assert len(set(bands)) == 5


def test_steps_do_not_depend_on_where_the_sound_ends() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE).astype(np.float32)
    whole, part = log_mel(sound), log_mel(sound[: 50 * HOP])
    np.testing.assert_array_equal(whole[:48], part[:48])


def test_the_window_is_centred_and_lookahead_silences_the_future() -> None:
    steps = np.arange(100, dtype=np.float32)[:, None].repeat(MEL_BANDS, 1)
    window = mel_window(steps, 50 * HOP)
    assert window.shape == (MEL_BANDS, MEL_STEPS)
    assert window[0].tolist() == list(range(40, 60))
    live = mel_window(steps, 50 * HOP, lookahead_ms=40)
    assert live[0].tolist() == [*range(40, 54), *([SILENCE] * 6)]
    assert mel_window(steps, 50 * HOP, 0)[0].tolist() == [*range(40, 50), *([SILENCE] * 10)]


def test_the_window_beyond_the_sound_is_silence() -> None:
    steps = np.zeros((10, MEL_BANDS), np.float32)
    assert (mel_window(steps, 0)[:, :10] == SILENCE).all()
    assert (mel_window(steps, 10**9) == SILENCE).all()
