"""A conversation with a small session, a line and devices of our own, and a clock that we hold."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facewire.call.conversation import Conversation, Ended, Parts
from facewire.call.devices.ports import DeviceEvent, Taken
from facewire.call.line.line import LineState, Totals
from facewire.call.pack import Datagram
from facewire.call.recording import FigureLog, Recording
from facewire.call.window import Key, View
from facewire.codec.control import State
from facewire.codec.errors import CallError
from facewire.codec.file.container import Reader
from facewire.codec.packet import Flags, Kind, Packet
from tests.call.fake_party import FakeParty

pytest.importorskip("aiortc")
pytest.importorskip("cv2")

FRAME = np.full((48, 64, 3), (10, 200, 30), np.uint8)


class Desk:
    """Line, devices and screen; `script` is called each turn with the number of the turn."""

    def __init__(self, script: Callable[[Desk, int], None]) -> None:
        self.now, self.turn = 100.0, 0
        self.script = script
        self.state, self.error = LineState.CONNECTED, None
        self.words = ("goose", "zipper", "tulip", "biscuit")
        self.came: list[bytes] = []
        self.sent: list[bytes] = []
        self.keys: list[Key] = []
        self.happened: list[DeviceEvent] = []
        self.views: list[View] = []
        self.said: list[str] = []
        self.played = self.listened = 0
        self.ended, self.level = False, 0.5
        self.sends: State | None = None  # what the other side says of itself, see `paced`

    # line
    def receive(self) -> list[bytes]:
        came, self.came = self.came, []
        return came

    def send(self, datagrams: list[bytes]) -> None:
        self.sent += datagrams

    def wait(self, seconds: float) -> None:
        self.now += 0.02
        self.turn += 1
        assert self.turn < 2000
        self.script(self, self.turn)

    def totals(self) -> Totals:
        return Totals(sent_bytes=len(self.sent) * 100)

    # devices and screen
    def look(self, now: float) -> Any:
        return Taken(FRAME, now)

    def listen(self, now: float) -> Any:
        self.listened += 320
        return np.full(320, 0.25, np.float32)

    def wants(self, now: float) -> int:
        return 320

    def play(self, pcm: Any) -> None:
        self.played += len(pcm)

    def events(self) -> list[DeviceEvent]:
        happened, self.happened = self.happened, []
        return happened

    def show(self, view: View) -> None:
        self.views.append(view)

    def pressed(self) -> list[Key]:
        keys, self.keys = self.keys, []
        return keys

    def close(self) -> None:
        pass


def talk(
    script: Callable[[Desk, int], None], **more: Any
) -> tuple[Desk, FakeParty, Conversation, Ended]:
    desk, party = Desk(script), FakeParty()
    line: Any = desk
    parts = Parts(party, line, desk, desk, desk, desk, say=desk.said.append)
    for name, value in more.items():
        setattr(parts, name, value)
    conversation = Conversation(parts, lambda: desk.now)
    return desk, party, conversation, conversation.run()


def datagram(state: State = State.PRESENT) -> bytes:
    other = FakeParty()
    other.see(FRAME, 0.0)
    other.state = state
    return other.datagram(0.0)


def leave_at(last: int, *steps: tuple[int, Callable[[Desk], None]]) -> Callable[[Desk, int], None]:
    def script(desk: Desk, turn: int) -> None:
        for when, step in steps:
            if when == turn:
                step(desk)
        if turn == last:
            desk.keys.append(Key.LEAVE)

    return script


def test_without_a_loudspeaker_the_sound_goes_on() -> None:
    """Else it would wait, and pictures with it, until a loudspeaker is there."""
    asked: list[tuple[float, int]] = []

    class Listened(FakeParty):
        def sound(self, count: int, now: float) -> Any:
            asked.append((now, count))
            return super().sound(count, now)

    desk, party = Desk(leave_at(200)), Listened()
    line: Any = desk
    Conversation(Parts(party, line, desk, desk, None, desk), lambda: desk.now).run()
    passed = asked[-1][0] - asked[0][0]
    assert passed > 0.5
    assert sum(count for _, count in asked[1:]) == pytest.approx(16_000 * passed, rel=0.01)


def test_media_goes_both_ways() -> None:
    films: list[Any] = []
    wait_for_picture = (5, lambda desk: desk.came.append(datagram()))

    def script(desk: Desk, turn: int) -> None:
        leave_at(10_000, wait_for_picture)(desk, turn)
        if films:
            desk.keys.append(Key.LEAVE)
        elif turn > 5:
            time.sleep(0.01)  # the picture is made in another thread

    desk, party, conversation, why = talk(script, film=lambda frame, now: films.append(frame))
    assert why is Ended.LEFT
    assert desk.sent
    assert desk.played == desk.listened > 0
    assert films[0].shape == (64, 64, 3)
    assert conversation.connected_after == 0.0
    assert (conversation.first_picture_after or 0) > 0
    assert party.state & State.LEAVING  # the other side is told
    assert desk.views[-1].words == desk.words


def test_nothing_is_sent_before_there_is_a_line() -> None:
    script = leave_at(20)

    def waiting(desk: Desk, turn: int) -> None:
        desk.state = LineState.WAITING
        script(desk, turn)

    desk = Desk(waiting)
    desk.state = LineState.WAITING
    line: Any = desk
    parts = Parts(FakeParty(), line, desk, desk, desk, desk)
    assert Conversation(parts, lambda: desk.now).run() is Ended.LEFT
    assert desk.sent == []
    assert desk.listened == 0
    assert "waiting for somebody" in desk.views[-1].message
    assert desk.views[-1].own is not None


def test_keys() -> None:
    def press(key: Key) -> Callable[[Desk], None]:
        return lambda desk: desk.keys.append(key)

    steps = [(5, press(Key.MUTE)), (10, press(Key.CAMERA)), (15, press(Key.HIDE))]
    steps += [(20, press(Key.HELP)), (25, press(Key.MORE)), (30, press(Key.LESS))]
    desk, party, _, _ = talk(leave_at(40, *steps))
    assert State.MUTED | State.CAMERA_OFF in party.state
    view = desk.views[-1]
    assert (view.muted, view.camera_off, view.own, view.help) == (True, True, None, False)
    assert party.kbps == 16.0  # 20, then one back
    assert "16 kbit/s" in view.message


def test_devices_that_fail_and_come_back() -> None:
    def happen(works: bool, sentence: str) -> Callable[[Desk], None]:
        return lambda desk: desk.happened.append(DeviceEvent("camera", works, sentence))

    desk, _, _, _ = talk(
        leave_at(
            40,
            (2, happen(True, "the camera works")),  # at the start: nobody need hear that
            (5, happen(False, "the camera was unplugged")),
            (20, happen(True, "the camera works")),
        )
    )
    assert desk.said == ["connected", "the camera was unplugged", "the camera works"]
    assert any(view.camera_off for view in desk.views)
    assert not desk.views[-1].camera_off


def happen(device: str, works: bool) -> Callable[[Desk], None]:
    event = DeviceEvent(device, works, f"{device}: {works}")
    return lambda desk: desk.happened.append(event)


def press(key: Key) -> Callable[[Desk], None]:
    return lambda desk: desk.keys.append(key)


class Told(FakeParty):
    """Notes what the other side is told, each time that it changes."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[State] = []

    def sound(self, count: int, now: float) -> Any:
        if self.told[-1:] != [self.state]:
            self.told.append(self.state)
        return super().sound(count, now)


