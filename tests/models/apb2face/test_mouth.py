"""Our predictor: what it may hear, how it is trained, and how it becomes a graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facewire.codec.errors import TrainingError, WeightsError
from facewire.models.apb2face.augment import SoundAugmentation, at_pace, varied
from facewire.models.apb2face.export import difference, mouth_graph
from facewire.models.apb2face.mouth import MouthConfig, MouthNet
from facewire.models.apb2face.mouth_batches import MouthBatchSettings, mouth_batches
from facewire.models.apb2face.mouth_evaluate import causal_windows, opening_correlations, predicted
from facewire.models.apb2face.mouth_objective import MouthLosses, correlation, mouth_losses
from facewire.models.apb2face.mouth_train import MouthTraining, train_mouth
from facewire.models.apb2face.people import fit_tables, samples_of
from facewire.models.apb2face.sound import AHEAD, LOOKAHEADS, PAST, STEPS, Level, sound_window
from facewire.models.apb2face.store import load_mouth, save_mouth, save_mouth_graph
from facewire.models.apb2face.talks import Talk
from facewire.models.face.head import INNER_LIPS, mouth_opening
from facewire.models.mel import MEL_BANDS, SILENCE
from facewire.models.weights import fusion_card, geometry_card, load_card

from .conftest import made_talk

SMALL = MouthConfig(channels=16, dropout=0.0, components=3)
QUICK = MouthTraining(
    steps=60, learning_rate=5e-3, warmup=5, evaluate_every=20, ema=0.9,
    batch=MouthBatchSettings(stretches=8, frames=30, sound=SoundAugmentation(noisy=0.1)),
)  # fmt: skip


@pytest.fixture
def network() -> MouthNet:
    torch.manual_seed(4)
    found = MouthNet(SMALL).eval()
    found.basis.normal_()
    return found


def test_shapes(network: MouthNet) -> None:
    made = network(torch.zeros(2, STEPS + 4 * 6, MEL_BANDS), frames=7)
    assert made.shape == (2, len(LOOKAHEADS), 7, 3)
    assert network.movement(made).shape == (2, len(LOOKAHEADS), 7, 40, 2)


@pytest.mark.parametrize("output", [0, 1, 2])
def test_no_sound_after_the_look_ahead_is_heard(network: MouthNet, output: int) -> None:
    sound = torch.randn(1, STEPS, MEL_BANDS)
    end = PAST + LOOKAHEADS[output] // 10
    later, last = sound.clone(), sound.clone()
    later[:, end:] += 1
    last[:, end - 1] += 1
    made = network(sound)[:, output]
    assert torch.equal(network(later)[:, output], made)
    assert not torch.equal(network(last)[:, output], made)


def test_a_window_holds_all_that_a_frame_hears(network: MouthNet) -> None:
    """So one frame after the other gives what a whole stretch gives."""
    sound = torch.randn(1, STEPS + 4 * 4, MEL_BANDS)
    whole = network(sound, frames=5)
    for n in range(1, 5):
        alone = network(sound[:, 4 * n : 4 * n + STEPS])
        torch.testing.assert_close(alone[:, :, 0], whole[:, :, n])


def test_the_opening_is_the_distance_of_the_lips(network: MouthNet) -> None:
    components = torch.randn(5, 3)
    moved = network.movement(components).numpy()
    still = np.zeros((40, 2), np.float32)
    still[INNER_LIPS[1], 1] = 1e4  # so far apart that sideways movement hardly counts
    found = mouth_opening(still + moved) - 1e4
    np.testing.assert_allclose(found, network.opening(components).numpy(), atol=0.02)


def test_levels_forget_nothing_soon_and_do_not_hear_silence() -> None:
    level = Level(np.zeros(MEL_BANDS, np.float32))
    level.update(np.full((40, MEL_BANDS), SILENCE, np.float32))
    assert not level.value.any()
    level.update(np.full((50, MEL_BANDS), 0.4, np.float32))
    np.testing.assert_allclose(level.value, 0.2, atol=1e-6)
    for _ in range(1000):
        level.update(np.full((50, MEL_BANDS), -0.2, np.float32))
    np.testing.assert_allclose(level.value, -0.2, atol=1e-3)


def test_windows_are_causal() -> None:
    """A window's level depends on nothing that comes after its frame."""
    mel = np.random.default_rng(0).normal(0, 0.2, (200, MEL_BANDS)).astype(np.float32)
    usual = np.zeros(MEL_BANDS, np.float32)
    changed = mel.copy()
    changed[4 * 20 + AHEAD - 1 :] += 1  # after what frame 20 hears
    before, after = (causal_windows(m, 40, usual) for m in (mel, changed))
    np.testing.assert_array_equal(before[:21], after[:21])
    assert not np.array_equal(before[21], after[21])
    assert sound_window(mel, 195).shape == (STEPS, MEL_BANDS)


