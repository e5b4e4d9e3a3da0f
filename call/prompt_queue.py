"""`PromptQueue`: sound, motion, light and STREAM, which cannot wait long for their datagram."""

from __future__ import annotations

from collections.abc import Callable

from ..codec.packet import Kind, Packet
from .pack import entry_size

__all__ = ["PromptQueue"]

_SOUND_WAITS, _MOTION_WAITS_S = 0.25, 0.03
"""For how much of the time that a packet lasts sound waits for motion, and how long motion waits
after the time when the next sound is expected, to share a datagram. Motion that comes before the
sound of its time loses nothing by that, because its pictures are shown with that sound.
"""


class PromptQueue:
    """Gathers packets of the same time, so that they leave in one datagram."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, Packet]] = []  # since when each waits
        self._since: float | None = None  # when the oldest one came
        self._seen: dict[Kind, float] = {}  # when each kind came last

    def clear(self) -> None:
        """Leave everything out, and expect nothing."""
        self._waiting.clear()
        self._seen.clear()
        self._since = None

    def add(self, packet: Packet, now: float) -> None:
        """Take a packet."""
        self._since = now if self._since is None else self._since
        self._waiting.append((now, packet))
        if packet.kind is not Kind.LIGHT:  # that comes now and then, with motion
            self._seen[packet.kind] = now

    def due(self, now: float, packet_s: float, count: int) -> float:
        """The time by which they leave; infinite if nothing waits.

        Args:
            now: seconds of this side's clock.
            packet_s: seconds of sound in a packet.
            count: packets of each kind that share a datagram.
        """
        if self._since is None:
            return float("inf")
        if self._is_whole(packet_s * count, count):
            return now
        together_s = packet_s * count
        if self._has_sound(together_s):
            return self._since + packet_s * (count - 1) + _SOUND_WAITS * packet_s
        expected = self._seen.get(Kind.AUDIO, self._since) + together_s
        return max(self._since, expected) + _MOTION_WAITS_S

    def take(
        self, fits: Callable[[Packet, int], bool], now: float, held_s: float
    ) -> tuple[list[Packet], list[Packet]]:
        """Take out what leaves now, and what has waited for too long.

        Args:
            fits: whether a packet may leave after so many bytes of payloads before it.
            now: seconds of this side's clock.
            held_s: for how long a packet that does not fit may wait.

        Returns:
            Both in their order. What is in neither goes on waiting.
        """
        ready: list[Packet] = []
        late: list[Packet] = []
        kept: list[tuple[float, Packet]] = []
        size = 0
        for since, packet in self._waiting:
            if fits(packet, size):
                ready.append(packet)
                size += entry_size(packet)
            elif now - since < held_s:
                kept.append((since, packet))
            else:
                late.append(packet)
        self._waiting = kept
        self._since = kept[0][0] if kept else None
        return ready, late

    def flows(self, now: float, within_s: float) -> bool:
        """Whether sound or motion came within the last seconds, so that more is to be expected."""
        newest = max(self._seen.get(kind, float("-inf")) for kind in (Kind.AUDIO, Kind.MOTION))
        return now - newest < within_s

    def _has_sound(self, together_s: float) -> bool:
        """Whether sound waits, or none is to be expected: then motion waits for none."""
        newest = max(self._seen.values())
        if newest - self._seen.get(Kind.AUDIO, float("-inf")) > 2 * together_s:
            return True
        return any(packet.kind is Kind.AUDIO for _, packet in self._waiting)

    def _is_whole(self, together_s: float, count: int) -> bool:
        """Whether each kind of packet that comes regularly is there: then waiting gains nothing."""
        newest = max(self._seen.values())
        regular = {
            kind
            for kind, at in self._seen.items()
            if kind is not Kind.STREAM and newest - at < 2 * together_s
        }
        kinds = [packet.kind for _, packet in self._waiting]
        return all(kinds.count(kind) >= count for kind in regular)
