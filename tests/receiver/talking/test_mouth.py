from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from facewire.codec.errors import ConfigError
from facewire.models.apb2face import person
from facewire.models.apb2face.mouth import MouthConfig, MouthNet
from facewire.models.apb2face.mouth_evaluate import causal_windows
from facewire.models.apb2face.person import PersonFit
from facewire.models.apb2face.sound import LOOKAHEADS
from facewire.models.apb2face.store import save_mouth, save_mouth_graph
from facewire.models.face.head import INNER_LIPS
from facewire.models.mel import SAMPLE_RATE, log_mel
from facewire.models.weights import Card, geometry_card
from facewire.receiver.talking.mouth import MouthPredictor
from tests.sounds import Sound, music, one_voice, two_voices

FRAME = SAMPLE_RATE // 25
MOUTH = (40, 2)


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    """An untrained network, exported."""
    torch.manual_seed(2)
    network = MouthNet(MouthConfig(channels=8, blocks=4, components=2))
    network.basis.normal_(std=3.0)
    network.level.fill_(-0.3)
    network.neutral_mean.fill_(0.5)
    network.neutral_map.mul_(0.25)
    folder = tmp_path_factory.mktemp("mouth")
    save_mouth(network, folder)
    save_mouth_graph(folder)
    return geometry_card(folder)


