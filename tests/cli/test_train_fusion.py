"""`facewire train --network fusion` on real files: made clips, a few steps."""

from __future__ import annotations

from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

from facewire.cli.demo.clip import make_demo_clip
from facewire.cli.main import main
from facewire.models.fusion.samples import read_samples
from facewire.models.weights import fusion_card
from facewire.receiver.generators.fusion import Fusion


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    make_demo_clip(folder / "person1.mp4", seconds=1.2, seed=1)
    (folder / "broken.mp4").write_bytes(b"no video at all")
    return folder


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("others")
    make_demo_clip(folder / "person2.mp4", seconds=1.2, seed=2)
    return folder


@dataclass
class Run:
    """A run of one step, and what it said."""

    out: Path
    said: str
    told: str


@pytest.fixture(scope="module")
def run(clips: Path, others: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out, said, told = tmp_path_factory.mktemp("runs") / "run", StringIO(), StringIO()
    data = ["--data", str(clips), "--held-out", str(others)]
    with redirect_stdout(said), redirect_stderr(told):
        assert main([*train(out), *data, "--steps", "1"]) == 0
    return Run(out, said.getvalue(), told.getvalue())


def train(out: Path) -> list[str]:
    return ["train", "--network", "fusion", "--out", str(out), "--threads", "1", "--quiet"]


@pytest.mark.slow
def test_from_clips_to_a_network(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert "broken.mp4" in run.told
    assert run.said.count("fused") == 10
    assert [piece.person for piece in read_samples(run.out / "cache")] == ["person1"]
    Fusion(fusion_card(run.out))  # it was exported
    assert main([*train(run.out), "--steps", "2"]) == 1
    assert "go on with --resume" in capsys.readouterr().err
    assert main([*train(run.out), "--steps", "2", "--resume"]) == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--teacher", "s"], "--teacher is for --network avfr"),
        (["--size", "xs"], "--size is for --network avfr"),
        (["--more"], "--more is for --network avfr"),
        (["--set", "gaze=true"], "no loss of a fusion network"),
        (["--set", "texture=much"], "texture"),
        (["--start-from", "s"], "holds a generator, where a fusion network is needed"),
    ],
)
def test_what_only_avfr_has(
    more: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["train", "--network", "fusion", "--out", str(tmp_path / "run"), *more]
    assert main([*train, "--cache", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err


def test_nobody_is_learned_from_and_measured_on(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = str(run.out / "cache")
    assert main([*train(tmp_path / "run"), "--cache", cache, "--held-out", cache]) == 1
    assert "must hold other people" in capsys.readouterr().err
