"""`facewire train --network apb2face | apb2face-v2`: a few steps, stopped, resumed, decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facewire.cli.main import main
from facewire.models.training.cache import write_clip
from facewire.models.weights import load_card
from facewire.receiver.generators.load import load_generator
from tests.models.conftest import made_clip

SMALL = ["--set", "size=32", "--set", "channels=4", "--set", "blocks=1", "--set", "adversarial=0"]


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    for n in range(3):
        write_clip(folder, made_clip(f"clip{n}", "ab"[n % 2], 16))
    return folder


def train(network: str, cache: Path, out: Path, *more: str) -> int:
    where = ["--cache", str(cache), "--out", str(out), "--threads", "1", "--quiet"]
    return main(["train", "--network", network, *where, "--batch", "2", *SMALL, *more])


@pytest.mark.parametrize(
    ("network", "more"), [("apb2face", ["--set", "person=a"]), ("apb2face-v2", [])]
)
def test_from_clips_to_a_generator(
    network: str, more: list[str], prepared: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "run"
    assert train(network, prepared, out, "--steps", "1", *more) == 0, capsys.readouterr().err
    assert "is ready" in capsys.readouterr().out
    assert train(network, prepared, out, "--steps", "2", *more) == 1
    assert "go on with --resume" in capsys.readouterr().err
    assert train(network, prepared, out, "--steps", "2", "--resume", *more) == 0
    assert len((out / "held-out.csv").read_text().splitlines()) == 3
    card = load_card(out)
    assert card.name == network
    load_generator(card, "openvino", 1)
    assert main(["export", str(out)]) == 1
    assert main(["export", str(out), "--force"]) == 0
    assert "largest difference" in capsys.readouterr().out
    assert main(["export", str(out), "--out", str(tmp_path / "onnx")]) == 1
    assert "for OpenVINO alone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("network", "more", "message"),
    [
        ("apb2face", [], "draws one person, and the clips show 2"),
        ("apb2face", ["--set", "person=c"], "no clip shows 'c'"),
        ("apb2face-v2", ["--set", "person=a"], "no setting of apb2face-v2"),
        ("apb2face-v2", ["--set", "blocks=many"], "no setting of apb2face-v2"),
        ("apb2face", ["--set", "geometry=1"], "no setting of apb2face"),
        ("apb2face-v2", ["--set", "kernel=2"], "odd kernel"),
        ("apb2face-v2", ["--teacher", "s"], "--teacher is not for"),
        ("apb2face-v2", ["--held-out", "cache"], "--held-out is not for"),
    ],
)
def test_what_it_refuses(
    network: str, more: list[str], message: str, prepared: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert train(network, prepared, tmp_path / "run", *more) == 1
    assert message in capsys.readouterr().err
    assert not np.any([path.suffix == ".pt" for path in tmp_path.rglob("*")])
