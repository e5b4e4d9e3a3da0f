"""`facewire export`: a trained network to graphs that run without torch."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..codec.errors import ConfigError, MissingExtraError
from ..codec.whole_file import check_output, whole_file
from . import names

if TYPE_CHECKING:
    from ..models.avfr.model import Avfr
    from ..models.weights import Card

__all__ = ["add_parser", "run"]

_INTERFACE = "interface.json"
_ELSEWHERE = (
    *(f"{part}.{kind}" for part in ("source", "frame") for kind in ("xml", "bin", "onnx")),
    _INTERFACE,
)

_EPILOG = """\
examples:
  facewire export runs/first                   writes runs/first/runtime.zip, which encode, decode
                                               and calls read beside model.safetensors
  facewire export runs/first --force           the same again, after more training
  facewire export runs/first --force --calibrate runs/first/cache
                                               adds an int8 graph for processors without bf16;
                                               the cache holds prepared clips (`facewire train`)
  facewire export s --out elsewhere/           the size `s` that facewire brings, for other
                                               runtimes: ONNX and OpenVINO IR, each in two parts

The part `source` runs once for each keyframe, the part `frame` once for each frame. interface.json
in DIR lists names, shapes and ranges: coordinates are on [-1, 1], pictures are RGB on [0, 1].
Writing ONNX and int8 needs the extra [train].
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
    parser.add_argument(
        "network",
        metavar="DIR|SIZE",
        help="folder of a training run, or a size that facewire brings",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--calibrate",
        metavar="CACHE",
        type=Path,
        help="add an int8 graph; its ranges are measured on these prepared clips",
    )
    where.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="write ONNX and OpenVINO IR into this folder instead",
    )
    names.add_force(parser)


def run(args: argparse.Namespace) -> int:
    """Export, and compare the result with torch."""
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
    from ..models.weights.runtime_graphs import GRAPHS_FILE, load_graph, save_graphs
    from ..models.weights.store import REENACTORS

    card = load_card(args.network)
    if card.name in REENACTORS:
        return _reenactor(args, card)
    if args.out is None:
        outputs = [card.folder / GRAPHS_FILE]
    else:
        args.out.mkdir(parents=True, exist_ok=True)
        outputs = [args.out / name for name in _ELSEWHERE]
    for path in outputs:
        check_output(path, overwrite=args.force)
    model = Avfr.from_pretrained(card.folder)
    if args.out is None:
        graphs = openvino_graphs(model)
        path = save_graphs(card, graphs)
        if args.calibrate is not None:
            # Made from the stored graph, so that weights that do not become int8 stay FP16.
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
    interface = args.out / _INTERFACE
    with whole_file(interface, overwrite=True) as file:
        file.write((json.dumps(describe_interface(model), indent=1) + "\n").encode())
    print(interface)
    return 0


def _reenactor(args: argparse.Namespace, card: Card) -> int:
    """Export APB2Face or APB2FaceV2."""
    from ..models.apb2face_v2.export import export_reenactor
    from ..models.weights.runtime_graphs import GRAPHS_FILE

    if args.out is not None or args.calibrate is not None:
        raise ConfigError(
            f"{card.name} is exported for OpenVINO alone, without --out and --calibrate"
        )
    path = card.folder / GRAPHS_FILE
    check_output(path, overwrite=args.force)
    difference = export_reenactor(card)
    print(path)
    print(f"largest difference between torch and OpenVINO (float32): {difference:.1e}")
    return 0


def _int8(model: Avfr, frame: Any, cache: Path) -> Any:
    from ..models.avfr.quantise import quantised
    from ..models.training.cache import read_cache
    from ..models.training.calibration import calibration_inputs

    return quantised(frame, calibration_inputs(model, read_cache(cache)))
