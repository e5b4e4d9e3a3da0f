"""`EncoderStatistics`: what a stream's sender has sent."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EncoderStatistics"]


@dataclass(frozen=True, slots=True)
class EncoderStatistics:
    """What was sent so far.

    Attributes:
        frames: frames of motion.
        repeated: those of them that show no face and repeat the motion before.
        keyframes: references, including keyframes at which one can join.
        early: frames that were left out, because they came before the next tick.
        resent: fragments of keyframes that were sent again.
        foreign: reports on another session, which were ignored.
    """

    frames: int = 0
    repeated: int = 0
    keyframes: int = 0
    early: int = 0
    resent: int = 0
    foreign: int = 0
