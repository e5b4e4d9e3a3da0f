"""A tiny stream on disk, and a decoder whose generator paints numbers instead of faces."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from facewire.codec.file.container import Writer
from facewire.codec.keyframe import Keyframe, encode_picture
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.packet import Flags, Kind, Packet
from facewire.codec.sound.opus import OpusEncoder
from facewire.codec.stream import AudioParameters, StreamHeader
from facewire.models.face.mesh import POINTS
from facewire.models.face.shape import pack_shape
from facewire.models.weights import load_card


class FakeGenerator:
    def set_source(
        self, rgb: npt.NDArray[np.uint8], motion: MotionFrame, points: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.uint8]:
        return rgb

    def points(self, source: npt.NDArray[np.uint8], motion: MotionFrame) -> npt.NDArray[np.float32]:
        return np.zeros((len(POINTS), 2), np.float32)

    def render(
        self,
        source: npt.NDArray[np.uint8],
        motion: MotionFrame,
        mel: npt.NDArray[np.float32] | None,
    ) -> npt.NDArray[np.uint8]:
        return source


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> FakeGenerator:
    fake = FakeGenerator()
    monkeypatch.setattr(
        "facewire.receiver.generators.networks.open_generator", lambda header, config: fake
    )
    return fake


def packets(frames: int, *, sound: bool, sha256: bytes = bytes(32)) -> list[Packet]:
    identity = np.concatenate([np.zeros((10, 2)), np.tile(np.eye(2).ravel(), (10, 1))], 1)
    motion = MotionFrame.from_array(identity)
    header = StreamHeader("avfr-s", sha256, audio=AudioParameters() if sound else None)
    rng = np.random.default_rng(3)
    picture = np.tile(rng.integers(0, 255, (256, 1, 3), np.uint8), (1, 256, 1))
    shape = pack_shape(np.zeros((len(POINTS), 2), np.float32))
    coded = encode_picture(picture, max_bytes=3000, quality=None)
    out = [header.to_packet(0), *Keyframe(0, 0, motion, shape, coded).to_packets(0)]
    payload = motion.to_fp16()
    out += [Packet(Kind.MOTION, Flags.SYNTHETIC, 0, 0, index, payload) for index in range(frames)]
    if sound:
        opus = OpusEncoder(10000)
        tone = 0.3 * np.sin(np.arange(frames * 640) * 0.1).astype(np.float32)
        for index, payload in enumerate(opus.encode(tone) + opus.flush()):
            out.append(Packet(Kind.AUDIO, Flags.SYNTHETIC, 0, 0, index, payload))
    return [replace(packet, sequence=number) for number, packet in enumerate(out)]


def write(path: Path, stream: list[Packet]) -> Path:
    with path.open("wb") as file:
        writer = Writer(file)
        for packet in stream:
            writer.write(packet)
        writer.close()
    return path


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    """50 frames with sound at 25 fps."""
    return write(tmp_path / "talk.fwire", packets(50, sound=True))


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """12 frames with sound for the weights that come with the package."""
    sha256 = load_card("s").sha256
    return write(tmp_path / "shipped.fwire", packets(12, sound=True, sha256=sha256))


@pytest.fixture
def silent(tmp_path: Path) -> Path:
    return write(tmp_path / "silent.fwire", packets(50, sound=False))


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A time base of milliseconds, at times 0, 40, 80, ... with a pause."""
    stream = packets(10, sound=False)
    header = StreamHeader("avfr-s", bytes(32), time_base=Fraction(1, 1000))
    stream = [header.to_packet(0), *stream[1:]]
    stream = [
        replace(p, pts=40 * p.pts + (5000 if p.pts > 5 else 0)) if p.kind == Kind.MOTION else p
        for p in stream
    ]
    return write(tmp_path / "slow.fwire", stream)
