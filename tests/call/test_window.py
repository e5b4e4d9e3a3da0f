"""The window: its picture is a function of what there is to see."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from facewire.call.window import HEIGHT, WIDTH, Figures, Key, View, Window, draw
from facewire.codec.errors import DeviceError

pytest.importorskip("cv2")

FACE = np.full((256, 256, 3), (200, 60, 60), np.uint8)
OWN = np.full((480, 640, 3), (40, 60, 220), np.uint8)


def red(picture: Any) -> Any:
    return (picture[..., 0] > 150) & (picture[..., 2] < 120)


def blue(picture: Any) -> Any:
    return (picture[..., 2] > 150) & (picture[..., 0] < 120)


def test_the_other_is_large_and_oneself_small() -> None:
    picture = draw(View(face=FACE, own=OWN))
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert red(picture).sum() > 0.3 * WIDTH * HEIGHT
    assert 0.01 * WIDTH * HEIGHT < blue(picture).sum() < 0.08 * WIDTH * HEIGHT


def test_every_part_can_be_seen() -> None:
    plain = draw(View(face=FACE, generated=False, help=False))
    parts = [
        View(face=FACE, generated=True, help=False),
        View(face=FACE, generated=True, performed=True, help=False),
        View(face=FACE, generated=False, help=False, own=OWN),
        View(face=FACE, generated=False, help=False, own=OWN, own_note="moved by your voice"),
        View(face=FACE, generated=False, help=True),
        View(face=FACE, generated=False, help=False, stale="the line is lost"),
        View(face=FACE, generated=False, help=False, message="the camera was unplugged"),
        View(face=FACE, generated=False, help=False, words=("acorn", "zebra")),
        View(face=FACE, generated=False, help=False, words=("acorn", "zebra"), signed=True),
        View(face=FACE, generated=False, help=False, words=("acorn", "zebra"), signed=False),
        View(face=FACE, generated=False, help=False, words=("acorn", "zebra"), unsigned=3),
        View(face=FACE, generated=False, help=False, muted=True),
        View(face=FACE, generated=False, help=False, deaf=True),
        View(face=FACE, generated=False, help=False, peer_muted=True),
        View(face=FACE, generated=False, help=False, level=0.5),
        View(face=FACE, generated=False, help=False, figures=Figures(16.0, 15.0, 0.02)),
        View(face=FACE, generated=False, help=False, figures=Figures(line_ms=45.0)),
        View(face=FACE, generated=False, help=False, figures=Figures(waits_ms=180.0)),
    ]
    pictures = [draw(view) for view in parts]
    assert all((picture != plain).any(-1).sum() > 100 for picture in pictures)
    assert len({picture.tobytes() for picture in pictures}) == len(parts)


def test_a_picture_that_stands_is_darker() -> None:
    moving, standing = draw(View(face=FACE)), draw(View(face=FACE, stale="nothing comes"))
    assert standing[:500].mean() < 0.6 * moving[:500].mean()


def test_the_mark_is_on_the_face() -> None:
    marked, plain = draw(View(face=FACE)), draw(View(face=FACE, generated=False))
    rows, columns = np.nonzero((marked != plain).any(-1))
    assert rows.max() < HEIGHT // 4
    assert columns.min() > (WIDTH - HEIGHT) // 2


def test_a_camera_is_a_mirror_and_a_photograph_is_none() -> None:
    own = OWN.copy()
    own[:, : own.shape[1] // 2] = (255, 255, 255)
    for note, white_is_left in (("", False), ("your portrait", True)):
        drawn = draw(View(own=own, own_note=note, help=False))
        columns = np.nonzero((drawn[: HEIGHT - 120] == 255).all(-1))[1]
        blues = np.nonzero(blue(drawn))[1]
        assert (columns.mean() < blues.mean()) == white_is_left


def test_the_same_view_gives_the_same_picture() -> None:
    view = View(face=FACE, own=OWN, words=("acorn",), level=0.3)
    assert (draw(view) == draw(view)).all()


@pytest.mark.parametrize("size", [(160, 160), (1, 1), (1920, 1080), (300, 900), (900, 200)])
@pytest.mark.parametrize("shape", [(256, 256), (1080, 1920), (7, 500), (500, 7)])
def test_any_size(size: tuple[int, int], shape: tuple[int, int]) -> None:
    frame = np.zeros((*shape, 3), np.uint8)
    view = View(face=frame, own=frame, camera_off=True, message="wörter " * 40, words=("a",) * 4)
    picture = draw(view, *size)
    assert picture.shape == (max(160, size[1]), max(160, size[0]), 3)


def test_without_anything() -> None:
    assert draw(View(message="waiting for somebody")).shape == (HEIGHT, WIDTH, 3)


class Screen(SimpleNamespace):
    """As `cv2`, with keys that are pressed."""

    WINDOW_NORMAL = 0

    class error(Exception):
        pass

    def __init__(self, keys: list[int], *, visible: bool = True, windows: bool = True) -> None:
        super().__init__(pressed=list(keys), visible=visible, windows=windows, shown=[])

    def namedWindow(self, *_: Any) -> None:
        if not self.windows:
            raise self.error("not implemented")

    def resizeWindow(self, *_: Any) -> None:
        pass

    def destroyWindow(self, *_: Any) -> None:
        raise self.error("there is none")

    def setWindowProperty(self, *_: Any) -> None:
        pass

    def getWindowImageRect(self, _: str) -> tuple[int, int, int, int]:
        return 0, 0, 1000, 800

    def getWindowProperty(self, *_: Any) -> float:
        return 1.0 if self.visible else 0.0

    def imshow(self, _: str, picture: Any) -> None:
        self.shown.append(picture)

    def waitKey(self, _: int) -> int:
        return self.pressed.pop(0) if self.pressed else -1


def test_keys() -> None:
    screen = Screen([*map(ord, "mchf+-?q"), 27, 13, ord("x"), -1])
    window = Window(screen)
    found = [key for _ in range(12) for key in window.pressed()]
    assert found == [
        *(Key.MUTE, Key.CAMERA, Key.HIDE, Key.FULL, Key.MORE, Key.LESS, Key.HELP),
        *(Key.LEAVE, Key.LEAVE, Key.START),
    ]
    window.show(View())
    assert screen.shown[0].shape == (800, 1000, 3)  # full screen
    window.close()


def test_closing_the_window_leaves() -> None:
    window = Window(Screen([], visible=False))
    assert window.pressed() == []  # not shown yet
    window.show(View())
    window.show(View())
    assert window.pressed() == [Key.LEAVE]


def test_an_opencv_without_windows() -> None:
    with pytest.raises(DeviceError, match="opencv-python"):
        Window(Screen([], windows=False))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others have a screen")
def test_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(DeviceError, match="--out"):
        Window()


SHOW = """
import numpy as np, cv2, sys, time
from facewire.call.window import Window, View, Figures
face = np.full((256, 256, 3), (200, 60, 60), np.uint8)
window = Window()
for _ in range(20):
    window.show(View(face=face, own=face[:, ::-1], words=("acorn", "zebra"), figures=Figures(16.0)))
    window.pressed()
    time.sleep(0.02)
print("shown")
window.close()
"""


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not here")
def test_a_real_window(tmp_path: Path) -> None:
    import cv2

    if "NONE" in cv2.getBuildInformation().split("GUI:")[1][:40]:
        pytest.skip("this OpenCV is the headless one")
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", "1000x800x24"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    try:
        display = server.stdout.readline().strip()
        environment = {**os.environ, "DISPLAY": f":{display}"}
        run = subprocess.run(
            [sys.executable, "-c", SHOW], env=environment, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        assert "shown" in run.stdout
    finally:
        server.terminate()
        server.wait(10)
