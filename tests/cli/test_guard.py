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


def test_an_error_alone_is_no_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> int:
        raise MediaError("not a film")

    assert guarded("facewire", command) == 1
    assert "interrupted" not in capsys.readouterr().err
