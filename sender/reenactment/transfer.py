"""`Transfer`: the movement of one face on another face's shape.

A frame shows the driver's head in some place, size and rotation, and beside that an expression:
what its mesh has in head coordinates beyond the same face at rest. The portrait's head gets the
same rotation, and the same movement from its own place, scaled by the heads' sizes; and its own
mesh at rest gets the expression. In the picture that is

    result = place + (driver - its centre) * scale + rotated (portrait at rest - driver at rest)

so the driver's own shape cancels out, and so does most of the noise of the tracker's depth, which
only the difference of the two shapes is turned with.

Where the eyes look moves likewise, in its two numbers: from where the portrait's eyes look, by as
much as the driver's eyes move.

*At rest* means: as at the moment when both faces are most alike, but with lips and lids closed. So
a mouth or an eye that the driver shuts is shut in the portrait too, whatever its lips and lids do
in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...codec.motion.frame import MAX_GAZE
from ...models.face.mesh import LANDMARKS, REGIONS
from .head import Head

__all__ = ["Transfer", "at_rest", "lids_down", "unlikeness"]

Points = npt.NDArray[np.float64]

_INNER_UPPER = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]
_INNER_LOWER = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
_OUTER_LOWER = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291]
_CORNERS = [61, 291]
_UPPER_LIDS = [246, 161, 160, 159, 158, 157, 173, 466, 388, 387, 386, 385, 384, 398]
_LOWER_LIDS = [7, 163, 144, 145, 153, 154, 155, 249, 390, 373, 374, 380, 381, 382]
_OPEN = 0.2  # height of an open eye over its width, at least
_CHIN = 152
_EXPRESSIVE = sorted({i for region in REGIONS[1:] for i in region})
_LIDS, _LIPS = (0.6, 1.6), (0.7, 1.4)  # ratios of two people's, at most
_LIPS_AND_CHIN = sorted({i for region in REGIONS[5:] for i in region})
_EYES = (  # interior points of each eye; its middle, above and below, and its corners
    ([i for i in REGIONS[1] if i not in (33, 133)], (159, 145, 33, 133)),
    ([i for i in REGIONS[2] if i not in (263, 362)], (386, 374, 263, 362)),
)
_LEAST = 1e-3  # cm
_PER_RADIAN = 1.5  # cm of expression that a radian of rotation counts for


def at_rest(local: Points) -> Points:
    """A mesh in head coordinates `[478, 3]` with lids and lips closed: the upper lids go down to
    the lower ones and the lower lip up to the upper one, and what lies below the corners of the
    mouth follows it, the more the nearer it is to the chin.
    """
    gaps = local[_INNER_LOWER] - local[_INNER_UPPER]
    gaps[gaps[:, 1] < 0] = 0.0  # lips that overlap are closed already
    middle = gaps[len(gaps) // 2]
    corners = local[_CORNERS, 1].mean()
    below = (local[:, 1] - corners) / max(float(local[_CHIN, 1] - corners), _LEAST)
    up = np.clip(below, 0, 1)[:, None] * middle
    upper = [*_INNER_UPPER, *(i for i in REGIONS[5])]
    up[upper] = 0.0
    up[_OUTER_LOWER] = gaps
    up[_INNER_LOWER] = gaps
    return lids_down(np.asarray(local - up, np.float64), 1.0)


def lids_down(local: Points, share: float) -> Points:
    """A mesh in head coordinates `[478, 3]` whose upper lids have gone down by a share of their way
    to the lower ones, 0 to 1.
    """
    down = np.array(local, np.float64)
    down[_UPPER_LIDS] -= share * (local[_UPPER_LIDS] - local[_LOWER_LIDS])
    return down


def unlikeness(portrait: Head, driver: Head) -> float:
    """How unlike two heads are, in squared cm: by expression and by where they look. Only the order
    of several frames of one driver has a meaning.
    """
    apart = (portrait.local - driver.local)[_EXPRESSIVE, :2]
    return float((apart**2).sum(1).mean() + (_PER_RADIAN * portrait.turn_to(driver)) ** 2)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Takes the frames of one driver to one portrait.

    Attributes:
        apart: float64 `[478, 3]`, portrait at rest less driver at rest, in crop units of the
            portrait at the driver's usual size.
        scale: `[478]`, crop units of the portrait for one of the driver: by the sizes of the
            heads, and for mouth and lids by their own sizes.
        place: `[2]`, where the portrait's centre would be were the driver's at 0.
        move: crop units by which the portrait's head moves for one of the driver's.
        size: the driver's size at the moment when both are most alike.
        gaze: `[2]`, by how much the portrait's eyes look elsewhere than the driver's.
    """

    apart: Points
    scale: Points
    place: Points
    move: float
    size: float
    gaze: Points

    @classmethod
    def between(cls, portrait: Head, driver: Head) -> Transfer:
        """From the moment when the driver looks most like the portrait."""
        ratio = portrait.size / driver.size
        factors = np.ones(LANDMARKS)
        lips = [_distance(head.local, *_CORNERS) for head in (portrait, driver)]
        factors[_LIPS_AND_CHIN] = np.clip(lips[0] / max(lips[1], _LEAST), *_LIPS)
        for points, eye in _EYES:
            lids = [_opening(head.local, *eye) for head in (portrait, driver)]
            factors[points] = np.clip(lids[0] / max(lids[1], _LEAST), *_LIDS)
        rests = at_rest(portrait.local), at_rest(driver.local)
        apart = (rests[0] - factors[:, None] * rests[1]) * portrait.size
        place = portrait.centre - ratio * driver.centre
        gaze = portrait.gaze.astype(np.float64) - driver.gaze
        return cls(apart, factors * ratio, place, ratio, driver.size, gaze)

    def moved(self, driver: Head) -> npt.NDArray[np.float32]:
        """The portrait's landmarks as the driver moves them: float32 `[478, 2]` on [-1, 1]."""
        nearer = driver.size / self.size
        turned = (self.apart @ driver.rotation.T)[:, :2] * nearer
        place = self.place + self.move * driver.centre
        return np.asarray(place + driver.flat * self.scale[:, None] + turned, np.float32)

    def looking(self, driver: Head) -> npt.NDArray[np.float32]:
        """Where the portrait's eyes look as the driver moves his: float32 `[2]` on [-1, 1]."""
        return np.asarray(np.clip(driver.gaze + self.gaze, -MAX_GAZE, MAX_GAZE), np.float32)

    def towards(self, other: Transfer, share: float) -> Transfer:
        """Part of the way to another transfer, 0 to 1."""
        a, b = 1 - share, share
        return Transfer(
            a * self.apart + b * other.apart,
            a * self.scale + b * other.scale,
            a * self.place + b * other.place,
            a * self.move + b * other.move,
            a * self.size + b * other.size,
            a * self.gaze + b * other.gaze,
        )


def _distance(local: Points, one: int, other: int) -> float:
    """Between two points of a mesh, in cm."""
    return float(np.linalg.norm(local[one] - local[other]))


def _opening(local: Points, above: int, below: int, left: int, right: int) -> float:
    """Height of an eye in cm; one that is shut counts as hardly open."""
    return max(_distance(local, above, below), _OPEN * _distance(local, left, right))
