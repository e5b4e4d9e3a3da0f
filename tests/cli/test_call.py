"""`facewire call` up to the moment when it would be sent: devices and the question. No card, no
camera, no window and no network is real here.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import facewire.cli.call as command
import facewire.cli.call_question as call_question
from facewire.call.devices import camera, card_list, cards
from facewire.call.devices.ports import DeviceEvent, Taken
from facewire.call.line import line_thread
from facewire.call.line.line import LineState, Totals
from facewire.call.recording import Recording
from facewire.call.window import Key, View
from facewire.cli.main import main
from facewire.codec.control import State
from facewire.codec.errors import DeviceError
from tests.call.devices.test_cards import FakeAudio, tick
from tests.call.fake_party import FakeParty
from tests.call.sides import Call

from .test_decode import frames as count_frames

pytest.importorskip("aiortc")
pytest.importorskip("cv2")

PICTURE = np.full((48, 64, 3), (10, 200, 30), np.uint8)


class FakeCamera:
    """As `Camera`. It tells what `happens` to it, an event each time that it is asked."""

    opened: list[FakeCamera]
    happens: list[DeviceEvent]

    def __init__(self, number: int | str) -> None:
        self.number, self.closed, self.ended = number, False, False
        FakeCamera.opened.append(self)

    def look(self, now: float) -> Taken | None:
        return Taken(PICTURE, now)

    def events(self) -> list[DeviceEvent]:
        return [FakeCamera.happens.pop(0)] if FakeCamera.happens else []

    def close(self) -> None:
        self.closed = True


class FakeLine:
    """As `LineThread`: it ends as soon as it has begun."""

    words: tuple[str, ...] = ()
    link = error = None
    begun = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        self.state = LineState.WAITING

    def start(self) -> None:
        FakeLine.begun += 1
        self.state = LineState.CONNECTED

    def receive(self) -> list[bytes]:
        return []

    def send(self, datagrams: list[bytes]) -> None:
        pass

    def wait(self, seconds: float) -> None:
        self.state = LineState.ENDED

    def totals(self) -> Totals:
        return Totals()

    def close(self) -> None:
        pass


class Screen:
    """As `Window`; one of `keys` is pressed after each view, None for no key."""

    def __init__(self, *keys: Key | None) -> None:
        self.keys, self.views, self.closed = list(keys), list[View](), False
        self.turn: Callable[[], object] = lambda: None

    def show(self, view: View) -> None:
        self.views.append(view)

    def pressed(self) -> list[Key]:
        self.turn()
        key = self.keys.pop(0) if self.keys else None
        return [] if key is None else [key]

    def close(self) -> None:
        self.closed = True


class Terminal:
    """As standard input, `real` where somebody sits before it."""

    def __init__(self, *lines: str, real: bool = True) -> None:
        self._lines, self._real = list(lines), real

    def isatty(self) -> bool:
        return self._real

    def fileno(self) -> int:
        raise OSError("no file")

    def readline(self) -> str:
        return self._lines.pop(0) if self._lines else ""


@pytest.fixture
def party() -> FakeParty:
    return FakeParty()


@pytest.fixture(autouse=True)
def audio(monkeypatch: pytest.MonkeyPatch, party: FakeParty) -> Iterator[FakeAudio]:
    fake = FakeAudio()
    FakeCamera.opened, FakeCamera.happens, FakeLine.begun = [], [], 0
    monkeypatch.setattr(command, "make_session", lambda args, now: party)
    monkeypatch.setattr(camera, "Camera", FakeCamera)
    monkeypatch.setattr(cards, "portaudio", lambda: fake)
    monkeypatch.setattr(card_list, "portaudio", lambda: fake)
    monkeypatch.setattr(line_thread, "LineThread", FakeLine)
    monkeypatch.setattr(sys, "stdin", Terminal(real=False))
    yield fake
    assert all(stream.closed for stream in fake.streams)
    assert all(one.closed for one in FakeCamera.opened)


def show(monkeypatch: pytest.MonkeyPatch, *keys: Key | None) -> Screen:
    """Put a screen in the window's place."""
    screen = Screen(*keys)

    def window(stack: Any) -> Screen:
        stack.callback(screen.close)
        return screen

    monkeypatch.setattr(command, "_window", window)
    return screen


