"""`facewire speak`, from a photograph and a sound file to a stream or a video."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from facewire.cli.main import main
from facewire.codec.file.container import Reader
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.packet import Kind
from facewire.models.face.mesh import POINTS
from facewire.receiver.decoder import Decoder
from facewire.receiver.files.writer import SYNTHETIC
from tests.call.sides import NoGenerator
from tests.photographs import save_8k
from tests.sounds import RATE, Sound, music, two_voices

from .test_encode import save_portrait

LAUNCHER = """
import json, os, subprocess, sys
process = subprocess.Popen([sys.executable, "-m", "facewire", *sys.argv[1:]])
_, status, used = os.wait4(process.pid, 0)
print(json.dumps([status, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime]))
"""
"""A small process: what a child has used at most counts the memory of its parent too."""


@pytest.fixture(scope="module")
def photo(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_portrait(clip, tmp_path_factory.mktemp("photo") / "me.png")


@pytest.fixture(scope="module")
def voice(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first second of the clip's sound."""
    path = tmp_path_factory.mktemp("voice") / "hello.wav"
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("pcm_s16le", rate=44_100, layout="mono")
        resampler = av.AudioResampler("s16", "mono", 44_100)
        for frame in source.decode(audio=0):
            if float(frame.pts * frame.time_base) >= 1:
                break
            for part in resampler.resample(frame):
                part.pts = None
                target.mux(stream.encode(part))
        target.mux(stream.encode(None))
    return path


