from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from facewire.codec.errors import ConfigError
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.packet import Kind
from facewire.models.face.mesh import LEFT_EYE, MOUTH, RIGHT_EYE
from facewire.models.face.observation import Observation
from facewire.models.face.table import FaceTable
from facewire.sender.config import EncoderConfig
from facewire.sender.encoder import Encoder
from facewire.sender.motion.keypoints import MeshSource
from facewire.sender.tracking.smoothing import FaceSmoother, Smoothing
from facewire.sender.tracking.tracker import Face

from ..conftest import mesh

Points = npt.NDArray[np.float32]
FACE: Points = mesh((-0.5, -0.5, 0.5, 0.6))
PICTURE = np.zeros((256, 256, 3), np.uint8)
FRAME = 0.04
NOISE = 0.003  # 0.4 pixels of 256


def noisy(count: int, seed: int = 1) -> list[Points]:
    rng = np.random.default_rng(seed)
    return [(FACE + rng.normal(0, NOISE, FACE.shape)).astype(np.float32) for _ in range(count)]


def smoothed(frames: list[Points], strength: float = 1.0, seconds: float = FRAME) -> Points:
    smoother = FaceSmoother(strength, frames[0])
    return np.stack([frames[0], *(smoother.push(frame, seconds) for frame in frames[1:])])


def shake(frames: Points) -> float:
    return float(np.abs(np.diff(frames, 2, axis=0)).mean())


def test_a_still_head_stays_still() -> None:
    frames = noisy(100)
    calm, calmer = shake(smoothed(frames)), shake(smoothed(frames, strength=2))
    assert calm < 0.5 * shake(np.stack(frames))
    assert calmer < 0.7 * calm


@pytest.mark.parametrize("part", [RIGHT_EYE, LEFT_EYE, MOUTH])
def test_what_moves_fast_is_there_at_once_and_alone(part: tuple[int, ...]) -> None:
    moved = FACE.copy()
    moved[list(part), 1] += np.linspace(-0.04, 0.04, len(part), dtype=np.float32)  # 5 pixels
    found = smoothed([FACE, FACE, moved])
    change = found[2] - found[1]
    assert np.abs(change - (moved - FACE))[list(part)].max() < 0.2 * 0.04
    others = np.setdiff1d(np.arange(len(FACE)), [*RIGHT_EYE, *LEFT_EYE, *MOUTH])
    assert np.abs(change[others]).max() < 0.02


def test_a_head_that_turns_and_moves_is_followed() -> None:
    def at(index: int) -> Points:
        angle, shift = 0.02 * index, 0.03 * index
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return (FACE @ turn.T * (1 + 0.01 * index) + [shift, 0.0]).astype(np.float32)

    frames = [at(index) for index in range(10)]
    assert np.abs(smoothed(frames) - np.stack(frames)).max() < 0.005


def test_a_larger_or_turned_picture_gives_the_same() -> None:
    frames = noisy(20)
    turn = np.array([[0.0, -1.7], [1.7, 0.0]], np.float32)
    found = smoothed([frame @ turn.T + np.float32(0.3) for frame in frames])
    np.testing.assert_allclose(found, smoothed(frames) @ turn.T + 0.3, atol=1e-5)


def test_time_counts_not_frames() -> None:
    """A small shift is taken up at the same pace at any frame rate."""
    moved = FACE + np.float32(0.001)
    shares = []
    for fps in (12.5, 25.0, 50.0):
        found = smoothed([FACE, *[moved] * round(fps * 0.16)], seconds=1 / fps)
        shares.append(float((found[-1] - FACE).mean() / 0.001))
    assert min(shares) > 0.3
    assert max(shares) < 0.9
    assert max(shares) < 1.3 * min(shares)


def test_a_collapsed_mesh_gives_finite_numbers() -> None:
    point = np.zeros_like(FACE)
    assert np.isfinite(smoothed([FACE, point, FACE, point])).all()
    assert np.isfinite(smoothed([point, FACE, point])).all()


def seen(landmarks: Points, seconds: float) -> Observation:
    return Observation(PICTURE, landmarks, seconds)


@pytest.mark.parametrize("pause", [0.3, 3600.0, -1.0])
def test_pauses_and_other_faces_begin_anew(pause: float) -> None:
    smoothing = Smoothing(1.0)
    same = []
    for index, frame in enumerate(noisy(8)):
        time = FRAME * index + (pause if index >= 6 else 0)
        found = smoothing.push(seen(frame, time), anew=index == 3)
        assert found.landmarks is frame
        same.append(found.steady is None)
    assert same == [True, False, False, True, False, False, True, False]
    smoothing.reset()
    assert smoothing.push(seen(FACE, time + FRAME)).steady is None


def test_motion_is_of_the_steady_face_and_references_are_of_their_picture() -> None:
    source = MeshSource(FaceTable.blank())
    raw, steady = noisy(2)
    both = Observation(PICTURE, raw, 0.0, steady)
    key = source.keyframe(both, 0)
    np.testing.assert_allclose(
        key.to_array(), source.motion(seen(raw, 0.0), 0).to_array(), atol=1e-3
    )
    assert source.motion(both, 0) == source.motion(seen(steady, 0.0), 0)
    assert source.motion(both, 0) != source.motion(seen(raw, 0.0), 0)


def test_none_changes_nothing() -> None:
    smoothing = Smoothing(0.0)
    assert all(smoothing.push(seen(f, 0.04 * i)).steady is None for i, f in enumerate(noisy(5)))


class _Shaking:
    """A tracker of a face that stands and is seen with noise."""

    def __init__(self) -> None:
        self._frames = iter(noisy(60))

    def track(self, frame: npt.NDArray[np.uint8], time_ms: int | None = None) -> list[Face]:
        return [Face(next(self._frames) * 128 + 128)]

    def close(self) -> None:
        pass


def test_the_encoder_sends_a_steadier_face(card: Path) -> None:
    shakes = []
    for strength in (0.0, 1.0):
        config = EncoderConfig(
            model=str(card), audio_kbps=None, smoothing=strength, crop=False, profile="fp16"
        )
        encoder = Encoder(config, tracker=_Shaking())
        packets = [p for _ in range(50) for p in encoder.encode(PICTURE)]
        sent = [MotionFrame.from_fp16(p.payload) for p in packets if p.kind == Kind.MOTION]
        shakes.append(shake(np.stack([motion.value for motion in sent])))
    assert shakes[1] < 0.6 * shakes[0]


def test_it_is_on_where_it_costs_nothing() -> None:
    assert EncoderConfig(profile="entropy").smoothing_strength == 1
    assert EncoderConfig(profile="fp16").smoothing_strength == 0
    assert EncoderConfig(profile="fp16", smoothing=2).smoothing_strength == 2


@pytest.mark.parametrize("strength", [-0.1, 10.5, float("nan"), float("inf"), "much"])
def test_strengths_that_make_no_sense(strength: Any) -> None:
    with pytest.raises(ConfigError, match="smoothing"):
        EncoderConfig(smoothing=strength)
