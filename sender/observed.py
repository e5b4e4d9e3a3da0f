"""`ObservedFrame`: a frame after tracking, before anything of it is coded."""

from __future__ import annotations

from dataclasses import dataclass

from ..models.face.observation import Observation

__all__ = ["ObservedFrame"]


@dataclass(frozen=True, slots=True)
class ObservedFrame:
    """A frame as it was observed.

    Attributes:
        pts: its time in ticks.
        seen: the face, None where there is none.
        join: nothing from it on may stand on an earlier reference.
    """

    pts: int
    seen: Observation | None
    join: bool
