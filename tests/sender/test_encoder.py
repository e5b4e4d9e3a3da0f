from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facewire.codec.errors import ConfigError, MediaError, NoFaceError, WeightsError
from facewire.codec.identity import Identity
from facewire.codec.identity_packets import IdentityAssembler
from facewire.codec.keyframe import Keyframe, KeyframeAssembler
from facewire.codec.motion.frame import FP16_BYTES, MotionFrame
from facewire.codec.packet import MAX_DATAGRAM, Flags, Kind, Packet
from facewire.codec.stream import StreamHeader
from facewire.models.face.observation import Observation
from facewire.models.weights import load_card
from facewire.sender.config import EncoderConfig
from facewire.sender.encoder import Encoder
from facewire.sender.motion.keypoints import MeshSource
from facewire.sender.tracking.finder import TRACKED_SIDE
from facewire.sender.tracking.tracker import Face, Tracker

from .conftest import Box, FakeTracker, Frame

HERE: Box = (60, 60, 180, 200)
THERE: Box = (400, 60, 520, 200)
BLANK = np.full((256, 256, 3), 90, np.uint8)
WIDE = np.full((360, 640, 3), 90, np.uint8)


def make(card: Path, script: list[list[Box]], settings: Any = None, **more: Any) -> Encoder:
    config = EncoderConfig(model=str(card), **({"profile": "fp16"} | (settings or {})))
    return Encoder(config, tracker=FakeTracker(script), **more)


def kinds(packets: list[Packet]) -> list[Kind]:
    return [packet.kind for packet in packets]


def keyframes(packets: list[Packet]) -> list[Keyframe]:
    assembler = KeyframeAssembler()
    whole = (assembler.push(p) for p in packets if p.kind == Kind.KEYFRAME)
    return [keyframe for keyframe in whole if keyframe is not None]


def motion(packets: list[Packet]) -> list[MotionFrame]:
    return [MotionFrame.from_fp16(p.payload) for p in packets if p.kind == Kind.MOTION]


def test_first_frame_gives_stream_keyframe_motion(card: Path) -> None:
    encoder = make(card, [[HERE]])
    packets = encoder.encode(BLANK)
    found = kinds(packets)
    assert found[0] == Kind.STREAM
    assert found[-1] == Kind.MOTION
    assert set(found[1:-1]) == {Kind.KEYFRAME}
    assert StreamHeader.from_payload(packets[0].payload) == encoder.header
    (keyframe,) = keyframes(packets)
    assert keyframe.pts == 0
    assert keyframe.motion == motion(packets)[0]
    assert kinds(encoder.encode(BLANK)) == [Kind.MOTION]


def test_packets_are_numbered_flagged_and_small(card: Path) -> None:
    encoder = make(card, [[HERE]], {"keyframe_bytes": 6000})
    rng = np.random.default_rng(0)
    packets = []
    for _ in range(30):
        packets += encoder.encode(rng.integers(0, 255, BLANK.shape, np.uint8), np.zeros(640, "f4"))
    packets += encoder.flush()
    assert [p.sequence for p in packets] == list(range(len(packets)))
    assert max(len(bytes(p)) for p in packets) <= MAX_DATAGRAM
    moving = [p for p in packets if p.kind == Kind.MOTION]
    assert [p.pts for p in moving] == list(range(30))
    assert all(len(p.payload) == FP16_BYTES for p in moving)
    assert all(p.flags == Flags.SYNTHETIC | Flags.INTRA for p in moving)
    sounds = [p for p in packets if p.kind == Kind.AUDIO]
    assert [p.pts for p in sounds] == list(range(30))


def test_all_counters_wrap(card: Path) -> None:
    encoder = make(card, [[HERE]], {"keyframe_interval": 0.1})
    packets = []
    for index in range(60):
        packets += encoder.encode(BLANK, pts=65_500 + index)
    assert {p.reference for p in packets if p.kind == Kind.MOTION} == set(range(16))
    assert [k.pts for k in keyframes(packets)][:3] == [65_500, 65_503, 65_506]
    pts = [p.pts for p in packets if p.kind == Kind.MOTION]
    assert pts == [(65_500 + k) % 65_536 for k in range(60)]


def test_no_face_repeats_and_goes_on(card: Path) -> None:
    moved: Box = (70, 60, 190, 200)
    encoder = make(card, [[HERE], [], [], [moved]])
    packets = [p for _ in range(5) for p in encoder.encode(BLANK)]
    first, *repeated, back, last = motion(packets)
    assert repeated == [first, first]
    assert back == last != first
    assert encoder.statistics.repeated == 2
    assert encoder.statistics.keyframes == 1


