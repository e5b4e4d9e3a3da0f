from __future__ import annotations

import json
import logging
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from facewire.codec.errors import ConfigError, WeightsError
from facewire.models.avfr import SIZES, Avfr, AvfrConfig
from facewire.models.avfr.audio import attention
from facewire.models.avfr.detector import KeypointDetector
from facewire.models.avfr.discriminator import Discriminator
from facewire.models.avfr.export import (
    example_inputs,
    export_openvino,
    openvino_graphs,
    parity,
    to_openvino,
)
from facewire.models.avfr.generator import Generator
from facewire.models.avfr.geometry import (
    Drawing,
    Warp,
    affine_maps,
    moved,
    similarity_map,
    smoothed_residual,
    warp,
)
from facewire.models.avfr.losses import RandomSpline, equivariance_loss, region_weights
from facewire.models.face.mesh import POINTS
from facewire.models.weights import find_card, load_card, shipped
from facewire.models.weights.runtime_graphs import graph_parts, load_graph, save_graphs


def run(config: AvfrConfig) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    model = Avfr(config).eval()
    inputs = example_inputs(model)
    part = {
        name: {
            "value": inputs[f"{prefix}value"],
            "jacobian": inputs[f"{prefix}jacobian"],
            "points": inputs[f"{prefix}points"],
        }
        for name, prefix in (("source", "source_"), ("driving", ""))
    }
    with torch.no_grad():
        features = model.generator.encode_source(inputs["picture"], inputs["source_points"])
        sides = [f.shape[-1] for f in features]
        prepared = [config.motion_size] * (2 if config.landmark_prior else 1)
        assert sides == [*config.scales, *prepared]
        result: dict[str, torch.Tensor] = model.generator(
            inputs["picture"], features, part["source"], part["driving"], inputs["mel"]
        )
    return result


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"audio_prior": False},
        {"identity_aware": False},
        {"landmark_prior": False},
        {"stem_stride": 1, "spade_hidden": 8, "normalise": True},
    ],
    ids=lambda c: ",".join(c) or "all",
)
def test_every_ablation_gives_a_picture(tiny: AvfrConfig, changes: dict[str, object]) -> None:
    result = run(tiny.with_changes(**changes))
    assert result["image"].shape == (1, 3, 64, 64)
    assert torch.isfinite(result["image"]).all()
    np.testing.assert_allclose(result["mask"].sum(1), 1, atol=1e-5)
    assert 0 <= float(result["occlusion"].min()) <= float(result["occlusion"].max()) <= 1


def test_paper_size_has_the_papers_scales() -> None:
    config = SIZES["paper"]
    assert config.scales == (256, 128, 64)  # Enc_motion is h/4 x w/4 x 256
    assert config.channels[-1] == 256
    with torch.device("meta"):
        detector = KeypointDetector(config)
        count = sum(p.numel() for p in detector.parameters())
    assert 13e6 < count < 15e6  # networks.md: 14.2 M


def test_sparse_motion_is_equation_4() -> None:
    generator = torch.Generator().manual_seed(0)
    value, source = torch.rand(2, 1, 10, 2, generator=generator) - 0.5
    jacobian, source_jacobian = torch.eye(2) + 0.1 * torch.rand(2, 1, 10, 2, 2, generator=generator)
    field = moved(affine_maps(value, jacobian, source, source_jacobian), 16)
    z = torch.tensor([(3 * 2 + 1) / 16 - 1, (5 * 2 + 1) / 16 - 1])
    expected = source[0, 4] + source_jacobian[0, 4] @ torch.linalg.inv(jacobian[0, 4]) @ (
        z - value[0, 4]
    )
    np.testing.assert_allclose(field[0, 4, :, 5, 3], expected, atol=1e-5)


def test_a_region_squeezed_to_a_line_does_not_explode() -> None:
    point = torch.zeros(1, 1, 2)
    closed = torch.tensor([[[[1.0, 0.0], [0.0, 1e-7]]]])
    maps = affine_maps(point, closed, point, torch.eye(2).expand(1, 1, 2, 2))
    assert float(maps.abs().max()) <= 20


