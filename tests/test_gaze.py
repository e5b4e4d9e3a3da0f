"""Where the eyes look, from the landmarks of the video to the points that the network draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from facewire.codec.errors import UnsupportedError
from facewire.codec.keyframe import Keyframe, KeyframeAssembler
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.packet import Kind, Packet
from facewire.codec.stream import StreamHeader
from facewire.models.face.gaze import gaze_of, with_irises
from facewire.models.face.mesh import IRISES, select_points
from facewire.models.weights import load_card
from facewire.receiver.config import DecoderConfig
from facewire.receiver.decoder import Decoder
from facewire.receiver.generators.load import load_generator
from facewire.receiver.generators.protocol import Generator, Source
from facewire.receiver.outputs import PictureOutput
from facewire.sender.config import EncoderConfig
from facewire.sender.encoder import Encoder
from facewire.sender.tracking.tracker import Face

Array = npt.NDArray[np.float32]
Frame = npt.NDArray[np.uint8]
FRAMES, SIDE = 40, 64
LIDS = ((159, 145), (386, 374))
BLINK = range(20, 24)


def looks() -> Array:
    """Eyes that look about, and rest from the 30th frame on: `[FRAMES, 2]`."""
    at = np.minimum(np.arange(FRAMES), 30)[:, None]
    return np.asarray([0.5, 0.3] * np.sin(at / [4, 7]), np.float32)


class Tracker:
    """Sees the mean face, which sways, with eyes that look as they are told. While they are shut,
    it guesses irises.
    """

    def __init__(self, gazes: Array, shut: Sequence[int] = (), sway: float = 0.05) -> None:
        self._mean = 0.6 * load_card("s").face_table().mean
        self._gazes, self._shut, self._sway = gazes, shut, sway
        self._at = 0
        self.seen: list[Array] = []

    def track(self, frame: Frame, time_ms: int | None = None) -> list[Face]:
        """A face that fills the picture."""
        at, self._at = self._at, self._at + 1
        gaze = self._gazes[min(at, len(self._gazes) - 1)]
        face = self._mean + np.float32([self._sway * np.sin(at / 5), 0])
        if at in self._shut:
            gaze = np.array([0.9 * (-1) ** at, -0.9], np.float32)
            for upper, lower in LIDS:
                face[upper] = face[lower]
        face[list(IRISES)] = with_irises(select_points(face), gaze)[-2:]
        self.seen.append(face)
        return [Face((face + 1) * np.float32(SIDE / 2))]

    def close(self) -> None:
        """There is nothing to free."""


@dataclass
class Watched:
    """A generator, and what it was asked to show."""

    generator: Generator
    sources: list[MotionFrame] = field(default_factory=list)
    shown: list[Array] = field(default_factory=list)  # points and irises
    gazes: list[Array] = field(default_factory=list)

    def set_source(self, rgb: Frame, motion: MotionFrame, points: Array) -> Source:
        """See `Generator`."""
        self.sources.append(motion)
        return self.generator.set_source(rgb, motion, points)

    def points(self, source: Source, motion: MotionFrame) -> Array:
        """See `Generator`."""
        return self.generator.points(source, motion)

    def render(self, source: Source, motion: MotionFrame, mel: Array | None) -> Frame:
        """See `Generator`."""
        self.shown.append(with_irises(self.points(source, motion), motion.gaze))
        self.gazes.append(motion.gaze)
        return self.generator.render(source, motion, mel)


def send(network: Path, tracker: Tracker, **settings: Any) -> list[Packet]:
    duration = settings.pop("duration_s", Fraction(FRAMES, 25))
    config = EncoderConfig(
        **{"model": str(network), "size": SIDE, "crop": False, "audio_kbps": None} | settings
    )
    picture = np.random.default_rng(0).integers(60, 180, (SIDE, SIDE, 3)).astype(np.uint8)
    with Encoder(config, tracker=tracker, duration_s=duration) as encoder:
        packets = [p for _ in range(FRAMES) for p in encoder.encode(picture)]
        return [Packet.parse(bytes(p)) for p in packets + encoder.flush()]


def receive(network: Path, packets: Sequence[Packet]) -> tuple[Watched, list[PictureOutput]]:
    watched = Watched(load_generator(load_card(network), threads=1, precision="float32"))
    decoder = Decoder(DecoderConfig(max_renders=1000), watched)
    outputs = [o for p in packets for o in decoder.decode(p)] + decoder.flush()
    assert decoder.statistics.damaged == 0
    return watched, [o for o in outputs if isinstance(o, PictureOutput)]


def header_of(packets: Sequence[Packet]) -> StreamHeader:
    return StreamHeader.from_payload(packets[0].payload)


def keyframes_of(packets: Sequence[Packet]) -> list[Keyframe]:
    assembler = KeyframeAssembler()
    found = (assembler.push(p) for p in packets if p.kind == Kind.KEYFRAME)
    return [keyframe for keyframe in found if keyframe is not None]


@pytest.mark.parametrize("duration", [Fraction(FRAMES, 25), None], ids=["file", "call"])
def test_an_iris_that_moves_is_drawn_where_it_went(
    gaze_network: Path, duration: Fraction | None
) -> None:
    tracker = Tracker(looks(), sway=0)
    packets = send(gaze_network, tracker, duration_s=duration)
    assert header_of(packets).gaze
    assert header_of(packets).tables == 3
    watched, outputs = receive(gaze_network, packets)
    assert len(outputs) == len(watched.shown) == FRAMES
    assert np.abs(np.stack(watched.gazes) - looks()).max() < 0.04
    irises = np.stack([points[-2:] for points in watched.shown])
    truth = np.stack(tracker.seen)[:, list(IRISES)]
    assert np.abs(irises - truth).max() < 0.01
    assert np.ptp(irises[:, :, 0], 0).min() > 0.05
    others = np.stack([points[:-2] for points in watched.shown])
    assert np.ptp(others, 0).max() < 0.01


def test_a_blink_holds_the_gaze(gaze_network: Path) -> None:
    watched, _ = receive(gaze_network, send(gaze_network, Tracker(looks(), BLINK)))
    gazes = np.stack(watched.gazes)
    assert np.ptp(gazes[BLINK.start - 1 : BLINK.stop], 0).max() < 0.04
    after = slice(BLINK.stop, None)
    assert np.abs(gazes[after] - looks()[after]).max() < 0.04


def test_keyframes_have_their_own_gaze(gaze_network: Path) -> None:
    """Also those that depend on others."""
    tracker = Tracker(looks(), sway=0.5)
    packets = send(gaze_network, tracker, kbps=400)
    keyframes = keyframes_of(packets)
    assert any(keyframe.base is not None for keyframe in keyframes)
    gazes = np.stack([gaze_of(face) for face in tracker.seen])
    for keyframe in keyframes:
        assert np.linalg.norm(gazes - keyframe.motion.gaze, axis=-1).min() < 0.01
        assert keyframe.motion.gaze.any()
    watched, _ = receive(gaze_network, packets)
    sent = [keyframe.motion.gaze.tolist() for keyframe in keyframes]
    assert [motion.gaze.tolist() for motion in watched.sources] == sent
    assert np.abs(np.stack(watched.gazes) - looks()).max() < 0.04


@pytest.mark.parametrize("profile", ["fp16", "pose"])
def test_other_profiles_say_nothing_of_it(gaze_network: Path, profile: str) -> None:
    packets = send(gaze_network, Tracker(looks()), profile=profile)
    assert not header_of(packets).gaze
    watched, outputs = receive(gaze_network, packets)
    assert len(outputs) == FRAMES
    assert not np.any(watched.gazes)
    assert not any(motion.gaze.any() for motion in watched.sources)


def test_networks_without_gaze_get_the_streams_that_they_got(card: Path) -> None:
    moved = send(card, Tracker(looks()))
    assert header_of(moved).tables == 2
    assert moved == send(card, Tracker(np.zeros((1, 2), np.float32)))
    assert not any(keyframe.motion.gaze.any() for keyframe in keyframes_of(moved))


def test_frames_that_are_lost_have_the_gaze_of_their_neighbours(gaze_network: Path) -> None:
    packets = send(gaze_network, Tracker(looks()), duration_s=None, bundle=1, refresh_interval=0.04)
    motion = [n for n, packet in enumerate(packets) if packet.kind == Kind.MOTION]
    lost = {motion[10], motion[11]}
    watched, outputs = receive(
        gaze_network, [packet for n, packet in enumerate(packets) if n not in lost]
    )
    assert sum(output.concealed for output in outputs) == 2
    assert len(watched.gazes) == FRAMES
    straight = np.linspace(watched.gazes[9], watched.gazes[12], 4)
    assert np.allclose(np.stack(watched.gazes[9:13]), straight, atol=1e-6)


def test_a_reader_that_does_not_know_such_tables_says_so(gaze_network: Path) -> None:
    packets = send(gaze_network, Tracker(looks()))
    later = replace(header_of(packets), tables=4).to_packet(0)
    with pytest.raises(UnsupportedError, match="version 4"):
        receive(gaze_network, [later, *packets[1:]])