def test_a_stream(
    photo: Path, voice: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "hello.fwire"
    assert main(["speak", str(photo), str(voice), str(target)]) == 0
    said = capsys.readouterr().err
    assert "marked as synthetic" in said
    assert "the face is your own, as you say" in said
    assert main(["info", str(target), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["performed"] is True
    assert facts["portrait"] == {"consent": ""}
    assert facts["frames"] == pytest.approx(26, abs=2)
    assert facts["keyframes"] == 1
    with target.open("rb") as file:
        assert {packet.kind for packet in Reader(file)} >= {Kind.MOTION, Kind.AUDIO}


def test_a_video_with_consent(photo: Path, voice: Path, tmp_path: Path) -> None:
    target = tmp_path / "hello.mp4"
    words = ["speak", str(photo), str(voice), str(target), "--quiet"]
    assert main([*words, "--consent", "Grace Hopper, 1985"]) == 0
    with av.open(str(target)) as container:
        comment = container.metadata["comment"]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert comment.startswith(SYNTHETIC)
    assert "Nobody was before a camera" in comment
    assert "Consent: Grace Hopper, 1985" in comment
    assert len(frames) == pytest.approx(26, abs=2)
    assert frames[0].shape == (256, 256, 3)
    still = np.asarray(Image.open(photo)).astype(int)
    assert np.abs(frames[0][:200].astype(int) - still[:200]).mean() < 12
    moved = np.abs(frames[-1].astype(int) - frames[0])
    assert moved[60:200, 60:200].mean() > 0.5
    assert list(tmp_path.iterdir()) == [target]


def noise(seconds: float) -> Sound:
    """White noise, as loud as somebody who speaks."""
    rng = np.random.default_rng(3)
    return (0.1 * rng.standard_normal(round(seconds * RATE))).astype(np.float32)


def silence(seconds: float) -> Sound:
    return np.zeros(round(seconds * RATE), np.float32)


class Noted(NoGenerator):
    """Notes the keypoints of what it is to paint, each `[10, 2]`."""

    def __init__(self) -> None:
        self.keypoints: list[np.ndarray] = []

    def points(self, source: object, motion: object) -> np.ndarray:
        return np.random.default_rng(7).uniform(-1, 1, (len(POINTS), 2)).astype(np.float32)

    def render(self, source: np.ndarray, motion: MotionFrame, mel: object) -> np.ndarray:
        self.keypoints.append(motion.value)
        return source


def spoken(photo: Path, sound: Sound, rate: int, channels: int, folder: Path) -> list[float]:
    """How far apart `facewire speak` puts the lips' keypoints in each frame, in the unit [-1, 1].

    The sound is converted from 16 kHz to the rate of the file by linear interpolation.
    """
    times = np.arange(round(len(sound) * rate / RATE)) * RATE / rate
    samples = (32_000 * np.interp(times, np.arange(len(sound)), sound)).astype("<i2")
    source, target = folder / "sound.wav", folder / "o.fwire"
    with wave.open(str(source), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(np.repeat(samples[:, None], channels, 1).tobytes())
    assert main(["speak", str(photo), str(source), str(target)]) == 0
    noted = Noted()
    with Decoder(generator=noted) as decoder, target.open("rb") as stream:
        for packet in Reader(stream):
            decoder.decode(packet)
        decoder.flush()
        assert decoder.header is not None
        assert decoder.header.performed
    upper, lower = 5, 6
    return [float(each[lower, 1] - each[upper, 1]) for each in noted.keypoints]


@pytest.mark.parametrize(
    ("sound", "rate", "channels", "seconds"),
    [
        (music, 44_100, 2, 1.5),
        (two_voices, 48_000, 1, 1.5),
        (noise, 8000, 1, 1.5),
        (two_voices, 22_050, 2, 1.53),
    ],
)
def test_sound_that_is_no_single_voice(
    photo: Path,
    tmp_path: Path,
    sound: Callable[[float], Sound],
    rate: int,
    channels: int,
    seconds: float,
) -> None:
    """The mouth moves, no farther than mouths go, and for as long as there is sound."""
    gaps = np.array(spoken(photo, sound(seconds), rate, channels, tmp_path))
    assert len(gaps) == np.ceil(seconds * 25)
    assert np.ptp(gaps) > 0.015  # several times what a head that turns makes of a mouth at rest
    assert np.abs(gaps - gaps[0]).max() < 0.1


def test_silence(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The mouth stays as in the photograph."""
    gaps = np.array(spoken(photo, silence(1.5), 16_000, 1, tmp_path))
    assert "silent from beginning to end" in capsys.readouterr().err
    assert len(gaps) == 38
    assert np.ptp(gaps) < 0.005


def test_seeds_and_what_exists(photo: Path, voice: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.fwire"
    words = ["speak", str(photo), str(voice), str(target), "--quiet"]
    assert main([*words, "--seed", "1"]) == 0
    first = target.read_bytes()
    assert main([*words, "--seed", "2"]) == 1  # it exists
    assert target.read_bytes() == first
    assert main([*words, "--seed", "1", "--force"]) == 0
    assert target.read_bytes() == first
    assert main([*words, "--seed", "2", "--force"]) == 0
    assert target.read_bytes() != first


def test_a_rate_and_the_profile_without_a_mouth(
    photo: Path, voice: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "a.fwire"
    words = ["speak", str(photo), str(voice), str(target), "--quiet", "--profile", "pose"]
    assert main([*words, "--kbps", "30", "--audio-kbps", "6"]) == 0
    assert main(["info", str(target), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["profile"] == "pose"
    assert facts["kbps"]["total"] <= 30.5
    assert facts["performed"] is True


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["me.png", "none.wav", "o.mp4"], "none.wav"),
        (["none.png", "hello.wav", "o.mp4"], "none.png"),
        (["hello.wav", "hello.wav", "o.mp4"], "cannot be read as a picture"),
        (["me.png", "me.png", "o.mp4"], "has no sound"),
        (["me.png", "notes.txt", "o.mp4"], "cannot be read as sound"),
        (["me.png", "talk.fwire", "o.mp4"], "is a facewire stream"),
        (["grey.png", "hello.wav", "o.mp4"], "no face was found in grey.png"),
        (["two.png", "hello.wav", "o.fwire"], "2 faces of about the same size"),
        (["tiny.png", "hello.wav", "o.fwire"], "32x32 pixels"),
        (["me.png", "hello.wav", "o.avi"], "must end in .fwire or .mp4"),
        (["me.png", "hello.wav", "me.png"], "is an input"),
        (["me.png", "hello.wav", "o.mp4", "--consent", " "], "one line"),
        (["me.png", "hello.wav", "o.mp4", "--audio-track", "3"], "there is no track 3"),
        (["me.png", "hello.wav", "o.mp4", "--seed", "-1"], "a seed is"),
        (["me.png", "hello.wav", "o.fwire", "--kbps", "1"], "too little"),
    ],
)
def test_what_cannot_be(
    photo: Path,
    voice: Path,
    tmp_path: Path,
    words: list[str],
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(photo, tmp_path / "me.png")
    shutil.copy(voice, tmp_path / "hello.wav")
    face = np.asarray(Image.open(photo))
    Image.fromarray(np.concatenate([face, face], 1)).save(tmp_path / "two.png")
    Image.fromarray(face).resize((32, 32)).save(tmp_path / "tiny.png")
    Image.new("RGB", (300, 300), (90, 90, 90)).save(tmp_path / "grey.png")
    (tmp_path / "notes.txt").write_text("la la la")
    golden = Path(__file__).parents[1] / "golden" / "v1-entropy2-av1.fwire"
    shutil.copy(golden, tmp_path / "talk.fwire")
    before = sorted(path.name for path in tmp_path.iterdir())
    here = [str(tmp_path / word) if "." in word else word for word in words]
    assert main(["speak", *here]) == 1
    assert says in capsys.readouterr().err.strip().splitlines()[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ru_maxrss is in another unit")
def test_a_photograph_of_8k_costs_little_more_than_a_small_one(
    photo: Path, voice: Path, tmp_path: Path
) -> None:
    """Three times the picture in memory, and not for every frame."""
    large = save_8k(np.asarray(Image.open(photo)), tmp_path / "large.jpg")
    used = []
    for name in (photo, large):
        words = ["speak", str(name), str(voice), str(tmp_path / "a.fwire"), "--force", "--quiet"]
        command = [sys.executable, "-c", LAUNCHER, *words]
        status, mebibytes, seconds = json.loads(subprocess.check_output(command))
        assert status == 0
        used.append((mebibytes, seconds))
    print("small and 8K: MiB and seconds of processor time", used)
    (small_mib, small_s), (large_mib, large_s) = used
    assert large_mib < small_mib + 3.5 * 7680 * 4320 * 3 / 2**20
    assert large_s < 4 * small_s
