from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from facewire.cli.demo.clip import make_demo_clip
from facewire.cli.main import main
from facewire.codec.file.container import Reader
from facewire.codec.motion.profiles import motion_ticks
from facewire.codec.packet import Kind
from facewire.sender.tracking.capture import Capture


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo_clip(tmp_path_factory.mktemp("clip") / "demo.mp4", 0.6)


def test_encode_writes_a_stream_and_says_what_it_cost(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "talk.fwire"
    assert main(["encode", str(clip), str(target)]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "15 frames, 1 keyframe," in err
    assert "kbit/s" in err
    assert "\r" not in err  # no progress bar where stderr is no terminal: a line a stage
    assert err.splitlines()[:2] == ["loading the networks", f"encoding {clip.name}"]
    with target.open("rb") as file:
        sent = [
            len(motion_ticks("entropy", p.payload)) for p in Reader(file) if p.kind == Kind.MOTION
        ]
    assert sent == [15]


def test_quiet(clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "talk.fwire"
    arguments = ["--audio-kbps", "0", "--keyframe-interval", "0.2", "--quiet"]
    assert main(["encode", str(clip), str(target), *arguments]) == 0
    assert capfd.readouterr() == ("", "")
    with target.open("rb") as file:
        reader = Reader(file)
        assert len(reader.index) == 3
        assert not any(p.kind == Kind.AUDIO for p in reader)


@pytest.mark.parametrize(
    "wrong",
    [
        ["--bpp", "0.02", "--kbps", "30"],
        ["--bpp", "0"],
        ["--bpp", "-1"],
        ["--kbps", "0"],
        ["--kbps", "inf"],
        ["--kbps", "nan"],
        ["--kbps", "much"],
        ["--keyframe-interval", "often"],
        ["--profile", "telepathy"],
        ["--smoothing", "-1"],
        ["--smoothing", "2", "--no-smoothing"],
    ],
)
def test_wrong_usage_is_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["encode", "a.mp4", "b.fwire", *wrong]) == 2
    assert "usage:" in capsys.readouterr().err


def test_rate_below_the_floor_names_the_floor(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", str(clip), str(tmp_path / "o.fwire"), "--kbps", "5"]) == 1
    assert "at least" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["missing", "text"])
def test_bad_input_is_one_sentence(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.mp4"
    if kind == "text":
        source.write_text("hello")
    assert main(["encode", str(source), str(tmp_path / "o.fwire")]) == 1
    err = capsys.readouterr().err
    *before, last = err.strip().splitlines()
    assert last.startswith("facewire: ")
    assert before in ([], ["loading the networks"])
    assert not (tmp_path / "o.fwire").exists()


def test_folder_that_is_not_there(clip: Path, tmp_path: Path) -> None:
    assert main(["encode", str(clip), str(tmp_path / "none" / "o.fwire")]) == 1


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["encode", "--help"]) == 0
    text = capsys.readouterr().out
    assert "960 bits a frame" in text
    assert "facewire encode talk.mp4 talk.fwire" in text


def test_a_head_crop_is_taken_whole_with_a_keyframe_of_any_size(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = []
    for number in (1000, 5000):
        stream = tmp_path / f"{number}.fwire"
        words = ["encode", str(clip), str(stream), "--no-crop", "--keyframe-bytes", str(number)]
        assert main([*words, "--quiet"]) == 0
        main(["info", str(stream), "--json"])
        sizes.append(json.loads(capsys.readouterr().out)["bits"]["keyframe"] // 8)
    assert sizes[0] < 1500 < 4000 < sizes[1] < 5600
    assert main(["encode", str(clip), str(stream), "--keyframe-bytes", "3", "--force"]) == 1
    assert "keyframe" in capsys.readouterr().err


def test_an_output_is_replaced_only_with_force(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "talk.fwire"
    target.write_bytes(b"precious")
    assert main(["encode", str(clip), str(target), "--quiet"]) == 1
    assert "exists already" in capsys.readouterr().err
    assert target.read_bytes() == b"precious"
    assert main(["encode", str(clip), str(target), "--quiet", "-y"]) == 0
    assert target.read_bytes().startswith(b"\x93FWIRE")


@pytest.mark.parametrize("name", ["talk.mp4", "talk", "talk.fwire.txt"])
def test_an_output_is_called_fwire(
    name: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", str(clip), str(tmp_path / name), "--force"]) == 1
    assert "must end in .fwire" in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_a_stream_is_no_video(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["encode", str(shipped), str(shipped.with_name("again.fwire"))]) == 1
    text = capsys.readouterr().err
    assert f"is a facewire stream, not a video: `facewire decode {shipped}" in text


def test_pipes_on_both_sides(clip: Path, tmp_path: Path) -> None:
    """The same bytes come through `-` as into a file, and a colon makes no address of a name."""
    words = [sys.executable, "-m", "facewire", "encode"]
    named = tmp_path / "12:30:45.mp4"
    named.write_bytes(clip.read_bytes())
    target = tmp_path / "12:31.fwire"
    subprocess.run(
        [*words, named.name, target.name, "--quiet"], cwd=tmp_path, check=True, env=environment()
    )
    with clip.open("rb") as video:
        run = subprocess.run(
            [*words, "-", "-"], stdin=video, capture_output=True, check=True, env=environment()
        )
    assert run.stdout == target.read_bytes()
    assert b"standard output: 15 frames" in run.stderr


def test_a_pipe_on_disk(clip: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(fifo.read_bytes()), daemon=True)
    reader.start()
    assert main(["encode", str(clip), str(fifo), "--quiet"]) == 0
    reader.join(10)
    assert received[0].startswith(b"\x93FWIRE")
    assert fifo.is_fifo()


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


# --- portraits ------------------------------------------------------------------------------------


def save_portrait(clip: Path, path: Path, *, mirrored: bool = False) -> Path:
    """The clip's first frame as a photograph."""
    with Capture(clip) as capture:
        frame, _ = next(iter(capture.frames()))
    Image.fromarray(np.ascontiguousarray(frame[:, ::-1] if mirrored else frame)).save(path)
    return path


def test_a_mouth_that_nothing_moves(
    clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Profile `pose` of a video without sound: `encode` and `decode` each say it in a sentence."""
    mute = tmp_path / "mute.mkv"
    with av.open(str(clip)) as source, av.open(str(mute), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    pose, usual = tmp_path / "pose.fwire", tmp_path / "usual.fwire"
    assert main(["encode", str(mute), str(usual), "--quiet"]) == 0
    assert main(["encode", str(clip), str(pose), "--quiet", "--profile", "pose"]) == 0
    assert "mouth" not in capfd.readouterr().err
    words = ["encode", str(mute), str(pose), "--quiet", "--profile", "pose", "--force"]
    assert main(words) == 0
    said = capfd.readouterr().err
    assert said.count("profile pose sends no mouth, and there is no sound that could move it") == 1
    assert main(["decode", str(pose), str(tmp_path / "back.mp4"), "--quiet"]) == 0
    said = capfd.readouterr().err
    assert said.count("has no mouth (profile pose) and no sound that could move it") == 1
    assert main(["decode", str(usual), str(tmp_path / "usual.mp4"), "--quiet"]) == 0
    assert capfd.readouterr().err == ""


def test_a_portrait_with_consent(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = save_portrait(clip, tmp_path / "her.png", mirrored=True)
    target = tmp_path / "o.fwire"
    command = ["encode", str(clip), str(target), "--quiet", "--portrait", str(photo)]
    assert main([*command, "--portrait-consent", "Grace Hopper, 1985"]) == 0
    assert main(["info", str(target)]) == 0
    assert "with consent: Grace Hopper, 1985" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--portrait-consent", "Ada, today"], "goes with --portrait"),
        (["--portrait", "IN"], "cannot be read as a picture"),
        (["--portrait", "none.jpg"], "none.jpg"),
        (["--portrait", "her.png", "--portrait-consent", " "], "one line"),
        (["--portrait", "her.png", "--portrait-consent", "Ada, today", "--base"], "base layer"),
        (["--portrait", "grey.png", "--portrait-consent", "Ada, today"], "no face was found"),
    ],
)
def test_portraits_that_cannot_be(
    clip: Path, tmp_path: Path, more: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    save_portrait(clip, tmp_path / "her.png")
    Image.new("RGB", (300, 300), (90, 90, 90)).save(tmp_path / "grey.png")
    here = [str(clip) if word == "IN" else word for word in more]
    here = [str(tmp_path / word) if word.endswith(("png", "jpg")) else word for word in here]
    assert main(["encode", str(clip), str(tmp_path / "o.fwire"), *here]) == 1
    assert says in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / "o.fwire").exists()
