"""OpenVINO graphs whose constants lie in a safetensors file, so that weights are stored once.

An OpenVINO graph is an XML file that gives each constant an offset and a size in one block of
bytes. Here that block is put together when a graph is loaded:

    model.safetensors | zeros up to a multiple of 64 | constants that are no weights

So a constant that is a weight needs only the offset of its tensor, and a network whose tensors are
changed needs no other graph.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

__all__ = ["TensorFile"]

_ALIGN = 64
_LENGTH_BYTES = 8  # of the header, at the beginning of a safetensors file


@dataclass(frozen=True)
class TensorFile:
    """A safetensors file with FP16 tensors.

    Attributes:
        data: the whole file.
        places: for each tensor by name, its first byte and the one after its last.
    """

    data: bytes
    places: dict[str, tuple[int, int]]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file. Raises `OSError` or `ValueError` if that fails."""
        data = path.read_bytes()
        start = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
        entries = json.loads(data[_LENGTH_BYTES:start])
        entries.pop("__metadata__", None)
        offsets = {name: entry["data_offsets"] for name, entry in entries.items()}
        return cls(data, {n: (start + first, start + end) for n, (first, end) in offsets.items()})

    def share(self, xml: bytes, constants: bytes) -> tuple[bytes, bytes]:
        """Let a graph use the tensors of this file wherever its constants equal them.

        Args:
            xml: a graph as OpenVINO saves it.
            constants: the block of bytes that belongs to it.

        Returns:
            The graph with new offsets, and the constants that are no tensors.
        """
        offsets = self._recognisable()
        start, rest = len(self._padded()), bytearray()
        tree = ElementTree.fromstring(xml)
        for entry in tree.iter("data"):
            if "offset" not in entry.attrib or "size" not in entry.attrib:
                continue
            first, size = int(entry.attrib["offset"]), int(entry.attrib["size"])
            value = constants[first : first + size]
            if value not in offsets:
                rest += bytes(-len(rest) % _ALIGN)
                offsets[value] = start + len(rest)
                rest += value
            entry.set("offset", str(offsets[value]))
        return ElementTree.tostring(tree), bytes(rest)

    def block(
        self, xml: bytes, rest: bytes, changes: Mapping[str, npt.NDArray[np.float32]]
    ) -> bytearray:
        """The block of bytes that the offsets of a shared graph refer to.

        Args:
            xml: the graph.
            rest: its constants that are no tensors, as `share` returned them.
            changes: tensors by name that take the place of those in the file.

        Raises:
            ValueError: a change whose tensor the graph does not use, or with another size.
        """
        block = bytearray(self._padded() + rest)
        for name, value in changes.items():
            first, end = self.places.get(name, (0, 0))
            if end - first != 2 * value.size or f' offset="{first}"'.encode() not in xml:
                raise ValueError(f"no tensor {name!r} of {value.size} FP16 numbers")
            block[first:end] = value.astype("<f2").tobytes()
        return block

    def _padded(self) -> bytes:
        return self.data + bytes(-len(self.data) % _ALIGN)

    def _recognisable(self) -> dict[bytes, int]:
        """Offsets of tensors by their bytes, of those that no other constant equals by chance.

        Short tensors, tensors of one repeated byte (zeros), and tensors that are equal to each
        other are left out.
        """
        values = [(self.data[first:end], first) for first, end in self.places.values()]
        count = Counter(value for value, _ in values)
        return {
            value: first
            for value, first in values
            if count[value] == 1 and len(value) > 8 and len(set(value)) > 1
        }
