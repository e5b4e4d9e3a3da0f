"""int8 graphs of a tiny network, from real (made-up) inputs."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from facewire.codec.errors import MissingExtraError, TrainingError
from facewire.models.avfr import Avfr, AvfrConfig
from facewire.models.avfr.export import describe_interface, openvino_graphs
from facewire.models.avfr.quantise import quantised
from facewire.models.training.cache import read_cache
from facewire.models.training.calibration import calibration_inputs
from facewire.models.weights import load_card
from facewire.models.weights.runtime_graphs import GRAPHS_FILE, load_graph, save_graphs


@pytest.mark.parametrize("gaze", [False, True])
def test_calibration_inputs_are_those_of_the_graph(
    cache: Path, tiny: AvfrConfig, gaze: bool
) -> None:
    model = Avfr(tiny.with_changes(gaze=gaze)).eval()
    samples = list(calibration_inputs(model, read_cache(cache), count=8))
    assert len(samples) == 8
    wanted = describe_interface(model)["frame"]["inputs"]
    for sample in samples:
        assert {name: list(value.shape) for name, value in sample.items()} == {
            name: entry["shape"] for name, entry in wanted.items()
        }
        assert all(value.dtype == np.float32 for value in sample.values())


def test_clips_without_two_faces_calibrate_nothing(tiny: AvfrConfig) -> None:
    with pytest.raises(TrainingError, match="two frames"):
        next(calibration_inputs(Avfr(tiny).eval(), []))


@pytest.mark.slow
def test_only_the_decoders_convolutions_are_rounded(
    cache: Path, tmp_path: Path, tiny: AvfrConfig
) -> None:
    pytest.importorskip("nncf")
    import openvino as ov

    torch.manual_seed(0)
    model = Avfr(tiny).eval()
    for parameter in model.generator.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1)
    folder = tmp_path / "net"
    model.save_pretrained(folder)
    model = Avfr.from_pretrained(folder)
    card, graphs = load_card(folder), openvino_graphs(model)
    save_graphs(card, graphs)
    samples = list(calibration_inputs(model, read_cache(cache), count=4))
    stored = load_graph(card, "frame")
    save_graphs(card, graphs | {"frame_int8": quantised(stored, samples)})

    graph = load_graph(card, "frame_int8")
    rounded = {
        node.input_value(0).get_node().get_friendly_name()
        for node in graph.get_ordered_ops()
        if node.get_type_name() == "FakeQuantize"
    }
    assert rounded
    assert not any(".motion" in name or ".audio" in name for name in rounded)
    weights = [c for c in graph.get_ordered_ops() if c.get_type_name() == "Constant"]
    halves = sum(c.get_element_type() == ov.Type.i8 for c in weights)
    decoder = [m for m in model.generator.modules() if isinstance(m, torch.nn.Conv2d)]
    assert 0 < halves < len(decoder)
    # What is not rounded is read from the weights: FP16, and no second copy of it.
    with zipfile.ZipFile(folder / GRAPHS_FILE) as archive:
        sizes = {name: archive.getinfo(name).file_size for name in archive.namelist()}
    parameters = sum(p.numel() for p in model.generator.parameters())
    assert sizes["frame_int8.bin"] < sizes["frame.bin"] + parameters

    def shown(part: str) -> np.ndarray:
        config = {"INFERENCE_PRECISION_HINT": "f32"}
        network = ov.Core().compile_model(load_graph(card, part), "CPU", config)
        return np.stack([network(sample)["frame"] for sample in samples])

    difference = np.abs(shown("frame") - shown("frame_int8"))
    assert 0 < difference.mean() < 0.02


def test_without_nncf_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "nncf", None)
    with pytest.raises(MissingExtraError, match=r"facewire\[train\]"):
        quantised(None, [])
