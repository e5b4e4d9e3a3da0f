"""`facewire export`: a trained network to what runs without torch."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..codec.errors import MissingExtraError
from ..codec.whole_file import whole_file

if TYPE_CHECKING:
    from ..models.avfr.model import Avfr

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  facewire export runs/first                   what encode, decode and calls read: runtime.zip
                                               beside runs/first/model.safetensors
  facewire export runs/first --calibrate runs/first/cache
                                               with an int8 decoder for processors without bf16;
                                               the folder holds prepared clips (`facewire train`)
  facewire export s --out elsewhere/           the shipped size `s` for other runtimes: ONNX and
                                               OpenVINO IR, each in two parts

`source` runs once a keyframe, `frame` once a frame; interface.json in DIR lists names, shapes and
ranges. Coordinates are on [-1, 1], pictures RGB on [0, 1]. Writing ONNX and int8 needs the extra
[train].
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `facewire export`."""
    parser = subparsers.add_parser(
        "export",
        help="make a trained network ready to run without torch",
        description="Write a trained network for other runtimes, and compare it with torch.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("network", metavar="DIR|SIZE", help="a training run, or a shipped size")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--calibrate",
        metavar="CACHE",
        type=Path,
        help="add an int8 graph, its ranges taken from these prepared clips",
    )
    where.add_argument(
        "--out", metavar="DIR", type=Path, help="write ONNX and OpenVINO IR here instead"
    )


def run(args: argparse.Namespace) -> int:
    """Export and compare with torch."""
    try:
        from ..models.avfr.export import (
            describe_interface,
            export_onnx,
            export_openvino,
            openvino_graphs,
            parity,
        )
        from ..models.avfr.model import Avfr
    except ImportError as error:
        raise MissingExtraError("exporting a network", "torch") from error
    from ..models.weights import load_card
    from ..models.weights.runtime_graphs import load_graph, save_graphs

    card = load_card(args.network)
    model = Avfr.from_pretrained(card.folder)
    if args.out is None:
        graphs = openvino_graphs(model)
        path = save_graphs(card, graphs)
        if args.calibrate is not None:
            # From the stored graph: its weights are FP16, and stay so where they are not int8.
            stored = load_graph(card, "frame")
            path = save_graphs(card, graphs | {"frame_int8": _int8(model, stored, args.calibrate)})
        print(path)
        difference = parity(model, load_graph(card, "source"), load_graph(card, "frame"))
        print(f"largest difference between torch and OpenVINO (float32): {difference:.1e}")
        return 0
    for name, write in (("OpenVINO IR", export_openvino), ("ONNX", export_onnx)):
        source, frame = write(model, args.out)
        print(f"{source}\n{frame}")
        difference = parity(model, source, frame)
        print(f"largest difference between torch and {name} (float32): {difference:.1e}")
    interface = args.out / "interface.json"
    with whole_file(interface, overwrite=True) as file:
        file.write((json.dumps(describe_interface(model), indent=1) + "\n").encode())
    print(interface)
    return 0


def _int8(model: Avfr, frame: Any, cache: Path) -> Any:
    from ..models.avfr.quantise import quantised
    from ..models.training.cache import read_cache
    from ..models.training.calibration import calibration_inputs

    return quantised(frame, calibration_inputs(model, read_cache(cache)))
