"""Converts a trained network for other runtimes: to ONNX and OpenVINO IR, in two parts.

The part `source` runs once for each keyframe, the part `frame` once for each frame. The outputs of
`source`, called `feature0`, `feature1` and so on, are inputs of `frame`. All shapes are fixed, with
batch 1.
"""

from __future__ import annotations

import logging
import re
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import torch
from torch import Tensor, nn

from ...codec.errors import MissingExtraError
from ...codec.whole_file import whole_path
from ..mel import MEL_BANDS, MEL_STEPS
from .model import Avfr

__all__ = [
    "FramePart",
    "SourcePart",
    "describe_interface",
    "example_inputs",
    "export_onnx",
    "export_openvino",
    "keep_exact",
    "openvino_graphs",
    "parity",
    "to_openvino",
]


_COORDINATES = re.compile(r"__module\.generator\.(motion/|(\w+\.)?drawing/|warp/)")


class SourcePart(nn.Module):
    """The part that runs once for each keyframe: picture and points → features."""

    def __init__(self, model: Avfr) -> None:
        super().__init__()
        self.generator = model.generator

    def forward(self, picture: Tensor, source_points: Tensor) -> tuple[Tensor, ...]:
        """`[1, 3, 256, 256]` on [0, 1] and `[1, P, 2]` → features, fine to coarse."""
        return tuple(self.generator.encode_source(picture, source_points))


class FramePart(nn.Module):
    """The part that runs once for each frame: features, motion and sound → picture."""

    def __init__(self, model: Avfr) -> None:
        super().__init__()
        self.generator = model.generator

    def forward(
        self,
        picture: Tensor,
        source_value: Tensor,
        source_jacobian: Tensor,
        source_points: Tensor,
        value: Tensor,
        jacobian: Tensor,
        points: Tensor,
        mel: Tensor,
        *features: Tensor,
    ) -> Tensor:
        """The frame, `[1, 3, 256, 256]` on [0, 1]."""
        source = {"value": source_value, "jacobian": source_jacobian, "points": source_points}
        driving = {"value": value, "jacobian": jacobian, "points": points}
        result = self.generator(picture, list(features), source, driving, mel)
        image: Tensor = result["image"].clamp(0, 1)
        return image


@dataclass(frozen=True)
class _Part:
    name: str
    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: list[str]


def example_inputs(model: Avfr, seed: int = 0) -> dict[str, Tensor]:
    """Random but plausible inputs of `FramePart`, without the features, for tracing it."""
    config = model.config
    rng = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=rng) - 0.5

    k, p = config.keypoints, config.points
    points = uniform(1, p, 2)
    value = uniform(1, k, 2)
    eye = torch.eye(2).expand(1, k, 2, 2)
    return {
        "picture": uniform(1, 3, config.size, config.size) + 0.5,
        "source_value": value,
        "source_jacobian": eye + 0.2 * uniform(1, k, 2, 2),
        "source_points": points,
        "value": value + 0.1 * uniform(1, k, 2),
        "jacobian": eye + 0.2 * uniform(1, k, 2, 2),
        "points": points + 0.05 * uniform(1, p, 2),
        "mel": uniform(1, 1, MEL_BANDS, MEL_STEPS),
    }


def _parts(model: Avfr) -> list[_Part]:
    model = model.eval()
    inputs = example_inputs(model)
    first = {name: inputs[name] for name in ("picture", "source_points")}
    source = SourcePart(model)
    with torch.no_grad():
        features = source(*first.values())
    names = [f"feature{i}" for i in range(len(features))]
    second = inputs | dict(zip(names, features, strict=True))
    return [
        _Part("source", source, first, names),
        _Part("frame", FramePart(model), second, ["frame"]),
    ]


def openvino_graphs(model: Avfr) -> dict[str, Any]:
    """Both parts by name as `openvino.Model`, with named inputs and outputs and fixed shapes."""
    import openvino as ov

    graphs = {}
    for part in _parts(model):
        example = tuple(part.inputs.values())
        converted = to_openvino(part.module, example)
        for port, (name, value) in zip(converted.inputs, part.inputs.items(), strict=True):
            port.get_tensor().set_names({name})
            port.get_node().set_friendly_name(name)
            port.get_node().set_partial_shape(ov.PartialShape(list(value.shape)))
        for out, name in zip(converted.outputs, part.outputs, strict=True):
            out.get_tensor().set_names({name})
        converted.validate_nodes_and_infer_types()
        graphs[part.name] = keep_exact(converted, _COORDINATES)
    return graphs


def keep_exact(graph: Any, coordinates: re.Pattern[str]) -> Any:
    """Mark all nodes that compute coordinates, so that they stay in float32 at any precision.

    The 8 bits of a bf16 mantissa would displace pixels by half their size. The mark is an attribute
    of the node; OpenVINO reads it from files, and Python cannot set it otherwise.
    """
    import openvino as ov

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.xml"
        ov.save_model(graph, path, compress_to_fp16=False)
        tree = ElementTree.parse(path).getroot()
        layers = {layer.get("id", ""): layer for layer in tree.iter("layer")}
        exact = {key for key, layer in layers.items() if coordinates.match(layer.get("name", ""))}
        for edge in tree.iter("edge"):  # their constants stay in float32 too
            start = edge.get("from-layer", "")
            if edge.get("to-layer") in exact and layers[start].get("type") == "Const":
                exact.add(start)
        for key in exact:
            marks = ElementTree.Element("rt_info")
            ElementTree.SubElement(marks, "attribute", name="precise", version="0")
            layers[key].insert(0 if layers[key].find("data") is None else 1, marks)
        constants = np.frombuffer(path.with_suffix(".bin").read_bytes(), np.uint8)
        return ov.Core().read_model(ElementTree.tostring(tree), ov.Tensor(constants))


