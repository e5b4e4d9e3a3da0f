from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from facewire.cli.demo.face import load_portrait
from facewire.codec.errors import WeightsError
from facewire.eval.metrics.base import Frame
from facewire.eval.metrics.distribution import FrechetDistance, kid
from facewire.models.judges.inception import FEATURES, Inception

Features = npt.NDArray[np.float32]


def features(seed: int, count: int, size: int = 12, shift: float = 0.0) -> Features:
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(count, size)) @ rng.normal(size=(size, size))
    return (mixed + shift).astype(np.float32)


def fid(truth: Features, decoded: Features, pieces: int = 1) -> float:
    distance = FrechetDistance(truth.shape[1])
    for parts in zip(np.array_split(truth, pieces), np.array_split(decoded, pieces), strict=True):
        distance.update(*parts)
    assert distance.count == len(decoded)
    return distance.compute()


def by_definition(truth: Features, decoded: Features) -> float:
    """Equation 6 of Heusel et al., by the symmetric root: tr (AB)^½ = tr (A^½ B A^½)^½."""
    x, y = truth.astype(np.float64), decoded.astype(np.float64)
    a, b = np.cov(x.T), np.cov(y.T)
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    product = np.linalg.eigvalsh(root @ b @ root).clip(0)
    apart = ((x.mean(0) - y.mean(0)) ** 2).sum()
    return float(apart + np.trace(a) + np.trace(b) - 2 * np.sqrt(product).sum())


@pytest.mark.parametrize("count", [200, 7])  # 7 frames of 12 features: a singular covariance
def test_fid_agrees_with_its_definition(count: int) -> None:
    truth, decoded = features(0, count), features(1, count, shift=0.5)
    expected = by_definition(truth, decoded)
    assert expected > 1
    assert fid(truth, decoded) == pytest.approx(expected, rel=1e-6)


def test_fid_of_a_shift_is_its_square() -> None:
    truth = features(0, 50)
    assert fid(truth, truth) == pytest.approx(0, abs=1e-5)
    assert fid(truth, truth + np.float32(0.5)) == pytest.approx(12 * 0.25, rel=1e-4)


def test_clips_one_by_one_or_together() -> None:
    truth, decoded = features(0, 90), features(1, 90)
    assert fid(truth, decoded, pieces=7) == pytest.approx(fid(truth, decoded), rel=1e-9)


def test_fid_of_many_clips_holds_no_frames() -> None:
    distance = FrechetDistance(4)
    pairs = [(features(seed, 500, 4), features(seed + 10, 500, 4)) for seed in range(3)]
    for pair in pairs:
        distance.update(*pair)
    assert max(side.size for side in distance._sides) == 5 * 5
    whole = [np.concatenate(side) for side in zip(*pairs, strict=True)]
    assert distance.compute() == pytest.approx(by_definition(whole[0], whole[1]), rel=1e-9)


@pytest.mark.filterwarnings("ignore")
def test_fid_is_that_of_torchmetrics() -> None:
    class Given(nn.Module):
        num_features = 12

        def forward(self, given: Tensor) -> Tensor:
            return given

    other = FrechetInceptionDistance(feature=Given()).set_dtype(torch.float64)
    truth, decoded = features(0, 40), features(1, 60, shift=0.5)
    other.update(torch.from_numpy(truth).double(), real=True)
    other.update(torch.from_numpy(decoded).double(), real=False)
    assert fid(truth, decoded) == pytest.approx(float(other.compute()), rel=1e-9)


def test_without_two_frames_there_is_no_distance() -> None:
    one, none = features(0, 1), np.zeros((0, 12), np.float32)
    assert np.isnan(fid(one, one))
    assert np.isnan(fid(none, none))
    assert np.isnan(kid(one, features(0, 5)))


def test_kid_agrees_with_its_definition() -> None:
    truth, decoded = features(0, 9), features(1, 9, shift=0.3)

    def kernel(x: Features, y: Features) -> float:
        return float((x.astype(np.float64) @ y.astype(np.float64) / 12 + 1) ** 3)

    count = range(9)
    own = sum(kernel(s[i], s[j]) for s in (truth, decoded) for i in count for j in count if i != j)
    cross = sum(kernel(x, y) for x in truth for y in decoded)
    expected = own / (9 * 8) - 2 * cross / 81
    assert kid(truth, decoded) == pytest.approx(expected, rel=1e-9)


def test_kid_has_no_bias() -> None:
    rng = np.random.default_rng(0)
    values = [
        kid(*rng.normal(size=(2, 20, 8)).astype(np.float32))  # of one and the same distribution
        for _ in range(200)
    ]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * error
    assert min(values) < 0
    apart = kid(features(0, 20), features(0, 20, shift=2.0))
    assert apart > 10 * np.std(values)


def test_kid_of_subsets_is_seeded_and_near_the_whole() -> None:
    truth, decoded = features(0, 400), features(1, 400)
    whole = kid(truth, decoded)
    some = kid(truth, decoded, size=100, subsets=100)
    assert some == kid(truth, decoded, size=100, subsets=100)
    assert some != kid(truth, decoded, size=100, subsets=100, seed=1)
    assert some == pytest.approx(whole, rel=0.3)


def test_a_file_that_is_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fid_inception.pt").write_bytes(b"junk" * 100)
    monkeypatch.setenv("FACEWIRE_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"fid_inception\.pt"):
        Inception()


@pytest.fixture(scope="module")
def inception() -> Inception:
    try:
        return Inception()
    except WeightsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def portrait() -> Frame:
    return np.ascontiguousarray(load_portrait()[20:276, 80:336])


def test_features_of_pictures(inception: Inception, portrait: Frame) -> None:
    dark = portrait // 2
    both = inception([portrait, dark])
    assert both.shape == (2, FEATURES)
    assert both.dtype == np.float32
    assert (both >= 0).all()  # a mean over rectified maps
    np.testing.assert_allclose(both[1], inception([dark])[0], atol=1e-3)
    assert np.abs(both[0] - both[1]).mean() > 0.05


def test_features_tell_worse_pictures(inception: Inception, portrait: Frame) -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, portrait.shape)
    worse = [np.clip(portrait + s * noise, 0, 255).astype(np.uint8) for s in (5, 20, 60)]
    truth, *found = inception([portrait, *worse])
    apart = [float(np.square(truth - each).sum()) for each in found]
    assert apart == sorted(apart)
    assert apart[0] > 0.1
