"""A portrait that turns its head, blinks and opens its mouth: a mesh warp of one photograph.

The tracker's landmarks give the face its depth. The head is turned in three dimensions and drawn
over the background of the photograph, which stands still.
"""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...codec.errors import MissingExtraError, NoFaceError
from ...models.avfr.segmenter import Segmenter
from ...sender.tracking.crop import resize
from ...sender.tracking.tracker import Face, Tracker

__all__ = ["AnimatedFace", "Pose", "load_portrait"]

Frame = npt.NDArray[np.uint8]
Map = npt.NDArray[np.float32]

_CROP = (63, 10, 400)  # left, top, side in the photograph: head and shoulders
_SIDE = 320  # it is drawn at this size, which is above the clip's and still quick
_UPPER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
_LOWER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
_EYES = (
    ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133)),
    ((362, 398, 384, 385, 386, 387, 388, 466, 263), (362, 382, 381, 380, 374, 373, 390, 249, 263)),
)
_CHIN = 152
_WIDEST = 0.16  # largest opening of the mouth, in face heights


def load_portrait() -> Frame:
    """Rear Admiral Grace M. Hopper, an official portrait of the US Navy (1984, James S. Davis).

    In the public domain as a work of the US federal government. matplotlib ships it as
    a sample picture.

    Returns:
        uint8 RGB `[600, 512, 3]`.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    spec = importlib.util.find_spec("matplotlib")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    path = folder / "mpl-data" / "sample_data" / "grace_hopper.jpg" if folder else None
    if path is None or not path.is_file():
        raise MissingExtraError("the demo's portrait", "encode")
    import av

    with av.open(str(path)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    return np.array(picture, np.uint8)


@dataclass(frozen=True, slots=True)
class Pose:
    """Pose of a frame: angles in degrees, positive right, up and clockwise; the rest 0 to 1."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    blink: float = 0.0
    mouth: float = 0.0


