from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facewire.codec.errors import WeightsError
from facewire.models.face.mesh import POINTS
from facewire.models.fusion.export import PART, difference, fusion_graph
from facewire.models.fusion.network import OLDEST, Fusion, FusionConfig
from facewire.models.fusion.store import load_fusion, save_fusion
from facewire.models.weights import fusion_card, load_card, shipped
from facewire.models.weights.runtime_graphs import load_graph, save_graphs
from facewire.receiver.generators import fusion as receiver


def seeded(config: FusionConfig, seed: int = 0) -> Fusion:
    """A network whose last layer has an effect."""
    torch.manual_seed(seed)
    network = Fusion(config)
    torch.nn.init.normal_(network.head.weight, std=0.05)
    return network.eval()


def pictures(side: int = 64, count: int = 2, seed: int = 0) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [torch.rand(count, 3, side, side, generator=rng) for _ in range(2)]


def drawn(network: Fusion, count: int = 2) -> torch.Tensor:
    rng = torch.Generator().manual_seed(3)
    return network.draw(torch.rand(count, len(POINTS), 2, generator=rng) - 0.5)


def test_its_size() -> None:
    """About 0.4 million weights, as `FusionConfig` has it by default."""
    count = sum(p.numel() for p in Fusion().parameters())
    assert 300_000 < count < 450_000


def test_an_untrained_network_shows_the_mean_of_both(small: FusionConfig) -> None:
    made, base = pictures()
    network = Fusion(small)
    fused = network(made, base, drawn(network), torch.zeros(2))
    assert fused.shape == made.shape
    assert torch.allclose(fused, (made + base) / 2, atol=1e-6)


def test_everything_given_has_an_effect(small: FusionConfig) -> None:
    network = seeded(small)
    made, base = pictures()
    lines, age = drawn(network), torch.zeros(2)
    before = network(made, base, lines, age)
    others = [
        (1 - made, base, lines, age),
        (made, 1 - base, lines, age),
        (made, base, 1 - lines, age),
        (made, base, lines, age + 3),
    ]
    for other in others:
        assert (network(*other) - before).abs().max() > 1e-4
    oldest = network(made, base, lines, age + OLDEST)
    assert torch.equal(oldest, network(made, base, lines, age + 5 * OLDEST))


def test_a_crop_is_as_good_as_the_whole(small: FusionConfig) -> None:
    """Far from its edges, a crop looks like the same part of the whole picture."""
    network = seeded(small)
    made, base = pictures(128)
    lines = torch.rand(2, 6, 32, 32, generator=torch.Generator().manual_seed(1))
    whole = network(made, base, lines, torch.zeros(2))
    cut = network(made[..., 16:, 16:], base[..., 16:, 16:], lines[..., 4:, 4:], torch.zeros(2))
    assert torch.allclose(cut[..., 64:, 64:], whole[..., 80:, 80:], atol=1e-5)


def test_weights_on_disk(small: FusionConfig, tmp_path: Path) -> None:
    network = seeded(small)
    save_fusion(network, tmp_path)
    again = load_fusion(tmp_path)
    assert again.config == small
    made, base = pictures()
    lines = drawn(network)
    first, second = (n(made, base, lines, torch.zeros(2)) for n in (network, again))
    assert (first - second).abs().max() < 2e-3  # the weights were rounded to FP16
    assert fusion_card(tmp_path).name == "fusion"


def test_the_graph_does_what_torch_does(small: FusionConfig, tmp_path: Path) -> None:
    save_fusion(seeded(small), tmp_path)
    network = load_fusion(tmp_path)
    save_graphs(fusion_card(tmp_path), {PART: fusion_graph(network)})
    assert difference(network, load_graph(fusion_card(tmp_path), PART)) < 1e-4
    assert receiver.OLDEST == OLDEST


def test_a_generator_is_no_fusion_network(small: FusionConfig, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="a fusion network is needed"):
        fusion_card(load_card("s").folder)
    with pytest.raises(WeightsError, match="does not hold a fusion network"):
        load_fusion(load_card("s").folder)
    with pytest.raises(WeightsError, match="no fusion network"):
        fusion_card(tmp_path)
    save_fusion(Fusion(small), tmp_path)
    with pytest.raises(WeightsError, match="a generator is needed"):
        load_card(tmp_path)
    assert "fusion" not in shipped()


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"none")
    with pytest.raises(WeightsError, match="does not hold a fusion network"):
        load_fusion(tmp_path)
    with pytest.raises(WeightsError, match="not a facewire network"):
        fusion_card(tmp_path)
