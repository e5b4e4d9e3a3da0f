"""Mouths that speak in a call: those of profile `pose`, and those whose motion is lost."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facewire.call.config import CallConfig
from facewire.call.pack import Datagram
from facewire.call.simulated import LineConditions
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.packet import Kind
from facewire.models.face.landmarks import PointRebuilder
from facewire.models.face.mesh import POINTS, REGIONS
from facewire.models.face.turning import mean_shape, rotation
from facewire.models.weights import load_card
from facewire.receiver.talking.speech import Speech
from facewire.sender.config import EncoderConfig
from facewire.sender.tracking.tracker import Face

from .sides import Call, Frame

NOSE, UPPER_LIP, LOWER_LIP = 0, 5, 6


class TurningFace:
    """A `FaceTracker` that finds a face which turns its head, with the mouth shut."""

    def track(self, frame: Frame, time_ms: int | None = None) -> list[Face]:
        seconds = (time_ms or 0) / 1000
        turned = mean_shape() @ rotation(0.2 * np.sin(1.7 * seconds), 0.0, 0.0).T
        whole = np.zeros((478, 2), np.float32)
        whole[list(POINTS)] = 128 + 75 * turned[:, :2] * (1, -1)
        for region in REGIONS:  # landmarks that nobody knows lie in the middle of their region
            known = [index for index in region if index in POINTS]
            whole[list(set(region) - set(known))] = whole[known].mean(0)
        return [Face(whole)]

    def close(self) -> None:
        pass


class Watched:
    """A `Generator` that shows the keyframe, and notes the motion of what it shows."""

    def __init__(self, card: Path) -> None:
        self.motions: list[MotionFrame] = []
        self._rebuild = PointRebuilder(load_card(card).face_table()).rebuild

    def set_source(self, rgb: Frame, motion: MotionFrame, points: np.ndarray) -> object:
        return rgb, motion, points

    def points(self, source: tuple[Frame, MotionFrame, np.ndarray], motion: MotionFrame) -> object:
        return self._rebuild(source[1].to_array(), source[2], motion.to_array())

    def render(self, source: tuple[Frame, object, object], motion: MotionFrame, _: object) -> Frame:
        self.motions.append(motion)
        return source[0]


def talk(card: Path, profile: str) -> tuple[Call, list[Watched]]:
    made: list[Watched] = []

    def generator() -> Watched:
        made.append(Watched(card))
        return made[-1]

    config = CallConfig(kbps=24, fps=Fraction(10), encoder=EncoderConfig(profile=profile))
    call = Call(card, config, face=TurningFace, generator=generator)  # type: ignore[arg-type]
    return call, made


def openings(motions: list[MotionFrame]) -> np.ndarray:
    return np.array([m.value[LOWER_LIP, 1] - m.value[UPPER_LIP, 1] for m in motions])


def test_with_profile_pose_the_head_turns_and_the_mouth_speaks(card: Path) -> None:
    call, (_, watched) = talk(card, "pose")
    call.a.talking = False
    call.run(4)
    silent, watched.motions = watched.motions, []
    call.a.talking = True
    call.run(4)
    assert len(call.b.frames(1, 8)) > 60
    assert call.b.session.statistics.made_up == 0
    spoken = watched.motions[10:]
    noses = np.array([m.value[NOSE, 0] for m in spoken])
    eyes = np.array([m.value[1, 0] for m in spoken])
    assert np.ptp(noses - eyes) > 0.02  # seen from the side
    assert openings(spoken).std() > 3 * openings(silent[10:]).std()
    assert openings(spoken).std() > 0.002
    motion = call.a.session.outgoing.statistics.motion
    assert motion * 8 / 8 / 10 < 80  # bits a frame, with the packets' own heads


def test_where_motion_is_lost_the_mouth_goes_on_in_time(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[float] = []
    saw = Speech.saw

    def noting(self: Speech, key: np.ndarray, points: np.ndarray, seconds: float) -> None:
        learned.append(seconds)
        saw(self, key, points, seconds)

    monkeypatch.setattr(Speech, "saw", noting)
    call, (_, watched) = talk(card, "entropy")
    losing = [False]
    call.lose_motion(lambda: losing[0])
    call.run(5)
    before = len(watched.motions)
    losing[0] = True
    call.run(2)
    losing[0] = False
    gap = call.b.frames(5.4, 7)
    assert len(gap) > 10
    assert all(frame.made_up for frame in gap)
    assert all(frame.at - frame.taken < 0.08 + 0.4 for frame in gap)
    assert openings(watched.motions[before + 4 :]).std() > 0.002
    call.run(2)
    after = call.b.frames(8, 9)
    assert len(after) >= 8
    assert not any(frame.made_up for frame in after)
    taken = [frame.taken for frame in call.b.shown]
    assert taken == sorted(set(taken))
    assert len([t for t in learned if t < 4.5]) > 35  # from both sides


@pytest.mark.slow
@pytest.mark.parametrize("first", [5.5, 6, 6.5])
def test_where_the_line_has_no_room_for_motion_the_mouth_goes_on(
    first: float, card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = LineConditions(kbps=64)
    config = CallConfig(kbps=64, fps=Fraction(12))
    call = Call(card, config, line, face=TurningFace, generator=lambda: Watched(card))  # type: ignore[arg-type]
    numbers: set[int] = set()
    send = call.there.send

    def noting(data: bytes) -> None:
        packets = Datagram.parse(data).packets
        numbers.update(p.sequence for p in packets if p.kind != Kind.CONTROL)
        send(data)

    monkeypatch.setattr(call.there, "send", noting)
    call.run(first)
    line.kbps = 8
    call.run(12)  # in the first six seconds, the old packets leave the line
    assert call.a.session.outgoing.statistics.held_back > 10
    assert max(numbers) - min(numbers) + 1 - len(numbers) > 5  # the peer knows what is missing
    later = call.b.frames(first + 6, first + 12)
    assert any(frame.made_up for frame in later)
    assert call.b.longest_still(first + 6, first + 12) < 0.8