def opened(audio: FakeAudio) -> set[str]:
    """Kinds of devices that were opened."""
    kinds = {"in": "microphone", "out": "loudspeaker"}
    found = {kinds[stream.settings["kind"]] for stream in audio.streams}
    return found | ({"camera"} if FakeCamera.opened else set())


ALL = {"camera", "microphone", "loudspeaker"}


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        ([], ALL),
        (["--microphone", "none"], {"camera", "loudspeaker"}),
        (["--loudspeaker", "none"], {"camera", "microphone"}),
        (["--microphone", "none", "--loudspeaker", "none"], {"camera"}),
        (["--camera", "none"], {"microphone", "loudspeaker"}),
        (["--in", "CLIP"], {"loudspeaker"}),
        (["--in", "CLIP", "--loudspeaker", "none"], set()),
    ],
)
def test_what_is_not_wanted_is_not_opened(
    monkeypatch: pytest.MonkeyPatch,
    audio: FakeAudio,
    party: FakeParty,
    clip: Path,
    words: list[str],
    kinds: set[str],
) -> None:
    words = [str(clip) if word == "CLIP" else word for word in words]
    screen = show(monkeypatch, None, Key.START)
    assert main(["call", *words]) == 0
    assert opened(audio) == kinds
    assert FakeLine.begun == 1
    assert (State.MUTED in party.state) == ("microphone" not in kinds and "--in" not in words)
    assert (State.CAMERA_OFF in party.state) == ("camera" not in kinds and "--in" not in words)
    assert screen.views[0].deaf == (State.MUTED in party.state)
    assert ("No camera is used" in screen.views[0].message) == (State.CAMERA_OFF in party.state)


def test_the_question_says_what_fails_and_shows_the_level(
    monkeypatch: pytest.MonkeyPatch,
    audio: FakeAudio,
    party: FakeParty,
    capsys: pytest.CaptureFixture[str],
) -> None:
    busy = DeviceEvent("camera", False, "the camera is used by another program")
    back = DeviceEvent("camera", True, "the camera works")
    audio.there = ("in",)
    FakeCamera.happens = [busy, back, busy]
    screen = show(monkeypatch, *[None] * 5, Key.START)
    screen.turn = lambda: tick(audio, 0.5)
    assert main(["call"]) == 0
    views = screen.views[:6]
    assert "The camera is used by another program." in views[0].message
    assert views[0].face is None
    assert views[1].face is PICTURE
    assert "This is you." in views[1].message
    assert "The camera is used by another program." in views[5].message
    for view in views:
        assert "There is no loudspeaker that can be used" in view.message
        assert "Start the call?" in view.message
    assert views[0].level == 0
    assert views[5].level > 0.8
    assert not views[0].deaf
    said = capsys.readouterr().err
    assert said.count(busy.sentence) == 2
    assert said.count("there is no loudspeaker") == 1
    assert State.CAMERA_OFF in party.state, "the conversation knows it, too"


def test_the_question_without_portaudio(
    monkeypatch: pytest.MonkeyPatch, party: FakeParty, audio: FakeAudio
) -> None:
    def missing() -> None:
        raise DeviceError("there is no sound without the library PortAudio")

    monkeypatch.setattr(cards, "portaudio", missing)
    screen = show(monkeypatch, None, Key.START)
    assert main(["call"]) == 0
    assert screen.views[0].message.count("There is no sound without the library PortAudio.") == 1
    assert screen.views[0].deaf
    assert party.state & State.MUTED


def test_leaving_the_question_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = show(monkeypatch, None, Key.LEAVE)
    assert main(["call"]) == 0
    assert FakeLine.begun == 0
    assert screen.closed


