from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio

from facewire.cli.demo.face import load_portrait
from facewire.eval.metrics.base import Frame, Mean, Metric, Pair
from facewire.eval.metrics.fidelity import ms_ssim, psnr, ssim
from facewire.models.judges.tensors import to_tensor

Map = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def truth() -> Frame:
    return np.ascontiguousarray(load_portrait()[40:232, 100:292])


@pytest.fixture(scope="module")
def noisy(truth: Frame) -> Frame:
    noise = np.random.default_rng(0).normal(0, 12, truth.shape)
    return np.clip(truth + noise, 0, 255).round().astype(np.uint8)


def pair(truth: Frame, frame: Frame, **boxes: tuple[int, int, int, int]) -> Pair:
    height, width = truth.shape[:2]
    return Pair(0, truth, frame, boxes={"whole": (0, 0, width, height), **boxes})


def of(metric: Metric, *pairs: Pair) -> float:
    for each in pairs:
        metric.update(each)
    return metric.compute()


def test_psnr_of_a_known_error() -> None:
    black = np.zeros((8, 8, 3), np.uint8)
    assert of(Mean(psnr), pair(black, black + np.uint8(5))) == pytest.approx(
        20 * np.log10(255 / 5), abs=1e-12
    )


def test_psnr_agrees_with_torchmetrics(truth: Frame, noisy: Frame) -> None:
    expected = peak_signal_noise_ratio(
        torch.from_numpy(noisy).double(), torch.from_numpy(truth).double(), data_range=255.0
    )
    assert of(Mean(psnr), pair(truth, noisy)) == pytest.approx(float(expected), abs=1e-5)


def test_psnr_is_the_mean_of_the_frames_and_has_a_ceiling(truth: Frame, noisy: Frame) -> None:
    alone = of(Mean(psnr), pair(truth, noisy))
    both = of(Mean(psnr), pair(truth, noisy), pair(truth, truth))
    assert both == pytest.approx((alone + 60) / 2)


@pytest.mark.parametrize("value", [psnr, ssim])
def test_only_the_box_counts(value: Callable[..., float], truth: Frame, noisy: Frame) -> None:
    mixed = truth.copy()
    mixed[60:110, 30:90] = noisy[60:110, 30:90]
    box = (30, 60, 90, 110)
    inside = of(Mean(value, "mouth"), pair(truth, mixed, mouth=box))
    cut = of(Mean(value), pair(truth[60:110, 30:90].copy(), noisy[60:110, 30:90].copy()))
    assert inside == pytest.approx(cut)
    assert of(Mean(value, "eyes"), pair(truth, mixed, eyes=(100, 0, 150, 50))) >= 1.0
    assert np.isnan(of(Mean(value, "face"), pair(truth, mixed, mouth=box)))


def blurred(channel: Map) -> Map:
    """Gaussian window of 11, sigma 1.5, at the places where all of it lies inside."""
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    line /= line.sum()
    rows = np.apply_along_axis(np.convolve, 0, channel, line, "valid")
    return np.apply_along_axis(np.convolve, 1, rows, line, "valid")


def similarity(first: Map, second: Map) -> tuple[float, float]:
    """SSIM and its contrast-structure part of one channel, Wang et al. 2004, equation 13.

    As torchmetrics has it, SSIM with mirrored borders, the part where all of the window is inside.
    """
    first, second = np.pad(first, 5, "reflect"), np.pad(second, 5, "reflect")
    c1, c2 = 0.01**2, 0.03**2
    m1, m2 = blurred(first), blurred(second)
    v1, v2 = blurred(first**2) - m1**2, blurred(second**2) - m2**2
    both = blurred(first * second) - m1 * m2
    contrast = (2 * both + c2) / (v1 + v2 + c2)
    brightness = (2 * m1 * m2 + c1) / (m1**2 + m2**2 + c1)
    return float((brightness * contrast).mean()), float(contrast[5:-5, 5:-5].mean())


def test_ssim_agrees_with_the_formula(truth: Frame, noisy: Frame) -> None:
    channels = [similarity(truth[..., c] / 255, noisy[..., c] / 255)[0] for c in range(3)]
    found = of(Mean(ssim), pair(truth, noisy))
    assert 0.2 < found < 0.9
    assert found == pytest.approx(np.mean(channels), abs=2e-5)


def test_ms_ssim_agrees_with_the_formula(truth: Frame, noisy: Frame) -> None:
    first, second = truth / 255, noisy / 255
    expected = 1.0
    weights = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    for scale, weight in enumerate(weights):
        parts = np.array([similarity(first[..., c], second[..., c]) for c in range(3)]).mean(0)
        expected *= parts[0 if scale == 4 else 1] ** weight
        first, second = (
            x.reshape(len(x) // 2, 2, x.shape[1] // 2, 2, 3).mean((1, 3)) for x in (first, second)
        )
    found = of(Mean(ms_ssim), pair(truth, noisy))
    assert 0.5 < found < 0.99
    assert found == pytest.approx(expected, abs=2e-5)


def test_equal_pictures_are_alike(truth: Frame) -> None:
    same = pair(truth, truth)
    assert of(Mean(psnr), same) == 60
    assert of(Mean(ssim), same) == pytest.approx(1)
    assert of(Mean(ms_ssim), same) == pytest.approx(1)


def test_pictures_too_small_for_a_window_are_left_out(truth: Frame, noisy: Frame) -> None:
    assert np.isnan(of(Mean(ssim), pair(truth[:10, :40], noisy[:10, :40])))
    assert np.isfinite(of(Mean(ssim), pair(truth[:11, :40], noisy[:11, :40])))
    assert np.isnan(of(Mean(ms_ssim), pair(truth[:175], noisy[:175])))
    assert np.isfinite(of(Mean(ms_ssim), pair(truth[:176], noisy[:176])))


def test_tensors_keep_channels_and_range(truth: Frame) -> None:
    x = to_tensor(truth, truth)
    assert x.shape == (2, 3, *truth.shape[:2])
    assert x[1, 2, 3, 4] == pytest.approx(truth[3, 4, 2] / 255)
