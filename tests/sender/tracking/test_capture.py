from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from facewire.codec.errors import MediaError, NotAVideoError
from facewire.sender.tracking import capture as module
from facewire.sender.tracking.capture import MAX_SIDE, SAMPLE_RATE, Capture

from ..conftest import write_video
from .recordings import AAC, X264, record

Make = Callable[..., Path]


def pcm_of(capture: Capture) -> np.ndarray[Any, Any]:
    return np.concatenate([np.zeros(0, np.float32), *capture.sound()])


@pytest.mark.parametrize(
    ("size", "pixels", "codec"),
    [
        ((64, 48), "yuv420p", "ffv1"),
        ((48, 64), "yuv420p", "libx264"),  # portrait
        ((63, 41), "yuv444p", "ffv1"),
        ((64, 48), "yuv420p10le", "ffv1"),
        ((64, 48), "yuva420p", "ffv1"),
        ((64, 48), "gray", "ffv1"),
        ((64, 48), "gray16le", "ffv1"),
        ((64, 48), "bgra", "ffv1"),
        ((2, 2), "yuv420p", "ffv1"),
        ((1, 1), "yuv444p", "ffv1"),
    ],
)
def test_any_size_and_pixel_format(
    video: Make, size: tuple[int, int], pixels: str, codec: str
) -> None:
    capture = Capture(video(size=size, pixels=pixels, codec=codec))
    assert (capture.info.width, capture.info.height) == size
    frames = list(capture.frames())
    assert [pts for _, pts in frames] == [Fraction(k, 25) for k in range(10)]
    for frame, _ in frames:
        assert frame.shape == (size[1], size[0], 3)
        assert frame.dtype == np.uint8
        if size[0] > 2:
            assert frame[:, : size[0] // 2 - 2].mean() > 245
            assert frame[:, size[0] // 2 + 2 :].mean() < 10


@pytest.mark.parametrize(("rotation", "white"), [(90, "bottom"), (-90, "top"), (180, "right")])
def test_rotation_metadata_is_honoured(tmp_path: Path, rotation: int, white: str) -> None:
    path = write_video(tmp_path / "r.mp4", codec="libx264", rotation=rotation)
    capture = Capture(path)
    frame = next(capture.frames())[0]
    expected = (64, 48) if rotation == 180 else (48, 64)
    assert (capture.info.width, capture.info.height) == expected
    assert frame.shape[:2] == expected[::-1]
    halves = {
        "top": frame[:28],
        "bottom": frame[36:],
        "right": frame[:, 36:],
    }
    assert halves[white].mean() > 240
    assert 118 < frame.mean() < 138


def test_pixel_aspect_is_made_square(video: Make) -> None:
    capture = Capture(video("wide.mp4", codec="libx264", aspect=Fraction(3, 2)))
    assert (capture.info.width, capture.info.height) == (96, 48)
    assert next(capture.frames())[0].shape == (48, 96, 3)


def test_8k_is_scaled_down(tmp_path: Path) -> None:
    path = write_video(tmp_path / "8k.avi", size=(7680, 4320), pts=range(2), codec="mjpeg",
                       pixels="yuvj420p")  # fmt: skip
    capture = Capture(path)
    assert (capture.info.width, capture.info.height) == (7680, 4320)
    assert next(capture.frames())[0].shape == (1080, MAX_SIDE, 3)


def test_variable_rate_keeps_its_times(video: Make) -> None:
    times = [0, 40, 100, 101, 300, 1000]
    capture = Capture(video(pts=times, tick=Fraction(1, 1000)))
    assert not capture.info.timing.constant
    assert [round(pts * 1000) for _, pts in capture.frames()] == times


def test_time_zero_is_the_first_frame(video: Make) -> None:
    capture = Capture(video(pts=range(50, 60)))
    assert [pts for _, pts in capture.frames()][:2] == [0, Fraction(1, 25)]


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("layout", ["mono", "stereo"])
@pytest.mark.parametrize(
    ("picture", "sound", "click"),
    [
        (0, 0.0, 0.0),
        (0, 0.5, 0.5),  # the sound begins later: padded
        (10, 0.5, 0.1),  # the picture begins at 0.4 s
        (25, 0.8, None),  # the click lies before the picture: cut off
    ],
)
def test_sound_is_aligned_to_the_first_frame(
    video: Make, rate: int, layout: str, picture: int, sound: float, click: float | None
) -> None:
    path = video(pts=range(picture, picture + 40), sound=(sound, 1.0), rate=rate, layout=layout)
    capture = Capture(path)
    assert capture.info.has_sound
    pcm = pcm_of(capture)
    assert pcm.dtype == np.float32
    expected = sound + 1.0 - picture / 25
    assert len(pcm) / SAMPLE_RATE == pytest.approx(expected, abs=0.005)
    loud = np.flatnonzero(np.abs(pcm) > 0.3)
    if click is None:
        assert not len(loud)
    else:
        assert loud[0] / SAMPLE_RATE == pytest.approx(click, abs=0.002)


def test_gap_in_the_sound_becomes_silence(tmp_path: Path) -> None:
    path = tmp_path / "gap.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=25)
        video.width = video.height = 16
        audio = container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="mono")
        picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        container.mux(video.encode(picture.reformat(format="yuv420p")))
        for start in (0, 2 * SAMPLE_RATE):
            pcm = np.full((1, SAMPLE_RATE), 10_000, np.int16)
            frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, start
            container.mux(audio.encode(frame))
    pcm = pcm_of(Capture(path))
    assert len(pcm) == pytest.approx(3 * SAMPLE_RATE, abs=200)
    assert np.abs(pcm[17_000:31_000]).max() < 0.01
    assert np.abs(pcm[33_000:47_000]).min() > 0.2


def test_frames_are_decoded_as_they_are_asked_for(
    video: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = Capture(video(pts=range(200)))
    decoded = 0
    decode = module.decode

    def counting(packet: Any, damage: module.Damage) -> list[Any]:
        nonlocal decoded
        frames = decode(packet, damage)
        decoded += len(frames)
        return frames

    monkeypatch.setattr(module, "decode", counting)
    frames = capture.frames()
    next(frames)
    next(frames)
    assert decoded < 50
    assert sum(1 for _ in frames) == 198


def test_sound_pieces_are_small(video: Make) -> None:
    """A late start must not be one array of silence."""
    capture = Capture(video(pts=range(0, 800), size=(16, 16), sound=(30.0, 1.0)))
    pieces = [len(piece) for piece in capture.sound()]
    assert max(pieces) <= SAMPLE_RATE
    assert sum(pieces) == pytest.approx(31 * SAMPLE_RATE, abs=100)


def test_without_sound(video: Make) -> None:
    capture = Capture(video())
    assert not capture.info.has_sound
    assert list(capture.sound()) == []


def test_picture_alone_is_a_video_of_one_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "one.png", codec="png", pixels="rgb24", pts=range(1))
    capture = Capture(path)
    assert capture.info.timing.frames == 1
    assert len(list(capture.frames())) == 1


def bad_file(folder: Path, kind: str) -> Path:
    path = folder / f"bad-{kind}.mp4"
    if kind == "text":
        path.write_text("this is not a video\n" * 100)
    elif kind == "empty":
        path.touch()
    elif kind == "noise":
        path.write_bytes(np.random.default_rng(0).bytes(20_000))
    elif kind == "folder":
        path.mkdir()
    elif kind == "playlist":
        path.write_text("#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n")
    elif kind == "sound":
        path = folder / "sound.wav"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), "s16", "mono")
            frame.sample_rate = 16_000
            container.mux(stream.encode(frame))
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "no such file"),
        ("folder", "is a folder"),
        ("text", "not a video"),
        ("empty", "not a video"),
        ("noise", "not a video"),
        ("playlist", "not a video"),
        ("sound", "sound but no picture"),
    ],
)
def test_not_a_video(tmp_path: Path, kind: str, says: str) -> None:
    with pytest.raises(NotAVideoError, match=says):
        Capture(bad_file(tmp_path, kind))


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("https://127.0.0.1/a.mp4", "an address on the net"),
        ("/dev/null", "is a device"),
        ("no/such.mp4", "no such file"),
    ],
)
def test_what_is_no_file_is_told_apart(path: str, says: str) -> None:
    with pytest.raises(NotAVideoError, match=says):
        Capture(path)


