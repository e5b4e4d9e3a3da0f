"""`ObservedFrame`: a frame after tracking, before anything of it is coded."""

from __future__ import annotations

from dataclasses import dataclass

from ..models.face.observation import Observation
from .appearance import Appearance

__all__ = ["ObservedFrame", "View"]


@dataclass(frozen=True, slots=True)
class View:
    """What a frame shows of the person.

    Attributes:
        seen: the crop and the landmarks.
        look: the same, small; it says if no face was found (`Appearance.faceless`), so that the
            crop and the landmarks are where the face was last.
    """

    seen: Observation
    look: Appearance

    @classmethod
    def of(cls, seen: Observation, *, faceless: bool = False) -> View:
        """Of an observation."""
        return cls(seen, Appearance.of(seen, faceless=faceless))

    @property
    def faceless(self) -> bool:
        """Whether no face was found."""
        return bool(self.look.faceless)


@dataclass(frozen=True, slots=True)
class ObservedFrame:
    """A frame as the tracker saw it.

    Attributes:
        pts: its time in ticks.
        view: what it shows; None if nothing is known of the person, as before the first face and
            after a cut to a scene without one.
        join: from this frame on, nothing may depend on an earlier reference. Only frames with a
            face ask for it.
        anew: whether the scene or the person is a new one.
    """

    pts: int
    view: View | None
    join: bool = False
    anew: bool = False
