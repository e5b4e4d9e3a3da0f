"""`Sitter`: the person in a portrait, cropped as the camera's pictures are."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

from ...codec.errors import MediaError, NoFaceError
from ...models.face.mesh import openings
from ...models.face.observation import Observation
from ..observed import View
from ..photo import Portrait
from ..tracking.crop import Cropper, Rectangle, cut, to_picture
from ..tracking.finder import FaceTracker, Finder
from ..tracking.movement import SAME_FACE, overlap
from ..tracking.tracker import Face
from .head import Head, HeadFinder

__all__ = ["Sitter"]

_log = logging.getLogger(__name__)
_LEAST_FACE = 48  # pixels of a face's height
_SMALLER = 1.4  # a second face is somebody in the background where it is smaller by this
_ASIDE = 40.0  # degrees from the camera, at most
_SHUT_EYES, _OPEN_MOUTH = 0.12, 0.12  # openings over widths


@dataclass(frozen=True, slots=True)
class Sitter:
    """The person in a portrait.

    Attributes:
        view: the crop, its landmarks, and what it looks like.
        head: where the head is in the crop.
    """

    view: View
    head: Head

    @classmethod
    def find(
        cls,
        portrait: Portrait,
        tracker: Callable[[], FaceTracker],
        heads: HeadFinder,
        size: int,
    ) -> Sitter:
        """Find the one face in a portrait.

        Args:
            portrait: the picture.
            tracker: makes a tracker for pictures that do not follow each other; closed here.
            heads: finds the head.
            size: side of the crop in pixels.

        Raises:
            NoFaceError: there is no face.
            MediaError: there are two, or the face is too small, turned away, or its eyes are shut.
        """
        still = tracker()
        finder = Finder(still, tracker)
        try:  # the whole picture, and if it shows none, its parts
            faces = finder.find(portrait.picture, math.inf, 0)
        finally:
            finder.close()
            still.close()
        face = _only(faces, portrait.name)
        height, width = portrait.picture.shape[:2]
        rectangle = Cropper().update(face.box, (height, width), 0.0)
        return cls._of(portrait, face, rectangle, heads, size)

    @classmethod
    def _of(
        cls, portrait: Portrait, face: Face, rectangle: Rectangle, heads: HeadFinder, size: int
    ) -> Sitter:
        name = portrait.name
        depth = None if face.depth is None else face.depth * (2 / rectangle.side)
        picture = cut(portrait.picture, rectangle, size)
        seen = Observation(picture, to_picture(face.landmarks, rectangle), depth=depth)
        head = heads.find(seen)
        if head.aside > _ASIDE:
            raise MediaError(
                f"the face in {name} looks {head.aside:.0f} degrees aside: choose a picture from "
                f"the front, {_ASIDE:.0f} degrees aside at most"
            )
        eyes, mouth = openings(seen.landmarks).tolist()
        if eyes < _SHUT_EYES:
            raise MediaError(f"the eyes in {name} are shut: choose a picture with open eyes")
        if mouth > _OPEN_MOUTH:
            _log.warning(
                "the mouth in %s is open: where it closes, the teeth that show in the picture are "
                "smeared; one with closed lips looks better",
                name,
            )
        return cls(View.of(seen), head)


def _only(faces: list[Face], name: str) -> Face:
    """The face that is meant: the largest, if no other is nearly as large."""
    if not faces:
        raise NoFaceError(
            f"no face was found in {name}: a portrait shows one person from the front, not covered "
            "and not too small (a painting may be too unlike a photograph)"
        )
    tall = [face.box[3] - face.box[1] for face in faces]
    first = max(range(len(faces)), key=tall.__getitem__)
    rivals = [
        face
        for face, high in zip(faces, tall, strict=True)
        if high * _SMALLER > tall[first] and overlap(face.box, faces[first].box) < SAME_FACE
    ]
    if rivals:
        raise MediaError(
            f"{name} shows {len(rivals) + 1} faces of about the same size: cut out the one that is "
            "meant"
        )
    if tall[first] < _LEAST_FACE:
        raise MediaError(
            f"the face in {name} is {tall[first]:.0f} pixels high; it needs {_LEAST_FACE} at "
            "least, and looks good from 150 on"
        )
    return faces[first]
