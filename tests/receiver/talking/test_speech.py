from __future__ import annotations

import numpy as np
import pytest

from facewire.codec.control import ReferenceState
from facewire.codec.errors import WeightsError
from facewire.codec.motion.pose import HeadPlace, PoseFrame
from facewire.models.face.head import HeadCoordinates
from facewire.models.face.posing import PosedFace
from facewire.models.face.turning import mean_shape, rotation
from facewire.receiver.talking import speech as speech_module
from facewire.receiver.talking.pose import PosedKeyframes
from facewire.receiver.talking.speech import LastSeen, Speech, TheirMouth

from ..conftest import motion_of_points

POINTS = (mean_shape()[:, :2] * 0.6 * (1, -1)).astype(np.float32)
KEY = motion_of_points(POINTS)
LOWER_LIP = 6


class Heard:
    """Sound that has come so far."""

    def __init__(self, seconds: float) -> None:
        self.pcm = np.full(round(16000 * seconds), 0.1, np.float32)

    @property
    def heard(self) -> int:
        return len(self.pcm)

    def since(self, sample: int) -> tuple[np.ndarray, int]:
        return self.pcm[sample:], sample


class Opening:
    """A predictor whose lower lip sinks by as many units as seconds have passed."""

    lookahead_ms = 100

    def __init__(self) -> None:
        self.learned: list[tuple[float, float]] = []
        self.heard: list[tuple[int, float]] = []
        self.value = 1.0

    def reset(self) -> None:
        self.heard.clear()
        self.forget()

    def forget(self) -> None:
        self.learned.clear()

    def know(self, habits: object) -> None:
        self.known = habits

    def hear(self, pcm: np.ndarray, seconds: float) -> None:
        self.heard.append((len(pcm), seconds))

    def movement(self, seconds: float) -> np.ndarray:
        moved = np.zeros((40, 2), np.float32)
        moved[11:20, 1] = moved[31:, 1] = self.value * seconds
        return moved

    def average(self, mouth: np.ndarray) -> np.ndarray:
        return mouth

    def learn(self, mouth: np.ndarray, seconds: float, weight: float) -> None:
        self.learned.append((seconds, weight))


def test_the_mouth_moves_with_the_sound_and_nothing_else_does() -> None:
    speech = Speech(Opening(), Heard(1))
    moved = speech.said(POINTS, POINTS, KEY, 0.1)
    change = moved.value - KEY.value
    unit = HeadCoordinates(POINTS).placed(POINTS, HeadCoordinates(POINTS).mouth(POINTS))
    assert np.allclose(unit, POINTS, atol=1e-5)
    assert 0.03 < change[LOWER_LIP, 1] < 0.1  # of 0.06: 0.1 of the distance of the eyes
    assert np.abs(change[:5]).max() < 1e-4  # nose, eyes, brows


def turned_points(yaw: float) -> np.ndarray:
    return (mean_shape() @ rotation(yaw, 0.0, 0.0).T * 0.6)[:, :2].astype(np.float32) * (1, -1)


@pytest.mark.parametrize("yaw", [0.0, 0.6])
def test_a_head_that_is_turned_does_not_move_the_mouth_sideways(yaw: float) -> None:
    """The average mouth is that of a head which looks into the camera."""
    predictor = Opening()
    ahead = HeadCoordinates(POINTS).mouth(POINTS)
    predictor.average = lambda _: ahead  # type: ignore[method-assign]
    for points in (turned_points(yaw), turned_points(yaw - 0.7)):
        motion = motion_of_points(points)
        speech = Speech(predictor, Heard(1))
        last = LastSeen(points, 0.0)
        for moved in (
            speech.said(turned_points(yaw), points, motion, 0.1),
            speech.went_on(turned_points(yaw), points, motion, last, 0.1),
        ):
            change = moved.value - motion.value
            assert 0.03 < change[LOWER_LIP, 1] < 0.1
            assert np.abs(change[:, 0]).max() < 0.01


def test_a_mouth_goes_on_from_where_it_was_last() -> None:
    speech = Speech(Opening(), Heard(1))
    last = LastSeen(POINTS, 0.4)
    still = speech.went_on(POINTS, POINTS, KEY, last, 0.4)
    assert np.allclose(still.to_array(), KEY.to_array(), atol=1e-4)
    left = HeadCoordinates(POINTS).mouth(POINTS)
    average = left + 0.05  # of somebody whose mouth is elsewhere than in the keyframe
    predictor = Opening()
    predictor.average = lambda _: average  # type: ignore[method-assign]
    speech = Speech(predictor, Heard(1))
    for seconds in (0.44, 0.5, 2.0):
        kept = np.exp(-(seconds - 0.4) / 0.5)  # of what the sound did not say
        own = left - average - predictor.movement(0.4)
        wanted = average + predictor.movement(seconds) + kept * own
        assert np.allclose(speech.mouth_after(POINTS, last, seconds), wanted, atol=1e-5)
    moved = speech.went_on(POINTS, POINTS, KEY, last, 2.0).value - KEY.value
    assert moved[LOWER_LIP, 1] > 0.5


