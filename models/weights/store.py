"""Weights on disk: one folder a network, `model.safetensors` with its configuration inside.

models/weights/s/
├── model.safetensors    the network and its face table; metadata: configuration, card figures
├── runtime.zip          its graphs for the torch-free runtime (`weights.graph`)
└── README.md            the model card
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from ...codec.errors import WeightsError
from ..face.table import FaceTable

__all__ = ["Card", "find_card", "load_card", "shipped"]

_HERE = Path(__file__).parent
WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True)
class Card:
    """Where a network's files are, and what they are.

    Attributes:
        name: model id as streams carry it, for example `avfr-s`.
        sha256: 32 bytes, of `model.safetensors`.
        folder: holds the files listed in the module's docstring.
        config: the network's configuration as plain values.
    """

    name: str
    sha256: bytes
    folder: Path
    config: dict[str, Any]

    @property
    def weights(self) -> Path:
        """The safetensors file."""
        return self.folder / WEIGHTS_FILE

    def face_table(self) -> FaceTable:
        """Numpy alone: what sender and receiver need of the face."""
        with safe_open(self.weights, framework="np") as file:
            tables = {n: np.asarray(file.get_tensor(f"face.{n}")) for n in FaceTable.NAMES}
        return FaceTable(**{name: table.astype(np.float32) for name, table in tables.items()})


def shipped() -> list[str]:
    """Sizes whose weights come with the package."""
    return sorted(path.parent.name for path in _HERE.glob(f"*/{WEIGHTS_FILE}"))


@lru_cache(maxsize=16)
def _digest(path: Path, modified_ns: int, size: int) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def load_card(size_or_folder: str | Path = "s") -> Card:
    """The card of a shipped size (`s`), or of a folder that holds a trained network.

    Raises:
        WeightsError: nothing there, or a file that is not a facewire network.
    """
    folder = Path(size_or_folder)
    if not folder.is_dir():
        folder = _HERE / str(size_or_folder)
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise WeightsError(
            f"no network {str(size_or_folder)!r}: shipped are {', '.join(shipped()) or 'none'}; "
            f"or give a folder that holds {WEIGHTS_FILE}"
        )
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
        config = json.loads(metadata["config"])
        name = f"avfr-{config['name']}"
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} is not a facewire network: {error}") from error
    status = path.stat()
    digest = _digest(path.resolve(), status.st_mtime_ns, status.st_size)
    return Card(name, digest, folder, config)


def find_card(name: str, sha256: bytes) -> Card:
    """The shipped network that a stream names.

    Raises:
        WeightsError: the model is not shipped, or its weights are of another version.
    """
    size = name.removeprefix("avfr-")
    if not name.startswith("avfr-") or size not in shipped():
        raise WeightsError(
            f"the stream was made for the network {name!r}, which is not shipped here; "
            f"shipped are {', '.join('avfr-' + s for s in shipped())}; "
            "or give the folder of its weights"
        )
    card = load_card(size)
    if card.sha256 != sha256:
        raise WeightsError(
            f"the stream was made with other weights of {name} (SHA-256 {sha256.hex()[:12]}…, "
            f"here {card.sha256.hex()[:12]}…): install the facewire version that made it, "
            "or give the folder of its weights"
        )
    return card
