"""A call in which one side, or both, shows a photograph that speaks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from facewire.call.config import CallConfig
from facewire.call.session import CallSession
from facewire.sender.config import EncoderConfig
from facewire.sender.photo import Portrait

from .sides import Call, percentile

Frame = npt.NDArray[np.uint8]


def config(frame: Frame) -> CallConfig:
    encoder = EncoderConfig(portrait=Portrait(frame, name="me.png"), driver="sound")
    return CallConfig(kbps=16, fps=Fraction(25), encoder=encoder)


@pytest.mark.slow
def test_it_costs_no_more_than_a_camera_and_its_lips_are_in_time(
    card: Path, frames: list[Frame]
) -> None:
    call = Call(card, config(frames[0]))
    call.run(8)
    a, b = call.a, call.b
    assert b.session.statistics.performed
    assert a.kbps(3, 8) < 16 * 1.05
    assert len(b.frames(2, 8)) > 0.95 * 6 * 25
    ahead = [ahead for at, ahead in b.lips if at > 3]
    assert percentile([abs(late) for late in ahead], 95) < 0.125  # ITU-R BT.1359: lips may be late


def test_whoever_is_filmed_is_not_marked(card: Path) -> None:
    call = Call(card, CallConfig(kbps=16, fps=Fraction(10)))
    call.run(2)
    assert not call.b.session.statistics.performed


def test_a_session_makes_what_it_needs(frames: list[Frame]) -> None:
    with CallSession(config(frames[0]), now=1.0) as session:
        session.outgoing.encoder.prepare()
        shown = session.outgoing.encoder.shown
        assert shown is not None
        assert shown.shape == (256, 256, 3)
