"""A call with its window on a real display (Xvfb), its keys pressed by a program (xdotool)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from facewire.call.devices.ports import Frame
from facewire.call.window import HEIGHT, WIDTH

from .displays import needs_display, xvfb

for _module in ("aiortc", "aiohttp", "cryptography"):
    pytest.importorskip(_module)
cv2 = pytest.importorskip("cv2")

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("FACEWIRE_TEST_PROGRAM", "tests.call.fake_program")
"""`facewire` here runs the test with the installed program and its real networks."""
REAL = PROGRAM == "facewire"
KEEP = os.environ.get("FACEWIRE_TEST_SCREENSHOTS")

pytestmark = needs_display


@pytest.fixture
def display() -> Iterator[str]:
    with xvfb() as name:
        yield name


GRAB = """
import sys, av, numpy as np
options = {"video_size": "1000x800", "framerate": "5"}
with av.open(sys.argv[1], format="x11grab", options=options) as grabber:
    np.save(sys.argv[2], next(grabber.decode(video=0)).to_ndarray(format="rgb24"))
"""
"""A program of its own: PyAV's and OpenCV's libraries for the display do not go together."""


def screen(display: str, path: Path) -> Frame:
    """What the display shows, RGB; it is kept where `FACEWIRE_TEST_SCREENSHOTS` names a folder."""
    subprocess.run([sys.executable, "-c", GRAB, display, str(path)], check=True, timeout=60)
    picture = np.load(path)
    if KEEP:
        cv2.imwrite(str(Path(KEEP) / f"{path.stem}.png"), picture[..., ::-1])
    return np.asarray(picture, np.uint8)


def press(display: str, key: str) -> None:
    environment = {**os.environ, "DISPLAY": display}
    found = subprocess.run(
        ["xdotool", "search", "--name", "facewire call"],
        env=environment,
        capture_output=True,
        text=True,
    )
    window = found.stdout.split()[0]
    for words in (("windowfocus", "--sync", window), ("key", key)):
        subprocess.run(["xdotool", *words], env=environment, check=True, timeout=20)


def until(holds: Callable[[], bool], what: str, seconds: float = 240.0) -> None:
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, what
        time.sleep(0.3)


def has_face(picture: Frame) -> bool:
    """Whether a photograph is there as the large picture: it has many colours, and letters have
    few. The own small picture lies to the right of what is looked at.
    """
    large = picture[: HEIGHT - 80, 150 : WIDTH - 180]
    return len(np.unique(large.reshape(-1, 3), axis=0)) > 2000


def has_own(picture: Frame) -> bool:
    """The same of the own small picture."""
    small = picture[HEIGHT - 230 : HEIGHT - 90, WIDTH - 160 : WIDTH - 15]
    return len(np.unique(small.reshape(-1, 3), axis=0)) > 2000


def is_muted(picture: Frame) -> bool:
    """Whether "muted" stands in its colour where the level of the microphone was."""
    level = picture[HEIGHT - 76 : HEIGHT - 46, WIDTH - 140 : WIDTH].reshape(-1, 3).astype(int)
    return bool((abs(level - (255, 190, 90)).sum(1) < 40).any())


def test_a_call_in_its_window(display: str, clip: Path, tmp_path: Path) -> None:
    """The own picture and a question come first, and nothing is sent before Enter. Then the other's
    picture is there, keys do what the line of help says, and q ends the call on both sides.
    """
    environment = {**os.environ, "DISPLAY": display}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    said = [tmp_path / "one.out", tmp_path / "two.out"]
    command = [sys.executable, "-m", PROGRAM, "call", "--network", "xs"]
    command += ["--in", str(clip), "--loop"]

    def start(number: int, *words: str) -> subprocess.Popen[bytes]:
        with said[number].open("wb") as out:
            return subprocess.Popen(
                [*command, *words],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=environment,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    processes = [start(0)]
    try:
        until(lambda: has_face(screen(display, tmp_path / "1-question.npy")), "the own picture")
        assert "#" not in said[0].read_text()
        press(display, "Return")
        until(lambda: "#" in said[0].read_text(), "the link")
        link = next(word for word in said[0].read_text().split() if "#" in word)
        processes.append(start(1, "--out", str(tmp_path / "two.mp4"), link))
        until(lambda: "connected" in said[0].read_text(), "the connection")
        if REAL:  # the small session's pictures are of one colour
            until(lambda: "the picture is signed" in said[0].read_text(), "a signed picture")
            until(lambda: has_face(screen(display, tmp_path / "2-face.npy")), "the other's picture")
        else:
            time.sleep(3)
        before = screen(display, tmp_path / "2-call.npy")
        assert has_own(before)
        assert not is_muted(before)
        press(display, "m")
        until(lambda: is_muted(screen(display, tmp_path / "3-muted.npy")), "the mark of a mute")
        press(display, "q")
        assert [process.wait(60) for process in processes] == [0, 0], said[0].read_text()
        assert "the other side left" in said[1].read_text()
    finally:
        for process in processes:
            process.kill()
            process.wait()
