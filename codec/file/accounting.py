"""`BitCount`: what the bits of a stream are spent on, in files, evaluation and calls alike."""

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
    Kind.LIGHT: "motion",
    Kind.AUDIO: "audio",
    Kind.BASE: "residual",
}


_MOST_SIZES = 40_000


class BitCount:
    """Counts the bits of packets by their purpose.

    The payloads of KEYFRAME, MOTION and AUDIO packets count under their own names. IDENTITY counts
    as `keyframe`, since both describe what the person looks like, LIGHT as `motion`, since both
    tell how a frame differs from its keyframe, and BASE as `residual`.
    Everything else is `container`: packet headers, marks, lengths and checksums of records, STREAM,
    PARITY and CONTROL packets, the file's head and its index. Memory is bounded: of the sizes of
    motion packets only a histogram is kept.
    """

    def __init__(self) -> None:
        self._bits = dict.fromkeys(PARTS[:-1], 0)
        self._sizes: dict[float, int] = {}

    def add(self, packet: Packet, *, in_file: bool = True, frames: int = 1) -> None:
        """Count a packet.

        Args:
            packet: of any kind.
            in_file: count the record around the packet too.
            frames: how many frames a MOTION packet holds; its bits are divided equally among them.
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
        """Keep the histogram small by rounding sizes to whole bits."""
        if len(self._sizes) > _MOST_SIZES:
            coarse: dict[float, int] = {}
            for size, times in self._sizes.items():
                coarse[float(round(size))] = coarse.get(float(round(size)), 0) + times
            self._sizes = coarse

    def add_container(self, size: int = HEAD_BYTES) -> None:
        """Count bytes that belong to no packet: head and trailer of a file, damaged records."""
        self._bits["container"] += 8 * size

    def fill_to(self, size: int) -> None:
        """Count as `container` all bytes of a file of `size` bytes that were not counted yet."""
        missing = 8 * size - self.bits["total"]
        self._bits["container"] += max(missing, 0)

    @property
    def bits(self) -> dict[str, int]:
        """Bits by part; the keys are `PARTS`."""
        return {**self._bits, "total": sum(self._bits.values())}

    def bpp(self, frames: int, width: int, height: int) -> dict[str, float]:
        """Bits per pixel by part: bits / (frames x width x height), or 0 if there are no frames."""
        pixels = frames * width * height
        return {part: bits / pixels if pixels else 0.0 for part, bits in self.bits.items()}

    def kbps(self, duration: Fraction | float) -> dict[str, float]:
        """Kilobits (1000 bits) a second by part, or 0 if `duration` (seconds) is 0."""
        seconds = float(duration)
        scale = 0.001 / seconds if seconds > 0 else 0.0
        return {part: bits * scale for part, bits in self.bits.items()}

    def motion_bits_per_frame(self) -> dict[str, float]:
        """Bits of MOTION payloads a frame: mean, p95 (nearest rank) and max; 0 without any."""
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
