"""Makes what the fusion network learns from: generated pictures and coded base layers.

The first frame of each piece of a clip (up to three seconds) becomes the reference, which is coded
as a still. Pairs of later frames are generated from it with motion as it is sent. The whole piece
is also coded as several base layers of random quality, size and frame rate. Some pieces get an
obstacle of which the generator knows nothing, and some pairs are generated wrongly, so that the
network learns when not to believe the generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...codec.motion.entropy import MotionDecoder, MotionEncoder
from ...codec.motion.frame import MotionFrame, pack_gaze, unpack_gaze
from ...codec.motion.tables import GAZE_TABLES_VERSION, load_tables
from ...codec.picture.still import decode_picture, encode_picture
from ..face.gaze import gaze_of
from ..face.keypoints import MeshKeypoints
from ..face.mesh import select_points
from ..face.shape import pack_shape, unpack_shape
from ..face.table import FaceTable
from .chain import OWN, STEEP, Chain, code_chain
from .obstacles import Obstacle
from .samples import Samples

__all__ = ["Animator", "Piece", "Recipe", "Talker", "prepare_piece"]

Frame = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]


class Animator(Protocol):
    """The generator of a receiver; `receiver.generators.protocol.Generator` is one."""

    def set_source(self, rgb: Frame, motion: MotionFrame, points: Array) -> Any:
        """Prepare a reference."""

    def points(self, source: Any, motion: MotionFrame) -> Array:
        """The landmarks that are drawn for a frame."""

    def render(self, source: Any, motion: MotionFrame, mel: Array | None) -> Frame:
        """The picture of a frame."""


@dataclass(frozen=True)
class Recipe:
    """How samples are made.

    Attributes:
        pairs: number of pairs of a piece.
        layers: number of base layers of a piece.
        still_crf, crf: ranges of the quality of the stills and of the base layers.
        half: share of base layers in half size.
        skipping: share of base layers that leave out frames.
        steep: share of base layers in which every eighth frame is much finer than the others; in
            the rest SVT-AV1 chooses.
        stale: share of pairs that get an older picture of the base layer, as after a loss.
        obstacle: share of pieces with an obstacle.
        elsewhere: share of pairs for which another reference than that of the base is animated.
        wrong: share of pairs that are generated with the motion of another time.
    """

    pairs: int = 3
    layers: int = 3
    still_crf: tuple[float, float] = (24.0, 50.0)
    crf: tuple[float, float] = (38.0, 63.0)
    half: float = 0.3
    skipping: float = 0.3
    steep: float = 0.6
    stale: float = 0.1
    obstacle: float = 0.2
    elsewhere: float = 0.25
    wrong: float = 0.06


@dataclass(frozen=True)
class Piece:
    """Frames of a clip that follow each other.

    Attributes:
        name: the name of the file to be written.
        person: the identity.
        frames: uint8 `[T, 256, 256, 3]`.
        landmarks: the landmarks of each frame, float32 `[478, 2]` on [-1, 1].
        mel: the sound around each frame, float32 `[80, 20]` (`models.mel`), or None without sound.
    """

    name: str
    person: str
    frames: Sequence[Frame]
    landmarks: Sequence[Array]
    mel: Sequence[Array | None]


class Talker:
    """A reference that is animated with motion as it is sent."""

    def __init__(
        self, animator: Animator, table: FaceTable, piece: Piece, at: int, crf: int, step: int
    ) -> None:
        landmarks = piece.landmarks[at]
        self._animator, self._piece = animator, piece
        self._mesh = MeshKeypoints(table)
        gaze = unpack_gaze(pack_gaze(gaze_of(landmarks)))
        self._key = replace(self._mesh.keyframe(landmarks), gaze=gaze)
        # Networks without gaze leave it aside, and the other numbers are the same.
        tables = load_tables(GAZE_TABLES_VERSION)
        self._coder, self._decoder = MotionEncoder(step, tables=tables), MotionDecoder(tables)
        still = decode_picture(encode_picture(piece.frames[at], quality=crf))
        points = unpack_shape(pack_shape(select_points(landmarks)))
        self._source = animator.set_source(still, self._key, points)

    def show(self, number: int, sound: int) -> tuple[Frame, Array]:
        """The frame of this number, and the landmarks drawn for it."""
        landmarks = self._piece.landmarks[number]
        moved = replace(self._mesh.motion(landmarks), gaze=gaze_of(landmarks))
        payload = self._coder.encode([moved], number, 0, self._key)
        motion = self._decoder.decode(payload, number, 0, self._key)[0][1]
        picture = self._animator.render(self._source, motion, self._piece.mel[sound])
        return picture, self._animator.points(self._source, motion)


def _layer(recipe: Recipe, rng: np.random.Generator, still_crf: float) -> Chain:
    every = int(rng.integers(2, 5)) if rng.random() < recipe.skipping else 1
    side = 128 if rng.random() < recipe.half else 256
    crf = rng.uniform(*recipe.crf)
    if side == 128:  # fewer pixels are coded more finely
        crf -= 8
        still_crf = max(still_crf - 8, 20)
    layers = STEEP if rng.random() < recipe.steep else OWN
    return Chain(crf=crf, still_crf=still_crf, side=side, every=every, layers=layers)


def prepare_piece(
    piece: Piece, animator: Animator, table: FaceTable, recipe: Recipe, rng: np.random.Generator
) -> Samples:
    """Make the samples of a piece.

    Args:
        piece: a piece of twelve frames or more.
        animator: makes the generated pictures.
        table: the animator's face table.
        recipe: how samples are made.
        rng: makes every random choice.
    """
    count = len(piece.frames)
    crf, step = int(rng.uniform(*recipe.still_crf)), int(rng.integers(0, 7))
    talker = Talker(animator, table, piece, 0, crf, step)
    firsts = sorted(rng.choice(np.arange(4, count - 1), recipe.pairs, replace=False).tolist())
    frames = list(piece.frames)
    if rng.random() < recipe.obstacle:
        other = piece.frames[int(rng.integers(count))][::-1].copy()
        since = int(rng.integers(1, firsts[-1]))
        obstacle = Obstacle.random(rng, len(frames[0]), since, other)
        frames = [obstacle.paint(frame, number) for number, frame in enumerate(frames)]
    made, points, fair = [], [], []
    for first in firsts:
        away = talker
        if rng.random() < recipe.elsewhere:
            away = Talker(animator, table, piece, int(rng.integers(count)), crf, step)
        wrong = rng.random() < recipe.wrong
        shift = int(rng.integers(1, count - 1)) if wrong else 0
        shown = [away.show((n + shift) % count, n) for n in (first, first + 1)]
        made.append([picture for picture, _ in shown])
        points.append([drawn for _, drawn in shown])
        fair.append(not wrong)
    layers = [_layer(recipe, rng, crf) for _ in range(recipe.layers)]
    base, age, bpp = [], [], []
    for layer in layers:
        sizes, coded = code_chain(frames[: firsts[-1] + 2], layer)
        bpp.append(8 * sum(sizes[1:]) / (65536 * (firsts[-1] + 1)))
        late = [int(rng.integers(1, 9)) if rng.random() < recipe.stale else 0 for _ in firsts]
        which = [
            [max(0, n // layer.every - lost) for n in (first, first + 1)]
            for first, lost in zip(firsts, late, strict=True)
        ]
        base.append([[coded[i] for i in pair] for pair in which])
        age.append(
            [
                [n - layer.every * i for n, i in zip((first, first + 1), pair, strict=True)]
                for first, pair in zip(firsts, which, strict=True)
            ]
        )
    target = [[frames[n] for n in (first, first + 1)] for first in firsts]
    return Samples(
        name=piece.name,
        person=piece.person,
        pictures=np.stack([np.array(p, np.uint8) for p in (target, made, *base)], 1),
        points=np.array(points, np.float32),
        age=np.array(age, np.uint8),
        crf=np.array([layer.crf for layer in layers], np.float32),
        side=np.array([layer.side for layer in layers]),
        bpp=np.array(bpp, np.float32),
        fair=np.array(fair),
    )
