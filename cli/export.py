"""`facewire export`: a trained network to what runs without torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..codec.errors import MissingExtraError

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  facewire export runs/first                   OpenVINO IR beside runs/first/model.safetensors
  facewire export runs/first --onnx            ONNX too (extra [train])
  facewire export s --out elsewhere/           the shipped size `s`

then: facewire encode … --weights runs/first, facewire decode … --weights runs/first
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `facewire export`."""
    parser = subparsers.add_parser(
        "export",
        help="make a trained network ready for the torch-free runtime",
        description="Write OpenVINO IR (and ONNX) of a trained network, and compare it with torch.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("network", metavar="DIR|SIZE", help="a training run, or a shipped size")
    parser.add_argument("--out", metavar="DIR", type=Path, help="default: beside the weights")
    parser.add_argument("--onnx", action="store_true", help="also write source.onnx, frame.onnx")


def run(args: argparse.Namespace) -> int:
    """Export and compare."""
    try:
        from ..models.avfr.export import export_onnx, export_openvino, parity
        from ..models.avfr.model import Avfr
    except ImportError as error:
        raise MissingExtraError("exporting a network", "torch") from error
    from ..models.weights import load_card

    card = load_card(args.network)
    folder = args.out or card.folder
    model = Avfr.from_pretrained(card.folder)
    written = export_openvino(model, folder, card.sha256)
    if folder != card.folder:
        (folder / card.weights.name).write_bytes(card.weights.read_bytes())
    if args.onnx:
        written += export_onnx(model, folder)
    for path in written:
        print(path)
    print(f"largest difference between torch and OpenVINO (float32): {parity(model, folder):.1e}")
    return 0
