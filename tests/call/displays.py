"""Displays that are none (Xvfb), for tests of the window."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess
from collections.abc import Iterator

import pytest


def _can_open_windows() -> bool:
    """Whether the OpenCV that is installed is not the headless one."""
    if importlib.util.find_spec("cv2") is None:
        return False
    import cv2

    return "NONE" not in cv2.getBuildInformation().split("GUI:")[1][:40]


needs_display = [
    pytest.mark.skipif(
        not shutil.which("Xvfb") or not shutil.which("xdotool"), reason="no Xvfb or no xdotool here"
    ),
    pytest.mark.skipif(not _can_open_windows(), reason="this OpenCV is the headless one"),
]


@contextlib.contextmanager
def xvfb() -> Iterator[str]:
    """A display of 1000x800 pixels during the block: what DISPLAY is to be."""
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
