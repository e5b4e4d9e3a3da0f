from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from facewire.codec.errors import TrainingError
from facewire.models.face.mesh import POINTS
from facewire.models.fusion.batches import BatchSettings, batches
from facewire.models.fusion.evaluate import measure, torch_fuse
from facewire.models.fusion.network import Fusion, FusionConfig
from facewire.models.fusion.objective import FusionLosses, FusionObjective, fused, grain
from facewire.models.fusion.samples import read_samples
from facewire.models.fusion.train import FusionTraining, train_fusion

BATCH = BatchSettings(pairs=2, side=64)


def test_batches_are_seeded(folder: Path) -> None:
    samples = read_samples(folder)
    first, again, other = (next(batches(samples, BATCH, seed)) for seed in (0, 0, 1))
    assert torch.equal(first.made, again.made)
    assert torch.equal(first.points, again.points)
    assert not torch.equal(first.made, other.made)
    assert first.target.shape == (4, 3, 64, 64)
    assert first.points.shape == (4, len(POINTS), 2)


def test_each_person_comes_equally_often(folder: Path) -> None:
    samples = read_samples(folder)
    mine = {float(s.points[n, 0, 0, 1]): s.person for s in samples for n in range(2)}
    settings = BatchSettings(pairs=4, side=64, stranger=0.0)
    seen = [
        mine[float(y)]
        for batch in islice(batches(samples, settings, 0), 50)
        for y in batch.points[::2, POINTS.index(POINTS[0]), 1]
        if float(y) in mine
    ]
    assert 0.35 < seen.count("b") / len(seen) < 0.65


def test_strangers_have_landmarks_of_their_own(folder: Path) -> None:
    """The generated picture and the landmarks may belong to somebody else, the base never."""
    samples = read_samples(folder)
    close = []
    for stranger in (0.0, 1.0):
        settings = BatchSettings(pairs=4, side=64, stranger=stranger)
        found = list(islice(batches(samples, settings, 0), 10))
        close.append(
            [float(np.mean([(x - b.target).abs().mean() for b in found for x in [getattr(b, n)]]))
             for n in ("made", "base")]
        )  # fmt: skip
    (made, base), (strange, same) = close
    assert strange > 1.5 * made
    assert same == pytest.approx(base, rel=0.1)


