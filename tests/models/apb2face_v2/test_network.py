"""AdaConv, the Fuser and the reenactor of APB2FaceV2: shapes, equations and parameters."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from facewire.codec.errors import ConfigError
from facewire.models.apb2face.landmarks import COUNT
from facewire.models.apb2face_v2.adaconv import AdaConv
from facewire.models.apb2face_v2.fuser import F_GEO, AudioAwareFuser
from facewire.models.apb2face_v2.network import Apb2FaceV2, ReenactorV2Config
from facewire.models.apb2face_v2.objective import ReenactorV2Losses, content_losses
from facewire.models.face.table import FaceTable

PAPER_M = 4.085


def linears(module: torch.nn.Module) -> int:
    return sum(isinstance(part, torch.nn.Linear) for part in module.modules())


def random(adaconv: AdaConv) -> AdaConv:
    """Kernels that differ from one vector to the other."""
    torch.nn.init.normal_(adaconv.parameters_of[-1].weight)
    torch.nn.init.normal_(adaconv.parameters_of[-1].bias)
    return adaconv


def test_parameters_of_the_paper() -> None:
    network = Apb2FaceV2(ReenactorV2Config(), FaceTable.blank())
    count = sum(p.numel() for p in network.parameters())
    assert count / 1e6 == pytest.approx(PAPER_M, rel=0.05)
    assert len(network.reenactor.blocks) == len(network.reenactor.injections) == 9
    assert all(inject.kernel == 3 for inject in network.reenactor.injections)
    assert all(inject.group == 1 for inject in network.reenactor.injections)


@pytest.mark.parametrize(("kernel", "group"), [(3, 1), (1, 1), (3, 2), (5, 6)])
def test_adaconv_makes_kernel_and_bias_of_each_sample(kernel: int, group: int) -> None:
    """One grouped convolution gives what a convolution of each sample alone gives."""
    torch.manual_seed(0)
    adaconv = random(AdaConv(7, 6, kernel=kernel, group=group)).double()
    assert linears(adaconv) == 2
    assert adaconv.parameters_of[-1].out_features == kernel * kernel * group * 6 + 6
    x, f_geo = torch.randn(3, 6, 5, 4).double(), torch.randn(3, 7).double()
    found = adaconv(x, f_geo)
    for n in range(3):
        made = adaconv.parameters_of(math.sqrt(7) * f_geo[n])
        weight, bias = made[:-6].reshape(6, group, kernel, kernel), made[-6:]
        alone = F.instance_norm(x[n : n + 1])
        alone = F.conv2d(alone, weight, bias, padding=kernel // 2, groups=6 // group)
        torch.testing.assert_close(found[n : n + 1], alone)


def test_with_a_kernel_of_one_it_is_adain() -> None:
    torch.manual_seed(0)
    adaconv = random(AdaConv(7, 6, kernel=1, group=1))
    x, f_geo = 2 + 3 * torch.randn(2, 6, 8, 8), torch.randn(2, 7)
    scale, offset = adaconv.parameters_of(math.sqrt(7) * f_geo)[..., None, None].split(6, 1)
    mean = x.mean((2, 3), keepdim=True)
    deviation = (x.var((2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
    adain = scale * (x - mean) / deviation + offset
    torch.testing.assert_close(adaconv(x, f_geo), adain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("group", [1, 3])
def test_untrained_it_changes_normalised_features_a_little(group: int) -> None:
    torch.manual_seed(0)
    adaconv = AdaConv(F_GEO, 6, group=group)
    x = torch.randn(2, 6, 8, 8)
    found = adaconv(x, F.normalize(torch.randn(2, F_GEO), dim=1))
    assert float((found - F.instance_norm(x)).detach().abs().mean()) < 0.25


def test_untrained_kernels_depend_on_the_vector() -> None:
    """Vectors of length 1 count as numbers of about 1: else kernels differ by a thousandth."""
    torch.manual_seed(0)
    adaconv = AdaConv(F_GEO, 64)
    vectors = F.normalize(torch.randn(50, F_GEO), dim=1)
    made = adaconv.parameters_of(adaconv.scale * vectors).detach()
    assert float(made.std(0).mean()) > 0.02


@pytest.mark.parametrize("wrong", [{"kernel": 2}, {"kernel": 0}, {"group": 4}, {"group": 0}])
def test_an_adaconv_that_cannot_be(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="odd kernel"):
        AdaConv(7, 6, **wrong)


def test_the_fuser() -> None:
    """Five and five convolutions, three linear layers each on pose and blink; a unit vector."""
    fuser = AudioAwareFuser().eval()
    convolutions = [m for m in fuser.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 10
    assert (linears(fuser.pose), linears(fuser.blink)) == (3, 3)
    torch.manual_seed(0)
    inputs = torch.randn(2, 1, 64, 60), torch.randn(2, 3), torch.randn(2, 2)
    f_geo = fuser(*inputs)
    assert f_geo.shape == (2, F_GEO)
    torch.testing.assert_close(f_geo.norm(dim=1), torch.ones(2))
    assert fuser.landmarks(f_geo).shape == (2, COUNT, 2)
    for index in range(3):
        other = [value if n != index else value + 1 for n, value in enumerate(inputs)]
        # Untrained already, or a signal would hardly reach what is to learn from it.
        assert float((fuser(*other) - f_geo).detach().norm(dim=1).min()) > 0.05


def test_the_picture_depends_on_reference_and_vector() -> None:
    torch.manual_seed(0)
    config = ReenactorV2Config(size=32, channels=4, blocks=2)
    network = Apb2FaceV2(config, FaceTable.blank()).eval()
    for inject in network.reenactor.injections:
        random(inject)
    sound, pose, blink = torch.randn(2, 1, 64, 60), torch.randn(2, 3), torch.rand(2, 2)
    reference = torch.rand(1, 3, 32, 32).expand(2, -1, -1, -1)
    made, landmarks = network(reference, sound, pose, blink)
    assert made.shape == (2, 3, 32, 32)
    assert landmarks.shape == (2, COUNT, 2)
    assert 0 <= float(made.detach().min()) <= float(made.detach().max()) <= 1
    assert not torch.allclose(made[0], made[1], atol=1e-3)
    others, same = network(1 - reference, sound, pose, blink)
    assert not torch.allclose(others, made, atol=1e-3)
    torch.testing.assert_close(same, landmarks)


def test_losses_have_the_weights_of_the_paper() -> None:
    true, marks = torch.zeros(1, 3, 4, 4), torch.zeros(1, COUNT, 2)
    terms = content_losses(true + 0.25, true, marks + 0.5, marks, ReenactorV2Losses())
    assert float(terms["geometry"]) == pytest.approx(0.5)
    assert float(terms["content"]) == pytest.approx(100 * 0.5)
    assert ReenactorV2Losses().adversarial == 1
