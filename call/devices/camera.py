"""`Camera`: a camera by OpenCV that may be missing, busy or unplugged without ending the call."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...codec.errors import MissingExtraError
from .ports import DeviceEvent, Taken

__all__ = ["Camera", "list_cameras"]

_AGAIN_S = 2.0  # between attempts to open it
_SILENT_S = 2.0  # without a picture, it counts as unplugged


class Camera:
    """Reads a camera in a thread of its own and keeps the newest picture.

    Args:
        number: number of the camera, 0 for the first; or the path of a device.
        width: width that is asked for, in pixels; the camera decides.
        height: the same for the height.
        opened: opens a camera, as `cv2.VideoCapture` does; tests give one of their own.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """

    def __init__(
        self,
        number: int | str = 0,
        *,
        width: int = 640,
        height: int = 480,
        opened: Callable[[int | str], Any] | None = None,
    ) -> None:
        self._number, self._size = number, (width, height)
        self._opened = opened or _by_opencv
        if opened is None:
            _opencv()
        self._lock = threading.Lock()
        self._newest: Taken | None = None
        self._events: deque[DeviceEvent] = deque(maxlen=16)
        self._works: bool | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="facewire-camera", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Always false, because a camera may come back."""
        return False

    def look(self, now: float) -> Taken | None:
        """The newest picture, given once."""
        with self._lock:
            taken, self._newest = self._newest, None
        return taken

    def events(self) -> list[DeviceEvent]:
        """What happened since the last call."""
        with self._lock:
            found = list(self._events)
            self._events.clear()
        return found

    def close(self) -> None:
        """Give the camera back."""
        self._closing.set()
        self._thread.join(3.0)

    def _run(self) -> None:
        while not self._closing.is_set():
            device = None
            try:
                device = self._opened(self._number)
                if device.isOpened():
                    device.set(3, self._size[0])  # CAP_PROP_FRAME_WIDTH
                    device.set(4, self._size[1])  # CAP_PROP_FRAME_HEIGHT
                    self._read(device)
                else:
                    self._say(False, _why(self._number))
            except Exception as error:  # drivers raise what they like; the call must go on
                self._say(False, f"the camera fails ({error})")
            finally:
                if device is not None:
                    device.release()
            self._closing.wait(_AGAIN_S)

    def _read(self, device: Any) -> None:
        """Read until the camera gives no more pictures, or until `close`."""
        last = time.monotonic()
        while not self._closing.is_set():
            good, frame = device.read()
            now = time.monotonic()
            if good and frame is not None and frame.ndim == 3:
                last = now
                self._say(True, "the camera works")
                with self._lock:
                    self._newest = Taken(frame[:, :, ::-1], now)  # BGR
            elif now - last > _SILENT_S:
                self._say(False, "the camera gives no more pictures: was it unplugged?")
                return
            else:
                self._closing.wait(0.02)

    def _say(self, works: bool, sentence: str) -> None:
        """Add an event if something changed."""
        if works != self._works:
            self._works = works
            with self._lock:
                self._events.append(DeviceEvent("camera", works, sentence))


def list_cameras() -> list[str]:
    """The cameras that the system names. Only Linux does so without opening them."""
    names = []
    for entry in sorted(Path("/sys/class/video4linux").glob("video*")):
        name = (entry / "name").read_text(errors="replace").strip()
        names.append(f"{entry.name.removeprefix('video')}: {name}")
    return names


def _why(number: int | str) -> str:
    """Why a camera cannot be opened, as far as the system tells."""
    path = Path(f"/dev/video{number}") if isinstance(number, int) else Path(number)
    if os.name == "posix" and Path("/dev").is_dir() and os.uname().sysname == "Linux":
        if not path.exists():
            return f"there is no camera {number} (no {path})"
        if not os.access(path, os.R_OK | os.W_OK):
            return f"this user may not use the camera {path}: join the group `video`"
        return f"the camera {path} cannot be opened: another program uses it"
    return f"camera {number} cannot be opened: it is missing, or another program uses it"


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("a camera", "call") from error
    return cv2


def _by_opencv(number: int | str) -> Any:
    cv2 = _opencv()
    # It would write to the terminal beside our sentence.
    if hasattr(cv2, "utils") and hasattr(cv2.utils, "logging"):
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    elif hasattr(cv2, "setLogLevel"):
        cv2.setLogLevel(0)
    return cv2.VideoCapture(number)