def test_ctrl_c_while_the_question_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Everything is closed, and nothing was sent or written. The handler is called here, because a
    real signal has ended such a process of pytest in a segmentation fault; tests/call/test_calls.py
    sends real ones.
    """
    screen = show(monkeypatch, *[None] * 100)

    def interrupt() -> None:
        handler = signal.getsignal(signal.SIGINT)
        assert callable(handler)
        if len(screen.views) == 3:
            handler(signal.SIGINT, None)

    screen.turn = interrupt
    record = tmp_path / "a.fwire"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert main(["call", "--record", str(record)]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert "interrupted" in capsys.readouterr().err
    assert screen.closed
    assert len(screen.views) == 3
    assert FakeLine.begun == 0


@pytest.mark.parametrize(
    ("line", "begins"), [("\n", 1), ("y\n", 1), ("Yes\n", 1), ("q\n", 0), ("no\n", 0), ("", 0)]
)
def test_without_a_window_the_terminal_asks(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    line: str,
    begins: int,
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(line))
    assert main(["call", "--out", str(tmp_path / "a.mp4"), "--quiet"]) == 0
    assert FakeLine.begun == begins
    said = capsys.readouterr().err
    assert "the camera and the microphone will be sent; nothing is sent yet" in said
    assert "Start the call?" in said


def test_the_terminal_says_what_fails(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    party: FakeParty,
) -> None:
    """Before the question, and while the answer is waited for; then it is asked again."""
    monkeypatch.setattr(sys, "stdin", Terminal("\n"))
    waits = [False, False, True]
    monkeypatch.setattr(call_question, "_is_answered", lambda seconds: waits.pop(0))
    busy = DeviceEvent("camera", False, "the camera is used by another program")
    FakeCamera.happens = [busy, DeviceEvent("camera", True, "the camera works"), busy]
    assert main(["call", "--out", str(tmp_path / "a.mp4")]) == 0
    ask = "nothing is sent yet. Start the call? Enter starts, q leaves: "
    said = capsys.readouterr().err
    assert (
        f"{busy.sentence}\nthe microphone will be sent; {ask}\n"
        f"the camera works\nthe camera and the microphone will be sent; {ask}\n"
        f"{busy.sentence}\nthe microphone will be sent; {ask}"
    ) in said
    assert State.CAMERA_OFF in party.state


def test_what_was_heard_before_the_answer_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, audio: FakeAudio, tmp_path: Path, party: FakeParty
) -> None:
    heard: list[Any] = []
    monkeypatch.setattr(party, "hear", lambda pcm, now: heard.append(pcm))

    def is_answered(seconds: float) -> bool:
        tick(audio, 0.5)
        return True

    monkeypatch.setattr(sys, "stdin", Terminal("\n"))
    monkeypatch.setattr(call_question, "_is_answered", is_answered)
    assert main(["call", "--out", str(tmp_path / "a.mp4")]) == 0
    assert heard == []


def test_without_window_and_terminal_nothing_starts_unasked(
    capsys: pytest.CaptureFixture[str], audio: FakeAudio, clip: Path, tmp_path: Path
) -> None:
    out = ["--out", str(tmp_path / "a.mp4")]
    assert main(["call", *out]) == 1
    assert "--yes" in capsys.readouterr().err
    assert FakeLine.begun == 0
    assert opened(audio) == set(), "it is refused before anything is opened"
    for number, words in enumerate(
        (["--yes"], ["--in", str(clip)], ["--camera", "none", "--microphone", "none"]), 1
    ):
        assert main(["call", *out, *words]) == 0
        assert FakeLine.begun == number


def test_listing_devices_opens_none(
    monkeypatch: pytest.MonkeyPatch, audio: FakeAudio, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(camera, "list_cameras", lambda: ["0: Integrated Camera"])
    assert main(["call", "--list-devices"]) == 0
    listed = ["cameras:", "  0: Integrated Camera", "sound:", "  0: both (microphone, loudspeaker)"]
    assert capsys.readouterr().out.splitlines() == listed
    assert opened(audio) == set()


def test_listing_devices_where_there_are_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> None:
        raise DeviceError("install libportaudio2")

    monkeypatch.setattr(camera, "list_cameras", lambda: [])
    monkeypatch.setattr(card_list, "portaudio", missing)
    assert main(["call", "--list-devices"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "cameras:",
        "  none that the system names",
        "sound:",
        "  install libportaudio2",
    ]


def test_what_was_recorded_can_be_decoded(card: Path, generator: Any, tmp_path: Path) -> None:
    """Here the other side is gone after two seconds, without a goodbye."""
    call, path = Call(card), tmp_path / "a.fwire"
    recording = Recording(path)
    receive = call.b.receive

    def take(datagram: bytes) -> None:
        recording.take(datagram)
        receive(datagram)

    call.there.deliver = take
    call.run(2.0)
    recording.close()
    target = tmp_path / "a.mp4"
    assert main(["decode", str(path), str(target), "--quiet"]) == 0
    assert count_frames(target) >= 0.8 * len(call.b.frames(0, 2))