def test_the_similarity_is_found_and_leaves_nothing() -> None:
    generator = torch.Generator().manual_seed(2)
    driving = torch.rand(2, len(POINTS), 2, generator=generator) - 0.5
    turn = torch.tensor([[0.9, -0.3], [0.3, 0.9]])
    source = driving @ turn.T + torch.tensor([0.1, -0.2])
    found = similarity_map(source, driving)
    np.testing.assert_allclose(found[1, 0, :, :2], turn, atol=1e-5)
    np.testing.assert_allclose(found[1, 0, :, 2], [0.1, -0.2], atol=1e-5)
    np.testing.assert_allclose(smoothed_residual(found, source, driving, 16), 0, atol=1e-4)


def test_the_landmark_field_leads_from_driving_to_source_points() -> None:
    generator = torch.Generator().manual_seed(1)
    source = torch.rand(1, len(POINTS), 2, generator=generator) - 0.5
    driving = source * 1.2 + 0.1
    driving[:, 20] += torch.tensor([0.05, 0.0])
    maps = similarity_map(source, driving)
    field = moved(maps, 256)[:, 0] + smoothed_residual(maps, source, driving, 256, 0.004, 1e-4)
    at = torch.nn.functional.grid_sample(field, driving[:, None], align_corners=False)
    np.testing.assert_allclose(at[0, :, 0].T, source[0], atol=2e-3)


def test_warping_by_the_identity_changes_nothing() -> None:
    picture = torch.rand(1, 3, 32, 32)
    line = (torch.arange(32) * 2 + 1) / 32 - 1
    identity = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)[None]
    np.testing.assert_allclose(warp(picture, identity), picture, atol=1e-5)


@pytest.mark.parametrize("side", [16, 32, 64])
def test_a_flow_is_resized_as_pictures_are(side: int) -> None:
    generator = torch.Generator().manual_seed(3)
    flow = torch.rand(2, 32, 32, 2, generator=generator) * 1.6 - 0.8
    features = torch.rand(2, 3, side, side, generator=generator)
    resized = torch.nn.functional.interpolate(flow.permute(0, 3, 1, 2), side, mode="bilinear")
    np.testing.assert_allclose(
        Warp(32, (16, 32, 64))(features, flow),
        warp(features, resized.permute(0, 2, 3, 1)),
        atol=1e-4,
    )


def test_drawings_show_where_the_points_are() -> None:
    points = torch.zeros(1, len(POINTS), 2)
    drawing = Drawing()(points, 32)
    assert drawing.shape == (1, 6, 32, 32)
    assert float(drawing[0, :, 15:17, 15:17].min()) > 0.5
    assert float(drawing[0, :, 0, 0].max()) < 1e-3


def test_attention_is_equation_2() -> None:
    query, motion = torch.rand(1, 4), torch.rand(1, 4, 2, 2)
    expected = torch.sigmoid((query[0] @ motion[0, :, 1, 0]) / 2)
    np.testing.assert_allclose(attention(query, motion)[0, 0, 1, 0], expected, atol=1e-6)


@pytest.mark.parametrize("prior", [True, False])
def test_the_detector_finds_coordinates_with_identity_jacobians(
    tiny: AvfrConfig, prior: bool
) -> None:
    detector = KeypointDetector(tiny.with_changes(structural_prior=prior))
    with torch.no_grad():
        value, jacobian = detector(torch.rand(2, 5 if prior else 3, 64, 64))
    assert value.shape == (2, 10, 2)
    assert float(value.abs().max()) < 1
    np.testing.assert_allclose(jacobian, torch.eye(2).expand(2, 10, 2, 2).numpy(), atol=1e-4)