@pytest.mark.parametrize(
    ("device", "key", "told"),
    [("camera", Key.CAMERA, State.CAMERA_OFF), ("microphone", Key.MUTE, State.MUTED)],
)
def test_the_other_side_is_told_of_a_device_that_fails(device: str, key: Key, told: State) -> None:
    """And the user's own switch keeps its meaning, also where it is pressed meanwhile."""
    fails, works = happen(device, False), happen(device, True)
    party = Told()
    talk(leave_at(40, (10, fails), (20, works)), session=party)
    assert party.told == [State.PRESENT, told, State.PRESENT]

    party = Told()
    steps = [(10, fails), (20, press(key)), (30, works), (40, press(key))]
    desk, _, _, _ = talk(leave_at(60, *steps), session=party)
    assert party.told == [State.PRESENT, told, State.PRESENT]  # one change at 10, one at 40
    views = [(view.muted or view.camera_off, view.deaf) for view in desk.views]
    assert views[0] == views[-1] == (False, False)
    assert (True, False) in views  # switched off after it works again
    assert any(view.deaf for view in desk.views) == (device == "microphone")


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ({"eye": None}, State.CAMERA_OFF),
        ({"ear": None}, State.MUTED),
        ({"eye": None, "ear": None}, State.CAMERA_OFF | State.MUTED),
        ({"stopped": {"camera": "it is busy"}}, State.CAMERA_OFF),
        ({"stopped": {"microphone": "it is busy"}}, State.MUTED),
    ],
)
def test_the_other_side_is_told_of_a_device_that_is_missing(
    missing: dict[str, Any], told: State
) -> None:
    """From the first datagram on."""

    class First(Told):
        def start(self, transmit: Any) -> None:
            self.first = self.state
            super().start(transmit)

    party = First()
    desk, _, _, _ = talk(leave_at(20), session=party, **missing)
    assert party.first == told
    assert party.told == [told]
    assert all(view.deaf == (State.MUTED in told) for view in desk.views)


