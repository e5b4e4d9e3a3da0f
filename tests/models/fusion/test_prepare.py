from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from facewire.codec.errors import TrainingError
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.picture.still import decode_picture, encode_picture
from facewire.models.face.landmarks import PointRebuilder
from facewire.models.face.observation import Observation
from facewire.models.face.table import FaceTable
from facewire.models.fusion.chain import STEEP, Chain, code_chain
from facewire.models.fusion.held_out import usual_layers
from facewire.models.fusion.obstacles import Obstacle
from facewire.models.fusion.pieces import cut_pieces, prepare, prepare_held_out
from facewire.models.fusion.prepare import Piece, Recipe, prepare_piece
from facewire.models.fusion.samples import read_samples

from ..conftest import face_at

Frame = np.ndarray
TABLE = FaceTable.blank()


def moving(count: int, size: int = 256) -> list[Frame]:
    """A textured picture that moves by a pixel a frame."""
    rng = np.random.default_rng(0)
    cells = rng.integers(40, 220, (size // 8, size // 8, 3)).repeat(8, 0).repeat(8, 1)
    return [np.roll(cells, number, 1).astype(np.uint8) for number in range(count)]


class Painter:
    """Shows the reference, whatever the motion; counts what it is asked for."""

    def __init__(self) -> None:
        self.sources: list[Frame] = []
        self._rebuild = PointRebuilder(TABLE).rebuild

    def set_source(self, rgb: Frame, motion: MotionFrame, points: Frame) -> tuple[Frame, ...]:
        self.sources.append(rgb)
        return rgb, motion.to_array(), points

    def points(self, source: tuple[Frame, ...], motion: MotionFrame) -> Frame:
        return self._rebuild(source[1], source[2], motion.to_array())

    def render(self, source: tuple[Frame, ...], motion: MotionFrame, mel: Frame | None) -> Frame:
        return source[0]


class Film:
    """Footage of which some frames show no face."""

    fps = 25.0

    def __init__(self, count: int, without: tuple[int, ...] = ()) -> None:
        self._frames, self._without = moving(count), without
        self._landmarks = face_at(np.random.default_rng(1), count)

    def frames(self) -> Iterator[tuple[float, Observation | None]]:
        for number, (frame, points) in enumerate(zip(self._frames, self._landmarks, strict=True)):
            seen = Observation(frame, points, number / 25)
            yield number / 25, None if number in self._without else seen

    def sound(self) -> Iterator[np.ndarray]:
        yield np.random.default_rng(2).normal(0, 0.1, 16000).astype(np.float32)


def made_piece(count: int = 28) -> Piece:
    landmarks = face_at(np.random.default_rng(1), count)
    return Piece("clip-00", "somebody", moving(count), list(landmarks), [None] * count)


def error(shown: Frame, truth: Frame) -> float:
    return float(np.abs(shown.astype(int) - truth).mean())


def test_a_chain_begins_with_the_still() -> None:
    frames = moving(4)
    still = decode_picture(encode_picture(frames[0], quality=40))
    sizes, shown = code_chain(frames, Chain(crf=40, still_crf=40))
    assert len(sizes) == len(shown) == 4
    assert error(shown[0], frames[0]) == pytest.approx(error(still, frames[0]), rel=0.3)


def test_quality_size_and_frames_of_a_chain() -> None:
    frames = moving(9)
    fine, coarse = (code_chain(frames, Chain(crf, still_crf=40)) for crf in (35, 60))
    assert sum(fine[0]) > sum(coarse[0])
    assert error(fine[1][-1], frames[-1]) < error(coarse[1][-1], frames[-1])
    small = code_chain(frames, Chain(40, still_crf=40, side=128))
    assert small[1][0].shape == frames[0].shape
    assert sum(small[0]) < sum(fine[0])
    assert len(code_chain(frames, Chain(40, still_crf=40, every=4))[1]) == 3
    assert len(code_chain(frames, Chain(50, still_crf=40, layers=STEEP))[1]) == 9


def test_obstacles() -> None:
    frames = moving(6)
    for seed in range(4):
        obstacle = Obstacle.random(np.random.default_rng(seed), 256, 3, frames[0][::-1].copy())
        painted = [obstacle.paint(frame, number) for number, frame in enumerate(frames)]
        assert all(np.array_equal(painted[n], frames[n]) for n in range(3))
        changed = np.abs(painted[4].astype(int) - frames[4]).max(-1) > 8
        assert 0.002 < changed.mean() < 0.6
        again = Obstacle.random(np.random.default_rng(seed), 256, 3, frames[0][::-1].copy())
        assert np.array_equal(again.paint(frames[4], 4), painted[4])


def test_samples_of_a_piece() -> None:
    recipe = Recipe(obstacle=0.0, elsewhere=0.0, wrong=0.0)
    piece, painter = made_piece(), Painter()
    samples = prepare_piece(piece, painter, TABLE, recipe, np.random.default_rng(0))
    assert samples.pictures.shape == (3, 5, 2, 256, 256, 3)
    assert samples.age.shape == (3, 3, 2)
    assert len(painter.sources) == 1
    assert samples.fair.all()
    numbers = [[_number(frame, piece) for frame in pair[0]] for pair in samples.pictures]
    assert all(second == first + 1 for first, second in numbers)
    assert all(a < b for (a, _), (b, _) in pairwise(numbers))
    assert np.array_equal(samples.pictures[0, 1, 0], painter.sources[0])
    again = prepare_piece(piece, Painter(), TABLE, recipe, np.random.default_rng(0))
    assert np.array_equal(samples.pictures, again.pictures)


def _number(frame: Frame, piece: Piece) -> int:
    return next(n for n, other in enumerate(piece.frames) if np.array_equal(frame, other))


def test_the_age_of_a_base_is_known() -> None:
    """A base of so many frames ago shows that frame, and no other."""
    recipe = Recipe(obstacle=0.0, half=0.0, skipping=1.0, stale=0.5, crf=(30, 35))
    piece = made_piece(40)
    samples = prepare_piece(piece, Painter(), TABLE, recipe, np.random.default_rng(3))
    assert samples.age.max() > 3
    for layer in range(len(samples.age)):
        for pair, pictures in enumerate(samples.pictures):
            for k in range(2):
                then = _number(pictures[0, k], piece) - int(samples.age[layer, pair, k])
                shown = pictures[2 + layer, k]
                errors = [error(shown, frame) for frame in piece.frames]
                assert int(np.argmin(errors)) == then


def test_wrong_pairs_are_marked() -> None:
    recipe = Recipe(wrong=1.0, obstacle=1.0, elsewhere=1.0)
    painter = Painter()
    samples = prepare_piece(made_piece(), painter, TABLE, recipe, np.random.default_rng(0))
    assert not samples.fair.any()
    assert len(painter.sources) == 4


def test_pieces_of_a_clip() -> None:
    rng = np.random.default_rng(0)
    pieces = cut_pieces(Film(150, without=(40, 41)), "clip", "who", rng, 75.0)
    assert [piece.name for piece in pieces] == [f"clip-{n:02d}" for n in range(len(pieces))]
    assert sum(len(piece.frames) for piece in pieces) <= 148
    assert all(28 <= len(piece.frames) <= 76 for piece in pieces)
    assert all(m is not None and m.shape == (80, 20) for piece in pieces for m in piece.mel)
    assert sum(len(p.frames) for p in cut_pieces(Film(150), "c", "w", rng, 2.0)) <= 50
    with pytest.raises(TrainingError, match="never shows a face in 28 frames"):
        cut_pieces(Film(30, without=(15,)), "clip", "who", rng, 75.0)


@pytest.mark.slow
def test_preparing_a_folder(tmp_path: Path) -> None:
    """Each clip is prepared once, and what cannot be used is named."""
    clips = tmp_path / "clips"
    clips.mkdir()
    for name in ("a", "b", "short"):
        (clips / f"{name}.mp4").touch()
    opened: list[str] = []

    def open_footage(path: Path, size: int) -> Film:
        opened.append(path.stem)
        return Film(10 if path.stem == "short" else 30)

    out = tmp_path / "samples"
    found = list(prepare(clips, out, open_footage, Painter(), TABLE))
    assert [done for done, _, _ in found] == [1, 2, 3]
    assert [bool(problem) for _, _, problem in found] == [False, False, True]
    assert {s.person for s in read_samples(out)} == {"a", "b"}
    list(prepare(clips, out, open_footage, Painter(), TABLE))
    assert opened == ["a", "b", "short", "short"]
    held = tmp_path / "held-out"
    assert sum(bool(p) for _, _, p in prepare_held_out(clips, held, open_footage, Painter(), TABLE))
    samples = read_samples(held)
    assert [len(s.crf) for s in samples] == [len(usual_layers(40))] * 2
    assert all(s.pictures.shape[:3] == (6, 2 + len(s.crf), 2) for s in samples)
