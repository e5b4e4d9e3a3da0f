"""Streams of profile `pose` through the whole receiver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facewire.codec.keyframe import Keyframe, encode_picture
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.motion.pose import PoseFrame
from facewire.codec.motion.profiles import motion_writer
from facewire.codec.packet import Flags, Kind, Packet
from facewire.codec.sound.opus import OpusEncoder
from facewire.codec.stream import AudioParameters, StreamHeader
from facewire.models.face.posing import PosedFace
from facewire.models.face.shape import pack_shape, unpack_shape
from facewire.models.face.turning import mean_shape
from facewire.receiver.config import DecoderConfig
from facewire.receiver.decoder import Decoder
from facewire.receiver.outputs import PictureOutput
from facewire.receiver.talking.mouth import MouthPredictor
from facewire.receiver.talking.speech import TheirMouth

from .conftest import FakeGenerator, motion_of_points, picture, speech

FRAMES = 30
SHAPE = pack_shape((mean_shape()[:, :2] * 0.6 * (1, -1)).astype(np.float32))
FACE = PosedFace(unpack_shape(SHAPE))
KEY = motion_of_points(unpack_shape(SHAPE))
NOSE, RIGHT_EYE, LOWER_LIP = 0, 1, 6


@pytest.fixture(autouse=True)
def no_predictor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TheirMouth, "predictor", lambda _: None)


def pose(index: int) -> PoseFrame:
    """The head turns; the eyes shut at frame 10."""
    opening = 0.0 if index == 10 else FACE.still.right
    return replace(FACE.still, yaw=FACE.still.yaw + 0.02 * index, right=opening)


def packets(
    profile: str, *, sound: bool = True, keyframe: bool = True, heard: int = FRAMES
) -> Iterator[Packet]:
    """A stream; `heard` frames of it have sound."""
    audio = AudioParameters() if sound else None
    header = StreamHeader("avfr-s", bytes(32), profile=profile, audio=audio)
    opus = iter(OpusEncoder(10000, 40).encode(speech(FRAMES / 25 + 0.1)))
    key = Keyframe(3, 0, KEY, SHAPE, encode_picture(picture(), max_bytes=3000))
    writer = motion_writer(profile)
    queue = [header.to_packet(0), *(key.to_packets(0) if keyframe else [])]
    for index in range(FRAMES):
        payload = writer.encode(
            [pose(index)], index, 3, key.motion, reference=index - 1 if index else None
        )
        queue.append(Packet(Kind.MOTION, Flags.SYNTHETIC, 3, 0, index, payload))
        if sound and index < heard:
            queue.append(Packet(Kind.AUDIO, Flags.SYNTHETIC, 0, 0, index, next(opus)))
    for sequence, packet in enumerate(queue):
        yield replace(packet, sequence=sequence)


def shown(generator: FakeGenerator, sent: Iterator[Packet] | list[Packet]) -> Decoder:
    decoder = Decoder(DecoderConfig(), generator)
    outputs: list[Any] = []
    for packet in sent:
        outputs += decoder.decode(packet)
    outputs += decoder.flush()
    assert len([o for o in outputs if isinstance(o, PictureOutput)]) == len(generator.motions)
    return decoder


@pytest.mark.parametrize("profile", ["pose", "pose-fp16"])
@pytest.mark.parametrize("sound", [True, False])
def test_the_head_turns_and_the_eye_shuts(
    generator: FakeGenerator, profile: str, sound: bool
) -> None:
    decoder = shown(generator, packets(profile, sound=sound))
    assert len(generator.motions) == FRAMES
    assert decoder.statistics.damaged == decoder.statistics.concealed == 0
    first, shut, last = (generator.motions[n] for n in (0, 10, 29))
    assert np.allclose(first.to_array(), KEY.to_array(), atol=0.06)
    assert change(first, last, NOSE)[0, 0] < 0.9  # seen from the side, it is narrower
    assert change(generator.motions[9], shut, RIGHT_EYE)[1, 1] < 0.8


def change(before: MotionFrame, after: MotionFrame, region: int) -> np.ndarray:
    """How a region's shape changed."""
    return np.asarray(after.jacobian[region] @ np.linalg.inv(before.jacobian[region]))


def test_lost_and_damaged_packets_are_counted_and_filled(generator: FakeGenerator) -> None:
    sent = list(packets("pose-fp16"))
    motions = [at for at, packet in enumerate(sent) if packet.kind == Kind.MOTION]
    sent[motions[12]] = replace(sent[motions[12]], payload=np.full(5, np.nan, "<f2").tobytes())
    sent[motions[13]] = replace(sent[motions[13]], payload=b"short")
    del sent[motions[20]]
    decoder = shown(generator, sent)
    assert len(generator.motions) == FRAMES
    assert decoder.statistics.damaged == 2
    assert decoder.statistics.concealed == 3


