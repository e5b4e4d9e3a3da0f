"""`runtime.zip`: the graphs of a network for OpenVINO, without a second copy of its weights.

Holds for each part (`source`, `frame`, and `frame_int8` where it was calibrated) an OpenVINO IR:
`PART.xml`, and `PART.bin` with those constants that are no weights. An offset in the `.xml` counts
through `model.safetensors`, zeros up to a multiple of 64, and then `PART.bin`; so weights are read
from where they lie, and changing some of them (`changes`) needs no other tool.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from ...codec.errors import WeightsError
from ...codec.whole_file import whole_file

if TYPE_CHECKING:
    from .store import Card

__all__ = ["GRAPHS_FILE", "graph_parts", "graphs_digest", "load_graph", "save_graphs"]

GRAPHS_FILE = "runtime.zip"
_ALIGN = 64
_LARGEST = 64 << 20  # of one member, unpacked


@dataclass(frozen=True)
class _Tensors:
    """Where the tensors of a safetensors file lie."""

    data: bytes
    places: dict[str, tuple[int, int]]  # name → first byte, end

    @classmethod
    def read(cls, path: Path) -> _Tensors:
        data = path.read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:start])
        places = {
            name: (start + entry["data_offsets"][0], start + entry["data_offsets"][1])
            for name, entry in header.items()
            if name != "__metadata__"
        }
        return cls(data, places)

    def distinct(self) -> dict[bytes, int]:
        """Value → first byte, of tensors that no other constant can be taken for."""
        values = [(self.data[a:b], a) for a, b in self.places.values()]
        often = Counter(value for value, _ in values)
        return {v: a for v, a in values if often[v] == 1 and len(v) > 8 and len(set(v)) > 1}

    @property
    def padded(self) -> int:
        return -(-len(self.data) // _ALIGN) * _ALIGN


def save_graphs(card: Card, graphs: Mapping[str, Any]) -> Path:
    """Write a network's graphs beside its weights.

    Args:
        card: of the folder that holds `model.safetensors`.
        graphs: part → `openvino.Model`, made from exactly these weights.

    Returns:
        `runtime.zip`, replaced in one step.
    """
    tensors = _Tensors.read(card.weights)
    path = card.folder / GRAPHS_FILE
    with (
        whole_file(path, overwrite=True) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.comment = card.sha256.hex().encode()
        for part, graph in graphs.items():
            xml, rest = _shared(*_serialised(graph), tensors)
            archive.writestr(f"{part}.xml", xml)
            archive.writestr(f"{part}.bin", rest)
    return path


def _serialised(graph: Any) -> tuple[bytes, bytes]:
    import openvino as ov

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.xml"
        ov.save_model(graph, path, compress_to_fp16=True)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()


def _shared(xml: bytes, constants: bytes, tensors: _Tensors) -> tuple[bytes, bytes]:
    """Point constants that are weights at the weights; returns the `.xml` and what is left."""
    known = tensors.distinct()
    tree = ElementTree.fromstring(xml)
    rest, moved = bytearray(), dict[tuple[int, int], int]()
    for data in tree.iter("data"):
        if "offset" not in data.attrib or "size" not in data.attrib:
            continue
        offset, size = int(data.attrib["offset"]), int(data.attrib["size"])
        value = constants[offset : offset + size]
        place = known.get(value)
        if place is None and (offset, size) not in moved:
            rest += bytes(-len(rest) % _ALIGN)
            moved[offset, size] = tensors.padded + len(rest)
            rest += value
        data.set("offset", str(moved[offset, size] if place is None else place))
    return ElementTree.tostring(tree), bytes(rest)


def graph_parts(card: Card) -> list[str]:
    """Names of the exported parts; empty where nothing was exported."""
    try:
        with zipfile.ZipFile(card.folder / GRAPHS_FILE) as archive:
            return sorted(n.removesuffix(".xml") for n in archive.namelist() if n[-4:] == ".xml")
    except (OSError, zipfile.BadZipFile):
        return []


def graphs_digest(card: Card) -> str:
    """SHA-256 in hex of what was exported, "" where nothing was."""
    path = card.folder / GRAPHS_FILE
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def load_graph(
    card: Card, part: str, changes: Mapping[str, npt.NDArray[np.float32]] | None = None
) -> Any:
    """One part as an `openvino.Model`.

    Args:
        card: of the network.
        part: `source`, `frame`, or `frame_int8` where it was made.
        changes: tensors of `model.safetensors` by name, each in its own shape, that take the
            place of the stored ones.

    Raises:
        WeightsError: not exported, damaged, made from other weights; a change that does not fit.
    """
    import openvino as ov

    path = card.folder / GRAPHS_FILE
    again = f"write it again with `facewire export {card.folder}`"
    try:
        with zipfile.ZipFile(path) as archive:
            made_from = archive.comment.decode("ascii", "replace")
            xml, rest = (_member(archive, f"{part}.{kind}") for kind in ("xml", "bin"))
    except FileNotFoundError as error:
        raise WeightsError(
            f"{path} is not there: `facewire export {card.folder}` makes it"
        ) from error
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} cannot be read ({error}); {again}") from error
    if made_from != card.sha256.hex():
        raise WeightsError(
            f"{path} was exported from other weights than {card.weights.name} beside it; {again}"
        )
    tensors = _Tensors.read(card.weights)
    store = bytearray(tensors.data) + bytes(tensors.padded - len(tensors.data)) + rest
    for name, value in (changes or {}).items():
        start, end = tensors.places.get(name, (0, 0))
        if end - start != 2 * value.size or f' offset="{start}"'.encode() not in xml:
            raise WeightsError(
                f"the network's {part!r} has no tensor {name!r} of {value.size} FP16 numbers"
            )
        store[start:end] = value.astype("<f2").tobytes()
    try:
        return ov.Core().read_model(xml, ov.Tensor(np.frombuffer(store, np.uint8)))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise WeightsError(f"{path} cannot be loaded ({reason}); {again}") from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _LARGEST:
        raise ValueError(f"{name} is larger than any network here")
    return archive.read(name)