class AnimatedFace:
    """Draws the portrait in any pose. Below, S stands for `_SIDE`.

    Args:
        photograph: from `load_portrait`.
    """

    def __init__(self, photograph: Frame) -> None:
        import cv2

        left, top, side = _CROP
        square = (slice(top, top + side), slice(left, left + side))
        portrait = resize(photograph[square], _SIDE, _SIDE)
        with Tracker() as tracker:
            faces = tracker.track(portrait)
        if not faces:
            raise NoFaceError("no face was found in the demo's own portrait")
        face = faces[0]
        mask = Segmenter().segment(photograph)[square]
        mask = np.asarray(cv2.resize(mask, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))
        self._portrait = portrait
        self._y, self._x = np.mgrid[0:_SIDE, 0:_SIDE].astype(np.float32)
        self._marks = face.landmarks
        self._height = face.box[3] - face.box[1]
        self._alpha = np.clip((mask - 0.3) / 0.5, 0, 1).astype(np.float32)
        self._background = _without_person(portrait, mask)
        self._depth = _head_depth(face, self._x, self._y)
        chin = float(face.landmarks[_CHIN, 1])
        self._loose = 1 - _smooth(
            (self._y - chin + 8) / (0.32 * self._height)
        )  # the neck moves less

    def draw(self, pose: Pose, size: int) -> Frame:
        """Draw the portrait in a pose, uint8 RGB `[size, size, 3]`."""
        import cv2

        picture = self._shut_eyes(self._portrait, pose.blink)
        picture = self._open_mouth(picture, pose.mouth)
        x, y = self._turn(pose)
        head = cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        alpha = cv2.remap(self._alpha, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        drawn = self._background + alpha[..., None] * (head - self._background)
        return resize(np.clip(drawn, 0, 255).round().astype(np.uint8), size, size)

    def _turn(self, pose: Pose) -> tuple[Map, Map]:
        """The place in the portrait that each pixel of a turned head shows: x and y, `[S, S]`."""
        import cv2

        rotation = _rotation(pose)
        centre = self._marks[[234, 454]].mean(0)
        along_x, along_y = self._x - centre[0], self._y - centre[1]
        moves = []
        for row, own in ((0, along_x), (1, along_y)):
            a, b, c = (float(number) for number in rotation[row])
            moves.append(self._loose * (a * along_x + b * along_y + c * self._depth - own))
        x, y = self._x, self._y
        # The movement is known at the place where a point starts; find that place by iteration.
        for _ in range(5):
            dx, dy = (cv2.remap(m, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                      for m in moves)  # fmt: skip
            x, y = self._x - dx, self._y - dy
        return x, y

    def _shut_eyes(self, picture: Frame, blink: float) -> Frame:
        """Pull the skin above each eye down over it."""
        if blink <= 0:
            return picture
        import cv2

        source = self._y.copy()
        lash = np.zeros_like(source)
        for upper, lower in _EYES:
            lid, bottom = self._marks[list(upper)], self._marks[list(lower)]
            top = np.interp(self._x[0], lid[:, 0], lid[:, 1], left=-1, right=-1)
            low = np.interp(self._x[0], bottom[:, 0], bottom[:, 1], left=-1, right=-1)
            inside = top > 0
            edge = top + blink * (low - top)
            skin = 0.035 * self._height
            start = top - skin
            share = np.clip((self._y - start) / np.maximum(edge - start, 1e-3), 0, 1)
            pulled = inside & (self._y > start) & (self._y <= edge)
            source = np.where(pulled, start + share * (skin - 1.5), source).astype(np.float32)
            near = np.exp(-(((self._y - edge) / 1.3) ** 2)) * inside
            lash = np.maximum(lash, near)
        moved = cv2.remap(picture, self._x, source, cv2.INTER_LINEAR)
        shade = 1 - 0.55 * min(1.0, blink) * cv2.GaussianBlur(lash, (0, 0), 0.7)
        return np.asarray(np.round(moved * shade[..., None]), np.uint8)

    def _open_mouth(self, picture: Frame, mouth: float) -> Frame:
        """Drop the jaw, and paint what is behind the lips: darkness, teeth and a tongue."""
        if mouth <= 0.01:
            return picture
        import cv2

        upper, lower = self._marks[list(_UPPER_LIP)], self._marks[list(_LOWER_LIP)]
        line = (upper + lower) / 2
        middle, half = line[:, 0].mean(), (line[-1, 0] - line[0, 0]) / 2
        seam = np.interp(self._x[0], line[:, 0], line[:, 1])[None, :].astype(np.float32)
        chin = float(self._marks[_CHIN, 1])
        drop = mouth * _WIDEST * self._height
        # The jaw is as wide as the mouth at the seam and wider below; under the chin nothing moves.
        below = self._y - seam
        reach = half * (1 + 0.9 * np.clip(below / (chin - line[:, 1].mean()), 0, 1))
        across = np.clip(1 - ((self._x - middle) / reach) ** 2, 0, 1) ** 0.8
        hold = 1 - _smooth((self._y - chin) / (0.25 * self._height))
        jaw = (0.85 * drop * across * hold * (below > 0)).astype(np.float32)
        lift = 0.15 * drop * np.clip(1 - ((self._x - middle) / half) ** 2, 0, 1)
        raised = (lift * np.exp(-((below / (0.06 * self._height)) ** 2))).astype(np.float32)
        y = self._y + raised * (below <= 0)
        for _ in range(5):
            y_lower = self._y - cv2.remap(jaw, self._x, y, cv2.INTER_LINEAR)
            y = np.where(below > 0, np.maximum(y_lower, seam + 0.5), y).astype(np.float32)
        moved = cv2.remap(picture, self._x, y, cv2.INTER_CUBIC).astype(np.float32)
        opened = np.clip(1 - ((self._x - middle) / half) ** 2, 0, 1) ** 0.8
        top, bottom = seam - lift, seam + 0.85 * drop * opened
        inside = _edge(self._y - top) * _edge(bottom - self._y) * (opened > 0)
        return _paint(moved, self._inside(top, drop), inside.astype(np.float32))

    def _inside(self, top: Map, drop: float) -> Map:
        """Colours behind the lips, float32 `[S, S, 3]`."""
        deep = np.array([52, 16, 16], np.float32)
        teeth = np.array([222, 203, 176], np.float32)
        tongue = np.array([130, 60, 58], np.float32)
        depth = (self._y - top)[..., None]
        # Each tooth is darker at its sides, and all are darker towards the corners of the mouth.
        off = (self._x - self._marks[13, 0])[..., None] / self._height
        shade = (0.9 + 0.1 * np.cos(off * 2 * np.pi / 0.042)) * np.exp(-((off / 0.13) ** 2))
        teeth = teeth * (0.35 + 0.6 * shade)
        band = _edge(min(0.045 * self._height, 0.4 * drop) - depth)
        low = _smooth((depth - 0.6 * drop) / (0.4 * drop + 1)) * 0.8
        colour = deep + low * (tongue - deep)
        return np.asarray(colour + band * (teeth - colour), np.float32)


def _paint(picture: Map, colour: Map, where: Map) -> Frame:
    mixed = picture + where[..., None] * (colour - picture)
    return np.asarray(np.clip(mixed, 0, 255).round(), np.uint8)


def _smooth(share: Map) -> Map:
    """0 below 0, 1 above 1, and smooth in between."""
    t = np.clip(share, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _edge(distance: Map) -> Map:
    """An edge that is one pixel soft: 0 outside, where the distance is negative, and 1 inside."""
    return np.asarray(np.clip(distance + 0.5, 0, 1), np.float32)


def _rotation(pose: Pose) -> npt.NDArray[np.float64]:
    """Rotation of the head, `[3, 3]`, for axes right, down and away from the camera."""
    yaw, pitch, roll = (math.radians(a) for a in (pose.yaw, pose.pitch, pose.roll))
    about_y = [[math.cos(yaw), 0, -math.sin(yaw)], [0, 1, 0], [math.sin(yaw), 0, math.cos(yaw)]]
    about_x = [[1, 0, 0], [0, math.cos(pitch), math.sin(pitch)]]
    about_x += [[0, -math.sin(pitch), math.cos(pitch)]]
    about_z = [[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0]]
    about_z += [[0, 0, 1]]
    turn: npt.NDArray[np.float64] = np.array(about_z) @ np.array(about_x) @ np.array(about_y)
    return turn


def _head_depth(face: Face, x: Map, y: Map) -> Map:
    """Depth of the head at each pixel, relative to its axis, negative in front, `[S, S]`.

    It is the depth of the landmarks near them, and that of an ellipsoid elsewhere (hat, hair).
    """
    import cv2

    near = np.zeros(len(face.landmarks)) if face.depth is None else face.depth
    axis = float(near[[234, 454]].mean())
    step = 8
    gx, gy = x[::step, ::step], y[::step, ::step]
    height = face.box[3] - face.box[1]
    centre = face.landmarks[[234, 454]].mean(0)
    inside = 1 - ((gx - centre[0]) / (0.55 * height)) ** 2
    inside = inside - ((gy - centre[1] + 0.1 * height) / (0.95 * height)) ** 2
    ellipsoid = -0.5 * height * np.sqrt(np.clip(inside, 0, 1))
    far = (gx[..., None] - face.landmarks[:, 0]) ** 2 + (gy[..., None] - face.landmarks[:, 1]) ** 2
    weight = np.exp(-far / (2 * (0.06 * height) ** 2))
    mesh = weight @ (near - axis)
    depth = (mesh + 0.5 * ellipsoid) / (weight.sum(-1) + 0.5)
    full = cv2.resize(depth.astype(np.float32), x.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.GaussianBlur(full, (0, 0), 5), np.float32)


def _without_person(portrait: Frame, mask: Map) -> Map:
    """The background alone; what the person hides is filled in, and only a rim of that is seen."""
    import cv2

    half = portrait.shape[0] // 2
    small = resize(portrait, half, half)
    hidden = cv2.resize(mask, (half, half)) > 0.05
    grown = cv2.dilate(hidden.astype(np.uint8), np.ones((5, 5), np.uint8))
    filled = cv2.resize(cv2.inpaint(small, grown, 3, cv2.INPAINT_TELEA), portrait.shape[1::-1])
    seen = 1 - np.clip(cv2.resize(grown.astype(np.float32), portrait.shape[1::-1]), 0, 1)
    mixed = filled + seen[..., None] * (portrait.astype(np.float32) - filled)
    return np.asarray(mixed, np.float32)
