from __future__ import annotations

import io
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from facewire.cli.main import main
from facewire.codec.stream import StreamHeader

from .conftest import packets, write


def frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_decodes(stream: Path, generator: Any, capsys: pytest.CaptureFixture[str]) -> None:
    target = stream.with_suffix(".mp4")
    assert main(["decode", str(stream), str(target)]) == 0
    assert frames(target) == 50
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "loading the network",
        f"decoding {stream.name}",
        f"{target}: 50 frames, 2.0 s; 0 of the frames were made up",
    ]


def test_quiet_says_nothing_when_all_is_well(
    stream: Path, generator: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    target = stream.with_suffix(".mp4")
    assert main(["decode", str(stream), str(target), "--quiet", "--no-badge"]) == 0
    assert capsys.readouterr().err == ""


def test_side_by_side(stream: Path, silent: Path, generator: Any) -> None:
    first, both = stream.with_suffix(".mp4"), stream.with_name("both.mp4")
    assert main(["decode", str(silent), str(first), "--quiet"]) == 0
    assert main(["decode", str(stream), str(both), "--side-by-side", str(first), "--quiet"]) == 0
    with av.open(str(both)) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (512, 256)
        assert len(container.streams.audio) == 1
    assert frames(both) == 50


@pytest.mark.parametrize(
    ("option", "width"), [("--side-by-side", 512), ("--side-by-side-scene", 256 + 456)]
)
def test_beside_it_the_square_or_the_whole_scene(
    stream: Path, generator: Any, option: str, width: int
) -> None:
    scene, both = stream.with_name("scene.mkv"), stream.with_name("both.mp4")
    write_scene(scene)
    command = ["decode", str(stream), str(both), "--quiet", "--no-badge"]
    command += ["--side-by-side", str(scene)] + ([option] if option.endswith("scene") else [])
    assert main(command) == 0
    with av.open(str(both)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert picture.shape == (256, width, 3)
    beside = picture[:, : width - 256] > 128
    white = beside.all(-1).all(0).mean()
    assert white == pytest.approx(90 / 360 if width == 512 else 230 / 640, abs=0.02)


def write_scene(path: Path) -> None:
    """640x360 without a face: a white bar 230 pixels wide on the left of a black picture."""
    frame = np.zeros((360, 640, 3), np.uint8)
    frame[:, :230] = 255
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 640, 360, "bgr0"
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="bgr0")
        for _ in range(3):
            container.mux(video.encode(picture))
        container.mux(video.encode(None))


def test_losses_are_told(stream: Path, generator: Any, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(stream.read_bytes())
    data[len(data) // 2] ^= 0x40
    stream.write_bytes(data[: len(data) - 100])
    assert main(["decode", str(stream), str(stream.with_suffix(".mp4")), "--quiet"]) == 0
    text = capsys.readouterr().err
    assert "cut off" in text
    assert "1 damaged packet skipped" in text
    assert "1 of 50 frames were made up" in text


@pytest.mark.parametrize(
    ("mark", "why"),
    [
        ({"portrait": "Ada, today"}, "another person moves (consent: Ada, today)"),
        ({"portrait": "", "performed": True}, "nobody was before a camera"),
    ],
)
def test_the_badge_of_some_faces_cannot_be_left_out(
    mark: dict[str, Any],
    why: str,
    tmp_path: Path,
    generator: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, *rest = packets(5, sound=False)
    header = StreamHeader.from_payload(first.payload)
    shows = replace(header, **mark).to_packet(first.sequence)
    path = write(tmp_path / "talk.fwire", [shows, *rest])
    assert main(["decode", str(path), str(tmp_path / "out.mp4"), "--no-badge", "--quiet"]) == 0
    said = capsys.readouterr().err
    assert "the badge stays" in said
    assert why in said


def test_weights_of_another_hash(stream: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = stream.with_suffix(".mp4")
    assert main(["decode", str(stream), str(target), "--quiet"]) == 1
    assert "avfr-s" in capsys.readouterr().err
    assert not target.exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--lookahead-ms", "-1"], "lookahead_ms must lie between"),
        (["--threads", "-4"], "threads must lie between"),
        (["--side-by-side", "none.mp4"], "none.mp4"),
    ],
)
def test_settings_that_make_no_sense(
    options: list[str],
    sentence: str,
    stream: Path,
    generator: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = stream.with_suffix(".mp4")
    assert main(["decode", str(stream), str(target), "--quiet", *options]) == 1
    text = capsys.readouterr().err
    assert sentence in text
    assert "unexpected" not in text
    assert not target.exists()


def test_an_output_is_replaced_only_with_force(
    stream: Path, generator: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    target = stream.with_name("original.mp4")
    target.write_bytes(b"precious")
    assert main(["decode", str(stream), str(target), "--quiet"]) == 1
    assert "exists already" in capsys.readouterr().err
    assert target.read_bytes() == b"precious"
    assert main(["decode", str(stream), str(target), "--quiet", "--force"]) == 0
    assert frames(target) == 50


def test_an_input_is_never_replaced(
    stream: Path, silent: Path, generator: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    video = stream.with_name("a.mp4")
    assert main(["decode", str(silent), str(video), "--quiet"]) == 0
    before = video.read_bytes()
    words = ["decode", str(stream), str(video), "--side-by-side", str(video), "--force"]
    assert main(words) == 1
    assert "is an input" in capsys.readouterr().err
    assert video.read_bytes() == before


@pytest.mark.parametrize(
    ("suffix", "words"),
    [(".png", "is a picture of 64x32 pixels"), (".wav", "is sound without a picture")],
)
def test_pictures_and_sound_are_told_apart(
    suffix: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"a{suffix}"
    with av.open(str(path), "w") as container:
        if suffix == ".png":
            stream = container.add_stream("png", rate=1)
            stream.width, stream.height, stream.pix_fmt = 64, 32, "rgb24"
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 64, 3), np.uint8), format="rgb24")
            container.mux([*stream.encode(frame), *stream.encode(None)])
        else:
            sound = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
            block = av.AudioFrame.from_ndarray(np.zeros((1, 160), np.int16), "s16", "mono")
            block.sample_rate = 16_000
            container.mux([*sound.encode(block), *sound.encode(None)])
    assert main(["info", str(path)]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("command", ["decode", "info", "play"])
def test_a_video_is_no_stream(
    command: str, stream: Path, generator: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    video = stream.with_name("a.mp4")
    assert main(["decode", str(stream), str(video), "--quiet"]) == 0
    more = [str(stream.with_name("b.mp4"))] if command == "decode" else []
    assert main([command, str(video), *more]) == 1
    text = capsys.readouterr().err
    assert "is a video of 256x256 pixels" in text
    assert f"`facewire encode {video} a.fwire`" in text
    assert text.count("\n") == 1


def test_a_pipe_receives_matroska(stream: Path, generator: Any) -> None:
    fifo, copy = stream.with_name("pipe"), stream.with_name("copy.mkv")
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: copy.write_bytes(fifo.read_bytes()), daemon=True)
    reader.start()
    assert main(["decode", str(stream), str(fifo), "--quiet"]) == 0
    reader.join(10)
    assert frames(copy) == 50
    assert fifo.is_fifo()


def test_standard_input_and_output(
    stream: Path, generator: Any, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    copy = stream.with_name("copy.mkv")
    before = os.dup(0)
    with stream.open("rb") as file:
        os.dup2(file.fileno(), 0)
    try:
        with open(0, "rb", closefd=False) as stdin, pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdin", io.TextIOWrapper(stdin))
            assert main(["decode", "-", "-", "--quiet"]) == 0
    finally:
        os.dup2(before, 0)
        os.close(before)
    copy.write_bytes(capfdbinary.readouterr().out)
    assert frames(copy) == 50
