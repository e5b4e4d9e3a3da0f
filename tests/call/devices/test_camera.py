"""A camera that is missing, unplugged and found again, without a camera."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from facewire.call.devices import camera as module
from facewire.call.devices.camera import Camera, list_cameras


class Fake:
    """As `cv2.VideoCapture`: gives so many pictures, then none."""

    def __init__(self, pictures: int, *, there: bool = True) -> None:
        self._left, self._there = pictures, there
        self.released = False

    def isOpened(self) -> bool:
        return self._there

    def set(self, *_: Any) -> None:
        pass

    def read(self) -> tuple[bool, Any]:
        time.sleep(0.002)
        self._left -= 1
        frame = np.zeros((4, 6, 3), np.uint8)
        frame[..., 0] = 200  # blue
        return self._left >= 0, frame if self._left >= 0 else None

    def release(self) -> None:
        self.released = True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_S", 0.02)
    monkeypatch.setattr(module, "_SILENT_S", 0.05)


def until(what: Callable[[], object]) -> Any:
    for _ in range(1000):
        found = what()
        if found is not None and found is not False:
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def test_pictures_are_rgb_and_given_once() -> None:
    device = Fake(1)
    camera = Camera(0, opened=lambda number: device)
    frame, at = until(lambda: camera.look(0.0))
    assert 0 <= time.monotonic() - at < 60
    assert frame.shape == (4, 6, 3)
    assert frame[0, 0].tolist() == [0, 0, 200]
    assert camera.look(0.0) is None
    camera.close()
    assert device.released


def test_unplugged_and_found_again() -> None:
    devices: Iterator[Fake] = iter([Fake(3), Fake(0, there=False), Fake(10_000)])
    camera = Camera(7, opened=lambda number: next(devices))
    events: list[Any] = []

    def come_and_gone_and_come() -> bool:
        events.extend(camera.events())
        return len(events) >= 3

    until(come_and_gone_and_come)
    assert [event.works for event in events] == [True, False, True]
    assert "unplugged" in events[1].sentence
    until(lambda: camera.look(0.0))
    camera.close()
    assert not camera.ended


def test_a_camera_that_is_missing_is_said_once() -> None:
    camera = Camera(77, opened=lambda number: Fake(0, there=False))
    events: list[Any] = []
    until(lambda: events.extend(camera.events()) or events or None)
    time.sleep(0.1)  # some more attempts
    events += camera.events()
    camera.close()
    assert [event.works for event in events] == [False]
    assert "77" in events[0].sentence


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others do not tell why")
@pytest.mark.parametrize(
    ("there", "allowed", "sentence"),
    [
        (False, True, "there is no camera"),
        (True, False, "may not use the camera"),
        (True, True, "another program uses it"),
    ],
)
def test_why_a_camera_cannot_be_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: bool, allowed: bool, sentence: str
) -> None:
    path = tmp_path / "video7"
    if there:
        path.touch()
    monkeypatch.setattr(module.os, "access", lambda *_: allowed)
    camera = Camera(str(path), opened=lambda number: Fake(0, there=False))
    event = until(lambda: next(iter(camera.events()), None))
    camera.close()
    assert not event.works
    assert sentence in event.sentence
    assert str(path) in event.sentence


@pytest.mark.skipif(os.name != "posix", reason="there is no uname")
def test_a_system_that_does_not_tell_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.os, "uname", lambda: SimpleNamespace(sysname="Darwin"))
    camera = Camera(3, opened=lambda number: Fake(0, there=False))
    event = until(lambda: next(iter(camera.events()), None))
    camera.close()
    assert event.sentence.startswith("camera 3 cannot be opened: it is missing, or another")


def test_a_driver_that_raises() -> None:
    def broken(number: Any) -> Any:
        raise RuntimeError("select() timeout")

    camera = Camera(0, opened=broken)
    event = until(lambda: next(iter(camera.events()), None))
    camera.close()
    assert not event.works
    assert "select() timeout" in event.sentence


def test_by_opencv(capfd: pytest.CaptureFixture[str]) -> None:
    """No camera of this number is there, and OpenCV keeps silent about it."""
    cv2 = pytest.importorskip("cv2")
    levels = getattr(getattr(cv2, "utils", None), "logging", None)
    if levels is not None:
        levels.setLogLevel(levels.LOG_LEVEL_WARNING)  # as at the start
    camera = Camera(250)
    event = until(lambda: next(iter(camera.events()), None))
    camera.close()
    assert not event.works
    assert "250" in event.sentence
    assert capfd.readouterr().err == ""


def test_listing_opens_nothing() -> None:
    assert all(": " in line for line in list_cameras())
