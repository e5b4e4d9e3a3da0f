"""What a command line does with errors while it ends."""

from __future__ import annotations

import pytest

from facewire.cli.guard import guarded
from facewire.codec.errors import MediaError


def test_an_error_while_closing_does_not_hide_that_the_command_was_interrupted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def command() -> int:
        try:
            raise KeyboardInterrupt
        finally:
            raise MediaError("the film cannot be closed")

    assert guarded("facewire", command) == 130
    said = capsys.readouterr().err
    assert "the film cannot be closed" in said
    assert "interrupted" in said


def test_a_signal_while_an_extension_module_is_loaded_is_no_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Such a module turns what is raised while it is loaded into an error of its own."""

    def command() -> int:
        try:
            raise SystemExit(128 + 15)
        except SystemExit as stop:
            raise ImportError("initialization failed") from stop

    assert guarded("facewire", command) == 143
    assert capsys.readouterr().err == ""


def test_an_error_alone_is_no_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> int:
        raise MediaError("not a film")

    assert guarded("facewire", command) == 1
    assert "interrupted" not in capsys.readouterr().err
