"""`facewire train` and `export` on real files: two made clips, a few steps of a small network."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facewire.cli.demo.clip import make_demo_clip
from facewire.cli.main import main
from facewire.models.avfr import SIZES, Avfr, AvfrConfig
from facewire.models.training.cache import read_cache
from facewire.models.training.config import TrainConfig

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--set", "motion_base=8", "--set", "motion_max=16", "--set", "channels=8,12,16"]
SMALL += ["--set", "blocks=0,0,1", "--set", "audio_channels=4"]
TINY = AvfrConfig(
    name="tiny", motion_base=8, motion_max=16, channels=(8, 12, 16), blocks=(0, 0, 1),
    audio_channels=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for seed in (1, 2):
        make_demo_clip(folder / f"person{seed}.mp4", seconds=0.6, seed=seed)
    (folder / "broken.mp4").write_bytes(b"no video at all")
    return folder


@pytest.mark.slow
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
    modes = {path.stat().st_mode for path in out.iterdir() if path.is_file()}
    assert len(modes) == 1  # model.safetensors has no other than its neighbours
    before = {path: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert main([*train, "--steps", "3"]) == 1
    assert "go on with --resume" in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert main([*train, "--steps", "3", "--resume"]) == 0
    assert {row.split(",")[0] for row in (out / "curves.csv").read_text().split()[1:]} == {"2", "3"}

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
    assert main([*decode, "--weights", str(out), "--precision", "float32"]) == 0


def test_a_start_a_teacher_and_two_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: dict[str, Any] = {}

    def fit(network: AvfrConfig, settings: TrainConfig, *more: Any, **others: Any) -> None:
        given.update(others, network=network, settings=settings, clips=more[0])

    monkeypatch.setattr("facewire.models.training.loop.fit", fit)
    monkeypatch.setattr("facewire.models.training.cache.read_cache", lambda path: [path.name])
    Avfr(TINY).save_pretrained(tmp_path / "start")
    Avfr(TINY.with_changes(channels=(8, 8, 8))).save_pretrained(tmp_path / "teacher")
    train = ["train", "--out", str(tmp_path), "--cache", "one", "two", "--held-out", "three"]
    teacher = ["--teacher", str(tmp_path / "teacher")]
    larger = ["--start-from", str(tmp_path / "start"), "--set", "blocks=0,1,2"]
    assert main([*train, *larger, *teacher, "--person-least", "4"]) == 0
    assert given["clips"] == ["one", "two"]
    assert given["progress"] is not None
    assert given["network"] == TINY.with_changes(blocks=(0, 1, 2))
    assert given["start_from"].config == given["network"]
    assert given["teacher"].config.channels == (8, 8, 8)
    assert given["settings"].person_least_s == 4
    assert given["settings"].losses.distillation > 0

    assert main([*train, "--network", "avfr", *teacher, "--distillation", "0.5"]) == 0
    assert given["network"] == SIZES["s"]
    assert given["settings"].losses.distillation == 0.5
    np.testing.assert_array_equal(given["face"].mean, given["teacher"].face.mean)

    assert main([*train, *larger[:2], "--size", "xs"]) == 1
    assert "the new network" in capsys.readouterr().err
    for wrong in (["--distillation", "1"], [*teacher, "--distillation", "0"]):
        assert main([*train, *wrong]) == 1
        assert "--teacher" in capsys.readouterr().err
    assert main([*train, *teacher, "--person-least", "-1"]) == 1
    assert "least seconds" in capsys.readouterr().err


def test_more_without_further_words_trains_as_the_shipped_weights_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[TrainConfig] = []
    monkeypatch.setattr(
        "facewire.models.training.loop.fit", lambda *args, **_: given.append(args[1])
    )
    monkeypatch.setattr("facewire.models.training.cache.read_cache", lambda path: [path.name])
    monkeypatch.setattr("facewire.cli.train._judge", lambda *_: None)
    train = ["train", "--out", str(tmp_path), "--cache", "one", "--held-out", "two", "--quiet"]
    likeness = ["--likeness", "faces.pt"]
    start = ["--start-from", "s", "--force"]
    own = [*likeness, "--flicker", "0", "--person-least", "0", "--precision", "32"]
    for more in (["--more"], ["--more", *own, "--learning-rate", "1e-4"], start):
        assert main([*train, *more]) == 0
    usual, chosen, plain = given
    assert (usual.precision, usual.person_least_s, usual.learning_rate) == ("auto", 4, 5e-4)
    assert (usual.losses.flicker, usual.losses.likeness) == (10, 0)
    assert (chosen.precision, chosen.person_least_s, chosen.learning_rate) == ("32", 0, 1e-4)
    assert (chosen.losses.flicker, chosen.losses.likeness) == (0, 1)
    assert chosen.likeness_net == "faces.pt"
    assert (plain.precision, plain.person_least_s, plain.learning_rate) == ("32", 0, 4e-4)
    assert plain.losses.flicker == 0


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_train_more_hands_on_what_it_is_given() -> None:
    words = ["make", "--dry-run", "train-more", "DATA=clips", "HELD_OUT=others", "MINUTES=7"]
    told = [
        subprocess.run([*words, *more], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for more in ([], ["LIKENESS=faces.pt"])
    ]
    for each in told:
        assert "--minutes 7" in each
        assert "--precision" not in each  # the processor chooses
    assert "--likeness" not in told[0]
    assert "--likeness faces.pt" in told[1]


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


def test_the_networks_that_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    """The five names, one for each network; `generator`, the name that `avfr` had, is none."""
    assert main(["train", "--out", "nowhere", "--network", "generator"]) == 2
    told = capsys.readouterr().err.replace("'", "")
    assert "choose from avfr, apb2face-geometry, apb2face, apb2face-v2, fusion" in told


def test_exporting_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "nowhere"]) == 1
    assert "no network" in capsys.readouterr().err


@pytest.mark.slow
def test_more_goes_on_round_by_round(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facewire.eval.suite.Suite._load", lambda *_: None)  # no large judges
    Avfr(TINY).save_pretrained(tmp_path / "start")
    out = tmp_path / "more"
    more = ["train", "--more", "--out", str(out), "--data", str(clips), "--every", "2", "--quiet"]
    more += ["--start-from", str(tmp_path / "start"), "--against", str(tmp_path / "start")]
    more += ["--held-out-people", "1", "--batch", "1", "--threads", "1"]
    assert main([*more, "--steps", "1", "--drivings", "1"]) == 1
    assert "the loss for flicker compares two driving frames" in capsys.readouterr().err
    more += ["--drivings", "2"]
    assert main([*more, "--steps", "1"]) == 0
    first = out / "0001"
    told = capsys.readouterr().out
    assert "PSNR ↑" in told
    assert "cannot be told apart" in told  # one clip cannot tell
    assert (first / "comparison.txt").read_text() in told
    settings = json.loads((first / "settings.json").read_text())["training"]
    assert settings["minutes"] == 60
    assert settings["augmentation"]["qualities"] == [22, 58]

    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # Ctrl-C while it is measured
        patch.setattr("facewire.eval.networks.measure_network", stopped)
        assert main([*more, "--steps", "1"]) == 130
    second = out / "0002"
    assert not (second / "comparison.txt").exists()
    began = (second / "curves.csv").read_bytes()
    assert main([*more, "--steps", "1"]) == 0
    assert (second / "curves.csv").read_bytes() == began  # it was not trained again
    assert (second / "comparison.txt").exists()
    assert not (out / "0003").exists()
    assert main([*more, "--resume"]) == 1
    assert "leave out --resume" in capsys.readouterr().err