def test_drawings_belong_to_the_crop(folder: Path) -> None:
    """A crop's lines are the same part of the whole picture's lines."""
    network = Fusion(FusionConfig(size=64, channels=(8, 8, 8), blocks=(0, 0, 0)))
    batch = next(batches(read_samples(folder), BatchSettings(pairs=1, side=32), 0))
    torch.nn.init.normal_(network.head.weight, std=0.05)
    x, y = batch.corner[0].tolist()
    assert x % 8 == 0
    assert y % 8 == 0
    lines = network.draw(batch.points)[:, :, y // 4 : y // 4 + 8, x // 4 : x // 4 + 8]
    expected = network(batch.made, batch.base, lines, batch.age)
    assert torch.equal(fused(network, batch), expected)


def test_missing_texture_costs_and_its_phase_does_not() -> None:
    rng = torch.Generator().manual_seed(3)
    noise = [torch.rand(1, 3, 48, 48, generator=rng) * 0.2 + 0.4 for _ in range(2)]
    smooth = torch.full_like(noise[0], 0.5)
    missing, other = ((grain(noise[0]) - grain(made)).abs().mean() for made in (smooth, noise[1]))
    assert missing > 5 * other
    assert grain(smooth).shape == (1, 1, 7, 7)


@pytest.mark.parametrize("name", ["texture", "vgg"])
def test_some_losses_are_there_only_with_a_weight(
    name: str, folder: Path, small: FusionConfig
) -> None:
    batch = next(batches(read_samples(folder), BATCH, 0))
    network = Fusion(small)
    assert name not in FusionObjective(FusionLosses())(network, batch)
    assert FusionObjective(FusionLosses(**{name: 2.0}))(network, batch)[name] > 0


def test_the_losses_fall_and_the_run_can_go_on(folder: Path, tmp_path: Path,
                                               small: FusionConfig) -> None:  # fmt: skip
    samples = read_samples(folder)
    settings = FusionTraining(steps=12, learning_rate=3e-3, warmup=1, batch=BATCH)
    out = tmp_path / "run"
    train_fusion(small, settings, samples, out)
    longer = replace(settings, steps=40)
    trained = train_fusion(small, longer, samples, out, resume=True)
    objective = FusionObjective(FusionLosses())
    batch = next(batches(samples, BatchSettings(pairs=8, side=64, stranger=0.0), 5))
    with torch.no_grad():
        before, after = (
            sum(float(v) for v in objective(net, batch).values())
            for net in (Fusion(small), trained)
        )
    assert after < before
    state = torch.load(out / "checkpoint.pt", weights_only=True)
    assert state["step"] == 40
    assert {path.name for path in out.iterdir()} == {"checkpoint.pt", "model.safetensors"}


def test_a_run_is_seeded(folder: Path, tmp_path: Path, small: FusionConfig) -> None:
    samples = read_samples(folder)
    settings = FusionTraining(steps=3, batch=BATCH)
    first, second = (train_fusion(small, settings, samples, tmp_path / name) for name in "ab")
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_run_in_bf16_learns_in_float32(folder: Path, tmp_path: Path,
                                         small: FusionConfig) -> None:  # fmt: skip
    samples = read_samples(folder)
    settings = FusionTraining(steps=3, batch=BATCH)
    exact = train_fusion(small, settings, samples, tmp_path / "a")
    half = train_fusion(small, replace(settings, half=True), samples, tmp_path / "b")
    pairs = list(zip(exact.parameters(), half.parameters(), strict=True))
    assert all(weights.dtype == torch.float32 for _, weights in pairs)
    assert any(not torch.equal(one, other) for one, other in pairs)
    assert all(torch.allclose(one, other, atol=0.02) for one, other in pairs)


def test_a_run_ends_with_its_minutes(folder: Path, tmp_path: Path, small: FusionConfig) -> None:
    settings = FusionTraining(steps=10**9, minutes=1e-6, batch=BATCH)
    train_fusion(small, settings, read_samples(folder), tmp_path)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 1


def test_what_is_missing_is_named(folder: Path, tmp_path: Path, small: FusionConfig) -> None:
    with pytest.raises(TrainingError, match="no samples"):
        read_samples(tmp_path)
    with pytest.raises(TrainingError, match="no samples"):
        train_fusion(small, FusionTraining(), [], tmp_path)
    samples = read_samples(folder)
    with pytest.raises(TrainingError, match="cannot be resumed"):
        train_fusion(small, FusionTraining(), samples, tmp_path / "none", resume=True)
    (folder / "a1.npz").write_bytes(b"PK")
    with pytest.raises(TrainingError, match="damaged"):
        read_samples(folder)


def test_a_checkpoint_of_another_shape(folder: Path, tmp_path: Path, small: FusionConfig) -> None:
    samples = read_samples(folder)
    settings = FusionTraining(steps=1, batch=BATCH)
    train_fusion(small, settings, samples, tmp_path)
    other = FusionConfig(size=64, channels=(8, 8, 16), blocks=(0, 1, 1))
    with pytest.raises(TrainingError, match="another shape"):
        train_fusion(other, settings, samples, tmp_path, resume=True)


def test_measuring(folder: Path, small: FusionConfig) -> None:
    samples = read_samples(folder)
    first, second = measure(samples, torch_fuse(Fusion(small)), [0, 1])
    assert first["made"] == second["made"]
    assert first["base"] != second["base"]
    # Untrained, it shows the mean, in which independent noise has half the power.
    assert first["fused"]["psnr"] - first["base"]["psnr"] == pytest.approx(3, abs=0.5)
    assert first["fused"]["flicker"] < first["base"]["flicker"]