def test_a_camera_that_is_known_to_fail_may_work_later() -> None:
    party = Told()
    script = leave_at(20, (10, happen("camera", True)))
    desk, _, _, _ = talk(script, session=party, stopped={"camera": "it is busy"})
    assert party.told == [State.CAMERA_OFF, State.PRESENT]
    assert "camera: True" in desk.said


def paced(last: int, *steps: tuple[int, Callable[[Desk], None]]) -> Callable[[Desk, int], None]:
    """Something comes from the other side every tenth turn, until a step says otherwise."""
    script = leave_at(last, *steps)

    def run(desk: Desk, turn: int) -> None:
        script(desk, turn)
        if turn % 10 == 0 and desk.sends is not None:
            desk.came.append(datagram(desk.sends))

    return run


def sends(state: State | None) -> Callable[[Desk], None]:
    return lambda desk: setattr(desk, "sends", state)


def test_the_other_camera_is_off() -> None:
    """Before the first picture, and after it; and its microphone, which stands on the picture."""
    off = State.CAMERA_OFF | State.MUTED

    class NoPicture(FakeParty):
        shows = False

        def picture(self, now: float) -> Any:
            return super().picture(now) if self.shows else None

    party = NoPicture()
    steps = [(1, sends(off)), (50, lambda desk: setattr(party, "shows", True))]
    desk, _, _, _ = talk(paced(200, *steps, (100, sends(State.PRESENT))), session=party)
    before = [view for view in desk.views if view.face is None][10:]
    assert before
    assert {view.message for view in before} == {"the other side's camera is off"}
    after = [(view.stale, view.peer_muted) for view in desk.views if view.face is not None]
    assert after[0] == ("the other side's camera is off", True)
    assert after[-1] == ("", False)


def test_a_side_that_sends_nothing_although_the_line_is_there() -> None:
    """As when its program hangs, and only ICE answers."""
    desk, _, _, _ = talk(leave_at(400))
    assert desk.said == ["connected", "nothing comes from the other side"]
    assert desk.views[-1].message == "nothing comes from the other side"

    party = FakeParty()

    def hang(desk: Desk) -> None:
        desk.sends, party.peer_gone = None, True

    def go_on(desk: Desk) -> None:
        desk.sends, party.peer_gone = State.PRESENT, False

    steps = [(1, sends(State.PRESENT)), (300, hang), (400, go_on)]
    desk, _, _, _ = talk(paced(500, *steps), session=party)
    assert desk.said[1:] == ["nothing comes from the other side", "the other side is heard again"]
    marks = [view.stale for view in desk.views if view.face is not None]
    assert marks[0] == marks[-1] == ""
    assert "nothing comes from the other side" in marks

    party = FakeParty()  # a report is lost, and the next one comes
    steps = [(1, sends(State.PRESENT)), (300, hang), (340, go_on)]
    desk, _, _, _ = talk(paced(400, *steps), session=party)
    assert desk.said == ["connected"]


