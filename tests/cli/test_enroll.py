"""`facewire enroll` on a made clip, and what the other commands do with the file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from facewire.cli.demo.clip import make_demo_clip
from facewire.cli.main import main
from facewire.codec.identity import Identity, read_identity, write_identity
from facewire.models.avfr import SIZES, Avfr
from facewire.sender.tracking.capture import Capture


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds, of few frames."""
    return make_demo_clip(tmp_path_factory.mktemp("clip") / "me.mp4", 10.4, fps=3)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small, untrained, exported: it shows the keyframe with much noise, which can be unlearned."""
    folder = tmp_path_factory.mktemp("network")
    torch.manual_seed(0)
    small = {"motion_base": 8, "motion_max": 16, "channels": (8, 12, 16), "blocks": (0, 0, 1)}
    model = Avfr(SIZES["xs"].with_changes(**small, audio_channels=4))
    with torch.no_grad():
        for value in model.generator.parameters():
            if not value.any():
                value.normal_(0, 0.1)
    model.save_pretrained(folder)
    assert main(["export", str(folder)]) == 0
    return folder


def frames(path: Path) -> np.ndarray:
    return np.stack([frame for frame, _ in Capture(path).frames()]).astype(int)


@pytest.mark.slow
def test_enroll_encode_info_decode(
    clip: Path, network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    me, weights = tmp_path / "me.fwid", ["--weights", str(network)]
    words = ["enroll", str(clip), "--out", str(me), *weights, "--steps", "5", "--threads", "1"]
    assert main([*words, "--learning-rate", "0.01"]) == 0
    text = capsys.readouterr().err
    assert f"{me.stat().st_size} bytes, for avfr-xs; 5 steps" in text
    assert "face LPIPS" in text
    assert me.stat().st_size <= 300_000

    plain, adapted = tmp_path / "plain.fwire", tmp_path / "adapted.fwire"
    assert main(["encode", str(clip), str(plain), *weights, "--quiet"]) == 0
    assert main(["encode", str(clip), str(adapted), *weights, "--identity", str(me)]) == 0
    assert f"an identity of {me.stat().st_size} bytes" in capsys.readouterr().err

    assert main(["info", str(adapted), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["identity"]["id"] == read_identity(me).id.hex()
    assert facts["identity"]["whole"] is True
    assert me.stat().st_size < facts["identity"]["bytes"] < facts["bits"]["keyframe"] / 8
    assert main(["info", str(adapted)]) == 0
    assert "counted as keyframe" in capsys.readouterr().out

    shown = {}
    for name, stream, more in (
        ("plain", plain, []),
        ("inside", adapted, []),
        ("beside", plain, ["--identity", str(me)]),
    ):
        video = tmp_path / f"{name}.mkv"
        words = ["decode", str(stream), str(video), *weights, "--quiet", *more]
        assert main([*words, "--precision", "float32"]) == 0  # without trying which is fastest
        shown[name] = frames(video)
    np.testing.assert_array_equal(shown["inside"], shown["beside"])
    assert np.abs(shown["inside"] - shown["plain"]).mean() > 1


def test_an_identity_of_other_weights(
    clip: Path, network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    me = tmp_path / "me.fwid"
    delta = np.ones((12, 24, 3, 3), np.float32)
    write_identity(Identity.pack("avfr-l", bytes(32), {"generator.head.weight": delta}), me)
    words = ["encode", str(clip), str(tmp_path / "o.fwire"), "--identity", str(me)]
    assert main([*words, "--weights", str(network)]) == 1
    assert "made for avfr-l" in capsys.readouterr().err
    assert main(["encode", str(clip), str(tmp_path / "o.fwire"), "--weights", str(network)]) == 0
    words = ["decode", str(tmp_path / "o.fwire"), str(tmp_path / "o.mp4"), "--identity", str(me)]
    assert main([*words, "--weights", str(network)]) == 1
    assert "made for avfr-l" in capsys.readouterr().err
    assert not (tmp_path / "o.mp4").exists()


@pytest.mark.parametrize("damage", ["missing", "video", "cut", "flipped"])
def test_files_that_are_no_identity(
    clip: Path, tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    me = tmp_path / "me.fwid"
    write_identity(Identity.pack("avfr-s", bytes(32), {"x": np.ones((2, 9), np.float32)}), me)
    data = me.read_bytes()
    if damage == "missing":
        me.unlink()
    else:
        me.write_bytes({"video": b"ftyp" * 99, "cut": data[:-9], "flipped": data[::-1]}[damage])
    golden = Path(__file__).parents[1] / "golden" / "v1-entropy-av1-references.fwire"
    for command, source, out in (("encode", clip, "o.fwire"), ("decode", golden, "o.mp4")):
        assert main([command, str(source), str(tmp_path / out), "--identity", str(me)]) == 1
        error = capsys.readouterr().err
        assert "me.fwid" in error
        assert error.count("\n") == 1


def test_footage_that_cannot_be_used(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make_demo_clip(tmp_path / "short.mp4", 0.4)
    words = ["enroll", "--out", str(tmp_path / "me.fwid"), "--weights", str(network), "--quiet"]
    assert main([*words, str(clip)]) == 1
    assert "too little to learn a person from" in capsys.readouterr().err
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    assert main([*words, str(broken)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["enroll", str(clip), "--out", str(tmp_path / "none" / "me.fwid")]) == 1
    assert "does not exist" in capsys.readouterr().err
    assert not (tmp_path / "me.fwid").exists()


def test_an_identity_is_replaced_only_with_force(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    me = tmp_path / "me.fwid"
    me.write_bytes(b"precious")
    assert main(["enroll", str(clip), "--out", str(me)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main(["enroll", str(clip), "--out", str(tmp_path / "me.mp4"), "--force"]) == 1
    assert "must end in .fwid" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["me.fwid"]
    assert me.read_bytes() == b"precious"


def test_help_speaks_of_consent(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["enroll", "--help"]) == 0
    assert "consent" in capsys.readouterr().out
