from __future__ import annotations

import contextlib
import errno
import io
import logging
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from facewire.cli import main as module
from facewire.cli.main import COMMANDS, main, parse


def test_help_names_every_command_and_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)
    assert "examples:" in text


@pytest.mark.parametrize("name", list(COMMANDS))
def test_help_of_a_command_has_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert f"facewire {name}" in capsys.readouterr().out


def examples() -> list[str]:
    """Every command line that a --help shows, without the remark behind it."""
    found = []
    for name in ("", *COMMANDS):
        help_text = io.StringIO()
        with contextlib.redirect_stdout(help_text):
            main([*([name] if name else []), "--help"])
        text = help_text.getvalue().replace("\\\n", " ")
        lines = re.findall(r"^  (facewire \w.*)$", text, re.MULTILINE)
        joined = [re.sub(r"  +(?=--)", " ", line) for line in lines]
        found += [re.split(r"  +| \| ", line)[0] for line in joined]
    return found


@pytest.mark.parametrize("line", examples())
def test_the_examples_of_help_are_commands(line: str) -> None:
    program, *words = shlex.split(line.replace("…", "more"))
    assert program == "facewire"
    if words[-1] != "--help":
        run, _ = parse(words)
        assert callable(run)


def test_the_examples_are_found() -> None:
    assert len(examples()) > 30


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["info"], ["decode", "a.fwire"], ["info", "a", "--nonsense"]]
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage: facewire" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(errno.ENOSPC, "No space left on device", "out.mp4"), 1, "out.mp4: No space left"),
        (ZeroDivisionError("by zero"), 1, "unexpected ZeroDivisionError"),
    ],
)
def test_errors_are_one_sentence(
    error: BaseException,
    code: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(args: Any) -> int:
        raise error

    monkeypatch.setattr(module, "parse", lambda arguments: (fail, None))
    assert main(["info", "x"]) == code
    text = capsys.readouterr().err
    assert sentence in text
    assert "Traceback" not in text
    assert main(["--debug", "info", "x"]) == code
    if code == 1:
        assert "Traceback" in capsys.readouterr().err


def test_warnings_are_shown_and_information_only_with_debug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def say(args: Any) -> int:
        logger = logging.getLogger("facewire.somewhere")
        logger.info("all is well")
        logger.warning("%d tracks are silent", 2)
        return 0

    monkeypatch.setattr(module, "parse", lambda arguments: (say, None))
    assert main([]) == 0
    assert capsys.readouterr().err == "facewire: 2 tracks are silent\n"
    assert main(["--debug"]) == 0
    assert capsys.readouterr().err == "facewire: all is well\nfacewire: 2 tracks are silent\n"
    assert not logging.getLogger("facewire").handlers


def test_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tmp_path / "none.fwire")]) == 1
    text = capsys.readouterr().err
    assert text.startswith("facewire: ")
    assert "none.fwire: No such file" in text
    assert text.count("\n") == 1


_PROBE = """
import sys
from facewire.cli.main import main
code = main(sys.argv[1:])
heavy = sorted({"torch", "mediapipe", "cv2", "PIL", "scipy"} & set(sys.modules))
print("HEAVY", code, heavy, file=sys.stderr)
"""


def probe(*arguments: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", _PROBE, *arguments], capture_output=True, text=True, check=False
    )
    return result.stderr.splitlines()[-1]


def test_help_imports_nothing_heavy() -> None:
    assert probe("--help") == "HEAVY 0 []"


def test_info_imports_nothing_heavy(stream: Path) -> None:
    assert probe("info", str(stream)) == "HEAVY 0 []"


def test_decoding_needs_neither_torch_nor_mediapipe(shipped: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    assert probe("decode", str(shipped), str(target), "--quiet") == "HEAVY 0 []"
    assert target.exists()


def test_the_demos_clip_needs_no_torch() -> None:
    code = (
        "import sys; from facewire.cli.demo.clip import make_demo_clip; "
        "print(make_demo_clip.__name__, 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.split() == ["make_demo_clip", "False"]
