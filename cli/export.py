"""`facewire export`: a trained network to what runs without torch."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..codec.errors import MissingExtraError

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  facewire export runs/first                   what encode, decode and calls read: runtime.zip
                                               beside runs/first/model.safetensors
  facewire export s --out elsewhere/           the shipped size `s` for other runtimes: ONNX and
                                               OpenVINO IR, each in two parts

`source` runs once a keyframe, `frame` once a frame; interface.json in DIR lists names, shapes and
ranges. Coordinates are on [-1, 1], pictures RGB on [0, 1]. Writing ONNX needs the extra [train].
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
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="write ONNX and OpenVINO IR here instead"
    )


def run(args: argparse.Namespace) -> int:
    """Export and compare."""
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
    from ..models.weights.graph import load_graph, save_graphs

    card = load_card(args.network)
    model = Avfr.from_pretrained(card.folder)
    if args.out is None:
        print(save_graphs(card, openvino_graphs(model)))
        difference = parity(model, load_graph(card, "source"), load_graph(card, "frame"))
        print(f"largest difference between torch and OpenVINO (float32): {difference:.1e}")
        return 0
    for name, write in (("OpenVINO IR", export_openvino), ("ONNX", export_onnx)):
        source, frame = write(model, args.out)
        print(f"{source}\n{frame}")
        difference = parity(model, source, frame)
        print(f"largest difference between torch and {name} (float32): {difference:.1e}")
    interface = args.out / "interface.json"
    interface.write_text(json.dumps(describe_interface(model), indent=1) + "\n")
    print(interface)
    return 0
