"""A byte-wise range coder on integers (Martin 1979; carry as in Schindler's and LZMA's).

It uses integers only, so results are the same on every machine. The encoder leaves out zero bytes
at the end, and the decoder reads zeros after the end. So a code is hardly longer than the
information in it.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["FREQUENCY_BITS", "RangeDecoder", "RangeEncoder"]

FREQUENCY_BITS = 14
"""The frequencies of a table add up to 2 ** 14; each is at least 1."""
_TOP = 1 << 24
_MASK = (1 << 32) - 1


class RangeEncoder:
    """Turns symbols with given frequencies into bytes."""

    def __init__(self) -> None:
        self._low = 0
        self._range = _MASK
        self._out = bytearray()

    def encode(self, cumulative: Sequence[int], symbol: int) -> None:
        """Code one symbol.

        Args:
            cumulative: n + 1 rising integers from 0 to 2 ** `FREQUENCY_BITS`: the sums of the
                frequencies before each symbol, and the sum of all.
            symbol: 0 to n - 1.
        """
        self._narrow(cumulative[symbol], cumulative[symbol + 1], FREQUENCY_BITS)

    def encode_bits(self, value: int, bits: int) -> None:
        """Code `bits` equally likely bits, at most 14."""
        self._narrow(value, value + 1, bits)

    def finish(self) -> bytes:
        """The shortest code of all symbols. The encoder cannot be used after it."""
        # Choose the number in [low, low + range) that ends in the most zeros.
        for step in (1 << 24, 1 << 16, 1 << 8, 1):
            value = -(-self._low // step) * step
            if value < self._low + self._range:
                break
        self._low = value
        self._carry()
        self._out += (self._low & _MASK).to_bytes(4, "big")
        return bytes(self._out).rstrip(b"\0")

    def _narrow(self, start: int, end: int, bits: int) -> None:
        share = self._range >> bits
        self._low += start * share
        self._range = (end - start) * share
        while self._range < _TOP:
            self._carry()
            self._out.append(self._low >> 24 & 0xFF)
            self._low = (self._low << 8) & _MASK
            self._range <<= 8

    def _carry(self) -> None:
        if self._low > _MASK:
            position = len(self._out) - 1
            while self._out[position] == 0xFF:
                self._out[position] = 0
                position -= 1
            self._out[position] += 1
            self._low &= _MASK


class RangeDecoder:
    """Inverse of `RangeEncoder`. It never fails: damaged bytes just give other symbols."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 4
        self._range = _MASK
        self._code = int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def decode(self, cumulative: Sequence[int]) -> int:
        """The next symbol; the table is as for `RangeEncoder.encode`."""
        share = self._range >> FREQUENCY_BITS
        place = min(self._code // share, (1 << FREQUENCY_BITS) - 1)
        low, high = 0, len(cumulative) - 1
        while high - low > 1:
            middle = (low + high) // 2
            if cumulative[middle] <= place:
                low = middle
            else:
                high = middle
        self._take(cumulative[low], cumulative[low + 1], share)
        return low

    def decode_bits(self, bits: int) -> int:
        """The next `bits` equally likely bits."""
        share = self._range >> bits
        value = min(self._code // share, (1 << bits) - 1)
        self._take(value, value + 1, share)
        return value

    def _take(self, start: int, end: int, share: int) -> None:
        self._code -= start * share
        self._range = (end - start) * share
        while self._range < _TOP:
            following = self._data[self._at] if self._at < len(self._data) else 0
            self._at += 1
            self._code = (self._code << 8 | following) & _MASK
            self._range <<= 8
