"""`Conversation`: carries pictures and sound between devices, session and line, until it ends.

    eye, ear ──→ session ──→ line ──→ network ──→ line ──→ session ──→ mouth, screen

One thread carries everything between them. The line has a thread of its own, and so have coding and
rendering (`CallWorkers`), because they take longer than sound may wait.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from ..codec.clean_stop import stop_later
from ..codec.control import State
from ..codec.errors import FacewireError
from ..codec.sound.opus import SAMPLE_RATE
from ..receiver.outputs import PictureOutput
from .devices.echo import EchoCanceller
from .devices.ports import DeviceEvent, Ear, Eye, Frame, Mouth
from .line.line import LineState, Totals
from .line.line_thread import LineThread
from .other_side import OtherSide
from .party import Party
from .recording import FigureLog, Recording
from .stand_in import StandIn
from .window import Figures, Key, View

__all__ = ["SYNTHETIC", "Conversation", "Ended", "Parts", "Screen"]

_SHOWN_S = 0.04  # between two pictures of the window
_FIGURES_S = 1.0
_LONGEST_WAIT_S = 0.01
_AFTER_FILM_S = 1.0  # sound and pictures of a file's end are still on their way
_GOODBYE_S = 0.15
_UNHEARD_S = 0.1  # after which sound that no loudspeaker wants is dropped
_MESSAGE_S = 6.0  # that a sentence stays in the window
SYNTHETIC = "synthetic, by your voice"
"""What the window writes on the own picture while a photograph speaks."""
_QUALITIES = (8.0, 12.0, 16.0, 20.0, 24.0, 32.0, 40.0, 64.0)


class Ended(Enum):
    """Why a conversation ended."""

    LEFT = "left"
    OTHER_LEFT = "the other side left"
    FILM = "the film ended"


class Screen(Protocol):
    """Shows the call and reads keys: a window, or nothing."""

    def show(self, view: View) -> None:
        """Show what there is to see."""

    def pressed(self) -> list[Key]:
        """Keys since the last call."""

    def close(self) -> None:
        """Close it."""


@dataclass(slots=True)
class Parts:
    """What a conversation is made of. Any part but session and line may be missing.

    Attributes:
        session: the call's media.
        line: the connection to the other side.
        eye, ear, mouth: camera, microphone and loudspeaker, or files in their place.
        screen: the window.
        own: what the other side is shown in place of the camera's pictures; the window then shows
            it as the own picture.
        own_note: what that is, in a few words.
        stand_in: lets a photograph speak in the camera's place, when the key is pressed.
        film: takes each picture of the other side once, with its time, to write it to a file.
        echo: removes the loudspeaker's sound from the microphone's.
        recording, figures: files that are written.
        say: shows a sentence on the terminal.
        kbps: the highest rate at the start.
        stopped: devices that are known not to work when the conversation begins, by the names of
            `DeviceEvent`, each with the sentence that says so.
    """

    session: Party
    line: LineThread
    eye: Eye | None = None
    ear: Ear | None = None
    mouth: Mouth | None = None
    screen: Screen | None = None
    own: Frame | None = None
    own_note: str = ""
    stand_in: StandIn | None = None
    film: Callable[[Frame, float], None] | None = None
    echo: EchoCanceller | None = None
    recording: Recording | None = None
    figures: FigureLog | None = None
    say: Callable[[str], None] = lambda sentence: None
    kbps: float = 16.0
    stopped: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Seen:
    """What is remembered from one picture of the window to the next."""

    face: Frame | None = None
    own: Frame | None = None
    hidden: bool = False
    full_help: bool = True
    message: str = ""
    message_until: float = 0.0
    rates: tuple[float | None, float | None] = (None, None)
    counted: Totals = field(default_factory=Totals)
    counted_at: float | None = None


class Conversation:
    """Runs a call over its line.

    Args:
        parts: see `Parts`. They are used, not closed.
        clock: gives seconds and never goes back, as `time.monotonic` does.

    Attributes:
        connected_after: seconds from the beginning of `run` to the first connection, None before.
        first_picture_after: the same for the first picture of the other side.
    """

    def __init__(self, parts: Parts, clock: Callable[[], float] = time.monotonic) -> None:
        self._parts, self._clock = parts, clock
        self._seen = _Seen()
        self._picture: PictureOutput | None = None
        self._kbps = parts.kbps
        self._other = OtherSide(parts.session, parts.line, parts.say)
        self._stopped = set(parts.stopped)  # devices that do not work
        # What the user switched off. The other side is told more, see `_tell`.
        self._switched = parts.session.state & (State.MUTED | State.CAMERA_OFF)
        self._shown = self._logged = self._heard = self._film_ends = 0.0
        self._began = 0.0
        self._sent: Frame | None = None  # the camera's last picture that was sent
        self._was_off = False  # whether the camera was off when a photograph was asked for
        self.connected_after: float | None = None
        self.first_picture_after: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds since the first connection; 0 before it."""
        if self.connected_after is None:
            return 0.0
        return self._clock() - self._began - self.connected_after

    def run(self) -> Ended:
        """Run until somebody leaves, the file in place of a camera ends, or the line is given up.

        Raises:
            CallError: the line could not be made, or did not come back.
            KeyboardInterrupt: Ctrl-C; the other side was told.
            OSError: a file cannot be written.
        """
        self._began = self._clock()
        with stop_later() as stop:
            return self._run(stop)

    def _run(self, stop: Callable[[], None]) -> Ended:
        parts = self._parts
        try:
            while True:
                stop()
                now = self._clock()
                for datagram in parts.line.receive():
                    if parts.recording is not None:
                        parts.recording.take(datagram)
                    parts.session.receive(datagram, now)
                reason = self._line(now) or self._keys(now)
                if reason is not None:
                    return reason
                if parts.session.failure is not None:
                    raise parts.session.failure
                if self.connected_after is not None:
                    self._out(now)
                    self._in(now)
                    if self._film_over(now):
                        return Ended.FILM
                self._show(now)
                self._log(now)
                parts.line.wait(_LONGEST_WAIT_S)
        finally:
            with contextlib.suppress(KeyboardInterrupt, FacewireError):  # the first one counts
                self._goodbye()
                self._log(self._clock(), last=True)

    # -- what goes out

    def _out(self, now: float) -> None:
        session, eye, ear = self._parts.session, self._parts.eye, self._parts.ear
        stand_in = self._parts.stand_in
        if stand_in is not None and (sentence := stand_in.poll()):
            if stand_in.eye is not None and self._was_off:
                self._switched &= ~State.CAMERA_OFF  # what is sent is not the camera's
            self._parts.say(sentence)
            self._message(sentence, now)
        self._tell()
        speaks = stand_in is not None and stand_in.eye is not None
        if stand_in is not None and stand_in.eye is not None:
            eye = stand_in.eye
        if ear is not None:
            pcm = ear.listen(now)
            if self._parts.echo is not None:
                pcm = self._parts.echo.clean(pcm)
            if len(pcm):
                session.hear(pcm, now)
        if eye is not None:
            taken = eye.look(now)
            if taken is not None:
                self._seen.own = self._seen.own if speaks else taken.frame
                if not speaks and State.CAMERA_OFF not in session.state:
                    self._sent = taken.frame
                session.see(*taken)

    def _tell(self) -> None:
        """Tell the other side which of camera and microphone give nothing: those that the user
        switched off, those that fail, and those that are not there. A photograph that speaks stands
        in for the camera.
        """
        parts, told = self._parts, self._switched
        speaks = parts.stand_in is not None and parts.stand_in.eye is not None
        if not speaks and (parts.eye is None or "camera" in self._stopped):
            told |= State.CAMERA_OFF
        if self._is_deaf:
            told |= State.MUTED
        parts.session.state = parts.session.state & ~(State.MUTED | State.CAMERA_OFF) | told

    @property
    def _is_deaf(self) -> bool:
        """Whether there is no microphone that works."""
        return self._parts.ear is None or "microphone" in self._stopped

    # -- what comes in

    def _in(self, now: float) -> None:
        session, mouth = self._parts.session, self._parts.mouth
        wanted = mouth.wants(now) if mouth is not None else 0
        if mouth is not None and wanted:
            pcm = session.sound(wanted, now)
            mouth.play(pcm)
            if self._parts.echo is not None:
                self._parts.echo.played(pcm)
            self._heard = now
        elif now - self._heard > _UNHEARD_S:  # without a loudspeaker, time goes on all the same
            passed = min(now - self._heard, 2 * _UNHEARD_S)
            session.sound(round(passed * SAMPLE_RATE), now)
            self._heard = now
        made = session.picture(now)
        if made is not None and made is not self._picture:
            self._picture, self._other.pictured = made, now
            if self.first_picture_after is None:
                self.first_picture_after = now - self._began
            self._seen.face = made.frame
            if self._parts.film is not None:
                self._parts.film(made.frame, now)

    # -- line, keys, window

    def _line(self, now: float) -> Ended | None:
        """Notice the state of the line; returns why the call is over, if it is."""
        line, session = self._parts.line, self._parts.session
        if line.state == LineState.ENDED:
            if line.error is not None:
                raise line.error
            return Ended.OTHER_LEFT
        peer = session.peer_state
        if peer is not None and State.LEAVING in peer:
            return Ended.OTHER_LEFT
        if line.state == LineState.CONNECTED and self.connected_after is None:
            self.connected_after = now - self._began
            self._tell()
            session.start(line.send)
            self._parts.say("connected")
        self._other.look(now)
        return None

    def _keys(self, now: float) -> Ended | None:
        for key in self._parts.screen.pressed() if self._parts.screen is not None else ():
            if key == Key.LEAVE:
                return Ended.LEFT
            if key == Key.MUTE:
                self._switched ^= State.MUTED
            elif key == Key.CAMERA:
                self._switched ^= State.CAMERA_OFF
            elif key == Key.PHOTO:
                self._change(now)
            elif key == Key.HIDE:
                self._seen.hidden = not self._seen.hidden
            elif key == Key.HELP:
                self._seen.full_help = not self._seen.full_help
            elif key in (Key.MORE, Key.LESS):
                self._quality(1 if key == Key.MORE else -1, now)
        for part in (self._parts.eye, self._parts.ear, self._parts.mouth):
            for event in part.events() if part is not None else ():
                self._device(event, now)
        self._tell()
        return None

    def _change(self, now: float) -> None:
        """Change between the camera and a photograph that speaks. A camera that was off is off
        again afterwards, and none of its pictures from then is used.
        """
        stand_in = self._parts.stand_in
        if stand_in is None:
            sentence = "there is no camera in this call that a photograph could stand in for"
        else:
            if stand_in.eye is None:
                self._was_off = State.CAMERA_OFF in self._switched
            elif self._was_off:
                self._switched |= State.CAMERA_OFF
            sentence = stand_in.toggle(self._sent)
        self._parts.say(sentence)
        self._message(sentence, now)

    def _quality(self, step: int, now: float) -> None:
        better = [kbps for kbps in _QUALITIES if (kbps - self._kbps) * step > 0]
        if better:
            self._kbps = min(better) if step > 0 else max(better)
            self._parts.session.set_ceiling(self._kbps)
        self._message(f"at most {self._kbps:g} kbit/s", now)

    def _device(self, event: DeviceEvent, now: float) -> None:
        """Report that a device failed or works again; `_tell` tells the other side."""
        stopped = self._stopped
        if event.works:
            if event.device not in stopped:
                return
            stopped.discard(event.device)
        else:
            stopped.add(event.device)
        self._parts.say(event.sentence)
        self._message(event.sentence, now)

    def _message(self, sentence: str, now: float) -> None:
        self._seen.message, self._seen.message_until = sentence, now + _MESSAGE_S

    def _show(self, now: float) -> None:
        if self._parts.screen is None or now - self._shown < _SHOWN_S:
            return
        self._shown = now
        seen, session, ear = self._seen, self._parts.session, self._parts.ear
        if self._parts.eye is not None and self.connected_after is None:
            taken = self._parts.eye.look(now)
            seen.own = seen.own if taken is None else taken.frame
        statistics = session.statistics
        own = seen.own if self._parts.own is None else self._parts.own
        own_note = self._parts.own_note
        if self._parts.stand_in is not None and self._parts.stand_in.shown is not None:
            own, own_note = self._parts.stand_in.shown, SYNTHETIC
        self._parts.screen.show(
            View(
                face=seen.face,
                own=None if seen.hidden else own,
                own_note=own_note,
                performed=statistics.performed,
                peer_muted=self._other.muted,
                stale=self._other.stale(now),
                figures=self._count(now),
                level=ear.level if ear is not None else 0.0,
                deaf=self._is_deaf,
                muted=State.MUTED in self._switched,
                camera_off=State.CAMERA_OFF in session.state,
                words=self._parts.line.words,
                signed=None if statistics.proven is None else statistics.proven > 0,
                unsigned=statistics.unproven,
                message=seen.message if now < seen.message_until else self._other.waiting(),
                help=seen.full_help,
            )
        )

    def _count(self, now: float) -> Figures:
        """Figures of the last second, from the line's own counts."""
        seen = self._seen
        if seen.counted_at is None:
            seen.counted, seen.counted_at = self._parts.line.totals(), now
        elif now - seen.counted_at >= _FIGURES_S:
            totals, passed = self._parts.line.totals(), now - seen.counted_at
            sent = totals.sent_bytes - seen.counted.sent_bytes
            received = totals.received_bytes - seen.counted.received_bytes
            seen.rates = (sent * 8 / passed / 1000, received * 8 / passed / 1000)
            seen.counted, seen.counted_at = totals, now
        if self.connected_after is None:
            return Figures(*seen.rates)
        statistics = self._parts.session.statistics
        there_and_back = statistics.round_trip_s
        return Figures(
            *seen.rates,
            loss=statistics.loss,
            line_ms=None if there_and_back is None else 500 * there_and_back,
            waits_ms=1000 * statistics.delay_s,
        )

    def _log(self, now: float, *, last: bool = False) -> None:
        figures = self._parts.figures
        if figures is not None and (last or now - self._logged >= _FIGURES_S):
            self._logged = now
            state = self._parts.line.state.value
            statistics = self._parts.session.statistics
            figures.write(now - self._began, state, self._parts.line.totals(), statistics)

    def _film_over(self, now: float) -> bool:
        """Whether the file in place of a camera ended a moment ago."""
        if self._parts.eye is None or not self._parts.eye.ended:
            return False
        self._film_ends = self._film_ends or now + _AFTER_FILM_S
        return now >= self._film_ends

    def _goodbye(self) -> None:
        """Tell the other side, in whatever way the call ends."""
        if self.connected_after is not None and self._parts.line.state != LineState.ENDED:
            self._parts.session.leave(self._clock())
            time.sleep(_GOODBYE_S)