def test_the_sound_is_varied_within_bounds() -> None:
    rng = np.random.default_rng(0)
    steps = rng.uniform(-0.8, 0.5, (50, MEL_BANDS)).astype(np.float32)
    none = SoundAugmentation(pace=0, voice=0, noisy=0, colour=0, gain=0, deaf=0)
    np.testing.assert_allclose(varied(steps, none, rng), steps, atol=1e-4)
    found = varied(steps, SoundAugmentation(), rng)
    assert found.shape == steps.shape
    assert found.min() >= SILENCE
    assert not np.allclose(found, steps, atol=0.05)
    high = varied(steps, replace(none, voice=0.2), np.random.default_rng(1))
    assert np.isfinite(high).all()


def test_another_pace_is_interpolated() -> None:
    values = np.arange(4, dtype=np.float32)[:, None]
    at = np.array([-2.0, 0.5, 2.25, 7.0])
    np.testing.assert_allclose(at_pace(values, at, None)[:, 0], [0, 0.5, 2.25, 3])
    np.testing.assert_allclose(at_pace(values, at, -1.0)[:, 0], [-1, 0.5, 2.25, -1])


def test_samples_are_relative_to_the_person(talks: list[Talk]) -> None:
    samples = samples_of(talks)
    assert [s.identity for s in samples] == [t.identity for t in talks]
    for person in "abc":
        own = np.concatenate([s.movement for s in samples if s.identity == person])
        assert np.abs(own.mean(0)).max() < 0.1
    tables = fit_tables(talks, samples, 3)
    flat = samples[0].movement
    back = flat @ tables.components.T @ tables.basis
    spread = np.mean([s.spread for s in samples[::2]])
    np.testing.assert_allclose(back, flat * spread, atol=0.02)


def test_the_average_mouth_is_guessed_from_one_picture(talks: list[Talk]) -> None:
    """Better than by taking that one mouth for it."""
    tables = fit_tables(talks, samples_of(talks), 3)
    guessed, held = [], []
    for talk in talks:
        mouths = talk.mouth().reshape(len(talk.landmarks), -1)
        found = tables.neutral_map @ (mouths[0] - tables.neutral_mean) + tables.neutral_mean
        guessed.append(np.abs(found - mouths.mean(0)).mean())
        held.append(np.abs(mouths[0] - mouths.mean(0)).mean())
    assert np.mean(guessed) < np.mean(held)


def test_correlation_of_the_known_frames() -> None:
    wanted = torch.tensor([[1.0, 2, 3, 9], [1, 2, 3, -50]])[..., None]
    known = torch.tensor([[1.0, 1, 1, 1], [1, 1, 1, 0]])[..., None]
    found, moves = correlation(2 * wanted + 1, wanted, known)
    torch.testing.assert_close(found[:, 0], torch.ones(2), atol=2e-3, rtol=0)
    assert float(moves[1, 0]) == pytest.approx(2 / 3)
    opposite, _ = correlation(-wanted, wanted, known)
    assert float(opposite.max()) < -0.99


