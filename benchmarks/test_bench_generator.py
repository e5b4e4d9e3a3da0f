"""Time of a frame, compared with the first order motion model on the same backend in one run.

That model comes first, in both precisions. Then each size shows, for each of its precisions, how
many times faster it is, by the medians; this is printed above the table. `FACEWIRE_BENCH_WEIGHTS`
may name a folder of weights to measure too.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import openvino as ov
import pytest
import torch

from facewire.codec.motion.frame import MotionFrame
from facewire.models.face.landmarks import PointRebuilder
from facewire.models.face.mesh import POINTS
from facewire.models.weights import load_card, shipped
from facewire.receiver.generators.load import load_generator
from facewire.receiver.generators.precision import PRECISIONS, missing

from .fomm import FirstOrderMotionFrame, example

THREADS = 2
SIZES = [*shipped(), *filter(None, [os.environ.get("FACEWIRE_BENCH_WEIGHTS")])]
fomm_seconds: dict[str, float] = {}


def motions() -> tuple[MotionFrame, MotionFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    eye = np.broadcast_to(np.eye(2, dtype=np.float32), (10, 2, 2))
    source = rng.uniform(-0.4, 0.4, (10, 2)).astype(np.float32)
    points = rng.uniform(-0.5, 0.5, (len(POINTS), 2)).astype(np.float32)
    return MotionFrame(source, eye), MotionFrame(source + np.float32(0.02), eye), points


@pytest.mark.parametrize("precision", ["bf16", "f32"])
@pytest.mark.benchmark(group="generator, one frame")
def test_full_size_first_order_motion_model(benchmark: Any, precision: str) -> None:
    torch.manual_seed(0)
    module, inputs = FirstOrderMotionFrame().eval(), example()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        trace: Any = torch.jit.trace
        model = ov.convert_model(torch.jit.freeze(trace(module, inputs)), example_input=inputs)
    for port, value in zip(model.inputs, inputs, strict=True):
        port.get_node().set_partial_shape(ov.PartialShape(list(value.shape)))
    model.validate_nodes_and_infer_types()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": THREADS,
        "INFERENCE_PRECISION_HINT": precision,
    }
    request = ov.Core().compile_model(model, "CPU", settings).create_infer_request()
    arrays = [value.numpy() for value in inputs]
    benchmark.pedantic(request.infer, args=(arrays,), rounds=10, warmup_rounds=2)
    assert request.get_output_tensor(0).shape == [1, 3, 256, 256]
    if benchmark.stats is not None:  # None with --benchmark-disable
        fomm_seconds[precision] = benchmark.stats.stats.median


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.benchmark(group="generator, one frame")
def test_openvino(benchmark: Any, size: str, precision: Any) -> None:
    reason = missing(load_card(size), precision)
    if reason:
        pytest.skip(reason)
    run(benchmark, size, "openvino", precision)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.benchmark(group="generator, one frame")
def test_torch(benchmark: Any, size: str) -> None:
    run(benchmark, size, "torch", "auto")


def run(benchmark: Any, size: str, backend: Any, precision: Any) -> None:
    generator = load_generator(load_card(size), backend, THREADS, precision)
    still, moved, points = motions()
    picture = np.random.default_rng(1).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    source = generator.set_source(picture, still, points)
    mel = np.zeros((80, 20), np.float32)
    frame = benchmark.pedantic(
        generator.render, args=(source, moved, mel), rounds=20, warmup_rounds=3
    )
    assert frame.shape == (256, 256, 3)
    for other, seconds in fomm_seconds.items():
        ratio = seconds / benchmark.stats.stats.median
        benchmark.extra_info[f"times faster than fomm {other}"] = round(ratio, 2)


@pytest.mark.benchmark(group="landmarks")
def test_rebuilding_the_landmarks(benchmark: Any) -> None:
    rebuilder = PointRebuilder(load_card("s").face_table())
    still, moved, points = motions()
    found = benchmark(rebuilder.rebuild, still.to_array(), points, moved.to_array())
    assert found.shape == points.shape
