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
        for sentence in _notice(parts):
            say(sentence)
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
    asked = False
    while not asked or not _is_answered(0.1):
        if (news := _notice(parts)) or not asked:
            if asked:
                print(file=sys.stderr)  # the question stands there
            for sentence in news:
                say(sentence)
            print(_question(args, parts), end="", file=sys.stderr, flush=True)
            asked = True
    for sentence in _notice(parts):
        say(sentence)
    answer = sys.stdin.readline()
    if parts.ear is not None:
        parts.ear.listen(time.monotonic())  # what was said before the answer is not sent
    if parts.eye is not None:
        parts.eye.look(time.monotonic())
    return answer != "" and answer.strip().lower() in _YES  # "": the input has ended


def _question(args: argparse.Namespace, parts: Parts) -> str:
    """What is asked on the terminal; it names only what works as far as is known."""
    kinds = []
    if args.speak is not None:
        kinds.append("the photograph")
    elif parts.eye is not None and "camera" not in parts.stopped:
        kinds.append("the camera")
    if parts.ear is not None and "microphone" not in parts.stopped:
        kinds.append("the microphone")
    who = f"{' and '.join(kinds)} will be sent" if kinds else "no device works that could be sent"
    return f"{who}; nothing is sent yet. Start the call? Enter starts, q leaves: "


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


def _notice(parts: Parts) -> list[str]:
    """Which devices fail, or work again, since the last call; it is kept for the conversation."""
    sentences = []
    for part in dict.fromkeys((parts.eye, parts.ear, parts.mouth)):  # one may be two of them
        for event in part.events() if part is not None else ():
            if not event.works:
                parts.stopped[event.device] = event.sentence
            elif parts.stopped.pop(event.device, None) is None:
                continue
            sentences.append(event.sentence)
    return sentences
