"""The window of a call, by OpenCV: the other face large, your own small, and a line of figures.

`draw` makes the picture of the window and depends on nothing but what it is given; `Window` shows
it and reads the keys.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..codec.errors import DeviceError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HEIGHT", "WIDTH", "Figures", "Key", "View", "Window", "draw"]

Frame = npt.NDArray[np.uint8]

WIDTH, HEIGHT = 880, 660
_NAME = "facewire call"
_BAR = 76  # rows below the picture: figures, words, help
_OWN = 0.26  # height of the own picture, as a part of the large one's
_DARK, _LIGHT, _DIM, _WARM = (18, 20, 24), (235, 235, 235), (140, 146, 156), (255, 190, 90)
_GREEN = (110, 210, 120)
_HELP = "m mute   c camera   p photo   h hide own   f full screen   + - quality   ? help   q leave"


class Key(Enum):
    """What a key of the window does."""

    START = "start"
    LEAVE = "leave"
    MUTE = "mute"
    CAMERA = "camera"
    PHOTO = "photo"
    HIDE = "hide"
    FULL = "full screen"
    MORE = "more quality"
    LESS = "less quality"
    HELP = "help"


_KEYS = {
    13: Key.START,
    10: Key.START,
    ord("y"): Key.START,
    27: Key.LEAVE,
    ord("q"): Key.LEAVE,
    ord("m"): Key.MUTE,
    ord("c"): Key.CAMERA,
    ord("p"): Key.PHOTO,
    ord("h"): Key.HIDE,
    ord("f"): Key.FULL,
    ord("+"): Key.MORE,
    ord("="): Key.MORE,
    ord("-"): Key.LESS,
    ord("?"): Key.HELP,
}


@dataclass(frozen=True, slots=True)
class Figures:
    """What the line of figures says; None for what is not known yet.

    Attributes:
        sent_kbps, received_kbps: rates with all headers, in 1000 bits a second.
        loss: which part of the datagrams was lost, 0 to 1.
        line_ms: half of the time that a report and its answer took, in ms.
        waits_ms: for how long sound of the other side waits here until it is played, in ms.

    The delay from mouth to ear is longer than `line_ms` and `waits_ms` together: the other side's
    sound card, the coding, and the sound that is collected for a datagram take time as well, which
    this side cannot measure.
    """

    sent_kbps: float | None = None
    received_kbps: float | None = None
    loss: float | None = None
    line_ms: float | None = None
    waits_ms: float | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What the window is to show.

    Attributes:
        face: the picture of the other side, RGB; None before the first.
        own: the picture of this side, RGB; None if there is none or it is hidden.
        own_note: what `own` is if it is not the camera's picture; it is then written on it.
        generated: whether `face` was generated, which is then written on it.
        performed: whether nobody is before the other side's camera, which is then written, too.
        peer_muted: whether no sound comes from the other side's microphone, as that side says.
        stale: why the picture stands still, for example "the line is lost"; "" while it moves.
        figures: see `Figures`.
        level: how loud the microphone is, 0 to 1.
        deaf: whether this side has no microphone that works.
        muted: whether this side switched its microphone off.
        camera_off: whether none of this side's pictures are sent.
        words: the words to compare.
        signed: whether `face` was signed by the side with the same words; None if that is not
            known.
        unsigned: how many pieces were dropped, because that side did not sign them.
        message: a sentence. It stands in the middle while there is no face, else above the line.
        help: whether to show the line of help.
    """

    face: Frame | None = None
    own: Frame | None = None
    own_note: str = ""
    generated: bool = True
    performed: bool = False
    peer_muted: bool = False
    stale: str = ""
    figures: Figures = Figures()
    level: float = 0.0
    deaf: bool = False
    muted: bool = False
    camera_off: bool = False
    words: Sequence[str] = ()
    signed: bool | None = None
    unsigned: int = 0
    message: str = ""
    help: bool = True


