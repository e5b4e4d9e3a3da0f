"""`BitCount`: where the bits of a stream go. One accounting for files, evaluation and calls."""

from __future__ import annotations

from fractions import Fraction

from ..packet import HEADER_BYTES, Kind, Packet
from .container import HEAD_BYTES
from .records import record_overhead

__all__ = ["PARTS", "BitCount"]

PARTS = ("keyframe", "motion", "audio", "residual", "container", "total")
_PART = {
    Kind.KEYFRAME: "keyframe",
    Kind.IDENTITY: "keyframe",
    Kind.MOTION: "motion",
    Kind.AUDIO: "audio",
}


_MOST_SIZES = 40_000


class BitCount:
    """Counts the bits of packets by what they are for.

    Payloads of KEYFRAME, MOTION and AUDIO packets count under their own name; IDENTITY under
    `keyframe`, since both say what the person looks like. Everything else is `container`: packet
    headers, marks, lengths and checksums of records, STREAM, PARITY and CONTROL packets, the
    file's head and its index. `residual` is 0 in this version. Memory is bounded: of motion
    packets only a histogram is kept.
    """

    def __init__(self) -> None:
        self._bits = dict.fromkeys(PARTS[:-1], 0)
        self._sizes: dict[float, int] = {}

    def add(self, packet: Packet, *, in_file: bool = True, frames: int = 1) -> None:
        """Count a packet.

        Args:
            packet: any.
            in_file: with the record around it.
            frames: of a MOTION packet; its bits are shared by them alike.
        """
        payload = 8 * len(packet.payload)
        overhead = HEADER_BYTES
        if in_file:
            overhead += record_overhead(HEADER_BYTES + len(packet.payload))
        self._bits[_PART.get(packet.kind, "container")] += payload
        self._bits["container"] += 8 * overhead
        if packet.kind == Kind.MOTION:
            share = payload / frames
            self._sizes[share] = self._sizes.get(share, 0) + frames
            self._fold()

    def _fold(self) -> None:
        """Keep the histogram small: whole bits are fine enough."""
        if len(self._sizes) > _MOST_SIZES:
            coarse: dict[float, int] = {}
            for size, times in self._sizes.items():
                coarse[float(round(size))] = coarse.get(float(round(size)), 0) + times
            self._sizes = coarse

    def add_container(self, size: int = HEAD_BYTES) -> None:
        """Count bytes that belong to no packet: the file's head, its trailer, damaged records."""
        self._bits["container"] += 8 * size

    def fill_to(self, size: int) -> None:
        """Count as container what is missing to a file of `size` bytes (head, index, damage)."""
        missing = 8 * size - self.bits["total"]
        self._bits["container"] += max(missing, 0)

    @property
    def bits(self) -> dict[str, int]:
        """Bits by part, keys `PARTS`."""
        return {**self._bits, "total": sum(self._bits.values())}

    def bpp(self, frames: int, width: int, height: int) -> dict[str, float]:
        """Bits per pixel by part: bits / (frames x width x height); zeros without frames."""
        pixels = frames * width * height
        return {part: bits / pixels if pixels else 0.0 for part, bits in self.bits.items()}

    def kbps(self, duration: Fraction | float) -> dict[str, float]:
        """Kilobits (1000) a second by part; `duration` in seconds; zeros without any."""
        seconds = float(duration)
        scale = 0.001 / seconds if seconds > 0 else 0.0
        return {part: bits * scale for part, bits in self.bits.items()}

    def motion_bits_per_frame(self) -> dict[str, float]:
        """Bits of MOTION payloads a frame: mean, p95 (nearest rank) and max; zeros without any."""
        count = sum(self._sizes.values())
        if not count:
            return {"mean": 0.0, "p95": 0.0, "max": 0.0}
        mean = sum(size * times for size, times in self._sizes.items()) / count
        rank, seen, p95 = -(-95 * count // 100), 0, 0.0
        for size in sorted(self._sizes):
            seen += self._sizes[size]
            if seen >= rank:
                p95 = size
                break
        return {"mean": mean, "p95": float(p95), "max": float(max(self._sizes))}
