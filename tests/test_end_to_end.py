"""The main job: a video in, a stream, a video out: frames, duration, sound, imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from facewire.cli.demo.clip import make_demo_clip
from facewire.cli.info import describe
from facewire.receiver.files.player import decode_file
from facewire.sender.config import EncoderConfig
from facewire.sender.files import encode_file
from facewire.sender.tracking.capture import Capture

FRAMES = 50


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    folder = tmp_path_factory.mktemp("whole")
    clip, stream, video = (folder / name for name in ("in.mp4", "talk.fwire", "out.mp4"))
    make_demo_clip(clip, FRAMES / 25)
    encode_file(clip, stream, EncoderConfig())
    decode_file(stream, video)
    return clip, stream, video


def sound_of(path: Path) -> np.ndarray:
    return np.concatenate(list(Capture(path).sound()))


def test_the_stream_carries_few_bits_a_frame(files: tuple[Path, Path, Path]) -> None:
    facts = describe(files[1])
    assert facts["frames"] == FRAMES
    assert facts["profile"] == "entropy"
    assert 5 < facts["motion_bits_per_frame"]["mean"] < 80
    assert facts["bits"]["total"] == files[1].stat().st_size * 8


def test_frames_times_and_duration_are_the_inputs(files: tuple[Path, Path, Path]) -> None:
    clip, _, video = files
    before, after = ([pts for _, pts in Capture(p).frames()] for p in (clip, video))
    assert len(after) == FRAMES
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) < 1 / 1000
    assert abs(len(sound_of(clip)) - len(sound_of(video))) < 0.05 * 16_000


def test_the_sound_is_in_sync_within_a_frame(files: tuple[Path, Path, Path]) -> None:
    first, second = sound_of(files[0]), sound_of(files[2])
    length = min(len(first), len(second))
    spectrum = np.fft.rfft(first[:length], 2 * length).conj()
    spectrum = spectrum * np.fft.rfft(second[:length], 2 * length)
    lag = int(np.fft.irfft(spectrum).argmax())
    lag = lag - 2 * length if lag > length else lag
    assert abs(lag) < 0.04 * 16_000


def test_the_face_moves_as_it_should(files: tuple[Path, Path, Path]) -> None:
    """Decoded pictures are nearer to the input than the keyframe is, where the head moved."""
    clip, _, video = files
    truth, made = ([f for f, _ in Capture(p).frames()] for p in (clip, video))
    moved = max(range(FRAMES), key=lambda i: np.abs(truth[i].astype(int) - truth[0]).mean())
    still = np.abs(truth[moved].astype(int) - made[0]).mean()
    assert np.abs(truth[moved].astype(int) - made[moved]).mean() < 0.8 * still


def test_decoding_imports_neither_torch_nor_mediapipe(
    files: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    code = (
        "import json, sys; from pathlib import Path; from facewire import decode_file;"
        "decode_file(Path(sys.argv[1]), Path(sys.argv[2]));"
        "print(json.dumps(sorted({'torch', 'mediapipe', 'cv2', 'PIL'} & set(sys.modules))))"
    )
    command = [sys.executable, "-c", code, str(files[1]), str(tmp_path / "again.mp4")]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(text) == []


@pytest.mark.slow
@pytest.mark.skipif("FACEWIRE_TEST_DATA" not in os.environ, reason="no real clips here")
def test_a_real_clip_with_sound(tmp_path: Path) -> None:
    clip = Path(os.environ["FACEWIRE_TEST_DATA"]) / "val" / "v0003.mp4"
    stream, video = tmp_path / "v.fwire", tmp_path / "v.mp4"
    encode_file(clip, stream, EncoderConfig())
    decode_file(stream, video)
    with av.open(str(clip)) as one, av.open(str(video)) as other:
        counts = [sum(1 for _ in c.decode(video=0)) for c in (one, other)]
    assert counts[0] == counts[1] == 173
    # It outlasts the pictures, and an Opus packet of 120 ms is filled up.
    assert 0 <= len(sound_of(video)) - len(sound_of(clip)) < 0.12 * 16_000
