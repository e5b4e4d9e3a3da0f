"""Every Python snippet of README and docs runs as it stands, and is typed as it claims to be.

The snippets of a page run one after the other, as somebody reads them, after a prelude of names
that stand for the reader's own camera, network and files (docs/contributing.md lists them). A
snippet that cannot run here says why in a comment before it: `<!-- not run: reason -->`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facewire import encode_file
from facewire.cli.demo.clip import make_demo_clip
from facewire.sender.tracking.capture import Capture

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(
    r"(?P<skip><!-- not run: [^>]+ -->\n\n?)?^```python\n(?P<code>.*?)^```$", re.M | re.S
)
PRELUDE = """\
from __future__ import annotations
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
import numpy as np
import numpy.typing as npt
frame_rgb: npt.NDArray[np.uint8]
pcm: npt.NDArray[np.float32]
send: Callable[[bytes], None]
show: Callable[[npt.NDArray[np.uint8], Fraction], None]
play: Callable[[npt.NDArray[np.float32], Fraction], None]
talk: Path
stream: Path
folder: Path
datagram: bytes
"""


def snippets(page: Path, *, skipped: bool = False) -> list[str]:
    """Python code of a page's fences; with `skipped`, those too that say why they do not run."""
    found = _FENCE.finditer(page.read_text(encoding="utf-8"))
    return [match["code"] for match in found if skipped or not match["skip"]]


WITH_CODE = [page for page in PAGES if snippets(page, skipped=True)]
names = pytest.mark.parametrize("page", WITH_CODE, ids=lambda p: str(p.relative_to(ROOT)))


@pytest.fixture(scope="session")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo_clip(tmp_path_factory.mktemp("talk") / "talk.mp4", 1.0)


@pytest.fixture(scope="session")
def stream(talk: Path) -> Path:
    path = talk.with_suffix(".fwire")
    encode_file(talk, path)
    return path


@names
def test_snippets_run(
    page: Path, talk: Path, stream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    frame, _ = next(iter(Capture(talk).frames()))
    seen: list[object] = []

    def keep(*values: object) -> None:
        seen.append(values)

    space: dict[str, Any] = {
        "__name__": "snippet",
        "frame_rgb": frame,
        "pcm": np.zeros(640, np.float32),
        "send": keep,
        "show": keep,
        "play": keep,
        "talk": talk,
        "stream": stream,
        "folder": tmp_path,
        "datagram": bytes(9),
        "Fraction": Fraction,
    }
    for number, code in enumerate(snippets(page)):
        exec(compile(code, f"{page.name}, snippet {number + 1}", "exec"), space)


@pytest.mark.slow
def test_snippets_are_typed(tmp_path: Path) -> None:
    for page in WITH_CODE:
        name = re.sub(r"\W", "_", str(page.relative_to(ROOT).with_suffix("")))
        code = "\n".join(snippets(page, skipped=True)).replace(
            "from __future__ import annotations\n", ""
        )
        (tmp_path / f"{name}.py").write_text(f"{PRELUDE}\n{code}", encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


def test_the_test_finds_snippets(tmp_path: Path) -> None:
    """Else the two tests above would pass for the wrong reason."""
    page = tmp_path / "page.md"
    page.write_text("```python\na = 1\n```\n<!-- not run: a reason -->\n```python\nb = 2\n```\n")
    assert snippets(page) == ["a = 1\n"]
    assert len(snippets(page, skipped=True)) == 2
    assert ROOT / "README.md" in WITH_CODE