def test_pipes_and_sockets_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name must be short
    os.mkfifo("pipe")
    with pytest.raises(NotAVideoError, match="is a pipe"):
        Capture("pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(NotAVideoError, match="is a socket"):
            Capture("socket")


@pytest.mark.parametrize("name", ["12:30:45.mkv", "http:a.mkv", "pipe:0.mkv", "a%03d.mkv"])
def test_a_name_is_a_file_whatever_is_in_it(
    video: Make, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = video(name)
    monkeypatch.chdir(path.parent)
    assert len(list(Capture(name).frames())) == 10


@pytest.mark.parametrize(
    "error", [av.error.InvalidDataError, av.error.PermissionError, av.error.UndefinedError]
)
def test_whatever_a_decoder_says_of_a_packet_the_stream_goes_on(
    error: type[av.error.FFmpegError],
) -> None:
    class Packet:
        size = 1

        def decode(self) -> list[Any]:
            raise error(1, "damaged")

    damage = module.Damage()
    assert module.decode(Packet(), damage) == []
    assert (damage.packets, damage.left_out) == (1, 1)


def test_no_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "none.mkv", pts=[], sound=(0.0, 0.5))
    with pytest.raises(MediaError, match="without a single frame"):
        Capture(path)


def test_cut_off_anywhere_it_is_read_or_refused(tmp_path: Path, video: Make) -> None:
    whole = video(pts=range(30)).read_bytes()
    read = 0
    for length in range(0, len(whole), max(1, len(whole) // 60)):
        path = tmp_path / "cut.mkv"
        path.write_bytes(whole[:length])
        try:
            read += len(list(Capture(path).frames()))
        except MediaError:
            continue
    assert read > 100


def test_damaged_frames_are_left_out_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole, path = record(tmp_path / "a.mp4", 2, *X264, "-bf", "0", *AAC), tmp_path / "damaged.mkv"
    assert len(list(Capture(whole).frames())) == 50
    assert not caplog.messages
    with av.open(str(whole)) as old, av.open(str(path), "w") as new:
        streams = {s.index: new.add_stream_from_template(s) for s in old.streams}
        for number, packet in enumerate(old.demux()):
            if not packet.size:
                continue
            size = packet.size if number % 10 != 9 else 0
            damaged = av.Packet(bytes(packet)[:size] or b"\xff" * packet.size)
            damaged.pts, damaged.dts, damaged.time_base = packet.pts, packet.dts, packet.time_base
            damaged.is_keyframe, damaged.stream = packet.is_keyframe, streams[packet.stream.index]
            new.mux(damaged)
    capture = Capture(path)
    assert 30 <= len(list(capture.frames())) < 50
    assert list(capture.sound())
    for what in ("pictures", "sound"):
        assert re.search(rf"\d+ of the \d+ packets of its {what} cannot be", caplog.text)