def export_openvino(model: Avfr, folder: Path) -> list[Path]:
    """Write `source.xml/.bin` and `frame.xml/.bin` (FP16 weights); returns the `.xml` files."""
    return [_save_pair(g, folder / f"{name}.xml") for name, g in openvino_graphs(model).items()]


def _trace(module: nn.Module, example: tuple[Tensor, ...]) -> Any:
    """A module as TorchScript, for inputs of exactly these shapes."""
    tracer: Any = torch.jit.trace  # untyped in torch
    with warnings.catch_warnings():
        # It warns that shapes become constants, which is intended here.
        warnings.simplefilter("ignore")
        return torch.jit.freeze(tracer(module.eval(), example))


def to_openvino(module: nn.Module, example: tuple[Tensor, ...]) -> Any:
    """A module as `openvino.Model`, for inputs of exactly these shapes.

    OpenVINO's converter silences the whole program's logging while it works, and leaves it so if it
    fails. Here it is as before in any case.
    """
    import openvino as ov

    logger = logging.getLogger()
    level, filters, handlers = logger.level, logger.filters[:], logger.handlers[:]
    try:
        with torch.no_grad():
            return ov.convert_model(_trace(module, example), example_input=example)
    finally:
        logger.setLevel(level)
        logger.filters, logger.handlers = filters, handlers


def _save_pair(model: Any, path: Path) -> Path:
    """Save the two files of an OpenVINO IR."""
    import openvino as ov

    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        whole_path(path, overwrite=True) as draft,
        whole_path(path.with_suffix(".bin"), overwrite=True) as weights,
    ):
        ov.save_model(model, draft, compress_to_fp16=True)
        draft.with_suffix(".bin").replace(weights)
    return path


def export_onnx(model: Avfr, folder: Path, opset: int = 18) -> list[Path]:
    """Write `source.onnx` and `frame.onnx`; needs the `onnx` package (extra `[train]`)."""
    try:
        import onnx  # noqa: F401 - torch's exporter needs it
    except ImportError as error:
        raise MissingExtraError("writing ONNX", "train") from error
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for part in _parts(model):
        path = folder / f"{part.name}.onnx"
        with whole_path(path, overwrite=True) as draft, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                part.module,
                tuple(part.inputs.values()),
                str(draft),
                input_names=list(part.inputs),
                output_names=part.outputs,
                opset_version=opset,
                dynamo=False,
            )
        written.append(path)
    return written


_RANGES = {
    "picture": "keyframe, RGB on [0, 1]",
    "source_value": "keyframe's keypoints (x, y) on [-1, 1]",
    "source_jacobian": "keyframe's jacobians",
    "source_points": "keyframe's landmarks (x, y) on [-1, 1]; with gaze, then both irises",
    "value": "frame's keypoints (x, y) on [-1, 1]",
    "jacobian": "frame's jacobians",
    "points": "frame's landmarks (x, y) on [-1, 1], rebuilt from keypoints and jacobians; "
    "with gaze, then both irises",
    "mel": "log-mel spectrogram of the 200 ms of sound around the frame",
    "frame": "RGB on [0, 1]",
}


def describe_interface(model: Avfr) -> dict[str, Any]:
    """Shape and meaning of all inputs and outputs of both parts, by name."""
    described: dict[str, Any] = {"model": model.config.model_id, "dtype": "float32"}
    for part in _parts(model):
        with torch.no_grad():
            made = part.module(*part.inputs.values())
        outputs = dict(zip(part.outputs, made if part.name == "source" else [made], strict=True))
        described[part.name] = {
            way: {
                name: {
                    "shape": list(value.shape),
                    "meaning": _RANGES.get(name, "output of `source`, given to `frame` unchanged"),
                }
                for name, value in tensors.items()
            }
            for way, tensors in (("inputs", part.inputs), ("outputs", outputs))
        }
    return described


def parity(model: Avfr, source: Any, frame: Any, seed: int = 1) -> float:
    """Largest difference between torch and the exported graphs on random inputs.

    Pictures are on [0, 1]. Everything runs in float32.

    Args:
        source, frame: both parts, each as an `openvino.Model` or the path of an OpenVINO IR or
            ONNX file.
    """
    import openvino as ov

    core = ov.Core()
    inputs = example_inputs(model, seed)
    config = {"INFERENCE_PRECISION_HINT": "f32"}
    first_part = core.compile_model(source, "CPU", config)
    second_part = core.compile_model(frame, "CPU", config)
    first = {name: inputs[name].numpy() for name in ("picture", "source_points")}
    found = first_part(first)
    given = {name: value.numpy() for name, value in inputs.items()}
    given |= {f"feature{i}": found[f"feature{i}"] for i in range(len(first_part.outputs))}
    # Tracing leaves out inputs that nothing reads, such as `mel` of a network without sound.
    wanted = {name for port in second_part.inputs for name in port.get_names()}
    got = second_part({name: value for name, value in given.items() if name in wanted})["frame"]
    with torch.no_grad():
        exact = FramePart(model)(
            *inputs.values(), *SourcePart(model)(*map(torch.from_numpy, first.values()))
        )
    return float(np.abs(got - exact.numpy()).max())