@pytest.fixture
def pcm() -> np.ndarray:
    rng = np.random.default_rng(1)
    loud = np.repeat(rng.uniform(0, 0.3, 40), SAMPLE_RATE // 10)
    return (loud * rng.normal(0, 0.3, len(loud))).astype(np.float32)


def in_pieces(predictor: MouthPredictor, pcm: np.ndarray, size: int, frames: int) -> np.ndarray:
    """Movements of frames, each asked for when the sound up to its look-ahead is there."""
    heard, out = 0, []
    for frame in range(frames):
        until = frame * FRAME + predictor.lookahead_ms * SAMPLE_RATE // 1000
        while heard + size <= until:
            predictor.hear(pcm[heard : heard + size], heard / SAMPLE_RATE)
            heard += size
        out.append(predictor.movement(frame / 25))
    return np.stack(out)


@pytest.mark.parametrize("output", [0, 1, 2])
def test_it_says_what_the_network_says(card: Card, pcm: np.ndarray, output: int) -> None:
    """Sound that comes piece by piece gives what the whole sound gives in training."""
    from facewire.models.apb2face.store import load_mouth

    predictor = MouthPredictor(card, lookahead_ms=LOOKAHEADS[output])
    found = in_pieces(predictor, pcm, FRAME // 2, 60)
    network = load_mouth(card.folder)
    windows = causal_windows(log_mel(pcm), 60, network.level.numpy())
    with torch.no_grad():
        components = network(torch.from_numpy(windows))[:, output, 0]
        expected = network.movement(components).numpy()
    # With more look-ahead the level has heard a little more.
    np.testing.assert_allclose(found[5:], expected[5:], atol=0.02)
    assert found[5:].std(0).max() > 0.01


def test_sound_in_pieces_of_any_size(card: Card, pcm: np.ndarray) -> None:
    first, second = (
        in_pieces(MouthPredictor(card, lookahead_ms=100), pcm, size, 40) for size in (320, 160)
    )
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_what_comes_after_the_look_ahead_is_not_heard(card: Card, pcm: np.ndarray) -> None:
    """Sound that is there already, but lies after the look-ahead, changes nothing."""
    for ms in LOOKAHEADS:
        made = []
        for change in (0.0, 0.2):
            predictor = MouthPredictor(card, lookahead_ms=ms)
            sound = pcm.copy()
            sound[SAMPLE_RATE + ms * SAMPLE_RATE // 1000 :] += change
            predictor.hear(sound[: 2 * SAMPLE_RATE], 0.0)
            predictor._level._sum[:] = 0  # the level alone hears all
            made.append(predictor.movement(1.0))
        np.testing.assert_array_equal(*made)


def test_a_movement_can_be_asked_for_later(card: Card, pcm: np.ndarray) -> None:
    predictor = MouthPredictor(card)
    predictor.hear(pcm[:SAMPLE_RATE], 0.0)
    predictor.hear(pcm[SAMPLE_RATE : 3 * SAMPLE_RATE], 1.0)
    predictor.hear(pcm[3 * SAMPLE_RATE :], 3.0)
    assert predictor.movement(1.0).any()
    assert np.isfinite(predictor.movement(-100.0)).all()
    assert np.isfinite(predictor.movement(100.0)).all()


def test_memory_does_not_grow(card: Card, pcm: np.ndarray) -> None:
    predictor = MouthPredictor(card)
    for n in range(10):
        predictor.hear(pcm, n * len(pcm) / SAMPLE_RATE)
    assert len(predictor._pcm) < 5 * SAMPLE_RATE
    assert len(predictor._steps) <= 400


def test_gaps_are_silence_and_repeats_replace(card: Card, pcm: np.ndarray) -> None:
    half = SAMPLE_RATE // 2
    whole = np.concatenate([pcm[:half], np.zeros(half, np.float32), pcm[:half]])
    one, other = MouthPredictor(card), MouthPredictor(card)
    one.hear(whole, 5.0)
    other.hear(pcm[:half], 5.0)
    other.hear(pcm[:half] * 0.5, 6.0)
    other.hear(pcm[:half], 6.0)
    np.testing.assert_allclose(other._steps, one._steps, atol=1e-6)


def test_after_a_jump_of_the_clock_sound_begins_anew(card: Card, pcm: np.ndarray) -> None:
    predictor = MouthPredictor(card)
    predictor.hear(pcm, 0.0)
    predictor.hear(pcm, 5000.0)
    assert len(predictor._pcm) <= len(pcm)
    assert predictor.movement(5001.0).any()


def test_sound_of_an_earlier_time_begins_anew(card: Card, pcm: np.ndarray) -> None:
    one, other = MouthPredictor(card), MouthPredictor(card)
    one.hear(pcm, 6.0)
    one.hear(pcm[:SAMPLE_RATE], 0.5)
    other.hear(pcm[:SAMPLE_RATE], 0.5)
    assert one._first == other._first
    np.testing.assert_allclose(one._steps, other._steps, atol=1e-6)


def test_before_any_sound_nothing_moves(card: Card) -> None:
    predictor = MouthPredictor(card)
    assert predictor.movement(0.0).shape == MOUTH
    assert not predictor.movement(0.0).any()
    predictor.learn(np.zeros(MOUTH, np.float32), 0.0)
    assert predictor._person[-1].frames == 0


def test_silence_and_odd_sound_give_finite_movements(card: Card) -> None:
    rng = np.random.default_rng(0)
    for sound in (np.zeros(SAMPLE_RATE), np.ones(SAMPLE_RATE), rng.uniform(-1, 1, SAMPLE_RATE)):
        predictor = MouthPredictor(card)
        predictor.hear(sound.astype(np.float32), 0.0)
        assert np.isfinite(predictor.movement(0.5)).all()


def test_look_aheads(card: Card) -> None:
    found = [MouthPredictor(card, lookahead_ms=ms).lookahead_ms for ms in (0, 39, 40, 99, 100, 500)]
    assert found == [0, 0, 40, 40, 100, 100]
    with pytest.raises(ConfigError, match="0 ms or more"):
        MouthPredictor(card, lookahead_ms=-1)


def test_bad_input(card: Card) -> None:
    predictor = MouthPredictor(card)
    with pytest.raises(ConfigError, match="finite float32"):
        predictor.hear(np.zeros((2, 10), np.float32), 0.0)
    with pytest.raises(ConfigError, match="finite float32"):
        predictor.hear(np.full(10, np.nan, np.float32), 0.0)
    with pytest.raises(ConfigError, match="a mouth is finite"):
        predictor.learn(np.zeros((3, 2), np.float32), 0.0)


def test_the_neutral_mouth_comes_from_the_keyframe(card: Card) -> None:
    predictor = MouthPredictor(card)
    mouth = np.full(MOUTH, 0.9, np.float32)
    np.testing.assert_allclose(predictor.neutral(mouth), 0.6, atol=1e-3)
    np.testing.assert_allclose(predictor.average(mouth), 0.6, atol=1e-3)


def test_it_learns_a_person(card: Card, pcm: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mouth that follows something which the trunk hears, but the untrained head does not say."""
    monkeypatch.setattr(person, "_RIDGE", 20.0)  # so that seconds are enough
    rng = np.random.default_rng(5)
    predictor = MouthPredictor(card, lookahead_ms=40)
    pattern = rng.normal(0, 1, MOUTH).astype(np.float32)
    made, wanted = [], []
    for frame in range(350):
        seconds = frame / 25
        until = frame * FRAME + 40 * SAMPLE_RATE // 1000
        start = max(0, until - FRAME)
        piece = np.take(pcm, np.arange(start, until), mode="wrap")
        predictor.hear(piece, start / SAMPLE_RATE)
        heard = predictor._hear_frame(seconds)
        assert heard is not None
        (movement, *_), (state, *_) = (rows[::-1] for rows in heard)
        true = 2.0 + movement + 3 * state[0] * pattern
        made.append(predictor.movement(seconds))
        wanted.append(true)
        predictor.learn(true, seconds)
    wrong = np.stack(made) - np.stack(wanted)
    assert wrong[-100:].std(0).mean() < 0.7 * wrong[:25].std(0).mean()
    np.testing.assert_allclose(predictor.average(np.zeros(MOUTH, np.float32)).mean(), 2.0, atol=0.4)
    predictor.reset()
    assert predictor._person[-1].frames == 0


def test_a_correction_is_closed_form_ridge() -> None:
    rng = np.random.default_rng(0)
    states = rng.normal(0, 1, (2000, 6)).astype(np.float32)
    weights = rng.normal(0, 1, (6, 80))
    fit = PersonFit(6)
    assert not fit.correction(states[0]).any()
    for state in states:
        fit.update(state, (state @ weights + 3).reshape(MOUTH), np.zeros(MOUTH, np.float32))
    found = np.stack([fit.correction(state).ravel() for state in states])
    expected = (states - states.mean(0)) @ weights
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.999
    assert found.std() / expected.std() == pytest.approx(2000 / (2000 + person._RIDGE), abs=0.1)


def test_the_network_that_ships_hears_a_voice(pcm: np.ndarray) -> None:
    """Its mouth moves with loud sound, and stands still in silence."""
    moving = in_pieces(MouthPredictor(), pcm, FRAME // 2, 60)[20:]
    silent = in_pieces(MouthPredictor(), np.zeros_like(pcm), FRAME // 2, 60)[20:]
    assert moving.std(0).max() > 0.002
    assert silent.std(0).max() < 1e-4
    assert np.abs(moving).max() < 0.3


@pytest.mark.parametrize("sound", [music, two_voices])
def test_the_network_that_ships_hears_what_is_no_single_voice(
    sound: Callable[[float], Sound],
) -> None:
    """Its mouth moves by little more than a centimetre (0.15 distances of the eyes), and changes
    about as fast as with one voice.
    """
    found, voiced = (
        in_pieces(MouthPredictor(), heard(8), FRAME // 2, 190) for heard in (sound, one_voice)
    )
    assert found.std(0).max() > 0.003
    assert np.abs(found).max() < 0.15
    steps, usual = (
        np.abs(np.diff(moved[:, INNER_LIPS[1], 1] - moved[:, INNER_LIPS[0], 1]))
        for moved in (found, voiced)
    )
    assert steps.max() < 0.08
    assert steps.mean() < 2 * usual.mean()
