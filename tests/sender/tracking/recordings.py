"""Recordings for tests, made by FFmpeg: a flash and a beep every half second, together."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from facewire.sender.tracking.capture import SAMPLE_RATE, Capture

X264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "16", "-pix_fmt", "yuv420p")
AAC = ("-c:a", "aac")
_BEEP = "0.5*sin(880*2*PI*t)*lt(mod(t+{start},0.5),0.04)"
_FLASH = "drawbox=c=white:t=fill:enable='lt(mod(t+{start}+0.001,0.5),0.04)'"


def ffmpeg(*words: object) -> None:
    """Run the FFmpeg of imageio-ffmpeg; skips the test where there is none."""
    program = pytest.importorskip("imageio_ffmpeg", reason="needs imageio-ffmpeg").get_ffmpeg_exe()
    command = [program, "-v", "error", "-y", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def record(path: Path, seconds: float, *words: object, start: float = 0, rate: int = 25) -> Path:
    """Record so many seconds of a scene that begins at `start`."""
    ffmpeg(
        *("-f", "lavfi", "-i", f"color=c=gray:s=64x64:r={rate}:d={seconds}"),
        *("-f", "lavfi", "-i", f"aevalsrc='{_BEEP.format(start=start)}':s=48000:d={seconds}"),
        *("-vf", _FLASH.format(start=start), *(words or (*X264, *AAC)), path),
    )
    return path


def join(path: Path, *parts: Path) -> Path:
    """Files glued together, byte by byte."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def moved(source: Path, target: Path, what: tuple[str, ...], at: float, by: float) -> Path:
    """A remux whose stamps of some kinds of streams are moved from a time on, in seconds."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        streams = {s.index: new.add_stream_from_template(s) for s in old.streams}
        for packet in old.demux():
            if not packet.size or packet.pts is None or packet.dts is None:
                continue
            if packet.stream.type in what and packet.pts * packet.time_base >= at:
                packet.pts += round(by / packet.time_base)
                packet.dts += round(by / packet.time_base)
            packet.stream = streams[packet.stream.index]
            new.mux(packet)
    return target


def pcm_of(capture: Capture) -> np.ndarray:
    """All its sound."""
    return np.concatenate([np.zeros(0, np.float32), *capture.sound()])


def flashes(capture: Capture) -> list[float]:
    """Seconds at which pictures flash."""
    return list(_onsets((float(time), frame.mean() > 200) for frame, time in capture.frames()))


def beeps(capture: Capture) -> list[float]:
    """Seconds at which the sound beeps."""
    pcm = pcm_of(capture)
    steps = pcm[: len(pcm) // 160 * 160].reshape(-1, 160)
    loud = np.abs(steps).max(1) > 0.2
    return list(_onsets((n * 160 / SAMPLE_RATE, bool(one)) for n, one in enumerate(loud)))


def _onsets(states: Iterator[tuple[float, bool]]) -> Iterator[float]:
    before = False
    for time, state in states:
        if state and not before:
            yield time
        before = state


def assert_in_sync(capture: Capture, least: int) -> None:
    """Each flash has its beep within 45 ms, and there are at least so many."""
    seen, heard = np.array(flashes(capture)), np.array(beeps(capture))
    assert len(seen) >= least
    off = [np.abs(heard - time).min() for time in seen]
    assert max(off) <= 0.045, (seen, heard)
