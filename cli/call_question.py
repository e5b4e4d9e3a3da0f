"""The question of `facewire call` before anything is sent: in the window, or on the terminal."""

from __future__ import annotations

import argparse
import select
import sys
import time
from typing import TYPE_CHECKING

from ..codec.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..call.conversation import Parts
    from ..call.devices.ports import Frame
    from ..call.window import View

    _Sayer = Callable[[str], None]

__all__ = ["check_question", "may_start"]

_TURN_S = 0.03
_YES = ("", "y", "yes")


def check_question(args: argparse.Namespace) -> None:
    """Refuse a call that would have to ask where nobody can answer.

    Raises:
        ConfigError: there is neither a window nor a terminal.
    """
    devices = args.speak is not None or args.camera != "none" or args.microphone != "none"
    if args.out and not args.source and not args.yes and devices and not _has_terminal():
        raise ConfigError(
            "with --out there is no window to ask in whether the call may start, and there is no "
            "terminal here either: --yes starts it without asking, and --in FILE sends a video in "
            "place of camera and microphone"
        )


def may_start(args: argparse.Namespace, parts: Parts, say: _Sayer) -> bool:
    """Ask, before anything is sent. Files that were named with `--in` are sent without a question
    where there is no window. What does not work is said, and kept in `parts.stopped`.

    Returns:
        Whether the call is to start.
    """
    if args.yes:
        return True
    if parts.screen is not None:
        return _ask_in_window(args, parts, say)
    if args.source or (parts.eye is None and parts.ear is None):
        return True
    return _ask_on_terminal(args, parts, say)


def _ask_in_window(args: argparse.Namespace, parts: Parts, say: _Sayer) -> bool:
    """Show the own picture, the level of the microphone, and what does not work."""
    from ..call.window import Key

    assert parts.screen is not None
    own = None
    while True:
        now = time.monotonic()
        _notice(parts, say)
        taken = parts.eye.look(now) if parts.eye is not None else None
        own = taken.frame if taken is not None else own
        if parts.ear is not None:
            parts.ear.listen(now)
        parts.screen.show(_view(args, parts, own if parts.own is None else parts.own))
        for key in parts.screen.pressed():
            if key == Key.START:
                return True
            if key == Key.LEAVE:
                return False
        time.sleep(_TURN_S)


def _view(args: argparse.Namespace, parts: Parts, own: Frame | None) -> View:
    from ..call.window import View

    if args.speak is not None:
        who = "This moves with your voice; no camera is on."
    elif parts.eye is None:
        who = "No camera is used."
    else:
        who = "" if "camera" in parts.stopped else "This is you."
    wrong = dict.fromkeys(parts.stopped.values())  # one sentence may be about two devices
    sentences = [f"{text[:1].upper()}{text[1:]}." for text in wrong]
    question = "Nothing is sent yet. Start the call? Enter starts, q leaves."
    return View(
        face=None if "camera" in parts.stopped else own,
        generated=False,
        level=parts.ear.level if parts.ear is not None else 0.0,
        deaf=parts.ear is None or "microphone" in parts.stopped,
        message=" ".join(part for part in (*sentences, who, question) if part),
        help=False,
    )


def _ask_on_terminal(args: argparse.Namespace, parts: Parts, say: _Sayer) -> bool:
    """The question itself is printed even with `--quiet`."""
    kinds = ["the camera"] if parts.eye is not None and args.speak is None else []
    kinds += ["the microphone"] if parts.ear is not None else []
    kinds = kinds or ["the photograph"]
    what = f"{' and '.join(kinds)} will be sent to the other side"
    print(
        f"{what}, but nothing is sent yet. Start the call? Enter starts, q leaves: ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    while not _is_answered(0.1):
        _notice(parts, lambda sentence: say(f"\n{sentence}"))
    _notice(parts, say)
    answer = sys.stdin.readline()
    return answer != "" and answer.strip().lower() in _YES  # "": the input has ended


def _is_answered(seconds: float) -> bool:
    """Wait for a line on standard input. Where the system cannot tell whether there is one
    (Windows), reading it is what waits.
    """
    try:
        return bool(select.select([sys.stdin], [], [], seconds)[0])
    except (OSError, ValueError):
        return True


def _has_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _notice(parts: Parts, say: _Sayer) -> None:
    """Say which devices fail, or work again, and keep it for the conversation."""
    for part in (parts.eye, parts.ear, parts.mouth):
        for event in part.events() if part is not None else ():
            if not event.works:
                parts.stopped[event.device] = event.sentence
            elif parts.stopped.pop(event.device, None) is None:
                continue
            say(event.sentence)
