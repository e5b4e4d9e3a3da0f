from __future__ import annotations

import argparse
import shutil
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest

from facewire.cli.main import main
from facewire.receiver.files.writer import VideoWriter


def make_clip(path: Path, *, overwrite: bool) -> Path:
    rate = Fraction(25)
    with VideoWriter(path, (256, 256), rate, 1 / rate, sound=False, overwrite=overwrite) as writer:
        for index in range(50):
            writer.picture(np.full((256, 256, 3), 4 * index, np.uint8), Fraction(index, 25))
    return path


@pytest.fixture
def sending(stream: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sending side without tracker: a ready stream in place of an encoded clip."""
    clip, encode = ModuleType("demo_clip"), ModuleType("encode")

    def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        parser = subparsers.add_parser("encode")
        parser.add_argument("input", type=Path)
        parser.add_argument("output", type=Path)
        parser.add_argument("--quiet", action="store_true")
        parser.add_argument("--force", action="store_true")

    def run(args: argparse.Namespace) -> int:
        assert args.input.exists()
        shutil.copy(stream, args.output)
        return 0

    clip.make_demo_clip = make_clip  # type: ignore[attr-defined]
    encode.add_parser, encode.run = add_parser, run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "facewire.cli.demo.clip", clip)
    monkeypatch.setitem(sys.modules, "facewire.cli.encode", encode)


def test_demo_shows_figures_and_leaves_its_files(
    tmp_path: Path, sending: None, generator: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out), "--quiet"]) == 0
    assert sorted(p.name for p in out.iterdir()) == [
        "SHA256SUMS", "clip.fwire", "clip.mp4", "side-by-side.mp4",
    ]  # fmt: skip
    text = capsys.readouterr().out
    assert "mean 960.0 bits a frame" in text
    assert "the motion alone" in text
    assert "24.0 kbit/s" in text
    assert str(out / "side-by-side.mp4") in text
    with av.open(str(out / "side-by-side.mp4")) as container:
        assert container.streams.video[0].width == 512


def test_an_error_inside_is_one_sentence(
    tmp_path: Path, sending: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """No weights have the hash of this stream."""
    assert main(["demo", "--out", str(tmp_path / "demo"), "--quiet"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("facewire: the stream was made")
    assert not (tmp_path / "demo" / "side-by-side.mp4").exists()


def test_a_demo_replaces_what_a_demo_wrote_and_nothing_else(
    tmp_path: Path, sending: None, generator: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["demo", "--out", str(tmp_path), "--quiet"]
    mine = tmp_path / "side-by-side.mp4"
    mine.write_bytes(b"holidays")
    assert main(words) == 1
    assert f"{mine} was not written by the demo" in capsys.readouterr().err
    assert mine.read_bytes() == b"holidays"
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".fwire"] == [mine.name]
    mine.unlink()
    assert main(words) == main(words) == 0
    (tmp_path / "clip.mp4").write_bytes(b"more holidays")
    assert main(words) == 1
    assert (tmp_path / "clip.mp4").read_bytes() == b"more holidays"
