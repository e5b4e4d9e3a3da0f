from __future__ import annotations

import math
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.codec.motion.range_coder import FREQUENCY_BITS, RangeDecoder, RangeEncoder

TOTAL = 1 << FREQUENCY_BITS


@st.composite
def tables(draw: st.DrawFn) -> list[int]:
    """Cumulative frequencies, some very uneven."""
    weights = draw(st.lists(st.sampled_from([1, 2, 50, 4000]), min_size=2, max_size=40))
    left = TOTAL - len(weights)
    counts = [1 + left * w // sum(weights) for w in weights]
    counts[0] += TOTAL - sum(counts)
    return [0, *accumulate(counts)]


@given(st.data(), st.lists(tables(), min_size=1, max_size=4))
def test_what_went_in_comes_out(data: st.DataObject, some: list[list[int]]) -> None:
    coder, expected = RangeEncoder(), []
    for _ in range(data.draw(st.integers(0, 60))):
        bits = data.draw(st.integers(0, FREQUENCY_BITS))
        if bits:
            value = data.draw(st.integers(0, (1 << bits) - 1))
            coder.encode_bits(value, bits)
            expected.append((None, bits, value))
        else:
            table = data.draw(st.sampled_from(some))
            value = data.draw(st.integers(0, len(table) - 2))
            coder.encode(table, value)
            expected.append((table, 0, value))
    decoder = RangeDecoder(coder.finish())
    for table, bits, value in expected:
        found = decoder.decode(table) if table else decoder.decode_bits(bits)
        assert found == value


def test_the_code_is_as_short_as_its_information() -> None:
    table = [0, TOTAL - 300, TOTAL - 100, TOTAL]
    symbols = ([0] * 50 + [1] + [0] * 120 + [2]) * 20
    coder = RangeEncoder()
    for symbol in symbols:
        coder.encode(table, symbol)
    ideal = sum(-math.log2((table[s + 1] - table[s]) / TOTAL) for s in symbols)
    assert ideal <= 8 * len(coder.finish()) <= 1.01 * ideal + 8


def test_what_is_certain_costs_nothing() -> None:
    coder = RangeEncoder()
    for _ in range(20):
        coder.encode([0, TOTAL - 1, TOTAL], 0)
    assert coder.finish() == b""


def test_a_carry_runs_through_many_bytes() -> None:
    # The top of the range again and again gives bytes of 255; a last step upwards carries.
    table = [0, TOTAL - 1, TOTAL]
    for tail in range(2):
        coder = RangeEncoder()
        for _ in range(40):
            coder.encode(table, 1)
        coder.encode_bits(tail, 1)
        decoder = RangeDecoder(coder.finish())
        assert [decoder.decode(table) for _ in range(40)] == [1] * 40
        assert decoder.decode_bits(1) == tail


@given(st.binary(max_size=12))
def test_any_bytes_decode_to_something(data: bytes) -> None:
    decoder = RangeDecoder(data)
    table = [0, 5, TOTAL // 2, TOTAL - 1, TOTAL]
    assert all(0 <= decoder.decode(table) < 4 for _ in range(50))


@pytest.mark.parametrize("bits", [1, 7, FREQUENCY_BITS])
def test_plain_bits_cost_their_number(bits: int) -> None:
    coder = RangeEncoder()
    for _ in range(800):
        coder.encode_bits((1 << bits) - 1, bits)
    assert 8 * len(coder.finish()) == pytest.approx(800 * bits, abs=16)
