"""A photograph that performs, with the real predictor of mouths."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from facewire.models.face.mesh import openings
from facewire.receiver.talking.mouth import MouthPredictor
from facewire.sender.observed import View
from facewire.sender.performing.performer import LAG, Performer
from facewire.sender.reenactment.sitter import Sitter
from tests.call.sides import voice
from tests.sender.reenactment.faces import HEADS, face, seen
from tests.sounds import Sound, music, one_voice, two_voices

RATE, BLOCK = 16_000, 640
Points = npt.NDArray[np.float32]
PHOTO = seen(face(), (4, -3, 2))
SITTER = Sitter(View.of(PHOTO), HEADS.find(PHOTO))


@pytest.fixture(scope="module")
def mouths() -> MouthPredictor:
    return MouthPredictor(lookahead_ms=40)


def perform(performer: Performer, seconds: float, sound: Points | None = None) -> Points:
    """The landmarks of each frame, `[T, 478, 2]`; the sound is a quarter of a second ahead."""
    heard, found = 0, []
    for frame in range(round(seconds * 25)):
        until = round((frame / 25 + 0.25) * RATE)
        if sound is not None:
            performer.hear(sound[heard:until])
        heard = until
        steady = performer.view(frame / 25).seen.steady
        assert steady is not None
        found.append(steady)
    return np.array(found)


def test_it_begins_as_the_photograph_is(mouths: MouthPredictor) -> None:
    view = Performer(SITTER, mouths, 1).view(0.0)
    assert view.seen.steady == pytest.approx(PHOTO.landmarks, abs=1e-5)
    assert view.seen.picture is PHOTO.picture
    assert np.array_equal(view.seen.landmarks, PHOTO.landmarks)


def test_without_sound_the_head_moves_and_the_mouth_does_not(mouths: MouthPredictor) -> None:
    found = perform(Performer(SITTER, mouths, 2), 30)
    assert np.ptp(found[:, 4], axis=0).min() > 0.03  # the nose
    mouth, eyes = openings(found)[:, 1], openings(found)[:, 0]
    assert np.ptp(mouth) < 0.03  # as a turned head shows it
    shut = eyes < 0.5 * np.median(eyes)
    assert 0.02 < shut.mean() < 0.25


def test_with_a_voice_the_mouth_moves(mouths: MouthPredictor) -> None:
    sound = voice(0, 9 * RATE)
    still = openings(perform(Performer(SITTER, mouths, 3), 8))[:, 1]
    moves = openings(perform(Performer(SITTER, mouths, 3), 8, sound))[:, 1]
    assert moves.std() > 4 * still.std()
    loud = np.sqrt(np.square(sound[: 8 * RATE].reshape(-1, BLOCK)).mean(1))
    assert np.corrcoef(loud[:200], moves)[0, 1] > 0.2


def gaps(faces: Points) -> Points:
    """Between the lips, in distances of the outer corners of the eyes, which are about 9 cm."""
    lips, eyes = (
        np.linalg.norm(faces[:, a] - faces[:, b], axis=1) for a, b in ((13, 14), (33, 263))
    )
    return np.asarray(lips / eyes)


@pytest.mark.parametrize("sound", [music, two_voices])
def test_what_is_no_single_voice_moves_the_mouth_as_people_move_theirs(
    mouths: MouthPredictor, sound: Callable[[float], Sound]
) -> None:
    found, voiced, still = (
        gaps(perform(Performer(SITTER, mouths, 3), 8, heard))
        for heard in (sound(9), one_voice(9), np.zeros(9 * RATE, np.float32))
    )
    assert found.std() > 4 * still.std()  # it is heard
    assert found.max() < 0.3  # less than 3 cm
    steps = np.abs(np.diff(found))
    assert steps.max() < 0.12  # jaws reach 25 cm a second
    assert steps.mean() < 2 * np.abs(np.diff(voiced)).mean()


def test_the_same_seed_and_a_reset(mouths: MouthPredictor) -> None:
    sound = voice(0, 3 * RATE)
    performer = Performer(SITTER, mouths, 4)
    first = perform(performer, 2, sound)
    performer.reset()
    assert np.array_equal(perform(performer, 2, sound), first)
    assert not np.allclose(perform(Performer(SITTER, mouths, 5), 2, sound), first)


def test_pieces_of_a_microphone_that_come_early_and_late(mouths: MouthPredictor) -> None:
    """By the clock of a call, 40 ms at a time, with 10 ms of jitter; then half a second is lost."""
    sound, rng = voice(0, 4 * RATE), np.random.default_rng(6)
    smooth, jitters = (Performer(SITTER, mouths, 6) for _ in range(2))
    expected, found = [], []
    for performer, frames, jitter in ((smooth, expected, 0.0), (jitters, found, 0.01)):
        performer.reset()
        for frame in range(50):
            end = (frame + 1) * BLOCK / RATE
            piece = sound[frame * BLOCK : (frame + 1) * BLOCK]
            performer.hear(piece, end + float(rng.uniform(0, jitter)))
            if end > LAG:
                steady = performer.view(end - float(LAG)).seen.steady
                assert steady is not None
                frames.append(steady)
    assert np.array(found) == pytest.approx(np.array(expected), abs=0.02)
    jitters.hear(sound[:BLOCK], 2.6)
    assert jitters.view(2.5).seen.steady is not None


def test_it_is_quick_to_be_asked_late(mouths: MouthPredictor) -> None:
    performer = Performer(SITTER, mouths, 7)
    performer.view(0.0)
    assert performer.view(1e5).seen.steady is not None


def test_the_eyes_look_as_in_the_photograph(mouths: MouthPredictor) -> None:
    """Also through blinks."""
    performer = Performer(SITTER, mouths, 3)
    gazes = [performer.view(frame / 25).seen.gaze for frame in range(200)]
    assert np.array_equal(gazes, [PHOTO.gaze] * 200)
