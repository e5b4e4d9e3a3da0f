"""A photograph that speaks in the camera's place while a call goes on, and the camera again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from facewire.call.config import CallConfig
from facewire.call.conversation import SYNTHETIC, Conversation, Parts
from facewire.call.devices.photograph import Photograph
from facewire.call.devices.ports import Taken
from facewire.call.session import CallSession, speaking_mouths
from facewire.call.stand_in import StandIn
from facewire.call.window import Key
from facewire.call.workers import CallWorkers
from facewire.cli.call_session import stand_in_for
from facewire.codec.control import State
from facewire.codec.errors import ConfigError, NoFaceError
from facewire.receiver.decoder import Decoder
from facewire.sender.encoder import Encoder
from facewire.sender.photo import Portrait

from .fake_party import FakeParty
from .sides import Call, NoGenerator, SwayingFace
from .test_conversation import FRAME, Desk, leave_at, talk

Frame = npt.NDArray[np.uint8]


def filmed(config: CallConfig, card: Path) -> Encoder:
    settings = replace(config.encoder, model=str(card), crop=False)
    return Encoder(settings, fps=config.fps, tracker=SwayingFace())


def speaking(config: CallConfig, picture: Frame) -> Encoder:
    """The photograph's encoder; `s` is its network, as the picture that it is found in is real."""
    settings = replace(config.encoder, portrait=Portrait(picture), driver="sound")
    encoder = Encoder(settings, fps=config.fps, mouths=speaking_mouths())
    encoder.prepare()
    return encoder


def test_a_session_changes_to_a_photograph_and_back(card: Path, frames: list[Frame]) -> None:
    config = CallConfig(kbps=24, fps=Fraction(10))
    call = Call(card, config)
    a, b = call.a, call.b
    call.world.run(3)
    assert not b.session.statistics.performed
    camera = a.session.outgoing.encoder
    with speaking(config, frames[0]) as photo:
        a.session.change_encoder(photo, a.now)
        a.origin = a.now  # the new stream's time begins
        call.world.run(6)
        assert b.session.statistics.performed
        assert a.session.statistics.own_s == pytest.approx(3, abs=0.1)
        assert len(b.frames(4.5, 6)) > 0.8 * 1.5 * 10
        assert b.longest_still(3, 6) < 1.5
        a.session.change_encoder(camera, a.now)
        a.origin = a.now
        call.world.run(9)
        assert not b.session.statistics.performed
        assert len(b.frames(7.5, 9)) > 0.8 * 1.5 * 10
        said = [age for at, age in b.heard if at > 7.5]
        assert said, "the voice goes on"
        assert b.session.statistics.unproven == 0
        assert a.kbps(0, 9) < 24 * 1.1


def test_a_closed_session_takes_no_encoder(card: Path) -> None:
    config = CallConfig(kbps=24)
    session = CallSession(config, now=0.0, encoder=filmed(config, card))
    session.close()
    with filmed(config, card) as other, pytest.raises(ConfigError, match="is over"):
        session.change_encoder(other, 1.0)


def polled(stand_in: StandIn) -> str:
    """What it says when the picture is prepared."""
    began = time.monotonic()
    while not (sentence := stand_in.poll()):
        assert time.monotonic() - began < 60
        time.sleep(0.01)
    return sentence


class Workers(CallWorkers):
    """Workers that note what they are to send, and never run."""

    changes: list[Encoder]

    def __init__(self, card: Path) -> None:
        config = CallConfig(kbps=24)
        decoder = Decoder(config.decoder, generator=NoGenerator())
        super().__init__(
            CallSession(config, now=0.0, encoder=filmed(config, card), decoder=decoder)
        )
        self.changes = []

    def change_encoder(self, encoder: Encoder) -> None:
        self.changes.append(encoder)

    def __enter__(self) -> Workers:
        return self


def test_there_and_back(card: Path, frames: list[Frame]) -> None:
    with Workers(card) as workers:
        camera = workers.session.outgoing.encoder
        photo = speaking(workers.session.config, frames[0])
        stand_in = StandIn(workers, lambda picture: photo)
        assert "no picture of the camera has been sent" in stand_in.toggle(None)
        assert "preparing" in stand_in.toggle(FRAME)
        assert "still being prepared" in stand_in.toggle(FRAME)
        assert "speaks in the camera's place" in polled(stand_in)
        assert workers.changes == [photo]
        assert stand_in.poll() == ""
        assert stand_in.eye is not None
        assert stand_in.shown is photo.shown
        assert "camera's pictures are sent again" in stand_in.toggle(FRAME)
        assert workers.changes == [photo, camera]
        assert stand_in.eye is None
        assert stand_in.shown is None
        stand_in.close()


def test_a_portrait_speaks_and_the_camera_does_not(card: Path, frames: list[Frame]) -> None:
    asked: list[Frame] = []
    portrait = np.full_like(FRAME, 77)

    def make(picture: Frame) -> Encoder:
        asked.append(picture)
        return speaking(workers.session.config, frames[0])

    with Workers(card) as workers:
        stand_in = StandIn(workers, make, portrait)
        assert "your portrait" in stand_in.toggle(FRAME)
        assert "your portrait speaks" in polled(stand_in)
        assert np.array_equal(asked[0], portrait)
        stand_in.close()