def test_a_frame_is_learned_from_when_its_sound_was_heard() -> None:
    predictor, sound = Opening(), Heard(0.3)
    speech = Speech(predictor, sound)
    for frame in range(10):
        if speech.learns(frame / 25):
            speech.saw(POINTS, POINTS, frame / 25)
    assert predictor.learned == [(0.0, 2.5), (pytest.approx(0.12), 2.5)]  # 100 ms are looked ahead
    sound.pcm = np.zeros(16000, np.float32)
    speech.saw(POINTS, POINTS, 0.5)
    assert [round(seconds, 2) for seconds, _ in predictor.learned] == [0.0, 0.12, 0.24, 0.36, 0.5]


def test_ten_frames_a_second_are_learned_from_at_any_rate() -> None:
    for fps in (10, 25, 50):
        speech, count = Speech(Opening(), Heard(10)), 0
        for frame in range(5 * fps):
            if speech.learns(frame / fps):
                speech.saw(POINTS, POINTS, frame / fps)
                count += 1
        assert 40 <= count <= 50
    assert speech.learns(1.0)  # times that go back


@pytest.mark.parametrize("points", [POINTS * 0 + 1, POINTS[::-1], POINTS[:, ::-1]])
def test_from_no_face_nothing_is_learned(points: np.ndarray) -> None:
    predictor = Opening()
    speech = Speech(predictor, Heard(10))
    speech.saw(POINTS, points, 0.5)
    assert not predictor.learned


def test_before_any_sound_the_motion_stays_as_it_is() -> None:
    speech = Speech(Opening(), Heard(0))
    assert speech.said(POINTS, POINTS, KEY, 1.0) is KEY
    assert speech.went_on(POINTS, POINTS, KEY, LastSeen(POINTS, 0.0), 1.0) is KEY


def test_each_piece_of_sound_is_heard_once() -> None:
    predictor, sound = Opening(), Heard(0.5)
    speech = Speech(predictor, sound)
    speech.said(POINTS, POINTS, KEY, 0.1)
    sound.pcm = np.zeros(16000, np.float32)
    speech.said(POINTS, POINTS, KEY, 0.2)
    speech.said(POINTS, POINTS, KEY, 0.3)
    assert predictor.heard == [(8000, 0.0), (8000, 0.5)]
    speech.restart()
    assert not predictor.heard


def test_sound_whose_times_go_back_is_heard() -> None:
    predictor, sound = Opening(), Heard(9)
    speech = Speech(predictor, sound)
    speech.said(POINTS, POINTS, KEY, 0.1)
    sound.pcm = sound.pcm[:800]
    speech.said(POINTS, POINTS, KEY, 0.1)
    assert predictor.heard == [(144_000, 0.0), (800, 0.0)]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_a_mouth_that_nobody_has_is_not_shown(value: float) -> None:
    predictor = Opening()
    predictor.value = value
    assert Speech(predictor, Heard(1)).said(POINTS, POINTS, KEY, 1.0) is KEY


def test_without_weights_there_is_no_predictor(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(**_: object) -> None:
        raise WeightsError("no geometry predictor here")

    monkeypatch.setattr(speech_module, "MouthPredictor", missing)
    mouth = TheirMouth()
    assert mouth.predictor() is None
    mouth.forget()


def test_poses_become_motion_from_each_keyframes_own_face() -> None:
    posed, face = PosedKeyframes(), PosedFace(POINTS)
    still = posed.motion(ReferenceState(1, 7), KEY, POINTS, face.still)
    assert np.allclose(still.to_array(), KEY.to_array(), atol=1e-3)
    other = ReferenceState(1, 8)  # the same id again, another face
    moved = posed.motion(other, KEY, POINTS + np.float32(0.1), face.still)
    assert np.allclose(moved.value, KEY.value - 0.1, atol=1e-2)
    place = face.still.place
    assert place is not None
    near = HeadPlace(place.x, place.y, 2 * place.size)
    larger = posed.motion(ReferenceState(1, 7), KEY, POINTS, PoseFrame(0, 0, 0, 0.3, 0.3, near))
    grown = larger.jacobian[0] @ np.linalg.inv(KEY.jacobian[0])
    assert np.linalg.det(grown) == pytest.approx(4, rel=0.2)
