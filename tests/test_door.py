"""The door: what `import facewire` gives, wherever Python is started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import facewire

ROOT = Path(__file__).resolve().parents[1]


def python(*words: str, cwd: Path) -> str:
    run = subprocess.run(
        [sys.executable, *words], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.mark.parametrize("name", facewire.__all__)
def test_each_name_is_there(name: str) -> None:
    assert getattr(facewire, name) is not None
    assert name in dir(facewire)


def test_another_name_is_not() -> None:
    with pytest.raises(AttributeError, match="Teleporter"):
        _ = facewire.Teleporter  # type: ignore[attr-defined]


def test_python_started_beside_a_clone_of_that_name_takes_what_is_installed(
    tmp_path: Path,
) -> None:
    """A clone is a folder called `facewire`: as a bare namespace it would hide the package."""
    clone = tmp_path / "facewire"
    clone.mkdir()
    for name in ("codec", "facewire", "sender"):
        (clone / name).symlink_to(ROOT / name)
    script = "import facewire; from facewire import Packet; print(facewire.__file__)"
    found = Path(python("-c", script, cwd=tmp_path))
    assert not found.is_relative_to(clone)


def test_python_started_in_the_clone_finds_its_folders() -> None:
    script = "import facewire.codec.packet as packet; print(packet.__file__)"
    assert Path(python("-c", script, cwd=ROOT)).resolve() == ROOT / "codec" / "packet.py"


def test_the_module_is_the_command() -> None:
    said = python("-m", "facewire", "--version", cwd=ROOT)
    assert said == f"facewire {facewire.__version__}"


def test_somebody_elses_project_is_checked_strictly(tmp_path: Path) -> None:
    """The package carries its types, and `isinstance` tells pictures from sound."""
    (tmp_path / "app.py").write_text(
        "from facewire import Decoder, PictureOutput\n"
        "def heights(data: bytes) -> list[int]:\n"
        "    with Decoder() as decoder:\n"
        "        return [\n"
        "            output.frame.shape[0]\n"
        "            for output in decoder.decode(data)\n"
        "            if isinstance(output, PictureOutput)\n"
        "        ]\n"
    )
    said = python("-m", "mypy", "--strict", "app.py", cwd=tmp_path)
    assert said.startswith("Success")
