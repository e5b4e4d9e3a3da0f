"""Playing on time: jitter, drift, outages; and speech that keeps its pitch when it is stretched."""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt
import pytest

from facewire.call.playing.playout import SoundPlayout
from facewire.call.playing.stretch import LEAST_SAMPLES, lengthen, shorten
from facewire.codec.sound.opus import SAMPLE_RATE

Sound = npt.NDArray[np.float32]
PIECE = 640  # 40 ms


def voice(count: int, pitch: float = 140.0, start: int = 0) -> Sound:
    """A voice that holds a note: a pulse train with harmonics."""
    t = (start + np.arange(count)) / SAMPLE_RATE
    tones = [np.sin(2 * np.pi * pitch * n * t) / n for n in range(1, 8)]
    return (0.2 * np.sum(tones, axis=0)).astype(np.float32)


def pitch_of(pcm: Sound) -> float:
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)), 1 << 17))
    low = int(60 * (1 << 17) / SAMPLE_RATE)
    high = int(420 * (1 << 17) / SAMPLE_RATE)
    return float((low + spectrum[low:high].argmax()) * SAMPLE_RATE / (1 << 17))


@pytest.mark.parametrize("pitch", [90.0, 140.0, 230.0])
@pytest.mark.parametrize("longer", [False, True])
def test_a_period_goes_or_comes_and_the_pitch_stays(pitch: float, longer: bool) -> None:
    before, pcm = voice(1600, pitch), voice(1600, pitch, 1600)
    changed = lengthen(before, pcm) if longer else shorten(pcm)
    period = SAMPLE_RATE / pitch
    turns = (len(changed) - len(pcm)) / period
    assert abs(turns) == pytest.approx(round(abs(turns)), abs=0.05)
    assert 1 <= round(abs(turns)) <= 2
    assert (turns > 0) == longer
    whole = np.concatenate([before, changed, voice(8000, pitch, 3200)])
    assert pitch_of(whole) == pytest.approx(pitch, rel=0.01)
    # No click: no step is larger than the voice's own.
    assert np.abs(np.diff(whole)).max() < 1.5 * np.abs(np.diff(pcm)).max()


