"""`ObservedFrame`: a frame after tracking, before anything of it is coded."""

from __future__ import annotations

from dataclasses import dataclass

from ..models.face.observation import Observation

__all__ = ["ObservedFrame"]


@dataclass(frozen=True, slots=True)
class ObservedFrame:
    """A frame as the tracker saw it.

    Attributes:
        pts: its time in ticks.
        seen: the face; None if the frame shows none.
        join: from this frame on, nothing may depend on an earlier reference.
    """

    pts: int
    seen: Observation | None
    join: bool