def test_frames_before_the_first_face_are_not_lost(card: Path) -> None:
    encoder = make(card, [[]] * 300 + [[HERE]], duration_s=Fraction(301, 25))
    early = [p for _ in range(300) for p in encoder.encode(BLANK)]
    assert kinds(early) == [Kind.STREAM]
    packets = encoder.encode(BLANK) + encoder.flush()
    assert [p.pts for p in packets if p.kind == Kind.MOTION] == list(range(301))
    assert keyframes(packets)[0].pts == 0
    assert encoder.statistics.frames == 301


def test_frames_before_the_first_face_show_it_as_it_is_first_seen(card: Path) -> None:
    """And not as the keyframe has it, which may be of a later moment."""
    moved: Box = (90.0, 70.0, 200.0, 190.0)
    faces = [[]] * 8 + [[HERE]] * 6 + [[moved]] * 40
    encoder = make(card, faces, {"profile": "fp16"}, duration_s=Fraction(54, 25))
    packets = [p for _ in range(54) for p in encoder.encode(BLANK)] + encoder.flush()
    shown = [p.payload for p in packets if p.kind == Kind.MOTION]
    assert shown[:8] == [shown[8]] * 8
    assert shown[8] != shown[-1]


def test_a_call_keeps_only_so_many_of_them(card: Path) -> None:
    encoder = make(card, [[]] * 1000 + [[HERE]])
    packets = [p for _ in range(1001) for p in encoder.encode(BLANK)]
    pts = [p.pts for p in packets if p.kind == Kind.MOTION]
    assert pts == list(range(750, 1001))
    assert keyframes(packets)[0].pts == 750


def test_no_face_at_all_in_a_file(card: Path) -> None:
    encoder = make(card, [[]], duration_s=Fraction(1, 25))
    encoder.encode(BLANK, np.zeros(640, np.float32))
    with pytest.raises(NoFaceError, match="no face"):
        encoder.flush()


def test_without_a_face_the_sound_of_a_file_is_not_lost(card: Path) -> None:
    """The end is told once, and another call gives what is left."""
    encoder = make(card, [[]], duration_s=Fraction(1, 25))
    packets = encoder.encode(BLANK, np.zeros(2000, np.float32))
    with pytest.raises(NoFaceError):
        encoder.flush()
    packets += encoder.flush()
    sounds = [p for p in packets if p.kind == Kind.AUDIO]
    assert [p.pts for p in sounds] == [0, 1]  # 125 ms in packets of 120
    assert [p.sequence for p in packets] == [0, 1, 2]
    assert encoder.flush() == []


def test_a_call_without_a_face_is_no_error(card: Path) -> None:
    encoder = make(card, [[]])
    packets = encoder.encode(BLANK, np.zeros(1000, np.float32)) + encoder.flush()
    sounds = [p for p in packets if p.kind == Kind.AUDIO]
    assert [p.pts for p in sounds] == [0, 1]  # 62.5 ms in packets of 40
    assert [p.sequence for p in packets] == [0, 1, 2]
    assert encoder.flush() == []


class FailingTracker(FakeTracker):
    """Raises at some of its frames."""

    def __init__(self, script: Sequence[Sequence[Box]], fails_at: set[int]) -> None:
        super().__init__(script)
        self.fails_at, self.calls = fails_at, -1

    def track(self, frame: Frame, time_ms: int | None = None) -> list[Face]:
        self.calls += 1
        if self.calls in self.fails_at:
            raise OSError("the tracker failed")
        return super().track(frame, time_ms)


@pytest.mark.parametrize("duration", [None, Fraction(2)])
def test_a_frame_that_fails_takes_no_sound_with_it(card: Path, duration: Fraction | None) -> None:
    def encode(fails_at: set[int]) -> tuple[list[Packet], int]:
        config = EncoderConfig(model=str(card), profile="fp16")
        tracker = FailingTracker([[HERE]], fails_at)
        encoder = Encoder(config, tracker=tracker, duration_s=duration)
        pcm = np.random.default_rng(2).normal(0, 0.1, (50, 640)).astype(np.float32)
        packets, failed = list[Packet](), 0
        for index in range(50):
            try:
                packets += encoder.encode(BLANK, pcm[index], index)
            except OSError:
                failed += 1
        return packets + encoder.flush(), failed

    whole, none = encode(set())
    partly, failed = encode({0, 7, 8, 49})  # the last one, too
    assert (none, failed) == (0, 4)
    assert [p.sequence for p in partly] == list(range(len(partly)))
    assert partly[0].kind == Kind.STREAM
    sounds = [[bytes(p.payload) for p in some if p.kind == Kind.AUDIO] for some in (whole, partly)]
    assert sounds[0] == sounds[1]
    frames = [p.pts for p in partly if p.kind == Kind.MOTION]
    assert frames == [n for n in range(50) if n not in {0, 7, 8, 49}]


