from __future__ import annotations

import json
from pathlib import Path

import pytest

from facewire.cli.demo.clip import make_demo_clip
from facewire.cli.main import main
from facewire.codec.file.container import Reader
from facewire.codec.motion.profiles import motion_ticks
from facewire.codec.packet import Kind


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
    assert "\r" not in err  # no progress bar where stderr is no terminal
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
    assert err.startswith("facewire: ")
    assert len(err.strip().splitlines()) == 1
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
    assert main(["encode", str(clip), str(stream), "--keyframe-bytes", "3"]) == 1
    assert "keyframe" in capsys.readouterr().err
