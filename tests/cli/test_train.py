"""`facewire train` and `export` on real files: two made clips, a few steps of a small network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facewire.cli.demo_clip import make_demo_clip
from facewire.cli.main import main
from facewire.models.training.cache import read_cache

SMALL = ["--set", "motion_base=8", "--set", "motion_max=16", "--set", "channels=8,12,16"]
SMALL += ["--set", "blocks=0,0,1", "--set", "audio_channels=4"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for seed in (1, 2):
        make_demo_clip(folder / f"person{seed}.mp4", seconds=0.6, seed=seed)
    (folder / "broken.mp4").write_bytes(b"no video at all")
    return folder


def test_train_resume_export_decode(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    train = ["train", "--out", str(out), "--size", "xs", *SMALL, "--batch", "1", "--drivings", "1"]
    train += ["--threads", "2", "--quiet", "--held-out-people", "1", "--evaluate-every", "2"]
    data = ["--data", str(clips), "--every", "2"]
    assert main([*train, *data, "--steps", "2"]) == 0
    assert "broken.mp4" in capsys.readouterr().err
    prepared = read_cache(out / "cache")
    assert {clip.identity for clip in prepared} == {"person1", "person2"}
    assert all(len(clip.landmarks) == 15 and clip.mel.shape[0] >= 55 for clip in prepared)
    assert "net_face_psnr" in (out / "curves.csv").read_text()
    assert list((out / "pictures").glob("*.jpg"))
    assert main([*train, "--steps", "3", "--resume"]) == 0

    assert main(["export", str(out)]) == 0
    assert "largest difference between torch and OpenVINO" in capsys.readouterr().out
    elsewhere = tmp_path / "elsewhere"
    assert main(["export", str(out), "--out", str(elsewhere)]) == 0
    assert "torch and ONNX" in capsys.readouterr().out
    pairs = {f"{part}.{kind}" for part in ("source", "frame") for kind in ("xml", "bin", "onnx")}
    assert {p.name for p in elsewhere.iterdir()} == pairs | {"interface.json"}
    interface = json.loads((elsewhere / "interface.json").read_text())
    assert interface["frame"]["outputs"]["frame"]["shape"] == [1, 3, 256, 256]

    stream, clip = tmp_path / "a.fwire", clips / "person1.mp4"
    assert main(["encode", str(clip), str(stream), "--weights", str(out), "--quiet"]) == 0
    decode = ["decode", str(stream), str(tmp_path / "a.mp4"), "--quiet"]
    assert main(decode) == 1  # the network is not a shipped one
    assert "weights" in capsys.readouterr().err
    assert main([*decode, "--weights", str(out)]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "EMPTY"], "no video"),
        ([], "no prepared clips"),
        (["--data", "CLIPS", "--prepare-only", "--people", "nowhere.csv"], "not a CSV"),
    ],
)
def test_data_that_cannot_be_used(
    clips: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    (tmp_path / "empty").mkdir()
    names = {"EMPTY": str(tmp_path / "empty"), "CLIPS": str(clips)}
    arguments = [names.get(a, a) for a in arguments]
    assert main(["train", "--out", str(tmp_path / "run"), "--quiet", *arguments]) == 1
    assert words in capsys.readouterr().err


def test_settings_that_no_network_has(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["train", "--out", str(tmp_path), "--data", str(clips), "--quiet"]
    assert main([*train, "--set", "colour=blue"]) == 1
    assert "colour=blue" in capsys.readouterr().err


def test_exporting_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "nowhere"]) == 1
    assert "no network" in capsys.readouterr().err