def test_a_frame_that_is_refused_can_be_given_again(card: Path) -> None:
    encoder = make(card, [[HERE]])
    with pytest.raises(ConfigError):
        encoder.encode(BLANK[..., 0], np.zeros(1000, np.float32), 5)
    packets = encoder.encode(BLANK, pts=5)
    found = kinds(packets)
    assert found[:2] == [Kind.STREAM, Kind.AUDIO]
    assert packets[-1].pts == 5


def test_nothing_at_all(card: Path) -> None:
    assert make(card, [[]]).flush() == []


def test_sound_without_a_picture(card: Path) -> None:
    encoder = make(card, [[HERE]])
    packets = encoder.encode(pcm=np.zeros(16_000, np.float32)) + encoder.flush()
    assert kinds(packets) == [Kind.STREAM] + [Kind.AUDIO] * 25


def test_sound_alone_does_not_pile_up(card: Path) -> None:
    """Two minutes of it in a file whose picture has ended."""
    encoder = make(card, [[HERE]], duration_s=Fraction(130))
    packets = [p for _ in range(130) for p in encoder.encode(pcm=np.zeros(16_000, np.float32))]
    assert kinds(packets).count(Kind.AUDIO) >= 1000
    assert len(encoder._items) < 100


def test_two_people_and_a_cut(card: Path) -> None:
    encoder = make(card, [[HERE], [HERE, THERE], [THERE]])
    packets = encoder.encode(WIDE) + encoder.encode(WIDE)
    assert len(keyframes(packets)) == 1
    packets += encoder.encode(255 - WIDE)  # another scene
    assert len(keyframes(packets)) == 2
    assert packets[-1].reference == 1


def test_nobody_drives_anothers_picture_whatever_the_interval(card: Path) -> None:
    encoder = make(card, [[HERE], [THERE]], {"keyframe_interval": 60.0})
    packets = encoder.encode(WIDE) + encoder.encode(255 - WIDE)
    assert len(keyframes(packets)) == 2


@pytest.mark.parametrize("gone", [0, 3])
def test_keyframe_on_request_waits_for_a_face(card: Path, gone: int) -> None:
    encoder = make(card, [[HERE]] * 26 + [[]] * gone + [[HERE]])
    for _ in range(26):  # the first one is a second old
        encoder.encode(BLANK)
    encoder.request_keyframe()
    for _ in range(gone):
        assert kinds(encoder.encode(BLANK)) == [Kind.MOTION]
    assert kinds(encoder.encode(BLANK))[:2] == [Kind.STREAM, Kind.KEYFRAME]
    assert kinds(encoder.encode(BLANK)) == [Kind.MOTION]


def test_keyframe_interval(card: Path) -> None:
    encoder = make(card, [[HERE]], {"keyframe_interval": 1.0})
    packets = [p for _ in range(76) for p in encoder.encode(BLANK)]
    assert [k.pts for k in keyframes(packets)] == [0, 25, 50, 75]


def test_a_pause_too_long_for_16_bits_brings_a_keyframe(card: Path) -> None:
    encoder = make(card, [[HERE]], time_base=Fraction(1, 1000))
    packets = encoder.encode(BLANK) + encoder.encode(BLANK, pts=40_000)
    assert [k.pts for k in keyframes(packets)] == [0, 40_000]


def test_reset_begins_the_same_stream_again(card: Path) -> None:
    encoder = make(card, [[HERE]], session=lambda: 7)

    def stream() -> list[bytes]:
        out = [p for _ in range(3) for p in encoder.encode(BLANK, np.zeros(640, np.float32))]
        return [bytes(p) for p in out + encoder.flush()]

    first = stream()
    encoder.reset()
    assert stream() == first


def test_large_frames_are_tracked_small_and_cropped_whole(card: Path) -> None:
    script = [[(200.0, 60.0, 320.0, 200.0)]]
    tracker = FakeTracker(script)
    encoder = Encoder(EncoderConfig(model=str(card)), tracker=tracker)
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 255, (2160, 3840, 3), np.uint8)
    packets = encoder.encode(frame)
    assert tracker.sizes == [(288, TRACKED_SIDE)]
    (keyframe,) = keyframes(packets)
    # In the crop the face is where it was found, 7.5 times larger in pixels of the frame.
    assert np.abs(keyframe.motion.value).max() < 0.7
    (seen,) = encoder.encode(frame)
    assert seen.kind == Kind.MOTION
    assert tracker.sizes[1] == (351, TRACKED_SIDE)  # a window about the face


