"""A call with its window on a real display (Xvfb), its keys pressed by a program (xdotool)."""

from __future__ import annotations

import os
import shutil
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

for _module in ("aiortc", "aiohttp", "cryptography"):
    pytest.importorskip(_module)
cv2 = pytest.importorskip("cv2")

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("FACEWIRE_TEST_PROGRAM", "tests.call.fake_program")
"""`facewire` here runs the test with the real networks."""
KEEP = os.environ.get("FACEWIRE_TEST_SCREENSHOTS")

pytestmark = [
    pytest.mark.skipif(
        not shutil.which("Xvfb") or not shutil.which("xdotool"), reason="no Xvfb or no xdotool here"
    ),
    pytest.mark.skipif(
        "NONE" in cv2.getBuildInformation().split("GUI:")[1][:40],
        reason="this OpenCV is the headless one",
    ),
]


@pytest.fixture
def display() -> Iterator[str]:
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", "1000x800x24"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    try:
        yield f":{server.stdout.readline().strip()}"
    finally:
        server.terminate()
        server.wait(10)


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


def until(holds: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, what
        time.sleep(0.1)


def has_picture(picture: Frame) -> bool:
    """Whether a photograph is there: it has many colours, and letters have few."""
    return len(np.unique(picture[: HEIGHT - 80, :WIDTH].reshape(-1, 3), axis=0)) > 2000


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
        until(lambda: has_picture(screen(display, tmp_path / "1-question.npy")), "the own picture")
        assert "#" not in said[0].read_text()
        press(display, "Return")
        until(lambda: "#" in said[0].read_text(), "the link")
        link = next(word for word in said[0].read_text().split() if "#" in word)
        processes.append(start(1, "--out", str(tmp_path / "two.mp4"), link))
        until(lambda: "connected" in said[0].read_text(), "the connection")
        time.sleep(3)
        before = screen(display, tmp_path / "2-call.npy")
        assert has_picture(before)
        press(display, "m")
        time.sleep(1)
        level = (slice(HEIGHT - 76, HEIGHT - 46), slice(WIDTH - 140, WIDTH))  # of the microphone
        assert (screen(display, tmp_path / "3-muted.npy")[level] != before[level]).any()
        press(display, "q")
        assert [process.wait(60) for process in processes] == [0, 0], said[0].read_text()
        assert "the other side left" in said[1].read_text()
    finally:
        for process in processes:
            process.kill()
            process.wait()
