"""Which face is sent, and what counts as a new scene.

One person is followed: the chosen face at first, then the one that overlaps the last most. Another
face is taken only when the followed one has been gone for half a second, at a cut, or with the
choice "moving" when the followed face is a still picture and another one moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from .movement import ALIVE, SAME_FACE, Movement, movement, overlap
from .tracker import Face

__all__ = ["FACE_CHOICES", "FaceChoice", "Followed", "Follower"]

Box = tuple[float, float, float, float]
FaceChoice = Literal["largest", "centre", "moving"] | int
"""The largest face, the one nearest to the middle of the frame, the largest that moves, or the
n-th from the left, counted from 1 (the last one where there are fewer)."""
FACE_CHOICES = ("largest", "centre", "moving")

_GONE_S = 0.5
_LOOK_S = 0.5  # between two looks at all faces
_STILL_S = 3.0  # a face that has not moved for so long may be a picture


@dataclass(frozen=True, slots=True)
class Followed:
    """What the follower made of a frame: the face, or None; and whether it is somebody new."""

    face: Face | None
    changed: bool = False


class Follower:
    """Keeps to one face; one a stream.

    Args:
        choice: which face is taken first.
    """

    def __init__(self, choice: FaceChoice = "largest") -> None:
        self._choice = choice
        self.reset()

    def reset(self) -> None:
        """Choose a face afresh."""
        self._last: Box | None = None
        self._missing = 0.0
        self._since_look = math.inf
        self._cut = False
        self._movement = Movement()
        self._alive = False
        self._checked: Face | None = None  # the followed face when its movement was last measured
        self._still_s = 0.0
        self._since_check = 0.0

    def rescale(self, across: float, down: float) -> None:
        """The frames change their size by these factors, and show the same as before."""
        if self._last is not None:
            x0, y0, x1, y1 = self._last
            self._last = (x0 * across, y0 * down, x1 * across, y1 * down)
        self._movement, self._checked = Movement(), None

    def wants_all(self, seconds: float, *, cut: bool = False) -> bool:
        """Whether the next `follow` needs every face of the frame, however small.

        Ask once before each `follow`, with the same arguments. To find every face takes time, so
        that it is asked for at a cut and otherwise at most twice a second.
        """
        self._since_look += seconds
        if self._choice == "largest":
            return False
        unsure = self._choice == "moving" and not self._alive
        wanted = cut or self._last is None or self._missing > 0 or unsure
        begins = cut and not self._cut
        self._cut = cut
        if not wanted or (self._since_look < _LOOK_S and not begins):
            return False
        self._since_look = 0.0
        return True

    def follow(
        self,
        faces: list[Face],
        seconds: float,
        *,
        cut: bool = False,
        everyone: list[Face] | None = None,
        size: tuple[int, int] = (0, 0),
    ) -> Followed:
        """Choose among the faces of the next frame.

        Args:
            faces: largest first.
            seconds: since the frame before.
            cut: the scene changed: forget where the face was.
            everyone: every face of the frame, largest first, where `wants_all` asked for them.
            size: height and width of the frame.
        """
        if cut:
            self._movement, self._alive, self._checked = Movement(), False, None
        moved = self._movement.push(everyone) if everyone is not None else []
        if self._last is None or cut:
            changed = self._last is not None
            chosen = self._choose(faces if everyone is None else everyone, everyone, size)
            return Followed(None) if chosen is None else self._take(chosen, changed)
        last = self._last
        best = max(faces, key=lambda face: overlap(face.box, last), default=None)
        if best is not None and overlap(best.box, last) >= SAME_FACE:
            living = self._living(best, everyone or [], moved)
            if living is not None:
                return self._take(living, True)
            self._watch(best, seconds)
            return self._take(best, False)
        self._missing += seconds
        if self._missing < _GONE_S:
            return Followed(None)
        chosen = self._choose(faces if everyone is None else everyone, everyone, size)
        return Followed(None) if chosen is None else self._take(chosen, True)

    def _choose(
        self, faces: list[Face], everyone: list[Face] | None, size: tuple[int, int]
    ) -> Face | None:
        """The face to begin with; None where there is none, or not all faces are known yet."""
        if not faces or (everyone is None and self._choice != "largest"):
            return None
        if self._choice == "centre":
            middle = (size[1] / 2, size[0] / 2)
            return min(faces, key=lambda face: math.dist(_middle(face.box), middle))
        if isinstance(self._choice, int):
            ordered = sorted(faces, key=lambda face: _middle(face.box)[0])
            return ordered[min(self._choice, len(ordered)) - 1]
        return faces[0]

    def _living(self, followed: Face, everyone: list[Face], moved: list[float]) -> Face | None:
        """With the choice "moving": a face that moves, while the followed one does not."""
        if self._choice != "moving" or self._alive:
            return None
        for face, far in zip(everyone, moved, strict=True):
            if far >= ALIVE and overlap(face.box, followed.box) >= SAME_FACE:
                self._alive = True
                return None
        others = [face for face, far in zip(everyone, moved, strict=True) if far >= ALIVE]
        self._alive = bool(others)
        return others[0] if others else None

    def _watch(self, face: Face, seconds: float) -> None:
        """Notice when the followed face has not moved for a while."""
        if not self._alive or self._choice != "moving":
            return
        self._since_check += seconds
        if self._checked is not None and self._since_check < _LOOK_S:
            return
        far = movement(self._checked, face) if self._checked is not None else ALIVE
        self._still_s = 0.0 if far >= ALIVE else self._still_s + self._since_check
        self._checked, self._since_check = face, 0.0
        if self._still_s >= _STILL_S:
            self._alive, self._still_s = False, 0.0

    def _take(self, face: Face, changed: bool) -> Followed:
        self._last, self._missing = face.box, 0.0
        if changed:
            self._checked, self._still_s = None, 0.0
        return Followed(face, changed)


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