def test_equivariance_is_zero_for_a_perfect_detector() -> None:
    torch.manual_seed(0)
    spline = RandomSpline(2, torch.zeros(1))
    warped = (torch.rand(2, 10, 2) - 0.5).requires_grad_(True)
    eye = torch.eye(2).expand(2, 10, 2, 2)
    value = spline.points(warped)
    jacobian = spline.jacobian(warped) @ eye
    losses = equivariance_loss(value, jacobian, warped, eye, spline)
    assert losses[0].item() < 1e-5
    assert losses[1].item() < 1e-4
    worse = equivariance_loss(value + 0.1, jacobian, warped, eye, spline)
    assert worse[0].item() > 0.05


def test_a_splines_jacobian_is_its_derivative() -> None:
    spline = RandomSpline(1, torch.zeros(1), generator=torch.Generator().manual_seed(3))
    x = torch.tensor([[[0.11, -0.23]]])
    step = 1e-2
    for axis in range(2):
        shift = torch.zeros(1, 1, 2)
        shift[..., axis] = step
        slope = (spline.points(x + shift) - spline.points(x - shift)) / (2 * step)
        found = spline.jacobian(x)[0, 0, :, axis].detach()
        np.testing.assert_allclose(found, slope[0, 0], atol=5e-3)


def test_mouth_and_eyes_weigh_more() -> None:
    points = torch.rand(1, len(POINTS), 2) * 0.5 - 0.9
    weight = region_weights(points, 64)
    assert abs(float(weight.mean()) - 1) < 0.05
    assert float(weight[0, 0, :32, :32].mean()) > 2 * float(weight[0, 0, 40:, 40:].mean())


def test_the_discriminator_judges_at_two_scales() -> None:
    scores, features = Discriminator(6, base=4)(torch.rand(1, 9, 64, 64))
    assert len(scores) == 2
    assert scores[0].shape[-1] == 2 * scores[1].shape[-1]
    assert len(features) == 8


def test_saved_weights_load_and_give_the_same_picture(tmp_path: Path, tiny: AvfrConfig) -> None:
    model = Avfr(tiny).eval()
    model.save_pretrained(tmp_path, half=False)
    again = Avfr.from_pretrained(tmp_path)
    assert again.config == tiny
    for (name, first), (_, second) in zip(
        model.state_dict().items(), again.state_dict().items(), strict=True
    ):
        assert torch.equal(first, second), name
    np.testing.assert_array_equal(model.face.ridge, again.face.ridge)


def test_openvino_shows_what_torch_shows(tmp_path: Path, tiny: AvfrConfig) -> None:
    torch.manual_seed(0)
    model = Avfr(tiny).eval()
    for parameter in model.generator.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1)
    model.save_pretrained(tmp_path, half=False)
    source, frame = export_openvino(model, tmp_path / "elsewhere")
    assert parity(model, source, frame) < 5e-3  # the exported weights are FP16


def test_coordinates_are_exact_in_a_bf16_network(tmp_path: Path, tiny: AvfrConfig) -> None:
    """A wide smooth picture moved far: bf16 coordinates would shift it by half a pixel."""
    import openvino as ov

    core = ov.Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor does not multiply in bf16")
    torch.manual_seed(0)
    model = Avfr(tiny).eval()  # its decoder begins silent: the picture is the moved source
    frame = openvino_graphs(model)["frame"]
    inputs = {name: value.numpy() for name, value in example_inputs(model).items()}
    line = torch.linspace(0, 1, tiny.size)
    picture = torch.stack([line.expand(tiny.size, -1), line[:, None].expand(-1, tiny.size)])
    inputs["picture"] = torch.cat([picture, picture[:1] * 0])[None].numpy()
    features = model.generator.encode_source(
        torch.from_numpy(inputs["picture"]), torch.from_numpy(inputs["source_points"])
    )
    inputs |= {f"feature{i}": value.detach().numpy() for i, value in enumerate(features)}
    exact, rounded = (
        core.compile_model(frame, "CPU", {"INFERENCE_PRECISION_HINT": hint})(inputs)["frame"]
        for hint in ("f32", "bf16")
    )
    half_a_pixel = 0.5 / tiny.size
    assert np.abs(exact - rounded).mean() < half_a_pixel / 10