def draw(view: View, width: int = WIDTH, height: int = HEIGHT) -> Frame:
    """Draw the picture of the window.

    Args:
        view: what to show.
        width, height: size of the picture in pixels, at least 160 each.

    Returns:
        uint8 RGB `[height, width, 3]`.
    """
    width, height = max(160, width), max(160, height)
    canvas: Frame = np.empty((height, width, 3), np.uint8)
    canvas[:] = _DARK
    room = height - _BAR
    if view.face is not None:
        face = _scaled(view.face, width, room)
        if view.stale:
            face = (face * 0.45).astype(np.uint8)
        top, left = (room - face.shape[0]) // 2, (width - face.shape[1]) // 2
        canvas[top : top + face.shape[0], left : left + face.shape[1]] = face
        if view.generated:
            mark = "generated: a photograph moves with the voice" if view.performed else "generated"
            _label(canvas, mark, left + 12, top + 12, _WARM)
        if view.peer_muted:
            _label(canvas, "no sound: microphone off", left + 12, top + 42, _LIGHT)
    note = view.stale or view.message
    if note:
        middle = room // 2 if view.face is None or view.stale else room - 30
        _centred(canvas, note, middle, 0.62)
    if view.own is not None:
        _own(canvas, view, room)
    _bar(canvas, view, room)
    return canvas


def _own(canvas: Frame, view: View, room: int) -> None:
    assert view.own is not None
    size = max(24, int(room * _OWN))
    own = view.own if view.own_note else view.own[:, ::-1]  # a camera is a mirror
    small = _scaled(own, size * 4 // 3, size)
    if view.camera_off:
        small = (small * 0.3).astype(np.uint8)
    rows, columns = small.shape[:2]
    top, left = room - rows - 12, canvas.shape[1] - columns - 12
    if top < 2 or left < 2:
        return
    canvas[top - 2 : top + rows + 2, left - 2 : left + columns + 2] = _DIM
    canvas[top : top + rows, left : left + columns] = small
    if view.camera_off:
        _text(canvas, "camera off", left + 8, top + rows - 10, 0.42, _LIGHT)
    elif view.own_note:
        _ground(canvas, left, top + rows - 20, left + columns, top + rows)
        _text(canvas, view.own_note, left + 6, top + rows - 6, 0.36, _WARM)


def _bar(canvas: Frame, view: View, top: int) -> None:
    """Draw the figures, the level, the words and the help."""
    figures = view.figures
    parts = []
    if figures.sent_kbps is not None:
        parts.append(f"{figures.sent_kbps:.1f} kbit/s out")
    if figures.received_kbps is not None:
        parts.append(f"{figures.received_kbps:.1f} in")
    if figures.loss is not None:
        parts.append(f"loss {100 * figures.loss:.0f} %")
    if figures.line_ms is not None:
        parts.append(f"line {figures.line_ms:.0f} ms")
    if figures.waits_ms is not None:
        parts.append(f"sound waits {figures.waits_ms:.0f} ms")
    _text(canvas, "   ".join(parts), 12, top + 20, 0.46, _LIGHT)
    width = canvas.shape[1]
    if view.muted or view.deaf:
        note = "muted" if view.muted else "no microphone"
        _text(canvas, note, width - 130, top + 20, 0.46, _WARM)
    else:
        filled = int(110 * min(1.0, max(0.0, view.level)))
        canvas[top + 10 : top + 20, width - 130 : width - 20] = (50, 54, 60)
        canvas[top + 10 : top + 20, width - 130 : width - 130 + filled] = _GREEN
    if view.words:
        words = f"say to each other: {' '.join(view.words)}"
        _text(canvas, words, 12, top + 43, 0.46, _GREEN)
        note, colour = _binding(view)
        _text(canvas, note, 32 + _wide(words, 0.46), top + 43, 0.46, colour)
    if view.help:
        _text(canvas, _HELP, 12, top + 65, 0.4, _DIM)


def _binding(view: View) -> tuple[str, tuple[int, int, int]]:
    """The note that says whether the picture is signed, and its colour."""
    if view.unsigned:
        return f"not signed by that side, dropped: {view.unsigned}", _WARM
    if view.signed is None:
        return "", _DIM
    return ("the picture is signed", _GREEN) if view.signed else ("no signed picture yet", _DIM)


def _scaled(frame: Frame, width: int, height: int) -> Frame:
    """Scale a picture to the largest size that fits, and keep its shape."""
    import cv2

    factor = min(width / frame.shape[1], height / frame.shape[0])
    size = max(1, round(frame.shape[1] * factor)), max(1, round(frame.shape[0] * factor))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(np.ascontiguousarray(frame), size, interpolation=way), np.uint8)


