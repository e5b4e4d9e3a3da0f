from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from facewire.eval.codecs.base import Encoded, Knob
from facewire.eval.codecs.search import TOLERANCE, match_bits

RATE = Knob("bitrate", 1000, 4_000_000, 0.002)
SECONDS = 10.0


class Toy:
    """A codec whose bits are a function of its knob; remembers what it was asked."""

    def __init__(
        self, knob: Knob, slope: float, at: float, *, stairs: int = 1, noise: float = 0.0
    ) -> None:
        self.knob, self._slope, self._at = knob, slope, at
        self._stairs, self._noise = stairs, noise
        self.made: list[Encoded] = []

    def bits(self, setting: float) -> int:
        if self.knob.slope is None:
            x = math.log(setting / self.knob.low)
            x = math.floor(x * 500 / self._stairs) * self._stairs / 500
        else:
            steps = (setting - self.knob.low) / self.knob.step
            x = math.floor(steps / self._stairs + 1e-6) * self._stairs * self.knob.step
        jitter = np.random.default_rng(round(abs(setting) * 1000)).uniform(
            -self._noise, self._noise
        )
        return round(min(math.exp(self._at + self._slope * x + jitter), 1e12))

    def encode(self, setting: float) -> Encoded:
        assert self.knob.low <= setting <= self.knob.high
        assert setting not in [e.setting for e in self.made], "the same setting was coded twice"
        encoded = Encoded(Path("x"), {"inter": self.bits(setting)}, setting, "", 0.0)
        self.made.append(encoded)
        return encoded


def falling(tries: int = 8, step: float = 0.5) -> Knob:
    return Knob("QP", 10, 63, step, start=40, slope=-0.1, tries=tries)


@st.composite
def toys(draw: st.DrawFn) -> Toy:
    """Rates and qualities, rising and falling, smooth, in stairs and noisy."""
    kind = draw(st.sampled_from(["rate", "falling", "rising"]))
    tries = draw(st.integers(1, 9))
    stairs = draw(st.sampled_from([1, 1, 2, 7]))
    noise = draw(st.sampled_from([0.0, 0.0, 0.03, 0.5]))
    size = draw(st.floats(0.2, 3.0))  # how much steeper than the codec says
    if kind == "rate":
        knob = Knob("bitrate", 1000, 4_000_000, 0.002, tries=tries)
        slope = size
    else:
        sign = -1 if kind == "falling" else 1
        step = draw(st.sampled_from([0.1, 0.25, 1.0, 3.0]))
        knob = Knob("QP", -12, 51, step, start=30, slope=sign * 0.1, tries=tries)
        slope = sign * 0.1 * size
    return Toy(knob, slope, draw(st.floats(2, 16)), stairs=stairs, noise=noise)


@settings(max_examples=100)
@given(toys(), st.floats(100, 1e8))
@example(Toy(falling(), -0.1, 14.0), 1.0)
def test_whatever_the_codec_the_search_is_short_and_keeps_the_nearest(
    toy: Toy, target: float
) -> None:
    match = match_bits(toy.encode, toy.knob, target, SECONDS)
    assert 1 <= len(toy.made) <= toy.knob.tries
    distances = [abs(math.log(max(e.total, 1) / target)) for e in toy.made]
    assert match.encoded == toy.made[int(np.argmin(distances))]
    assert match.reached == (abs(match.encoded.total / target - 1) <= TOLERANCE)
    assert match.reached == (match.note == "")


@settings(max_examples=100)
@given(toys(), st.floats(100, 1e8))
def test_a_second_search_reuses_the_first(toy: Toy, target: float) -> None:
    first = match_bits(toy.encode, toy.knob, target, SECONDS)
    known = list(toy.made)
    again = match_bits(toy.encode, toy.knob, target, SECONDS, known)
    near, nearer = (abs(math.log(max(m.encoded.total, 1) / target)) for m in (first, again))
    assert nearer <= near
    if first.reached:
        assert again == first
        assert toy.made == known


@pytest.mark.parametrize("slope", [0.75, 1.0, 1.4])
@pytest.mark.parametrize("bits", [3e4, 2e5, 9e5])
def test_a_smooth_rate_is_reached_in_few_codings(slope: float, bits: float) -> None:
    toy = Toy(RATE, slope, 8.5)
    match = match_bits(toy.encode, RATE, bits, SECONDS)
    assert match.reached
    assert len(toy.made) <= 6


