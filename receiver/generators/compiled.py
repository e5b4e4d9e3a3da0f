"""Compiled graphs on disk: the second start of a network takes half the time.

OpenVINO has a cache of its own, but if a file in it is damaged, pictures are wrong and nobody
notices. Here each file begins with the SHA-256 of the rest. A file that cannot be read or written
does no harm: the graph is compiled again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...codec.whole_file import whole_file
from ...models.cache_folder import cache_folder
from ...models.weights.runtime_graphs import graphs_digest, load_graph

if TYPE_CHECKING:
    from ...models.weights import Card

__all__ = ["FOLDER", "MOST_FILES", "compiled"]

FOLDER = "compiled"
MOST_FILES = 16
"""Files that are kept, of 2 to 8 MB each; the oldest are removed."""
_LARGEST = 64 << 20
_HASH = 32
_log = logging.getLogger(__name__)


def compiled(card: Card, part: str, settings: Mapping[str, Any]) -> Any:
    """A part of a network as an `openvino.CompiledModel` for the CPU, from disk if it is there.

    Args:
        card: the card of the network, which runs with the weights as stored.
        part: see `load_graph`.
        settings: settings of OpenVINO.

    Raises:
        WeightsError: see `load_graph`.
    """
    import openvino as ov

    core = ov.Core()
    path = cache_folder() / FOLDER / f"{_key(core, card, part, settings)}.bin"
    stored = _read(path) if graphs_digest(card) else None
    if stored is not None:
        try:
            return core.import_model(stored, "CPU", dict(settings))
        except RuntimeError as error:
            _log.info("a compiled graph cannot be used and is made again: %s", error)
    model = core.compile_model(load_graph(card, part), "CPU", dict(settings))
    try:
        _write(path, model.export_model().getvalue())
    except (OSError, RuntimeError) as error:
        _log.info("a compiled graph could not be kept for the next start: %s", error)
    return model


def _key(core: Any, card: Card, part: str, settings: Mapping[str, Any]) -> str:
    """Names the file: a hash of everything that decides what is compiled."""
    import openvino as ov

    facts = {
        "processor": str(core.get_property("CPU", "FULL_DEVICE_NAME")),
        "capabilities": [str(n) for n in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")],
        "openvino": ov.get_version(),
        "weights": card.sha256.hex(),
        "graphs": graphs_digest(card),
        "part": part,
        "settings": {name: str(value) for name, value in settings.items()},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _read(path: Path) -> bytes | None:
    """What was stored in a file; None if it is not there, or damaged."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    digest, graph = data[:_HASH], data[_HASH:]
    return graph if hashlib.sha256(graph).digest() == digest else None


def _write(path: Path, graph: bytes) -> None:
    """Store a graph, and remove the oldest files if there are too many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, overwrite=True) as file:
        file.write(hashlib.sha256(graph).digest() + graph)
    files = sorted(path.parent.glob("*.bin"), key=lambda each: each.stat().st_mtime)
    for old in files[:-MOST_FILES]:
        old.unlink(missing_ok=True)
