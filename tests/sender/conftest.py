"""A tracker that follows a script, and a still codec that hurries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from facewire.codec.picture.coded_picture import StillCodec
from facewire.codec.picture.coders import CODERS
from facewire.sender.tracking.tracker import Face

Frame = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]
CLIP_FRAMES = 75  # of the demo clip in tests/conftest.py


@cache
def _unit_mesh() -> npt.NDArray[np.float64]:
    unit = np.random.default_rng(7).uniform(0, 1, (478, 2))
    return np.asarray((unit - unit.min(0)) / (unit.max(0) - unit.min(0)))


def mesh(box: Box) -> npt.NDArray[np.float32]:
    """A mesh of 478 points that fills a box; the same face each time."""
    low, high = np.array(box[:2]), np.array(box[2:])
    return (low + _unit_mesh() * (high - low)).astype(np.float32)


class FakeTracker:
    """Gives scripted boxes frame by frame, the last of them for ever; largest first."""

    def __init__(self, script: Sequence[Sequence[Box]]) -> None:
        self._script = script
        self._at = 0
        self.sizes: list[tuple[int, int]] = []

    def track(self, frame: Frame, time_ms: int | None = None) -> list[Face]:
        self.sizes.append((frame.shape[0], frame.shape[1]))
        boxes = self._script[min(self._at, len(self._script) - 1)]
        self._at += 1
        return [Face(mesh(box)) for box in boxes]

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def quick_stills() -> Iterator[None]:
    """SVT-AV1 with preset 8 in place of 4: a quarter of the time for nearly as many bytes.

    For tests of what bytes are spent on, and when. How well AV1 codes a picture is tested in
    `tests/codec/picture`, and whole files with the encoder as it is in `test_files.py`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CODERS[StillCodec.AV1].options, "preset", "8")
        yield


@pytest.fixture
def video(tmp_path: Path) -> Callable[..., Path]:
    """Write a small video; see `write_video`."""

    def make(name: str = "video.mkv", **settings: object) -> Path:
        return write_video(tmp_path / name, **settings)  # type: ignore[arg-type]

    return make


def write_video(
    path: Path,
    *,
    size: tuple[int, int] = (64, 48),
    pts: Sequence[int] = range(10),
    tick: Fraction = Fraction(1, 25),
    codec: str = "ffv1",
    pixels: str = "yuv420p",
    rotation: int = 0,
    aspect: Fraction | None = None,
    sound: tuple[float, float] | None = None,
    rate: int = 16_000,
    layout: str = "mono",
) -> Path:
    """Frames whose left half is white; `sound` is (start, length) in seconds: a click at the
    start of silence. Lossless where the codec is.
    """
    import av

    container = av.open(str(path), "w")
    stream = container.add_stream(codec, rate=Fraction(25))
    stream.width, stream.height = size
    stream.pix_fmt = pixels
    stream.codec_context.time_base = stream.time_base = tick
    if aspect is not None:
        stream.codec_context.sample_aspect_ratio = aspect
        stream.sample_aspect_ratio = aspect
    if rotation:
        stream.set_display_rotation(rotation)
    audio = None
    if sound is not None:
        audio = container.add_stream("pcm_s16le", rate=rate, layout=layout)
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[:, : size[0] // 2] = 255
    for at in pts:
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)
        frame.pts, frame.time_base = at, tick
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
    if audio is not None and sound is not None:
        channels = 2 if layout == "stereo" else 1
        pcm = np.zeros((1, round(sound[1] * rate) * channels), np.int16)
        pcm[0, : round(0.005 * rate) * channels] = 20_000
        piece = rate // 10
        for at in range(0, pcm.shape[1] // channels, piece):
            part = np.ascontiguousarray(pcm[:, at * channels : (at + piece) * channels])
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout=layout)
            frame.sample_rate, frame.pts = rate, round(sound[0] * rate) + at
            frame.time_base = Fraction(1, rate)
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    container.close()
    return path
