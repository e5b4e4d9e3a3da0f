"""Weights on disk: each network has a folder.

models/weights/s/            and so on; `fusion/` and `apb2face-geometry/` hold others
├── model.safetensors    the network and its face table, with its configuration as metadata
├── runtime.zip          its graphs, which run without torch (`weights.runtime_graphs`)
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
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from ...codec.errors import WeightsError
from ..face.table import FaceTable

__all__ = [
    "REENACTORS",
    "Card",
    "find_card",
    "fusion_card",
    "geometry_card",
    "has_fusion",
    "load_card",
    "shipped",
]

_HERE = Path(__file__).parent
WEIGHTS_FILE = "model.safetensors"
_FUSION, _GEOMETRY = "fusion", "apb2face-geometry"
_OTHERS = {_FUSION: "a fusion network", _GEOMETRY: "a geometry predictor"}
"""Networks that are no generators."""
REENACTORS = ("apb2face", "apb2face-v2")
"""Generators that are no AVFR-GAN; streams name them without `avfr-`."""


@dataclass(frozen=True)
class Card:
    """Where the files of a network are, and which network it is.

    Attributes:
        name: as streams carry it, for example `avfr-s` or `apb2face-v2`.
        sha256: of `model.safetensors`, 32 bytes.
        folder: holds the files that the docstring of this module lists.
        config: the network's configuration as plain values.
    """

    name: str
    sha256: bytes
    folder: Path
    config: dict[str, Any]

    @property
    def weights(self) -> Path:
        """Path of the safetensors file."""
        return self.folder / WEIGHTS_FILE

    @property
    def gaze(self) -> bool:
        """Whether the network shows where the eyes look (`models.face.gaze`)."""
        return bool(self.config.get("gaze", False))

    def face_table(self) -> FaceTable:
        """The face table of the network; reading it needs numpy alone."""
        with safe_open(self.weights, framework="np") as file:
            tables = {n: np.asarray(file.get_tensor(f"face.{n}")) for n in FaceTable.NAMES}
        return FaceTable(**{name: table.astype(np.float32) for name, table in tables.items()})

    def tensors(self, *names: str) -> dict[str, npt.NDArray[np.float32]]:
        """Some tensors of the network; reading them needs numpy alone.

        Raises:
            WeightsError: there is no such tensor.
        """
        try:
            with safe_open(self.weights, framework="np") as file:
                return {n: np.asarray(file.get_tensor(n), np.float32) for n in names}
        except (OSError, SafetensorError) as error:
            raise WeightsError(f"{self.weights} does not hold what is needed: {error}") from error


def shipped() -> list[str]:
    """Sizes of generators whose weights come with facewire."""
    found = (path.parent.name for path in _HERE.glob(f"*/{WEIGHTS_FILE}"))
    return sorted(name for name in found if name not in _OTHERS)


@lru_cache(maxsize=16)
def _digest(path: Path, modified_ns: int, size: int) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def load_card(size_or_folder: str | Path = "s") -> Card:
    """Card of a size that facewire brings (`s`), or of a folder that holds a trained network.

    Raises:
        WeightsError: there are no weights, or the file is not a facewire network.
    """
    folder = Path(size_or_folder)
    if not folder.is_dir():
        folder = _HERE / str(size_or_folder)
    if not (folder / WEIGHTS_FILE).is_file():
        raise WeightsError(
            f"no network {str(size_or_folder)!r}: facewire brings {', '.join(shipped())}; "
            f"or give a folder that holds {WEIGHTS_FILE}"
        )
    config = _config(folder)
    if config["name"] in _OTHERS:
        other = _OTHERS[config["name"]]
        raise WeightsError(f"{folder} holds {other}, where a generator is needed")
    name = config["name"]
    return Card(name if name in REENACTORS else f"avfr-{name}", _sha256(folder), folder, config)


def fusion_card(name_or_folder: str | Path = _FUSION) -> Card:
    """Card of the fusion network that facewire brings, or of one in a folder.

    Raises:
        WeightsError: there are no weights, or the file is not a fusion network.
    """
    return _other_card(name_or_folder, _FUSION)


def has_fusion() -> bool:
    """Whether the fusion network is installed."""
    try:
        fusion_card()
    except WeightsError:
        return False
    return True


def geometry_card(name_or_folder: str | Path = _GEOMETRY) -> Card:
    """Card of the geometry predictor that facewire brings, or of one in a folder.

    Raises:
        WeightsError: there are no weights, or the file is not a geometry predictor.
    """
    return _other_card(name_or_folder, _GEOMETRY)


def _other_card(name_or_folder: str | Path, name: str) -> Card:
    folder = Path(name_or_folder)
    if not folder.is_dir():
        folder = _HERE / str(name_or_folder)
    wanted = _OTHERS[name].removeprefix("a ")
    if not (folder / WEIGHTS_FILE).is_file():
        raise WeightsError(f"no {wanted} in {folder}: it holds no {WEIGHTS_FILE}")
    config = _config(folder)
    if config["name"] != name:
        other = _OTHERS.get(config["name"], "a generator")
        raise WeightsError(f"{folder} holds {other}, where a {wanted} is needed")
    return Card(name, _sha256(folder), folder, config)


def _config(folder: Path) -> dict[str, Any]:
    """The configuration of the network in a folder; it has a `name`."""
    path = folder / WEIGHTS_FILE
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
        config: dict[str, Any] = json.loads(metadata["config"])
        config["name"] = str(config["name"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} is not a facewire network: {error}") from error
    return config


def _sha256(folder: Path) -> bytes:
    path = folder / WEIGHTS_FILE
    status = path.stat()
    return _digest(path.resolve(), status.st_mtime_ns, status.st_size)


def find_card(name: str, sha256: bytes) -> Card:
    """Card of the network that a stream names.

    Raises:
        WeightsError: facewire does not bring that network, or brings other weights of it.
    """
    size = name.removeprefix("avfr-")
    if not name.startswith("avfr-") or size not in shipped():
        raise WeightsError(
            f"the stream was made for the network {name!r}, which facewire does not bring; "
            f"it brings {', '.join('avfr-' + s for s in shipped())}. "
            "Give the folder of its weights (--weights)"
        )
    card = load_card(size)
    if card.sha256 != sha256:
        raise WeightsError(
            f"the stream was made with other weights of {name} (SHA-256 {sha256.hex()[:12]}…, "
            f"here {card.sha256.hex()[:12]}…): install the facewire version that made it, "
            "or give the folder of its weights (--weights)"
        )
    return card