@pytest.mark.parametrize("slope", [-0.06, -0.1, -0.2])
def test_a_smooth_quality_is_reached_in_few_codings(slope: float) -> None:
    knob = falling(step=0.1)
    toy = Toy(knob, slope, 14.0)
    match = match_bits(toy.encode, knob, 60_000, SECONDS)
    assert match.reached
    assert len(toy.made) <= 5


def test_a_first_guess_of_a_rate_is_the_target() -> None:
    toy = Toy(RATE, 1.0, math.log(1000 * SECONDS))  # a rate control that holds
    match = match_bits(toy.encode, RATE, 200_000, SECONDS)
    assert match.reached
    assert len(toy.made) == 1
    assert toy.made[0].setting == pytest.approx(20_000, rel=0.002)


@pytest.mark.parametrize("knob", [RATE, falling()], ids=["rate", "quality"])
def test_floor_and_ceiling_are_named_and_the_knob_is_at_its_end(knob: Knob) -> None:
    slope = 1.0 if knob.slope is None else knob.slope
    low, high = (knob.low, knob.high) if slope > 0 else (knob.high, knob.low)
    at_start = 10.0 if slope > 0 else 15.0
    for target, end, word in ((50, low, "its floor: +"), (1e9, high, "its ceiling: -")):
        toy = Toy(knob, slope, at_start)
        match = match_bits(toy.encode, knob, target, SECONDS)
        assert not match.reached
        assert match.note.startswith(word)
        assert match.note.endswith("% of the target's bits")
        assert match.encoded.setting == end
        assert len(toy.made) < knob.tries


def test_between_two_steps_the_nearer_is_taken_and_named() -> None:
    knob = Knob("QP", 0, 60, 1, start=30, slope=-0.1)
    toy = Toy(knob, -0.1, math.log(1e6))
    target = 1e6 * math.exp(-3.14)
    match = match_bits(toy.encode, knob, target, SECONDS)
    assert not match.reached
    assert match.encoded.setting == 31
    assert match.note == "nearest step of QP: +4.1 % of the target's bits"


def test_a_floor_is_looked_for_behind_a_step_that_goes_the_wrong_way() -> None:
    """At 29 the bits rise again for a moment: that is not the codec's floor."""
    knob = Knob("QP", 0, 60, 1, start=28, slope=-0.1)
    bits = {setting: round(1e6 * math.exp(-0.1 * setting)) for setting in range(61)}
    bits[29] = bits[30] = bits[27]
    asked = []

    def encode(setting: float) -> Encoded:
        asked.append(setting)
        return Encoded(Path("x"), {"inter": bits[int(setting)]}, setting, "", 0.0)

    match = match_bits(encode, knob, bits[28] * 0.985, SECONDS)
    assert max(asked) > 30
    assert "floor" not in match.note


def test_what_is_known_suffices() -> None:
    toy = Toy(falling(), -0.1, 14.0)
    known = [toy.encode(setting) for setting in (20.0, 40.0, 60.0)]

    def refuse(setting: float) -> Encoded:
        raise AssertionError("nothing is to be coded")

    match = match_bits(refuse, toy.knob, known[1].total * 1.005, SECONDS, known)
    assert match.encoded is known[1]
    assert match.reached


def test_known_points_narrow_the_search() -> None:
    knob = falling(step=0.1)
    target = 60_000
    alone, helped = (Toy(knob, -0.2, 15.0) for _ in range(2))
    match_bits(alone.encode, knob, target, SECONDS)
    known = [Encoded(Path("x"), {"inter": helped.bits(s)}, s, "", 0.0) for s in (29.0, 32.0)]
    assert match_bits(helped.encode, knob, target, SECONDS, known).reached
    assert len(helped.made) <= len(alone.made)
    assert all(29 < made.setting < 32 for made in helped.made)


def test_a_target_below_a_bit_and_a_stream_of_none_end_the_search() -> None:
    knob = falling()
    match = match_bits(
        lambda setting: Encoded(Path("x"), {}, setting, "", 0.0), knob, 1000, SECONDS
    )
    assert not match.reached
    assert match.encoded.total == 0


def test_a_search_that_may_not_code_needs_something_known() -> None:
    knob = Knob("QP", 10, 63, 1, start=40, slope=-0.1, tries=0)
    with pytest.raises(ValueError, match="nothing known"):
        match_bits(Toy(knob, -0.1, 10).encode, knob, 1000, SECONDS)


def test_settings_are_what_the_codec_can_be_told() -> None:
    knob = Knob("CRF", -12, 51, 0.1, start=33, slope=-0.12)
    toy = Toy(knob, -0.12, 15.0)
    match_bits(toy.encode, knob, 40_000, SECONDS)
    for made in toy.made:
        assert made.setting == round(made.setting, 1)
