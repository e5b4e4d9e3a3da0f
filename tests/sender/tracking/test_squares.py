"""The square that is shown beside a decoded face: the one that the encoder sends."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facewire.sender.tracking import squares
from facewire.sender.tracking.capture import Capture
from facewire.sender.tracking.observer import Observer
from facewire.sender.tracking.squares import sent_squares

from ..conftest import Box, FakeTracker, Frame, write_video

RIGHT: Box = (420.0, 120.0, 500.0, 220.0)  # a face in the black half of the picture
SCRIPT: list[list[Box]] = [[], [], [RIGHT], [RIGHT], [RIGHT], [RIGHT], [], []]


class Tracker(FakeTracker):
    """Finds what `SCRIPT` says; none where a still picture is looked at."""

    def __init__(self, *, still: bool = False) -> None:
        super().__init__([[]] if still else SCRIPT)

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Capture:
    """640x360, white on the left and black on the right; the fake tracker looks at it."""
    monkeypatch.setattr(squares, "Tracker", Tracker)
    return Capture(write_video(tmp_path / "wide.mkv", size=(640, 360), pts=range(len(SCRIPT))))


def white(square: Frame) -> float:
    return float((square > 128).mean())


def test_the_middle_until_a_face_comes_then_its_square(capture: Capture) -> None:
    found = list(sent_squares(capture))
    assert [time for _, time in found] == [Fraction(n, 25) for n in range(len(SCRIPT))]
    assert {square.shape for square, _ in found} == {(256, 256, 3)}
    shares = [white(square) for square, _ in found]
    assert shares[:2] == pytest.approx([0.5, 0.5], abs=0.01)  # the middle of the picture
    assert max(shares[2:]) < 0.2  # about the face, also once it is away
    np.testing.assert_array_equal(found[-1][0], found[-2][0])


def test_it_is_what_the_encoder_looks_at(capture: Capture) -> None:
    observer = Observer(Tracker(), 256, lambda: Tracker(still=True))
    for (square, time), (frame, _) in zip(sent_squares(capture), capture.frames(), strict=True):
        seen, _ = observer.observe(frame, 0.04, round(time * 1000))
        if seen is not None:
            np.testing.assert_array_equal(square, seen.picture)


def test_of_another_size(capture: Capture) -> None:
    assert {square.shape for square, _ in sent_squares(capture, 128)} == {(128, 128, 3)}
