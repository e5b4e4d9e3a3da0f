"""Each kind of thing that a name on the command line can be has a sentence of its own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from facewire.cli import names
from facewire.cli.main import main
from facewire.codec.errors import ConfigError


@pytest.fixture
def things(tmp_path: Path) -> Iterator[dict[str, str]]:
    folder = tmp_path / "folder"
    folder.mkdir()
    empty = tmp_path / "empty.mp4"
    empty.touch()
    ear = socket.socket(socket.AF_UNIX)
    ear.bind(str(tmp_path / "ear"))
    yield {
        "folder": str(folder),
        "empty": str(empty),
        "socket": str(tmp_path / "ear"),
        "device": os.devnull,
        "address": "https://example.org/talk.mp4",
        "camera": "rtsp://camera/1",
        "missing": str(tmp_path / "nowhere.mp4"),
        "nothing": "",
    }
    ear.close()


SENTENCES = {
    "folder": "is a folder: name one file in it",
    "empty": "is an empty file",
    "socket": "is a socket",
    "device": "is a device",
    "address": "https://example.org/talk.mp4 is an address",
    "camera": "rtsp://camera/1 is an address",
    "missing": "nowhere.mp4: No such file",
    "nothing": "the name of a file is empty",
}


@pytest.mark.parametrize("kind", SENTENCES)
@pytest.mark.parametrize("command", ["encode", "decode", "info", "play", "enroll"])
def test_inputs_that_cannot_be_read(
    command: str,
    kind: str,
    things: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    more = {
        "encode": [str(tmp_path / "o.fwire")],
        "decode": [str(tmp_path / "o.mp4")],
        "enroll": ["--out", str(tmp_path / "o.fwid")],
    }
    assert main([command, things[kind], *more.get(command, [])]) == 1
    text = capsys.readouterr().err
    assert SENTENCES[kind] in text
    assert text.count("\n") == 1
    assert not list(tmp_path.glob("o.*"))


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("folder", "is a folder"),
        ("socket", "is a socket"),
        ("address", "is an address"),
        ("nothing", "the name of a file is empty"),
    ],
)
def test_outputs_that_cannot_be_written(kind: str, sentence: str, things: dict[str, str]) -> None:
    for force in (False, True):
        with pytest.raises(Exception, match=sentence):
            names.check_output(things[kind], force=force, endings=(".mp4",))


def test_outputs_that_can(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in (tmp_path / "new.mp4", tmp_path / "12:30.MP4", tmp_path / "pipe", os.devnull):
        names.check_output(str(name), force=False, endings=(".mp4",))
    with pytest.raises(ConfigError, match=r"must end in \.mp4 or \.mkv"):
        names.check_output(str(tmp_path / "new"), force=True, endings=(".mp4", ".mkv"))
    with pytest.raises(OSError, match="does not exist"):
        names.check_output(str(tmp_path / "none" / "a.mp4"), force=True, endings=(".mp4",))


def test_a_link_to_an_input_is_the_input(tmp_path: Path) -> None:
    source, link = tmp_path / "a.mp4", tmp_path / "b.mp4"
    source.write_bytes(b"x")
    link.symlink_to(source)
    with pytest.raises(ConfigError, match="is an input"):
        names.check_output(str(link), force=True, endings=(".mp4",), inputs=[source])


def test_a_colon_is_part_of_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("http:a.mp4").write_bytes(b"x")
    with names.readable("http:a.mp4") as path:
        assert path.read_bytes() == b"x"


def test_terminals_are_not_piped(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("sys.stdout", Terminal())
    with pytest.raises(ConfigError, match="terminal"), names.readable("-"):
        pass
    with pytest.raises(ConfigError, match="terminal"):
        names.check_output("-", force=True, endings=())


def test_closed_streams_are_no_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(ConfigError, match="closed"), names.readable("-"):
        pass
    with pytest.raises(ConfigError, match="closed"):
        names.check_output("-", force=True, endings=())