def _text(
    canvas: Frame, text: str, x: int, y: int, scale: float, colour: tuple[int, int, int]
) -> None:
    import cv2

    text = text.encode("ascii", "replace").decode()  # OpenCV's letters are these
    cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)


def _wide(text: str, scale: float) -> int:
    import cv2

    return int(cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0])


def _centred(canvas: Frame, text: str, y: int, scale: float) -> None:
    """Write text in the middle, in several lines if it is long, on a dark ground."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and _wide(longer, scale) > canvas.shape[1] - 60:
            lines.append(line)
            line = word
        else:
            line = longer
    lines.append(line)
    y -= (len(lines) - 1) * 13
    for line in lines:
        x = max(8, (canvas.shape[1] - _wide(line, scale)) // 2)
        _ground(canvas, x - 10, y - 20, x + _wide(line, scale) + 10, y + 8)
        _text(canvas, line, x, y, scale, _LIGHT)
        y += 27


def _label(canvas: Frame, text: str, x: int, y: int, colour: tuple[int, int, int]) -> None:
    _ground(canvas, x, y, x + _wide(text, 0.5) + 16, y + 24)
    _text(canvas, text, x + 8, y + 17, 0.5, colour)


def _ground(canvas: Frame, left: int, top: int, right: int, bottom: int) -> None:
    """Darken a part of the picture, so that letters on it can be read."""
    part = canvas[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    part[:] = (part * 0.3).astype(np.uint8)


class Window:
    """A window on the screen. Its methods belong to the main thread.

    Args:
        module: `cv2`; tests give one of their own.

    Raises:
        MissingExtraError: OpenCV is not installed.
        DeviceError: there is no screen, or this OpenCV cannot make windows.
    """

    def __init__(self, module: Any = None) -> None:
        self._cv2 = module or _opencv()
        self._full = False
        try:
            plain = getattr(self._cv2, "WINDOW_GUI_NORMAL", 0)  # Qt would add a bar of buttons
            self._cv2.namedWindow(_NAME, self._cv2.WINDOW_NORMAL | plain)
            self._cv2.resizeWindow(_NAME, WIDTH, HEIGHT)
        except self._cv2.error as error:
            raise DeviceError(
                "this OpenCV cannot make windows (it is the headless one): "
                "pip install --force-reinstall opencv-python"
            ) from error
        self._shown = 0

    def show(self, view: View) -> None:
        """Show a view."""
        width, height = WIDTH, HEIGHT
        if self._full:
            area = self._cv2.getWindowImageRect(_NAME)
            width, height = (area[2], area[3]) if min(area[2:]) >= 160 else (width, height)
        self._cv2.imshow(_NAME, np.ascontiguousarray(draw(view, width, height)[:, :, ::-1]))
        self._shown += 1

    def pressed(self) -> list[Key]:
        """The keys that were pressed; `Key.LEAVE` if the window was closed. Also draws it."""
        code = self._cv2.waitKey(1)
        found = [_KEYS[code & 0xFF]] if code >= 0 and code & 0xFF in _KEYS else []
        if self._shown > 1 and self._cv2.getWindowProperty(_NAME, 4) < 1:  # WND_PROP_VISIBLE
            found.append(Key.LEAVE)
        if Key.FULL in found:
            self._full = not self._full
            self._cv2.setWindowProperty(_NAME, 0, 1 if self._full else 0)
        return found

    def close(self) -> None:
        """Close the window. It may be called twice."""
        try:
            self._cv2.destroyWindow(_NAME)
            self._cv2.waitKey(1)
        except self._cv2.error:
            return


def _opencv() -> Any:
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise DeviceError(
            "there is no screen here (DISPLAY is not set): --out FILE.mp4 writes what comes"
        )
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("the window of a call", "call") from error
    return cv2
