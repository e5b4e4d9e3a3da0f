"""Nothing phones home: no command looks up a name or connects to anywhere, as strace sees it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from facewire.cli.demo.clip import make_demo_clip

ROOT = Path(__file__).resolve().parents[1]
STRACE = shutil.which("strace")
FAST = ["-f", "--seccomp-bpf", "-e", "trace=connect,sendto,sendmsg,sendmmsg"]
TO_A_NETWORK = re.compile(r"\b(?:connect|sendto|sendmsg|sendmmsg)\(.*AF_INET")
SMALL = ["--set", "motion_base=8", "--set", "motion_max=16", "--set", "channels=8,12,16"]
SMALL += ["--set", "blocks=0,0,1", "--set", "audio_channels=4"]


def strace_works() -> bool:
    """It may be forbidden in a container."""
    if STRACE is None:
        return False
    tried = subprocess.run([STRACE, *FAST, "true"], capture_output=True, check=False)
    return tried.returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not strace_works(), reason="strace is not here, or not allowed"),
]


def reached(log: Path, *words: str, check: bool = True, or_says: str = "") -> list[str]:
    """System calls to a network, by a Python that runs with these arguments. It must succeed, or
    say `or_says`.
    """
    command = [str(STRACE), *FAST, "-o", str(log), sys.executable, *words]
    home = log.parent / "home"  # a fresh one: no consent or refusal of telemetry is stored in it
    home.mkdir(exist_ok=True)
    # Networks that only metrics need are fetched by pip, which is asked for and says so: not here.
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT), "PIP_NO_INDEX": "1"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    said = bool(or_says) and or_says in run.stderr
    assert not check or run.returncode == 0 or said, run.stderr
    return [line for line in log.read_text().splitlines() if TO_A_NETWORK.search(line)]


def test_the_test_sees_lookups_and_connections(tmp_path: Path) -> None:
    lookup = "import socket; socket.getaddrinfo('facewire.invalid', 80)"
    connection = (
        "import socket; s = socket.socket(); s.settimeout(1); s.connect_ex(('127.0.0.1', 9))"
    )
    assert reached(tmp_path / "log", "-c", connection)
    hosts = Path("/etc/resolv.conf")
    if hosts.is_file() and "nameserver" in hosts.read_text():
        assert reached(tmp_path / "log", "-c", lookup, check=False)


def test_encoding_and_decoding(clip: Path, tmp_path: Path) -> None:
    stream, video = str(tmp_path / "a.fwire"), str(tmp_path / "a.mp4")
    log = tmp_path / "log"
    facewire = ("-m", "facewire")
    assert reached(log, *facewire, "encode", str(clip), stream, "--quiet") == []
    assert reached(log, *facewire, "decode", stream, video, "--quiet") == []
    assert reached(log, *facewire, "info", stream) == []


def test_a_portrait(clip: Path, frames: list[npt.NDArray[np.uint8]], tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "me.png"), frames[0][..., ::-1])
    words = ["-m", "facewire", "encode", str(clip), str(tmp_path / "a.fwire"), "--quiet"]
    words += ["--portrait", str(tmp_path / "me.png"), "--portrait-consent", "A. B., 2026-01-01"]
    assert reached(tmp_path / "log", *words) == []


def test_the_demo(tmp_path: Path) -> None:
    words = ["-m", "facewire", "demo", "--out", str(tmp_path / "demo")]
    assert reached(tmp_path / "log", *words) == []


def test_enrolling(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    me = make_demo_clip(tmp_path / "me.mp4", 10.4, fps=3)
    words = ["-m", "facewire", "enroll", str(me), "--out", str(tmp_path / "me.fwid")]
    words += ["--steps", "1", "--threads", "1", "--quiet"]
    # A step may make nothing better, and then nothing is written.
    assert reached(tmp_path / "log", *words, or_says="nothing is written") == []


def test_evaluating(clip: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(clip, data / "demo.mp4")
    words = ["-m", "facewire.cli.evaluate", "--data", str(data), "--out", str(tmp_path / "out")]
    words += ["--codecs", "frozen", "--bpp", "0.05", "--seconds", "1"]
    words += ["--every", "20", "--jobs", "1", "--quiet"]
    assert reached(tmp_path / "log", *words) == []


def test_training(clip: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    data = tmp_path / "data"
    data.mkdir()
    for person in ("one.mp4", "two.mp4"):
        shutil.copy(clip, data / person)
    words = ["-m", "facewire", "train", "--data", str(data), "--out", str(tmp_path / "run")]
    words += ["--size", "xs", *SMALL, "--batch", "1", "--drivings", "1", "--steps", "1", "--quiet"]
    words += ["--every", "5", "--threads", "1", "--held-out-people", "1"]
    assert reached(tmp_path / "log", *words) == []


@pytest.mark.parametrize("package", ["openvino", "nncf"])
def test_packages_with_telemetry_of_their_own(package: str, tmp_path: Path) -> None:
    pytest.importorskip(package)
    script = f"import facewire, {package}, sys, time; time.sleep(1)\n"
    script += "assert not [n for n in sys.modules if n.startswith('openvino_telemetry.')]\n"
    if package == "openvino":
        script += "import numpy, openvino as ov\n"
        script += "x = ov.opset13.parameter([1], numpy.float32)\n"
        script += "ov.Core().compile_model(ov.Model([ov.opset13.relu(x)], [x]), 'CPU')\n"
    assert reached(tmp_path / "log", "-c", script) == []
