"""How fast and in how much memory a stream is decoded: `pytest benchmarks/test_bench_decode.py`.

Speed is shown as a table of p50 and p95 for a frame. Memory is the peak of a separate process, for
a short and for a long stream. Streams are synthetic: a keyframe of noise, smooth motion, tones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

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
from facewire.receiver.config import DecoderConfig
from facewire.receiver.decoder import Decoder
from facewire.receiver.outputs import PictureOutput

FPS = 25
LIMIT_MB = 600


def motion(index: int) -> MotionFrame:
    angle = 0.2 * index + np.arange(20).reshape(10, 2)
    value = 0.4 * np.cos(np.arange(20)).reshape(10, 2) + 0.03 * np.sin(angle)
    jacobian = np.tile(np.eye(2), (10, 1, 1)) * (1 + 0.1 * np.sin(0.3 * index))
    return MotionFrame(value.astype(np.float32), jacobian.astype(np.float32))


def packets(frames: int, sha256: bytes) -> list[Packet]:
    header = StreamHeader("avfr-s", sha256, audio=AudioParameters())
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 200, (16, 16, 3), np.uint8)
    picture = coarse.repeat(16, 0).repeat(16, 1)
    points = rng.uniform(-0.5, 0.5, (len(POINTS), 2)).astype(np.float32)
    coded = encode_picture(picture, max_bytes=3000, quality=None)
    out = [header.to_packet(0)]
    out += Keyframe(0, 0, motion(0), pack_shape(points), coded).to_packets(0)
    opus = OpusEncoder(10_000)
    tone = (0.3 * np.sin(np.arange(640) * 0.09)).astype(np.float32)
    heard = 0
    for index in range(frames):
        payload = motion(index).to_fp16()
        out.append(Packet(Kind.MOTION, Flags.SYNTHETIC, 0, 0, index % 65_536, payload))
        for sound in opus.encode(tone):
            out.append(Packet(Kind.AUDIO, Flags.SYNTHETIC, 0, 0, heard % 65_536, sound))
            heard += 1
    return [replace(p, sequence=n % 65_536) for n, p in enumerate(out)]


def shipped() -> bytes:
    return load_card("s").sha256


class Still:
    """A generator without a network, so that only the decoder is measured."""

    def set_source(
        self, rgb: npt.NDArray[np.uint8], motion: MotionFrame, points: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.uint8]:
        return rgb

    def render(
        self,
        source: npt.NDArray[np.uint8],
        motion: MotionFrame,
        mel: npt.NDArray[np.float32] | None,
    ) -> npt.NDArray[np.uint8]:
        return source


def measure(decoder: Decoder, frames: int, sha256: bytes, warm: int = 10) -> dict[str, float]:
    """Milliseconds for a frame with its sound, p50 and p95, and frames a second in all."""
    spent: list[float] = []
    since, shown = 0.0, 0
    for packet in packets(frames + warm, sha256):
        start = time.perf_counter()
        outputs = decoder.decode(packet)
        since += time.perf_counter() - start
        new = sum(isinstance(output, PictureOutput) for output in outputs)
        if new:
            spent += [since * 1000 / new] * new
            since, shown = 0.0, shown + new
    kept = np.array(spent[warm:])
    p50, p95 = np.percentile(kept, [50, 95])
    fps = 1000 / kept.mean()
    return {"p50_ms": p50, "p95_ms": p95, "fps": fps, "times real time": fps / FPS}


def show(name: str, result: dict[str, float]) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(
        f"\n{name:<34} p50 {result['p50_ms']:6.2f} ms  p95 {result['p95_ms']:6.2f} ms  "
        f"{result['fps']:6.1f} fps, {result['times real time']:.1f} x real time  "
        f"({cores} cores, load {os.getloadavg()[0]:.1f})"
    )


def test_decoder_without_network(capsys: pytest.CaptureFixture[str]) -> None:
    result = measure(Decoder(generator=Still()), 500, bytes(32))  # type: ignore[arg-type]
    with capsys.disabled():
        show("decoder alone (sound, mel, order)", result)
    assert result["p50_ms"] < 10


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.benchmark(group="whole decoder, 10 s of packets")
def test_openvino(threads: int, benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Faster than real time on two cores."""
    decoder = Decoder(DecoderConfig(threads=threads))
    result = benchmark.pedantic(measure, args=(decoder, 250, shipped()), rounds=1)
    benchmark.extra_info.update({name: round(value, 2) for name, value in result.items()})
    with capsys.disabled():
        show(f"avfr-s, openvino, {threads} thread{'s' * (threads > 1)}", result)
    if threads == 2 and os.getloadavg()[0] < 1.5:
        assert result["fps"] > FPS


_CHILD = """
import json, resource, sys
from pathlib import Path
from facewire import decode_file
report = decode_file(Path(sys.argv[1]), Path(sys.argv[2]))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB
heavy = sorted({"torch", "mediapipe", "cv2"} & set(sys.modules))
print(json.dumps({"frames": report.frames, "peak_mb": peak, "heavy": heavy}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak as Linux counts it")
def test_memory_does_not_grow_with_the_clip(capsys: pytest.CaptureFixture[str]) -> None:
    """`FACEWIRE_BENCH_SECONDS` sets the long clip's length (600 s for the full claim)."""
    sha256 = shipped()
    long = int(os.environ.get("FACEWIRE_BENCH_SECONDS", "60"))
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for seconds in (10, long):
            source = Path(folder) / f"{seconds}.fwire"
            with source.open("wb") as file:
                writer = Writer(file)
                for packet in packets(seconds * FPS, sha256):
                    writer.write(packet)
                writer.close()
            target = source.with_suffix(".mp4")
            command = [sys.executable, "-c", _CHILD, str(source), str(target)]
            text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            result = json.loads(text)
            assert result["frames"] == seconds * FPS
            assert result["heavy"] == []
            peaks.append(float(result["peak_mb"]))
            with capsys.disabled():
                print(f"\n{seconds:>4} s: peak {peaks[-1]:.0f} MB", end="")
    assert max(peaks) < LIMIT_MB
    assert peaks[1] < peaks[0] + 30


def test_delay_is_computed() -> None:
    for lookahead in (0, 40, 100):
        delay = Decoder(DecoderConfig(lookahead_ms=lookahead), Still()).delay_ms  # type: ignore[arg-type]
        assert Fraction(delay) == lookahead + Fraction(54)