def test_a_picture_that_stands_is_marked() -> None:
    """Sound may go on, for example where the other side finds no time for pictures."""
    party = FakeParty()

    def freeze(desk: Desk) -> None:
        still = party.picture(0.0)
        party.picture = lambda now: still  # type: ignore[method-assign]

    desk, _, _, _ = talk(paced(400, (1, sends(State.PRESENT)), (100, freeze)), session=party)
    marks = [view.stale for view in desk.views if view.face is not None]
    assert marks[0] == ""
    assert marks[-1] == "no new picture comes"
    assert desk.said == ["connected"]


def test_the_line_is_quiet_lost_and_back() -> None:
    def be(state: LineState) -> Callable[[Desk], None]:
        return lambda desk: setattr(desk, "state", state)

    first = (1, lambda desk: desk.came.append(datagram()))
    steps = [(20, be(LineState.QUIET)), (30, be(LineState.LOST)), (40, be(LineState.CONNECTED))]

    def script(desk: Desk, turn: int) -> None:
        time.sleep(0.002)
        leave_at(50, first, *steps)(desk, turn)

    desk, _, _, _ = talk(script)
    assert desk.said[1:] == [
        "nothing comes from the other side",
        "the line is lost: connecting again",
        "the line is back",
    ]
    assert {view.stale for view in desk.views} >= {"", *desk.said[1:3]}
    assert desk.views[-1].stale == ""


def test_the_other_side_leaves() -> None:
    bye = (5, lambda desk: desk.came.append(datagram(State.LEAVING)))
    assert talk(leave_at(50, bye))[3] is Ended.OTHER_LEFT
    gone = (5, lambda desk: setattr(desk, "state", LineState.ENDED))
    assert talk(leave_at(50, gone))[3] is Ended.OTHER_LEFT


def test_the_line_ends_with_an_error() -> None:
    def fail(desk: Desk) -> None:
        desk.state = LineState.ENDED
        desk.error = CallError("no path")  # type: ignore[assignment]

    with pytest.raises(CallError, match="no path"):
        talk(leave_at(50, (5, fail)))


def test_a_film_ends_the_call() -> None:
    end = (5, lambda desk: setattr(desk, "ended", True))
    desk, _, _, why = talk(leave_at(1000, end))
    assert why is Ended.FILM
    assert desk.now > 101.0  # a second for what is on its way


def test_work_that_fails_is_told() -> None:
    party = FakeParty()
    desk = Desk(lambda desk, turn: setattr(party, "failure", ValueError("broken")))
    line: Any = desk
    with pytest.raises(ValueError, match="broken"):
        Conversation(Parts(party, line, desk, desk, desk, desk), lambda: desk.now).run()


def test_whether_the_picture_is_signed_is_said_and_shown() -> None:
    party = FakeParty()
    party.proven = 0

    def set_counts(proven: int, unproven: int) -> Callable[[Desk], None]:
        def step(desk: Desk) -> None:
            party.proven, party.unproven = proven, unproven

        return step

    steps = [(60, set_counts(1, 0)), (200, set_counts(1, 2)), (300, set_counts(1, 3))]
    desk, _, _, _ = talk(leave_at(400, *steps), session=party)
    views = [(view.signed, view.unsigned) for view in desk.views]
    assert views[0] == (False, 0)
    assert (True, 0) in views
    assert views[-1] == (True, 3)
    signed = [sentence for sentence in desk.said if "signed by the side" in sentence]
    assert signed == [f"the picture is signed by the side with the words: {' '.join(desk.words)}"]
    assert sum("did not sign" in sentence for sentence in desk.said) == 1