def test_losses_of_a_perfect_network(talks: list[Talk]) -> None:
    samples = samples_of(talks)
    tables = fit_tables(talks, samples, 3)
    batch = next(mouth_batches(samples, tables, QUICK.batch, 0))
    network = MouthNet(SMALL)
    network.basis.copy_(torch.from_numpy(tables.basis))
    perfect = batch.components[:, None].expand(-1, len(LOOKAHEADS), -1, -1)
    network.forward = lambda sound, frames: perfect  # type: ignore[method-assign]
    share = torch.from_numpy(tables.share)
    terms = mouth_losses(network, batch, share, MouthLosses())
    assert float(terms["error"]) == 0
    assert float(terms["correlation"]) < 0.02


def test_it_learns_to_hear_and_the_run_can_go_on(talks: list[Talk], tmp_path: Path) -> None:
    others = [made_talk(f"{person}0", person, frames=120) for person in "xy"]
    out = tmp_path / "run"
    train_mouth(SMALL, replace(QUICK, steps=10), talks, others, out)
    trained = train_mouth(SMALL, QUICK, talks, others, out, resume=True)
    found = opening_correlations(trained, samples_of(others))
    assert set(found) == {"x", "y"}
    assert min(float(row.min()) for row in found.values()) > 0.6
    assert torch.load(out / "checkpoint.pt", weights_only=True)["step"] == 60
    names = {path.name for path in out.iterdir()}
    assert names == {"checkpoint.pt", "model.safetensors", "curves.csv", "held-out.csv"}


def test_a_run_is_seeded(talks: list[Talk], tmp_path: Path) -> None:
    first, second = (
        train_mouth(SMALL, replace(QUICK, steps=3), talks, [], tmp_path / name) for name in "ab"
    )
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_what_is_missing_is_named(talks: list[Talk], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no talks"):
        train_mouth(SMALL, QUICK, [], [], tmp_path)
    with pytest.raises(TrainingError, match="cannot be resumed"):
        train_mouth(SMALL, QUICK, talks, [], tmp_path, resume=True)
    train_mouth(SMALL, replace(QUICK, steps=1), talks, [], tmp_path)
    with pytest.raises(TrainingError, match="another shape"):
        train_mouth(replace(SMALL, channels=8), QUICK, talks, [], tmp_path, resume=True)


def test_the_graph_says_the_same(network: MouthNet, tmp_path: Path) -> None:
    save_mouth(network, tmp_path)
    loaded = load_mouth(tmp_path)
    assert difference(loaded, mouth_graph(loaded)) < 1e-3
    save_mouth_graph(tmp_path)
    assert geometry_card(tmp_path).config["channels"] == 16
    mel = np.random.default_rng(0).normal(0, 0.2, (100, MEL_BANDS)).astype(np.float32)
    assert predicted(loaded, mel, 20).shape == (len(LOOKAHEADS), 20, 3)


def test_networks_are_not_taken_for_each_other(network: MouthNet, tmp_path: Path) -> None:
    save_mouth(network, tmp_path)
    with pytest.raises(WeightsError, match="holds a geometry predictor, where a generator"):
        load_card(tmp_path)
    with pytest.raises(WeightsError, match="holds a geometry predictor, where a fusion network"):
        fusion_card(tmp_path)
    with pytest.raises(WeightsError, match="holds a fusion network, where a geometry predictor"):
        geometry_card("fusion")
    with pytest.raises(WeightsError, match="holds a generator, where a geometry predictor"):
        geometry_card("s")
    with pytest.raises(WeightsError, match="does not hold a mouth predictor"):
        load_mouth(fusion_card().folder)
    with pytest.raises(WeightsError, match="no geometry predictor"):
        geometry_card(tmp_path / "none")
