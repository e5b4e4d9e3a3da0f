"""`facewire train --network apb2face | apb2face-v2`: a few steps, stopped, resumed, decoded."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest

from facewire.cli.demo.clip import make_demo_clip
from facewire.cli.evaluate import main as evaluate
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


@pytest.mark.slow
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
    assert not list(tmp_path.rglob("*.pt"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    make_demo_clip(path, seconds=0.4)
    return path


@pytest.mark.parametrize("network", ["apb2face", "apb2face-v2"])
def test_a_stream_for_it(
    network: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Encoded with `--weights`, described, and decoded by the same network alone."""
    for n in range(2):
        write_clip(tmp_path / "cache", made_clip(f"clip{n}", "a", 16))
    out, stream = tmp_path / "run", tmp_path / "stream.fwire"
    assert train(network, tmp_path / "cache", out, "--steps", "1", "--set", "size=256") == 0
    assert main(["encode", str(clip), str(stream), "--weights", str(out), "--quiet"]) == 0
    assert main(["info", str(stream)]) == 0
    assert network in capsys.readouterr().out
    decode = ["decode", str(stream), str(tmp_path / "shown.mp4"), "--quiet"]
    assert main(decode) == 1
    assert "which facewire does not bring" in capsys.readouterr().err
    assert main([*decode, "--weights", str(out)]) == 0, capsys.readouterr().err
    with av.open(tmp_path / "shown.mp4") as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert len(frames) == 10
    assert {frame.shape for frame in frames} == {(256, 256, 3)}


@pytest.mark.slow
def test_it_is_evaluated(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By `codec-eval --weights`, beside another codec."""
    for n in range(2):
        write_clip(tmp_path / "cache", made_clip(f"clip{n}", "a", 16))
    run, out = tmp_path / "run", tmp_path / "out"
    assert train("apb2face-v2", tmp_path / "cache", run, "--steps", "1", "--set", "size=256") == 0
    words = f"--bpp 0.05 --codecs facewire,frozen --every 4 --jobs 1 --data {clip} --out {out}"
    assert evaluate([*words.split(), "--weights", str(run)]) == 0
    assert "facewire" in capsys.readouterr().out
    results = json.loads((out / "results.json").read_text())
    card = load_card(run)
    assert results["config"]["weights_sha256"] == {card.name: card.sha256.hex()}
    ((row,), (frozen,)) = (results["results"][name] for name in ("facewire", "frozen"))
    assert row["frames"] == 10
    assert {"psnr", "ssim", "lpips", "dr"} <= set(row)
    assert 4 < row["psnr"] < frozen["psnr"]  # one step of training has taught it no face
