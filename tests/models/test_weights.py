"""The weights that ship: what there is, and that it stays small."""

from __future__ import annotations

from pathlib import Path

import facewire.models.weights

FOLDER = Path(facewire.models.weights.__file__).parent
MOST = 25 * 2**20
"""Bytes of all networks and their graphs, as CONTRIBUTING.md says: 25 MiB."""


def test_each_network_has_its_graphs_and_a_card() -> None:
    networks = {path.parent.name for path in FOLDER.glob("*/*.safetensors")}
    assert networks >= {"xs", "s", "l", "fusion", "apb2face-geometry"}
    for name in networks:
        assert (FOLDER / name / "runtime.zip").stat().st_size > 1000
        assert (FOLDER / name / "README.md").read_text(encoding="utf-8").startswith("# ")


def test_together_they_take_no_more_than_25_mib() -> None:
    sizes = {
        path: path.stat().st_size
        for path in FOLDER.rglob("*")
        if path.suffix in (".safetensors", ".zip")
    }
    assert 20_000_000 < sum(sizes.values()) <= MOST, sizes