def test_a_photograph_that_speaks_is_told_on_both_sides() -> None:
    """In the window of the one who shows it, and in that of the one who sees it."""
    party = FakeParty()
    begins = (100, lambda desk: setattr(party, "performed", True))
    mine = np.full((32, 32, 3), 7, np.uint8)
    desk, _, _, _ = talk(leave_at(300, begins), session=party, own=mine, own_note="moved by voice")
    assert all(view.own is mine and view.own_note == "moved by voice" for view in desk.views)
    marks = [view.performed for view in desk.views]
    assert marks[0] is False
    assert marks[-1] is True
    assert sum("nobody is before the other camera" in line for line in desk.said) == 1


def test_figures(tmp_path: Path) -> None:
    log = FigureLog(tmp_path / "a.jsonl")
    desk, _, _, _ = talk(leave_at(150), figures=log)
    log.close()
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert len(lines) in (3, 4)  # 3 s
    assert lines[-1]["call"]["line_kbps"] == 16.0
    assert desk.views[-1].figures.waits_ms == 100.0
    assert desk.views[-1].figures.line_ms is None  # not measured yet
    rates = [view.figures.sent_kbps for view in desk.views if view.figures.sent_kbps is not None]
    assert 10 < rates[-1] < 20  # a datagram of 100 bytes each 60 ms


def test_the_delay_of_the_line_is_half_of_there_and_back() -> None:
    party = FakeParty()
    party.round_trip_s = 0.09
    desk, _, _, _ = talk(leave_at(20), session=party)
    assert desk.views[-1].figures.line_ms == pytest.approx(45)


def test_a_recording_is_whole_however_the_other_side_ends(tmp_path: Path) -> None:
    """Here the other side is killed: its datagrams end, and then the line is given up."""
    packets = [Packet(Kind.MOTION, Flags.SYNTHETIC, 0, n, n, b"motion") for n in range(50)]
    path = tmp_path / "a.fwire"

    def come(desk: Desk, turn: int) -> None:
        if turn < 50:
            desk.came.append(bytes(Datagram(5, turn, 0, (packets[turn],))))
        elif turn == 60:
            desk.state = LineState.LOST
        elif turn == 100:
            desk.error = CallError("given up")  # type: ignore[assignment]
            desk.state = LineState.ENDED

    class Deaf(FakeParty):
        """These packets are not its own kind of datagrams."""

        def receive(self, datagram: bytes, now: float) -> None:
            pass

    with contextlib.ExitStack() as stack:
        recording = Recording(path)
        stack.callback(recording.close)
        stack.enter_context(pytest.raises(CallError))
        talk(come, session=Deaf(), recording=recording)
    with path.open("rb") as file:
        assert [packet.sequence for packet in Reader(file)] == list(range(1, 50))


def test_a_recording_keeps_each_packet_once(tmp_path: Path) -> None:
    packets = [Packet(Kind.MOTION, Flags.SYNTHETIC, 0, n, n, b"motion") for n in range(4)]
    report = Packet(Kind.CONTROL, Flags.NONE, 0, 1, 0, b"")
    path = tmp_path / "a.fwire"
    recording = Recording(path)
    recording.take(bytes(Datagram(5, 0, 0, (packets[0], packets[1], report))))
    recording.take(b"garbage")
    recording.take(bytes(Datagram(5, 1, 0, (packets[1], packets[2]))))  # with a copy
    recording.take(bytes(Datagram(6, 0, 0, (packets[1],))))  # the other side began anew
    assert not path.exists()  # it appears when it is whole
    recording.close()
    with path.open("rb") as file:
        found = [packet.sequence for packet in Reader(file)]
    assert found == [0, 1, 2, 1]
    assert recording.packets == 4