def test_the_command_gives_the_portrait(card: Path, frames: list[Frame]) -> None:
    with Workers(card) as workers:
        own = Portrait(frames[0], consent="Ada, 2026-11-30")
        config = workers.session.config
        changed = replace(config, encoder=replace(config.encoder, portrait=own))
        workers.session.config = changed
        stand_in = stand_in_for(workers)
        assert stand_in is not None
        assert "your portrait" in stand_in.toggle(FRAME)
        assert "your portrait" in polled(stand_in)
        stand_in.close()


def test_a_picture_without_a_face(card: Path) -> None:
    def refuse(picture: Frame) -> Encoder:
        raise NoFaceError("it shows no face")

    with Workers(card) as workers:
        stand_in = StandIn(workers, refuse)
        stand_in.toggle(FRAME)
        assert polled(stand_in) == "your last picture cannot speak: it shows no face"
        assert workers.changes == []
        assert stand_in.eye is None
        assert "preparing" in stand_in.toggle(FRAME), "it may be tried again"


class Pressed:
    """Stands for a `StandIn` in a conversation: ready two turns after it was asked for."""

    def __init__(self) -> None:
        self.asked: list[Frame | None] = []
        self.eye: Photograph | None = None
        self.shown: Frame | None = None
        self._left = 0

    def toggle(self, picture: Frame | None) -> str:
        if self.eye is not None:
            self.eye = self.shown = None
            return "the camera again"
        self.asked.append(picture)
        self._left = 2
        return "preparing"

    def poll(self) -> str:
        self._left -= 1
        if self._left != 0:
            return ""
        self.eye = Photo()
        self.shown = np.full((32, 32, 3), 9, np.uint8)
        return "it speaks"


class Photo(Photograph):
    """A photograph that is always due."""

    def __init__(self) -> None:
        super().__init__(np.zeros((64, 64, 3), np.uint8))

    def look(self, now: float) -> Taken:
        return Taken(SPOKEN, now)


SPOKEN = np.full((64, 64, 3), 5, np.uint8)


class Watched(FakeParty):
    """Notes what it sees, and whether the camera is off at that moment."""

    def __init__(self) -> None:
        super().__init__()
        self.saw: list[tuple[Frame, bool]] = []

    def see(self, frame: Frame, now: float) -> None:
        self.saw.append((frame, State.CAMERA_OFF in self.state))
        super().see(frame, now)


class Numbered(Desk):
    """A camera that counts its pictures."""

    def look(self, now: float) -> Taken:
        return Taken(np.full((48, 64, 3), self.turn % 256, np.uint8), now)


def hold(desk: Desk, party: Watched, stand_in: Pressed) -> None:
    line: Any = desk
    there: Any = stand_in
    parts = Parts(party, line, desk, desk, desk, desk, say=desk.said.append, stand_in=there)
    Conversation(parts, lambda: desk.now).run()


def press(key: Key) -> Callable[[Desk], None]:
    return lambda desk: desk.keys.append(key)


def test_the_key_changes_and_the_window_says_so() -> None:
    stand_in = Pressed()
    desk, party, _, _ = talk(leave_at(200, (60, press(Key.PHOTO))), stand_in=stand_in)
    assert len(stand_in.asked) == 1
    assert stand_in.asked[0] is FRAME
    assert desk.said.count("preparing") == desk.said.count("it speaks") == 1
    assert desk.views[-1].own is stand_in.shown
    assert desk.views[-1].own_note == SYNTHETIC
    assert State.CAMERA_OFF not in party.state


def test_a_camera_that_is_off_gives_no_picture_and_stays_off() -> None:
    stand_in = Pressed()
    presses = ((50, press(Key.CAMERA)), (60, press(Key.PHOTO)), (100, press(Key.PHOTO)))
    desk, party = Numbered(leave_at(200, *presses)), Watched()
    hold(desk, party, stand_in)
    assert desk.said.count("the camera again") == 1
    assert State.CAMERA_OFF in party.state
    shown = [frame for frame, off in party.saw if not off]
    assert any(frame is SPOKEN for frame in shown)
    last = max(int(frame[0, 0, 0]) for frame in shown if frame is not SPOKEN)
    assert 40 < last <= 51, "no picture of the camera from after it was switched off"
    assert stand_in.asked[0] is not None
    assert stand_in.asked[0][0, 0, 0] == last


def test_a_camera_that_was_off_all_the_time_has_no_picture_to_give() -> None:
    stand_in = Pressed()
    desk, party = Numbered(leave_at(200, (60, press(Key.PHOTO)))), Watched()
    party.state |= State.CAMERA_OFF
    hold(desk, party, stand_in)
    assert len(stand_in.asked) == 1
    assert stand_in.asked[0] is None


def test_without_a_camera_there_is_nothing_to_change() -> None:
    desk, _, _, _ = talk(leave_at(200, (60, lambda desk: desk.keys.append(Key.PHOTO))))
    assert any("no camera in this call" in sentence for sentence in desk.said)
