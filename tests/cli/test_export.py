from __future__ import annotations

from pathlib import Path

import pytest

from facewire.cli.main import main
from facewire.models.weights import load_card


def test_calibrating_needs_prepared_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from facewire.models.avfr import export
    from facewire.models.weights import runtime_graphs as graph

    monkeypatch.setattr(export, "openvino_graphs", lambda model: {})
    monkeypatch.setattr(graph, "save_graphs", lambda card, graphs: tmp_path)
    monkeypatch.setattr(graph, "load_graph", lambda card, part: None)
    assert main(["export", "s", "--force", "--calibrate", str(tmp_path / "none")]) == 1
    assert "no prepared clips" in capsys.readouterr().err


def test_int8_is_not_for_elsewhere(tmp_path: Path) -> None:
    assert main(["export", "s", "--calibrate", str(tmp_path), "--out", str(tmp_path)]) == 2


@pytest.mark.parametrize("options", [[], ["--out", "OUT"]])
def test_nothing_is_replaced_unasked(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = load_card("s").folder / "runtime.zip"
    before = graph.read_bytes()
    (tmp_path / "frame.onnx").write_bytes(b"precious")
    options = [word.replace("OUT", str(tmp_path)) for word in options]
    assert main(["export", "s", *options]) == 1
    assert "exists already" in capsys.readouterr().err
    assert graph.read_bytes() == before
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"precious"]