def test_tiny_frames_have_no_face(card: Path) -> None:
    encoder = make(card, [[HERE]])
    assert kinds(encoder.encode(np.zeros((1, 1, 3), np.uint8))) == [Kind.STREAM]


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((256, 256), np.uint8),
        np.zeros((256, 256, 4), np.uint8),
        np.zeros((256, 256, 3), np.float32),
        np.zeros((0, 256, 3), np.uint8),
    ],
)
def test_not_a_frame(card: Path, frame: Any) -> None:
    with pytest.raises(ConfigError, match="uint8"):
        make(card, [[HERE]]).encode(frame)


def test_time_goes_forward(card: Path) -> None:
    encoder = make(card, [[HERE]])
    encoder.encode(BLANK, pts=5)
    with pytest.raises(ConfigError, match="not later"):
        encoder.encode(BLANK, pts=5)


def test_bad_sound(card: Path) -> None:
    with pytest.raises(MediaError, match="mono"):
        make(card, [[HERE]]).encode(pcm=np.zeros((2, 100), np.float32))


def test_a_mesh_beyond_all_numbers_counts_as_no_face(card: Path) -> None:
    wild: Box = (60, 60, 60.00001, 60.00002)
    encoder = make(card, [[HERE], [wild], [HERE]], {"keyframe_interval": "auto"})
    packets = [p for _ in range(3) for p in encoder.encode(BLANK)]
    assert len(motion(packets)) == 3


def test_unknown_network() -> None:
    with pytest.raises(WeightsError, match="xxl"):
        Encoder(EncoderConfig(model="xxl"))


@pytest.mark.parametrize("yaw", [30, 60, 80, 90])
def test_profile_views_give_numbers_that_fit(card: Path, frames: list[Frame], yaw: int) -> None:
    """The real mesh, turned until it is a line: motion stays finite and near the face."""
    with Tracker() as tracker:
        face = tracker.track(frames[0])[0]
    assert face.depth is not None
    centre = face.landmarks.mean(0)
    source = MeshSource(load_card(card).face_table())
    source.keyframe(Observation(BLANK, (face.landmarks / 128 - 1).astype(np.float32)), 0)
    angle = np.radians(yaw)
    turned = face.landmarks.copy()
    turned[:, 0] = (
        centre[0]
        + (face.landmarks[:, 0] - centre[0]) * np.cos(angle)
        + (face.depth - face.depth.mean()) * np.sin(angle)
    )
    moved = source.motion(Observation(BLANK, (turned / 128 - 1).astype(np.float32)), 0)
    assert np.abs(moved.value).max() < 1.5
    assert np.abs(moved.jacobian).max() < 16
    again = MotionFrame.from_fp16(moved.to_fp16())
    assert np.abs(again.value - moved.value).max() < 1e-3


def person(sha256: bytes) -> Identity:
    delta = np.random.default_rng(0).normal(0, 1, (300, 20)).astype(np.float32)
    return Identity.pack("avfr-s", sha256, {"generator.head.weight": delta})


def test_an_identity_is_sent_once_at_the_start_and_again_on_request(card: Path) -> None:
    identity = person(load_card(card).sha256)
    encoder = make(card, [[HERE]], {"identity": identity, "keyframe_interval": 0.1})
    packets = encoder.encode(BLANK)
    assert kinds(packets[:2]) == [Kind.STREAM, Kind.IDENTITY]
    for _ in range(9):
        packets += encoder.encode(BLANK)
    found = kinds(packets)
    parts = found.count(Kind.IDENTITY)
    assert found[1 : parts + 1] == [Kind.IDENTITY] * parts
    assert parts > 3
    headers = [StreamHeader.from_payload(p.payload) for p in packets if p.kind == Kind.STREAM]
    assert len(headers) > 2
    assert {header.identity for header in headers} == {identity.id}
    assembler = IdentityAssembler()
    assert [w for p in packets[1 : parts + 1] if (w := assembler.push(p))] == [identity]
    encoder.request_identity()
    assert kinds(encoder.encode(BLANK)).count(Kind.IDENTITY) == parts
    packets += encoder.encode(BLANK)
    assert kinds(encoder.encode(BLANK)).count(Kind.IDENTITY) == 0
    assert [p.sequence for p in packets[:-1]] == list(range(len(packets) - 1))
    encoder.reset()
    assert kinds(encoder.encode(BLANK)).count(Kind.IDENTITY) == parts


def test_an_identity_of_other_weights_is_refused(card: Path) -> None:
    with pytest.raises(WeightsError, match="facewire enroll"):
        make(card, [[HERE]], {"identity": person(bytes(32))})


def test_without_an_identity_there_is_nothing_to_send_again(card: Path) -> None:
    encoder = make(card, [[HERE]])
    encoder.encode(BLANK)
    encoder.request_identity()
    assert kinds(encoder.encode(BLANK)) == [Kind.MOTION]
