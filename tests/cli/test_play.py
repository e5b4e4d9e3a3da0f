"""`facewire play` with a player of ours: a script that notes what it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from facewire.cli.main import main


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that programs are looked for in; a screen is there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("DISPLAY", ":0")
    return folder


def install(folder: Path, name: str, code: int = 0) -> Path:
    """A player that copies its last argument and ends."""
    shown = folder / f"{name}.shown"
    script = folder / name
    script.write_text(f'#!/bin/sh\nfor last; do :; done\n/bin/cat "$last" > {shown}\nexit {code}\n')
    script.chmod(0o755)
    return shown


def test_the_first_player_shows_the_video(
    stream: Path, generator: Any, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vlc, mplayer = install(programs, "vlc"), install(programs, "mplayer")
    assert main(["play", str(stream)]) == 0
    assert vlc.read_bytes().startswith(b"\x1aE\xdf\xa3")  # Matroska
    assert not mplayer.exists()
    assert "showing it with vlc" in capsys.readouterr().err
    assert main(["play", str(stream), "--player", "mplayer", "--quiet"]) == 0
    assert mplayer.exists()


def test_no_player_and_no_screen_are_said_before_decoding(
    stream: Path, programs: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    assert main(["play", str(stream)]) == 1
    assert (
        "none of mpv, ffplay, vlc, mplayer is installed; `facewire decode"
        in capsys.readouterr().err
    )
    assert main(["play", str(stream), "--player", "mpv"]) == 1
    assert "mpv is not installed" in capsys.readouterr().err
    install(programs, "mpv")
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert main(["play", str(stream)]) == 1
    assert "no screen" in capsys.readouterr().err


def test_a_player_that_fails(stream: Path, generator: Any, programs: Path, capsys: Any) -> None:
    install(programs, "mpv", code=3)
    assert main(["play", str(stream)]) == 1
    assert "mpv could not show the video (exit code 3)" in capsys.readouterr().err
