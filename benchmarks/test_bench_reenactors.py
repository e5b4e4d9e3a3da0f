"""Time of a frame of APB2Face and APB2FaceV2, beside `xs` and `s`, on one thread in one run.

The reenactors are untrained: the time of a frame does not depend on the weights. Each time is of
`Generator.render`, so it includes landmarks, drawing and sound. How many times as fast as APB2Face
a network is, by the medians, is printed above the table, with its parameters; in the paper,
APB2FaceV2 is 3.9 times as fast on a CPU (22.5 and 5.8 frames a second, six cores).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from facewire.models.apb2face.generator_store import save_generator
from facewire.models.apb2face.received import head_of
from facewire.models.apb2face.reenactor import FaceReenactor, ReenactorConfig
from facewire.models.apb2face_v2.export import export_reenactor
from facewire.models.apb2face_v2.network import Apb2FaceV2, ReenactorV2Config
from facewire.models.face.canonical import CanonicalFace
from facewire.models.weights import Card, load_card
from facewire.receiver.generators.load import load_generator

from .test_bench_generator import motions

THREADS = 1
NETWORKS = ["apb2face", "apb2face-v2", "xs", "s"]
seconds: dict[str, float] = {}


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Card]:
    torch.manual_seed(0)
    face = load_card("s").face_table()
    rng = np.random.default_rng(0)
    head = CanonicalFace(rng.normal(0, 5, (468, 3)), np.ones(468), np.zeros((0, 3), np.int32))
    one, many = ReenactorConfig(), ReenactorV2Config()
    networks = {
        "apb2face": (FaceReenactor(one, face), one),
        "apb2face-v2": (Apb2FaceV2(many, face, head_of(head)), many),
    }
    found = {size: load_card(size) for size in ("xs", "s")}
    for name, (network, config) in networks.items():
        folder: Path = tmp_path_factory.mktemp(name)
        save_generator(network, config.to_dict(), face, folder)
        found[name] = load_card(folder)
        export_reenactor(found[name])
    return found


@pytest.mark.parametrize("backend", ["openvino", "torch"])
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.benchmark(group="reenactors, one frame, float32")
def test_frame(benchmark: Any, cards: dict[str, Card], name: str, backend: Any) -> None:
    generator = load_generator(cards[name], backend, THREADS, "float32")
    still, moved, points = motions()
    picture = np.random.default_rng(1).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    source = generator.set_source(picture, still, points)
    mel = np.zeros((80, 20), np.float32)
    frame = benchmark.pedantic(
        generator.render, args=(source, moved, mel), rounds=5, warmup_rounds=1
    )
    assert frame.shape == (256, 256, 3)
    tensors = load_file(cards[name].weights).items()
    count = sum(t.size for n, t in tensors if not n.startswith(("face.", "head_")))
    benchmark.extra_info["parameters in M"] = round(count / 1e6, 2)
    if benchmark.stats is not None:  # None with --benchmark-disable
        median = benchmark.stats.stats.median
        seconds[f"{name} {backend}"] = median
        ratio = seconds.get(f"apb2face {backend}", median) / median
        benchmark.extra_info["times as fast as apb2face"] = round(ratio, 2)
