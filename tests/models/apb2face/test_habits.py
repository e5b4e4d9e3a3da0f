"""What is learned of one person's mouth, and what the receiver's predictor makes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from facewire.codec.identity import Identity, MouthHabits
from facewire.models.apb2face.habits import LearnedHabits, heard, learn_habits
from facewire.models.apb2face.store import load_mouth
from facewire.models.apb2face.talks import Talk, talk_of
from facewire.models.mel import SAMPLE_RATE, log_mel
from facewire.models.training.cache import CachedClip
from facewire.models.weights import geometry_card
from facewire.receiver.talking.mouth import MouthPredictor

SECONDS = 24
FRAMES = 25 * SECONDS


@dataclass(frozen=True)
class Seen(Talk):
    """A talk whose mouth is known."""

    mouths: np.ndarray

    def mouth(self) -> np.ndarray:
        return self.mouths


@pytest.fixture(scope="module")
def pcm() -> np.ndarray:
    rng = np.random.default_rng(1)
    loud = np.repeat(rng.uniform(0, 0.4, 8 * SECONDS), SAMPLE_RATE // 8)
    return (loud * rng.normal(0, 0.3, len(loud))).astype(np.float32)


@pytest.fixture(scope="module")
def talk(pcm: np.ndarray) -> Seen:
    """Somebody whose lips do something that the predictor hears, but does not say."""
    mel = log_mel(pcm)
    silent = Seen("a", "me", np.zeros((FRAMES, 478, 2), np.float32), mel, np.zeros(0))
    states, movements = heard(load_mouth(geometry_card().folder), [silent])
    rng = np.random.default_rng(3)
    basis = geometry_card().tensors("basis")["basis"]
    state = states[-1] - states[-1].mean(0)
    own = state @ rng.normal(0, 1, (64, 1)) @ basis[:1]
    own *= 2 * movements[-1].std() / own.std()
    noise = rng.normal(0, 0.3 * movements[-1].std(), movements[-1].shape)
    mouths = 0.3 + movements[-1] + own.reshape(-1, 40, 2) + noise
    return replace(silent, mouths=mouths.astype(np.float32))


@pytest.fixture(scope="module")
def learned(talk: Seen) -> LearnedHabits:
    torch.set_num_threads(1)
    found = learn_habits([talk])
    assert found is not None
    return found


def test_it_is_measured_on_what_was_not_learned_from(learned: LearnedHabits) -> None:
    assert learned.before + 0.02 < learned.after < 1
    habits = learned.habits
    assert habits.sha256 == geometry_card().sha256
    assert (habits.fit.shape, habits.centre.shape) == ((3, 64, 6), (3, 64))
    assert habits.average.mean() == pytest.approx(0.3, abs=0.05)
    assert Identity.pack("avfr-s", bytes(32), {"x": np.ones((1, 1), np.float32)}, habits).mouth


def test_what_tells_nothing_is_not_kept(talk: Seen) -> None:
    short = replace(talk, landmarks=talk.landmarks[:200], mouths=talk.mouths[:200])
    assert learn_habits([short]) is None
    assert learn_habits([replace(talk, mouths=np.ones_like(talk.mouths))]) is None


def movements(predictor: MouthPredictor, pcm: np.ndarray) -> np.ndarray:
    predictor.reset()
    out, step = [], SAMPLE_RATE // 25
    for frame in range(100):
        predictor.hear(pcm[frame * step : (frame + 1) * step], frame / 25)
        if frame >= 10:
            out.append(predictor.movement(frame / 25 - 0.2))
    return np.stack(out)


def test_the_receiver_begins_with_it(pcm: np.ndarray, learned: LearnedHabits) -> None:
    predictor, habits = MouthPredictor(), learned.habits
    usual = movements(predictor, pcm)
    predictor.know(habits)
    known = movements(predictor, pcm)
    basis = geometry_card().tensors("basis")["basis"]
    more = (known - usual).reshape(len(known), -1)
    assert more.std() > 0.2 * usual.std()
    np.testing.assert_allclose(more @ np.linalg.pinv(basis) @ basis, more, atol=1e-4)
    key = np.full((40, 2), 0.9, np.float32)
    np.testing.assert_allclose(predictor.average(key), habits.average, atol=1e-5)
    predictor.reset()  # another stream of the same person
    np.testing.assert_allclose(predictor.average(key), habits.average, atol=1e-5)
    predictor.know(None)
    np.testing.assert_allclose(movements(predictor, pcm), usual, atol=1e-6)


@pytest.mark.parametrize("wrong", [{"sha256": bytes(32)}, {"fit": np.zeros((3, 64, 5))}])
def test_of_another_predictor_nothing_is_known(
    pcm: np.ndarray, learned: LearnedHabits, wrong: dict[str, object]
) -> None:
    predictor = MouthPredictor()
    usual = movements(predictor, pcm)
    changed: MouthHabits = replace(learned.habits, **wrong)  # type: ignore[arg-type]
    predictor.know(changed)
    np.testing.assert_allclose(movements(predictor, pcm), usual, atol=1e-6)


def test_a_prepared_clip_is_a_talk(talk: Seen) -> None:
    landmarks = np.random.default_rng(0).uniform(-1, 1, (50, 478, 2)).astype(np.float32)
    clip = CachedClip(
        *("a", "me", 25.0, landmarks, np.zeros((50, 64, 64), np.uint8)),
        *(talk.mel[:200], np.ones(50, np.uint8), np.arange(0), np.zeros((0, 8, 8, 3), np.uint8)),
    )
    found = talk_of(clip)
    assert found is not None
    np.testing.assert_allclose(found.landmarks, landmarks, atol=1e-6)
    assert talk_of(replace(clip, mel=np.zeros((0, 80), np.float32))) is None
    assert talk_of(replace(clip, faces=np.zeros(50, np.uint8))) is None
