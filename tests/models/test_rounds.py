from __future__ import annotations

from pathlib import Path

import pytest

from facewire.codec.errors import TrainingError
from facewire.models.training.rounds import Round, next_round


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_round_goes_on_until_its_verdict_is_there(tmp_path: Path) -> None:
    first, second = tmp_path / "0001", tmp_path / "0002"
    assert next_round(tmp_path / "nowhere") == Round(tmp_path / "nowhere" / "0001", None, False)
    touch(first / "settings.json", tmp_path / "cache" / "a.npz")
    assert next_round(tmp_path) == Round(first, None, False)  # stopped before it was saved
    touch(first / "checkpoint.pt", first / "model.safetensors")
    assert next_round(tmp_path) == Round(first, None, True)
    touch(next_round(tmp_path).verdict)
    assert next_round(tmp_path) == Round(second, first, False)
    touch(second / "checkpoint.pt")
    assert next_round(tmp_path) == Round(second, first, True)


def test_a_round_whose_weights_are_gone_is_named(tmp_path: Path) -> None:
    touch(tmp_path / "0001" / "comparison.txt")
    with pytest.raises(TrainingError, match=r"0001 has no model\.safetensors"):
        next_round(tmp_path)
