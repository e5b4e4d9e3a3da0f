"""`facewire train --network apb2face-geometry` on real files: made clips, a few steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facewire.cli.demo.clip import make_demo_clip
from facewire.cli.main import main
from facewire.models.weights import geometry_card
from facewire.receiver.talking.mouth import MouthPredictor

NETWORK = ["train", "--network", "apb2face-geometry", "--threads", "1", "--quiet"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, prepared."""
    folder = tmp_path_factory.mktemp("clips")
    for n in (1, 2):
        make_demo_clip(folder / f"person{n}.mp4", seconds=1.6, seed=n)
    (folder / "broken.mp4").write_bytes(b"no video at all")
    prepared = folder / "cache"
    args = ["--data", str(folder), "--cache", str(prepared), "--out", str(folder / "out")]
    assert main([*NETWORK, *args, "--prepare-only"]) == 0
    return prepared


@pytest.mark.slow
def test_from_clips_to_a_predictor(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    train = [*NETWORK, "--cache", str(cache), "--out", str(out), "--set", "channels=8"]
    code = main([*train, "--steps", "1", "--held-out", str(cache)])
    assert code == 0, capsys.readouterr().err
    assert "too short to be measured" in capsys.readouterr().out
    predictor = MouthPredictor(geometry_card(out))
    predictor.hear(np.zeros(1600, np.float32), 0.0)
    assert predictor.movement(0.0).shape == (40, 2)
    assert main([*train, "--steps", "2"]) == 1
    assert "go on with --resume" in capsys.readouterr().err
    assert main([*train, "--steps", "2", "--resume"]) == 0


def test_the_predictor_of_the_paper(cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train = [*NETWORK, "--cache", str(cache), "--out", str(out), "--set", "variant=paper"]
    assert main([*train, "--steps", "1"]) == 0
    assert main([*train, "--steps", "2", "--resume"]) == 0
    rows = (out / "held-out.csv").read_text().splitlines()
    assert rows[0] == "step,seconds,landmarks_px,mouth_px,l1_px"
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--teacher", "s"], "--teacher is for --network avfr"),
        (["--size", "xs"], "--size is for --network avfr"),
        (["--more"], "--more is for --network avfr"),
        (["--start-from", "s"], "--start-from is for --network avfr"),
        (["--set", "audio_prior=false"], "no setting of a geometry predictor"),
        (["--set", "channels=many"], "no setting of a geometry predictor"),
        (["--set", "variant=other"], "no setting of a geometry predictor"),
    ],
)
def test_what_only_avfr_has(
    more: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*NETWORK, "--out", str(tmp_path / "run"), "--cache", str(tmp_path), *more]) == 1
    assert message in capsys.readouterr().err
