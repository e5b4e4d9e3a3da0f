from __future__ import annotations

import io

import pytest

from facewire.cli.stage import Stage


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(stage: Stage) -> None:
    with stage:
        stage.show(0, 3)
        stage.show(1, 3)
        stage.show(2, 3, "loss 0.5")
        stage.write("a remark")
        stage.show(3, 3)


def test_a_log_file_gets_a_line_a_stage(capsys: pytest.CaptureFixture[str]) -> None:
    run(Stage("encoding a.mp4", "frame", loading="loading"))
    assert capsys.readouterr().err == "loading\nencoding a.mp4\na remark\n"
    run(Stage("encoding a.mp4", "frame"))
    assert capsys.readouterr().err == "encoding a.mp4\na remark\n"


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    run(Stage("encoding a.mp4", "frame", loading="loading"))
    text = screen.getvalue()
    assert "loading: 0frame" in text
    assert "encoding a.mp4: 100%" in text
    assert "3/3" in text


@pytest.mark.parametrize("screen", [io.StringIO, Terminal])
def test_quiet_leaves_remarks_alone(
    screen: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", screen())
    import sys

    run(Stage("encoding a.mp4", "frame", quiet=True, loading="loading"))
    assert sys.stderr.getvalue() == "a remark\n"  # type: ignore[attr-defined]
