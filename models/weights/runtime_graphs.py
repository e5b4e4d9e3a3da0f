"""`runtime.zip`: the graphs of a network for OpenVINO, without a second copy of its weights.

It holds one OpenVINO graph for each part of the network: `source`, `frame`, and `frame_int8` if the
network was calibrated. `PART.xml` is the graph, and `PART.bin` holds its constants that are no
weights; `shared_constants.py` tells how the two refer to `model.safetensors`. The comment of the
archive is the SHA-256 of that file in hex.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...codec.errors import WeightsError
from ...codec.whole_file import whole_file
from .shared_constants import TensorFile

if TYPE_CHECKING:
    from .store import Card

__all__ = ["GRAPHS_FILE", "graph_parts", "graphs_digest", "load_graph", "save_graphs"]

GRAPHS_FILE = "runtime.zip"
_LARGEST = 64 << 20  # bytes of one member, unpacked


def save_graphs(card: Card, graphs: Mapping[str, Any]) -> Path:
    """Write a network's graphs beside its weights; an earlier `runtime.zip` is replaced.

    Args:
        card: of the folder that holds `model.safetensors`.
        graphs: the parts by name as `openvino.Model`, made from exactly these weights.

    Returns:
        The path of `runtime.zip`.
    """
    tensors = TensorFile.read(card.weights)
    path = card.folder / GRAPHS_FILE
    with (
        whole_file(path, overwrite=True) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.comment = card.sha256.hex().encode()
        for part, graph in graphs.items():
            xml, rest = tensors.share(*_serialised(graph))
            archive.writestr(f"{part}.xml", xml)
            archive.writestr(f"{part}.bin", rest)
    return path


def graph_parts(card: Card) -> list[str]:
    """Names of the exported parts; empty if the network was not exported."""
    try:
        with zipfile.ZipFile(card.folder / GRAPHS_FILE) as archive:
            return sorted(n.removesuffix(".xml") for n in archive.namelist() if n[-4:] == ".xml")
    except (OSError, zipfile.BadZipFile):
        return []


def graphs_digest(card: Card) -> str:
    """SHA-256 of `runtime.zip` in hex; "" if the network was not exported."""
    path = card.folder / GRAPHS_FILE
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def load_graph(
    card: Card, part: str, changes: Mapping[str, npt.NDArray[np.float32]] | None = None
) -> Any:
    """Load one part as an `openvino.Model`.

    Args:
        card: of the network.
        part: `source`, `frame`, or `frame_int8` if the network was calibrated.
        changes: tensors by name that take the place of those in `model.safetensors`, each in the
            same shape.

    Raises:
        WeightsError: the network was not exported, or from other weights; a file is damaged; a
            change does not fit.
    """
    import openvino as ov

    xml, rest = _read_part(card, part)
    try:
        block = TensorFile.read(card.weights).block(xml, rest, changes or {})
    except ValueError as error:
        raise WeightsError(f"the part {part!r} of {card.name} has {error}") from error
    try:
        return ov.Core().read_model(xml, ov.Tensor(np.frombuffer(block, np.uint8)))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise WeightsError(
            f"{card.folder / GRAPHS_FILE} cannot be loaded ({reason}); {_remedy(card)}"
        ) from error


def _serialised(graph: Any) -> tuple[bytes, bytes]:
    """An `openvino.Model` as XML, and the block of bytes that holds its constants, in FP16."""
    import openvino as ov

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.xml"
        ov.save_model(graph, path, compress_to_fp16=True)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()


def _read_part(card: Card, part: str) -> tuple[bytes, bytes]:
    """XML and remaining constants of a part; raises `WeightsError`."""
    path = card.folder / GRAPHS_FILE
    try:
        with zipfile.ZipFile(path) as archive:
            made_from = archive.comment.decode("ascii", "replace")
            xml, rest = (_member(archive, f"{part}.{kind}") for kind in ("xml", "bin"))
    except FileNotFoundError as error:
        raise WeightsError(
            f"{path} is not there: `facewire export {card.folder}` makes it"
        ) from error
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} cannot be read ({error}); {_remedy(card)}") from error
    if made_from != card.sha256.hex():
        raise WeightsError(
            f"{path} was exported from other weights than {card.weights.name} beside it; "
            + _remedy(card)
        )
    return xml, rest


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _LARGEST:
        raise ValueError(f"{name} is larger than any network here")
    return archive.read(name)


def _remedy(card: Card) -> str:
    return f"write it again with `facewire export {card.folder} --force`"
