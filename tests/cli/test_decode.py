from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest

from facewire.cli.main import main


def frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_decodes(stream: Path, generator: Any, capsys: pytest.CaptureFixture[str]) -> None:
    target = stream.with_suffix(".mp4")
    assert main(["decode", str(stream), str(target)]) == 0
    assert frames(target) == 50
    assert capsys.readouterr().out == ""


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


def test_losses_are_told(stream: Path, generator: Any, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(stream.read_bytes())
    data[len(data) // 2] ^= 0x40
    stream.write_bytes(data[: len(data) - 100])
    assert main(["decode", str(stream), str(stream.with_suffix(".mp4")), "--quiet"]) == 0
    text = capsys.readouterr().err
    assert "cut off" in text
    assert "1 damaged packet skipped" in text
    assert "1 of 50 frames were made up" in text


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