def test_noise_is_left_alone_and_silence_gives_any_length() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 1600).astype(np.float32)
    assert len(shorten(noise)) == len(lengthen(noise, noise)) == 1600
    silence = np.zeros(1600, np.float32)
    assert len(shorten(silence)) < 1600 < len(lengthen(silence, silence))
    short = voice(LEAST_SAMPLES // 2 - 1)
    assert shorten(short) is short
    assert lengthen(short, silence) is silence
    assert lengthen(silence, short) is short


class Call:
    """Pieces of 40 ms that arrive after a delay, and a loudspeaker that asks every 20 ms."""

    def __init__(self, seed: int = 0, drift: float = 0.0, **settings: float) -> None:
        self.playout = SoundPlayout(**settings)
        self.random = random.Random(seed)
        self.drift = drift
        self.delay, self.jitter = 0.05, 0.0
        self.dead = False
        self.sent = 0
        self.now = 0.0
        self.coming: list[tuple[float, int]] = []
        self.out: list[Sound] = []
        self.delays: list[float] = []

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            # A piece is complete when its last sample was spoken, by the speaker's own clock.
            spoken = (self.sent + 1) * PIECE / SAMPLE_RATE / (1 + self.drift)
            while spoken <= self.now:
                if not self.dead:
                    late = self.delay + self.random.uniform(0, self.jitter)
                    self.coming.append((spoken + late, self.sent))
                spoken += PIECE / SAMPLE_RATE / (1 + self.drift)
                self.sent += 1
            for entry in sorted(self.coming):
                if entry[0] <= self.now:
                    self.coming.remove(entry)
                    start = entry[1] * PIECE
                    self.playout.push(voice(PIECE, start=start), start, entry[0])
            self.out.append(self.playout.pull(320, self.now))
            at = self.playout.position()
            if at is not None:
                self.delays.append(self.now - at)
            self.now += 0.02


def test_without_jitter_nothing_is_missing_and_the_delay_is_small() -> None:
    call = Call()
    call.run(10)
    silent = call.playout.statistics.silent / SAMPLE_RATE
    assert silent < 0.15  # until the first piece
    assert call.delays[-1] < 0.05 + 0.04 + 0.05


def test_jitter_is_bought_with_delay() -> None:
    call = Call()
    call.jitter = 0.12
    call.run(5)
    before = call.playout.statistics.silent
    call.run(30)
    assert call.playout.statistics.silent - before < 0.02 * 30 * SAMPLE_RATE
    assert call.delays[-1] < 0.05 + 0.12 + 0.04 + 0.06
    call.jitter = 0.0
    call.run(30)
    assert call.delays[-1] < 0.05 + 0.04 + 0.05  # and it is given back


@pytest.mark.parametrize("drift", [-300e-6, 300e-6])
def test_drift_is_followed(drift: float) -> None:
    call = Call(drift=drift)
    call.run(10)
    early, silent = call.delays[-1], call.playout.statistics.silent
    call.run(300)
    # 90 ms of drift; the delay by this side's clock moves with the other side's.
    assert call.delays[-1] - early == pytest.approx(-drift * 300, abs=0.04)
    assert call.playout.statistics.silent - silent < 0.001 * 300 * SAMPLE_RATE
    assert abs(call.playout.statistics.stretched) > 0.5 * 300e-6 * 300 * SAMPLE_RATE


def test_after_an_outage_it_goes_on_at_once_and_where_the_speaker_is() -> None:
    call = Call()
    call.run(5)
    call.dead = True
    call.run(10)
    call.dead = False
    call.run(1)
    assert call.delays[-1] < 0.2
    silent = call.playout.statistics.silent
    call.run(10)
    assert call.playout.statistics.silent == silent


def test_a_delay_that_is_far_too_long_is_cut_without_a_click() -> None:
    """As when a queue has gone that was in the line from the beginning."""
    call = Call()
    call.delay = 2.0
    call.run(8)
    assert call.delays[-1] > 1.9
    for _ in range(63):  # the queue goes within seven seconds, and no piece overtakes another
        call.delay -= 0.03
        call.run(0.1)
    heard, skipped = len(call.out), call.playout.statistics.skipped
    call.run(12)
    assert call.delays[-1] < 0.3
    assert call.playout.statistics.skipped - skipped > 1.0 * SAMPLE_RATE
    steps = np.abs(np.diff(np.concatenate(call.out[heard:])))
    assert steps.max() < 1.5 * np.abs(np.diff(voice(16_000))).max()


def test_a_delay_from_the_first_second_of_a_stream_is_not_kept() -> None:
    """At first both sides load networks and code pictures, so sound comes late for a moment."""
    call = Call()
    call.delay = 0.3
    call.run(1)
    for _ in range(10):
        call.delay -= 0.025
        call.run(0.1)
    assert call.delays[-1] > 0.3
    call.run(3)
    assert call.delays[-1] < 0.05 + 0.04 + 0.05
    steps = np.abs(np.diff(np.concatenate(call.out[:75])[8000:]))
    assert steps.max() < 1.5 * np.abs(np.diff(voice(16_000))).max()


def test_later_on_such_a_delay_is_taken_back_slowly() -> None:
    """A cut is heard; in the middle of a talk, a third of a second too much is heard less."""
    call = Call()
    call.run(20)
    call.delay = 0.3
    call.run(1)
    for _ in range(10):
        call.delay -= 0.025
        call.run(0.1)
    skipped = call.playout.statistics.skipped
    call.run(20)
    assert call.delays[-1] < 0.05 + 0.04 + 0.05
    assert call.playout.statistics.skipped == skipped


def test_a_sender_that_begins_anew_is_followed() -> None:
    call = Call()
    call.run(5)
    base = call.now
    for n in range(50):
        call.playout.push(voice(PIECE), n * PIECE, base + 0.04 * n)
        call.playout.pull(640, base + 0.04 * n)
    at = call.playout.position()
    assert at is not None
    assert at == pytest.approx(50 * 0.04, abs=0.2)


def test_memory_is_bounded_when_nobody_listens() -> None:
    playout = SoundPlayout()
    for n in range(2000):
        playout.push(voice(PIECE), n * PIECE, 0.04 * n)
    assert playout.buffered_s <= 4.1
    assert playout.statistics.skipped > 0


def test_the_voice_that_is_heard_has_its_pitch() -> None:
    call = Call(drift=300e-6)
    call.jitter = 0.05
    call.run(20)
    heard = np.concatenate(call.out)[-5 * SAMPLE_RATE :]
    assert pitch_of(heard) == pytest.approx(140, rel=0.02)
