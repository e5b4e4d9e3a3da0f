"""Faces made of numbers: the canonical mesh in other shapes, with other expressions, anywhere."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from facewire.models.face.canonical import load_canonical
from facewire.models.face.observation import Observation
from facewire.models.third_party import find_asset
from facewire.sender.reenactment.head import HeadFinder
from facewire.sender.reenactment.transfer import at_rest

Points = npt.NDArray[np.float64]

TASK = find_asset("face_landmarker.task")
HEADS = HeadFinder.load(TASK)
IRISES = 10


def face(wide: float = 1.0, nose: float = 0.0) -> Points:
    """A mesh in head coordinates, float64 `[478, 3]` in cm, y down, with eyes and mouth as the
    canonical face has them. `wide` scales it across; `nose` makes the nose longer, in cm.
    """
    points = load_canonical(TASK).points * (wide, -1, -1)
    local = np.concatenate([points, points[:IRISES]])
    local[[1, 4, 5, 19, 94, 2]] += (0, 0, -nose)
    return np.asarray(local)


def speaking(local: Points, open_by: float, shut: float = 0.0) -> Points:
    """The same face with its mouth open by so many cm, and its eyes shut by a part of them."""
    opened = at_rest(local)
    moved = local.copy()
    lips = [95, 88, 178, 87, 14, 317, 402, 318, 324, 146, 91, 181, 84, 17, 314, 405, 321, 375]
    shares = np.sin(np.linspace(0, np.pi, 11)[1:-1])
    moved[lips] = opened[lips] + np.outer(np.tile(shares, 2), (0, open_by, 0))
    moved[[152, 148, 377, 176, 400, 149, 378]] += (0, open_by, 0)
    lids = [246, 161, 160, 159, 158, 157, 173, 466, 388, 387, 386, 385, 384, 398]
    moved[lids] += shut * (opened[lids] - local[lids])
    return moved


def seen(
    local: Points,
    angles: tuple[float, float, float] = (0, 0, 0),
    size: float = 0.08,
    centre: tuple[float, float] = (0, 0),
    seconds: float = 0.0,
) -> Observation:
    """A face as a tracker without noise sees it; `angles` are yaw, pitch and roll in degrees."""
    turn = Rotation.from_euler("YXZ", angles, degrees=True).as_matrix()
    points = (local @ turn.T) * size
    points[:, :2] += centre
    picture = np.zeros((64, 64, 3), np.uint8)
    flat = points.astype(np.float32)
    return Observation(picture, flat[:, :2], seconds, depth=flat[:, 2])
