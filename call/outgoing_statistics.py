"""`OutgoingStatistics`: what a side of a call has sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..codec.packet import Kind, Packet
from .pack import entry_size

__all__ = ["OutgoingStatistics"]


@dataclass(slots=True)
class OutgoingStatistics:
    """How many bytes left for what, and what did not leave.

    Attributes:
        sound, motion, references, base, reports, copies, proofs: bytes of payloads with their
            packet's head. Light counts as motion.
        headers: bytes of the datagrams' own heads and of the network around them.
        datagrams: number of datagrams.
        held_back: packets of sound and motion that were not sent because the line was full.
        chains_lost: chains of the base layer that were given up, because packets could not leave
            in time.
    """

    sound: int = 0
    motion: int = 0
    references: int = 0
    base: int = 0
    reports: int = 0
    copies: int = 0
    proofs: int = 0
    headers: int = 0
    datagrams: int = 0
    held_back: int = 0
    chains_lost: int = 0

    @property
    def bytes(self) -> int:
        """Everything that left, with the network's headers."""
        media = self.sound + self.motion + self.references + self.base
        return media + self.reports + self.copies + self.proofs + self.headers

    def count(
        self,
        fresh: Sequence[Packet],
        reports: Sequence[Packet],
        copies: Sequence[Packet],
        proofs: Sequence[Packet],
    ) -> int:
        """Add packets that leave; returns the bytes of reports, copies and proofs together."""
        for packet in fresh:
            if packet.kind is Kind.AUDIO:
                self.sound += entry_size(packet)
            elif packet.kind in (Kind.MOTION, Kind.LIGHT):
                self.motion += entry_size(packet)
            elif packet.kind is Kind.BASE:
                self.base += entry_size(packet)
            else:
                self.references += entry_size(packet)
        more = [sum(map(entry_size, packets)) for packets in (reports, copies, proofs)]
        self.reports += more[0]
        self.copies += more[1]
        self.proofs += more[2]
        return sum(more)
