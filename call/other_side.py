"""`OtherSide`: what this side can tell of the other one, in sentences for window and terminal."""

from __future__ import annotations

from collections.abc import Callable

from ..codec.control import State
from .line.line import LineState
from .line.line_thread import LineThread
from .party import Party

__all__ = ["OtherSide"]

_SILENT_S = 3.0  # of a new connection, before it is said that nothing comes
_STILL_S = 3.0  # without a new picture, the last one is marked
_GONE_S = 1.0  # after the two seconds of `CallStatistics.peer_gone`, before it is said
_LOOK_S = 0.25  # between two looks at whether anything comes
_SIGNED_S = 1.0  # between two looks at what is signed
_NOTHING = "nothing comes from the other side"
_LOST = "the line is lost: connecting again"
_CAMERA_OFF = "the other side's camera is off"


class OtherSide:
    """Watches the line and the other side's stream.

    A line may be there although the other side sends nothing: the checks of ICE (RFC 7675) go on
    when a program hangs. So what counts is whether its datagrams come.

    Args:
        session: the call's media.
        line: the connection.
        say: shows a sentence on the terminal.

    Attributes:
        pictured: when the newest picture came, in seconds; None before the first.
    """

    def __init__(self, session: Party, line: LineThread, say: Callable[[str], None]) -> None:
        self._session, self._line, self._say = session, line, say
        self._state: LineState | None = None
        self._since = 0.0  # when the line got into that state
        self._silent = False
        self._gone: float | None = None  # since when the session has known that nothing comes
        self._looked = self._looked_signed = 0.0
        self._signed = self._performed = False
        self._unsigned = 0
        self.pictured: float | None = None

    @property
    def muted(self) -> bool:
        """Whether the other side says that no sound comes from its microphone."""
        return State.MUTED in (self._session.peer_state or State.PRESENT)

    @property
    def camera_off(self) -> bool:
        """Whether the other side says that no pictures come from its camera."""
        return State.CAMERA_OFF in (self._session.peer_state or State.PRESENT)

    def look(self, now: float) -> None:
        """Notice what has changed, and say it."""
        state = self._line.state
        if state != self._state:
            before, self._state, self._since = self._state, state, now
            if state == LineState.LOST:
                self._say(_LOST)
                self._silent = False
            elif state == LineState.CONNECTED and before in (LineState.QUIET, LineState.LOST):
                self._say("the line is back")
                self._silent = False
        silent = self._is_silent(now)
        if silent != self._silent:
            self._silent = silent
            if silent:
                self._say(_NOTHING)
            elif state == LineState.CONNECTED:
                self._say("the other side is heard again")
        self._look_signed(now)

    def stale(self, now: float) -> str:
        """Why the picture of the other side stands still; "" while it moves, and before there is
        one.
        """
        if self.pictured is None:
            return ""
        if self._state == LineState.LOST:
            return _LOST
        if self._silent:
            return _NOTHING
        if self.camera_off:
            return _CAMERA_OFF
        return "no new picture comes" if now - self.pictured > _STILL_S else ""

    def waiting(self) -> str:
        """What is waited for before the first picture; "" after it."""
        if self.pictured is not None:
            return ""
        statistics = self._session.statistics
        if statistics.refused is not None:
            return statistics.refused
        if statistics.unproven:
            return "what comes is not signed by the other side: it is not shown"
        if self._state == LineState.WAITING:
            return "waiting for somebody to open the link"
        if self._state == LineState.CONNECTING:
            return "connecting"
        if self._state == LineState.LOST:
            return _LOST
        if self._silent:
            return _NOTHING
        return _CAMERA_OFF if self.camera_off else "waiting for the first picture"

    def _is_silent(self, now: float) -> bool:
        """Whether nothing comes, although the line is not known to be lost."""
        if self._state != LineState.CONNECTED:
            self._gone = None
            return self._state == LineState.QUIET
        if now - self._since < _SILENT_S:
            return False
        if now - self._looked >= _LOOK_S:
            self._looked = now
            statistics = self._session.statistics
            if not statistics.peer_gone and statistics.received_datagrams:
                self._gone = None
            elif self._gone is None:
                # If nothing has come ever since, the wait is over; else one report may be lost.
                self._gone = now if statistics.received_datagrams else now - _GONE_S
        return self._gone is not None and now - self._gone >= _GONE_S

    def _look_signed(self, now: float) -> None:
        """Say whether the pictures are signed by the side that has the same words, and whether a
        photograph is what moves in them.
        """
        if now - self._looked_signed < _SIGNED_S:
            return
        self._looked_signed = now
        statistics = self._session.statistics
        words = " ".join(self._line.words)
        if statistics.proven and words and not self._signed:
            self._signed = True
            self._say(f"the picture is signed by the side with the words: {words}")
        if statistics.performed and not self._performed:
            self._say("nobody is before the other camera: a photograph moves with the voice")
        self._performed = statistics.performed
        if statistics.unproven > self._unsigned:
            if not self._unsigned:
                self._say("something came that the other side did not sign: it is dropped")
            self._unsigned = statistics.unproven