def test_a_keyframe_that_never_came_is_asked_for(generator: FakeGenerator) -> None:
    decoder = shown(generator, packets("pose", keyframe=False))
    assert not generator.motions
    assert decoder.statistics.wants_keyframe
    assert decoder.statistics.missing_reference == FRAMES


class Wide:
    """A predictor whose mouth is wide open. It notes of which frames it was asked, and from which
    it has learned.
    """

    lookahead_ms = 100

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.learned: list[float] = []

    def reset(self) -> None: ...

    def forget(self) -> None: ...

    def know(self, habits: object) -> None:
        self.known = habits

    def hear(self, pcm: np.ndarray, seconds: float) -> None: ...

    def movement(self, seconds: float) -> np.ndarray:
        self.asked.append(round(seconds, 3))
        moved = np.zeros((40, 2), np.float32)
        moved[11:20, 1] = moved[31:, 1] = 0.2 + 0.1 * seconds
        return moved

    def average(self, mouth: np.ndarray) -> np.ndarray:
        return mouth

    def learn(self, mouth: np.ndarray, seconds: float, weight: float) -> None:
        assert mouth.shape == (40, 2)
        self.learned.append(round(seconds, 3))


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> Wide:
    predictor = Wide()
    monkeypatch.setattr(TheirMouth, "predictor", lambda _: predictor)
    return predictor


class FaceGenerator(FakeGenerator):
    """One that knows the landmarks of a frame that does not move."""

    def points(self, source: object, motion: object) -> np.ndarray:
        return unpack_shape(SHAPE)


def test_with_a_predictor_the_sound_moves_the_mouth(wide: Wide) -> None:
    with_sound, without = FaceGenerator(), FaceGenerator()
    shown(with_sound, packets("pose"))
    assert wide.asked == [round(n / 25, 3) for n in range(FRAMES)]
    shown(without, packets("pose", sound=False))
    assert len(wide.asked) == FRAMES  # a stream without sound asks nothing
    for a, b in zip(with_sound.motions, without.motions, strict=True):
        lip = a.value[LOWER_LIP] - b.value[LOWER_LIP]
        assert lip[1] > 0.05
        assert np.abs(a.value[NOSE] - b.value[NOSE]).max() < 0.01


def test_where_the_sound_ends_before_the_picture_the_mouth_comes_to_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the predictor that ships; the sound ends after 0.4 s, and 0.64 s later it is silence
    alone that the predictor hears.
    """
    lips = {}
    for heard in (10, FRAMES):
        predictor = MouthPredictor()
        monkeypatch.setattr(TheirMouth, "predictor", lambda _, found=predictor: found)
        with_sound, without = FaceGenerator(), FaceGenerator()
        decoder = shown(with_sound, packets("pose", heard=heard))
        assert len(with_sound.motions) == FRAMES
        assert decoder.statistics.concealed == decoder.statistics.damaged == 0
        shown(without, packets("pose", sound=False))
        pairs = zip(with_sound.motions, without.motions, strict=True)
        lips[heard] = np.array([a.value[LOWER_LIP, 1] - b.value[LOWER_LIP, 1] for a, b in pairs])
    cut, whole = (np.abs(np.diff(moved)) for moved in lips.values())
    assert cut[:10].max() > 0.002
    assert whole[27:].max() > 5 * cut[27:].max()
    assert np.abs(lips[10]).max() < 0.2


def test_where_motion_is_lost_the_last_mouth_moves_on(wide: Wide) -> None:
    """In a gap of other profiles that is too long to interpolate; else nothing is asked."""
    from .conftest import Synthetic

    whole = Synthetic(frames=50, keyframe_every=100).packets()
    generator = FaceGenerator()
    shown(generator, whole)
    assert not wide.asked
    number = iter(range(50))
    lost = [p for p in whole if p.kind != Kind.MOTION or not 10 <= next(number) < 40]
    generator = FaceGenerator()
    decoder = shown(generator, lost)
    assert decoder.statistics.concealed > 20
    assert wide.asked.count(9 / 25) == 1  # what the mouth did where it was seen last
    held = generator.motions[9]
    lips = [m.value[LOWER_LIP, 1] - held.value[LOWER_LIP, 1] for m in generator.motions[12:35]]
    steps = np.diff(lips)  # the other keypoints of this stream are no face's
    assert np.abs(steps).min() > 1e-4
    assert len(set(np.sign(steps))) == 1