def test_the_runtime_graph_reads_the_weights_where_they_lie(
    tmp_path: Path, tiny: AvfrConfig
) -> None:
    torch.manual_seed(0)
    model = Avfr(tiny).eval()
    for parameter in model.generator.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1)
    model.save_pretrained(tmp_path)
    model = Avfr.from_pretrained(tmp_path)
    card = load_card(tmp_path)
    path = save_graphs(card, openvino_graphs(model))
    assert graph_parts(card) == ["frame", "source"]
    weights = sum(p.numel() for p in model.generator.parameters())
    with zipfile.ZipFile(path) as archive:
        kept = sum(archive.getinfo(f"{part}.bin").file_size for part in ("source", "frame"))
    drawings = 2 * 4 * model.generator.drawing.dots.numel()  # one a part, in float32
    assert kept < drawings + 0.1 * 2 * weights
    assert parity(model, load_graph(card, "source"), load_graph(card, "frame")) < 5e-3

    # A change of a tensor reaches the graph, and only as one of its own shape.
    bias = model.generator.head.bias
    with torch.no_grad():
        bias += 0.25
    name = "generator.head.bias"
    change = {name: bias.detach().numpy()}
    changed = load_graph(card, "frame", changes=change)
    assert parity(model, load_graph(card, "source"), changed) < 5e-3
    with pytest.raises(WeightsError, match="no tensor"):
        load_graph(card, "frame", changes={name: np.zeros(3, np.float32)})
    with pytest.raises(WeightsError, match=r"'source' of avfr-.* has no tensor"):
        load_graph(card, "source", changes=change)


@pytest.mark.parametrize(
    "content", [b"", b"not safetensors", b"\xff" * 8 + b"{}", b"\x02\0\0\0\0\0\0\0{}"]
)
def test_broken_weights_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match="not a facewire network"):
        load_card(tmp_path)


def test_missing_and_foreign_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no network"):
        load_card(tmp_path)
    with pytest.raises(WeightsError, match="does not bring"):
        find_card("avfr-giant", bytes(32))
    for size in shipped():
        with pytest.raises(WeightsError, match="other weights"):
            find_card(f"avfr-{size}", bytes(32))
        assert find_card(f"avfr-{size}", load_card(size).sha256).name == f"avfr-{size}"


def test_weights_of_another_shape_do_not_load(tmp_path: Path, tiny: AvfrConfig) -> None:
    from safetensors.torch import load_file, save_file

    path = Avfr(tiny).save_pretrained(tmp_path)
    other = json.dumps(tiny.with_changes(channels=(8, 12, 24)).to_dict())
    save_file(load_file(path), path, metadata={"config": other})
    with pytest.raises(WeightsError, match="does not fit"):
        Avfr.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": (8, 12)},
        {"size": 100},
        {"motion_levels": 7},
        {"stem_stride": 3},
        {"keypoint_mode": "unsupervised"},
        {"keypoint_mode": "detector", "gaze": True},
        {"landmark_prior": False, "gaze": True},
    ],
)
def test_impossible_networks_are_refused(tiny: AvfrConfig, changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        tiny.with_changes(**changes)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="colour"):
        AvfrConfig.from_dict({"colour": 1})


def test_a_listening_network_wants_sound(tiny: AvfrConfig) -> None:
    generator = Generator(tiny)
    inputs = example_inputs(Avfr(tiny))
    motion = {k: inputs[k] for k in ("value", "jacobian", "points")}
    features = generator.encode_source(inputs["picture"], inputs["points"])
    with pytest.raises(ValueError, match="mel"):
        generator(inputs["picture"], features, motion, motion)


def test_a_conversion_that_fails_leaves_the_logging_as_it_was() -> None:
    class Eigenvalues(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvals(x).abs()  # OpenVINO has none

    before = logging.getLogger().level, logging.getLogger().handlers[:]
    with pytest.raises(Exception, match="eigvals"):
        to_openvino(Eigenvalues(), (torch.eye(3),))
    assert (logging.getLogger().level, logging.getLogger().handlers[:]) == before
