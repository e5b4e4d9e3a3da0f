"""Small synthetic streams, built with the codec's classes alone, and a generator that is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
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
from facewire.models.face.keypoints import MeshKeypoints
from facewire.models.face.mesh import POINTS, REGIONS
from facewire.models.face.shape import pack_shape
from facewire.models.face.table import FaceTable
from facewire.models.face.turning import mean_shape

SIZE = 256


def picture(shade: int = 0) -> npt.NDArray[np.uint8]:
    ramp = np.linspace(0, 200, SIZE, dtype=np.uint8)
    return np.stack(
        [
            np.tile(ramp, (SIZE, 1)),
            np.tile(ramp[:, None], (1, SIZE)),
            np.full((SIZE, SIZE), shade, np.uint8),
        ],
        axis=2,
    )


def motion(index: int) -> MotionFrame:
    """Smooth; and the first coordinate tells which frame it is: index / 1000."""
    value = 0.3 * np.sin(0.2 * index + np.arange(20)).reshape(10, 2)
    value[0, 0] = index / 1024
    jacobian = np.tile(np.eye(2), (10, 1, 1)) * (1 + 0.1 * np.sin(0.3 * index))
    return MotionFrame(value.astype(np.float32), jacobian.astype(np.float32))


def motion_of_points(points: npt.NDArray[np.float32]) -> MotionFrame:
    """The motion of a keyframe with these landmarks, `[P, 2]`; the other landmarks of a region lie
    in its middle.
    """
    whole = np.zeros((478, 2), np.float32)
    whole[list(POINTS)] = points
    for region in REGIONS:
        known = [index for index in region if index in POINTS]
        whole[list(set(region) - set(known))] = whole[known].mean(0)
    return MeshKeypoints(FaceTable.blank()).keyframe(whole)


def speech(seconds: float) -> npt.NDArray[np.float32]:
    time = np.arange(round(seconds * 16000)) / 16000
    return (0.4 * np.sin(2 * np.pi * (200 + 60 * np.sin(3 * time)) * time)).astype(np.float32)


@dataclass
class FakeGenerator:
    """Paints the frame's number; counts what is asked of it."""

    sources: int = 0
    mels: list[npt.NDArray[np.float32] | None] = field(default_factory=list)
    motions: list[MotionFrame] = field(default_factory=list)
    keep: bool = True

    def set_source(
        self, rgb: npt.NDArray[np.uint8], motion: MotionFrame, points: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.uint8]:
        assert rgb.shape == (SIZE, SIZE, 3)
        assert points.shape == (len(POINTS), 2)
        self.sources += 1
        return rgb

    def points(self, source: npt.NDArray[np.uint8], motion: MotionFrame) -> npt.NDArray[np.float32]:
        return np.zeros((len(POINTS), 2), np.float32)

    def render(
        self,
        source: npt.NDArray[np.uint8],
        motion: MotionFrame,
        mel: npt.NDArray[np.float32] | None,
    ) -> npt.NDArray[np.uint8]:
        if self.keep:
            self.mels.append(mel)
            self.motions.append(motion)
        frame = source.copy()
        frame[:64] = round(float(motion.value[0, 0]) * 1024) % 256
        return frame


@dataclass
class Synthetic:
    """A stream as a list of packets, in sending order."""

    frames: int = 50
    fps: Fraction = Fraction(25)
    sound: bool = True
    sound_ms: int = 40
    keyframe_every: int = 25
    model: str = "avfr-s"
    sha256: bytes = bytes(32)
    pts: list[int] | None = None
    time_base: Fraction | None = None
    first_pts: int = 0

    def header(self) -> StreamHeader:
        return StreamHeader(
            model=self.model,
            weights_sha256=self.sha256,
            fps=self.fps,
            time_base=self.time_base or 1 / self.fps,
            audio=AudioParameters(frame_ms=self.sound_ms) if self.sound else None,
        )

    def keyframe(self, number: int, pts: int) -> Keyframe:
        points = 0.6 * mean_shape()[:, :2] * (1, -1)
        shape = pack_shape(points.astype(np.float32))
        coded = encode_picture(picture(40 * (number % 6)), max_bytes=3000, quality=None)
        return Keyframe(number % 16, pts, motion(0), shape, coded)

    def packets(self) -> list[Packet]:
        header = self.header()
        opus = OpusEncoder(10000, self.sound_ms)
        out: list[Packet] = []
        audio = int(self.first_pts * header.time_base * 1000 / self.sound_ms)
        number = -1

        def add(packet: Packet) -> None:
            out.append(replace(packet, sequence=len(out) % 65536))

        def hear(payloads: list[bytes]) -> None:
            nonlocal audio
            for payload in payloads:
                add(Packet(Kind.AUDIO, Flags.SYNTHETIC, 0, 0, audio % 65536, payload))
                audio += 1

        times = self.pts or list(range(self.first_pts, self.first_pts + self.frames))
        end = times[-1] * header.time_base + 1 / self.fps - times[0] * header.time_base
        pcm = speech(float(end))
        heard = 0
        for index, pts in enumerate(times):
            if index % self.keyframe_every == 0:
                number += 1
                add(header.to_packet(0, pts))
                for packet in self.keyframe(number, pts).to_packets(0):
                    add(packet)
            add(
                Packet(
                    Kind.MOTION,
                    Flags.SYNTHETIC | Flags.INTRA,
                    number % 16,
                    0,
                    pts % 65536,
                    motion(index).to_fp16(),
                )
            )
            until = round((pts - times[0]) * header.time_base * 16000) + 640
            if self.sound:
                hear(opus.encode(pcm[heard:until]))
                heard = max(heard, until)
        if self.sound:
            hear(opus.encode(pcm[heard:]))
            hear(opus.flush())
        return out

    def write(self, path: Path) -> Path:
        with path.open("wb") as file:
            writer = Writer(file)
            for packet in self.packets():
                writer.write(packet)
            writer.close()
        return path


@pytest.fixture
def generator() -> FakeGenerator:
    return FakeGenerator()


@pytest.fixture
def synthetic() -> Callable[..., Synthetic]:
    return Synthetic


@pytest.fixture
def make_motion() -> Callable[[int], MotionFrame]:
    return motion


@pytest.fixture
def make_speech() -> Callable[[float], npt.NDArray[np.float32]]:
    return speech
