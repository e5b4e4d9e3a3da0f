"""PulseAudio with sound cards that are none.

All cards are channels of one null sink, so one recording of it holds what each microphone heard and
what each loudspeaker played, by one clock.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from facewire.call.devices.card_list import portaudio
from facewire.codec.errors import DeviceError

Sound = npt.NDArray[np.float32]

RATE = 16000
_SERVER = shutil.which("pulseaudio")
_CHANNELS = ("front-left", "front-right", "rear-left", "rear-right")
_FORMAT = ("--rate", str(RATE), "--format", "float32le")

needs_pulse = pytest.mark.skipif(
    _SERVER is None or shutil.which("parec") is None,
    reason="PulseAudio is not here (Debian: pulseaudio, pulseaudio-utils)",
)


class Pulse:
    """A server of PulseAudio with cards that are named by whoever makes it, at most four.

    Attributes:
        socket: at which the server is reached.
    """

    def __init__(self, home: Path, cards: Sequence[str]) -> None:
        self._cards = tuple(cards)
        self.socket = home / "native"
        self._environment = {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "PULSE_SERVER": f"unix:{self.socket}",
        }
        self._channels = _CHANNELS[: len(cards)]

    def variables(self, microphone: str, loudspeaker: str) -> dict[str, str]:
        """Variables of the environment of a program that has these two cards and no others."""
        cards = {"PULSE_SOURCE": f"{microphone}-heard", "PULSE_SINK": loudspeaker}
        return {**self._environment, **cards}

    def play(self, card: str, pcm: Sound) -> None:
        """Play sound, mono at 16 kHz, into a card, to the end."""
        self._run("pacat", "--playback", "--device", card, "--channels", "1", given=pcm.tobytes())

    @contextlib.contextmanager
    def recording(self, path: Path) -> Iterator[None]:
        """Record all cards during the block; `recorded` reads it."""
        words = ("parec", "--device", "wire.monitor", "--channels", str(len(self._channels)))
        mapped = ("--channel-map", ",".join(self._channels))
        with path.open("wb") as file:
            recorder = subprocess.Popen(
                [*words, *mapped, *_FORMAT], env={**os.environ, **self._environment}, stdout=file
            )
            try:
                yield
            finally:
                recorder.terminate()
                recorder.wait(10)

    def recorded(self, path: Path, card: str) -> Sound:
        """What a card heard or played in a recording, at 16 kHz."""
        samples = np.fromfile(path, np.float32)
        count = len(self._channels)
        whole = samples[: len(samples) // count * count].reshape(-1, count)
        return np.ascontiguousarray(whole[:, self._cards.index(card)])

    def serve(self) -> subprocess.Popen[bytes]:
        """Start the server."""
        sink = "module-null-sink sink_name=wire rate=48000"
        modules = [
            f"module-native-protocol-unix auth-anonymous=1 socket={self.socket}",
            f"{sink} channels={len(self._channels)} channel_map={','.join(self._channels)}",
        ]
        for card, channel in zip(self._cards, self._channels, strict=True):
            same = f"channels=1 channel_map=mono master_channel_map={channel} remix=no"
            modules.append(f"module-remap-sink sink_name={card} master=wire {same}")
            heard = f"module-remap-source source_name={card}-heard"
            modules.append(f"{heard} master=wire.monitor {same}")
        loads = [word for module in modules for word in ("-L", module)]
        return subprocess.Popen(
            [str(_SERVER), "-n", "--daemonize=no", "--exit-idle-time=-1", *loads],
            env={**os.environ, **self._environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def answers(self) -> bool:
        """Whether the server has all cards."""
        listed = self._run("pactl", "list", "short", "sources", check=False)
        return f"{self._cards[-1]}-heard" in listed

    def _run(self, *words: str, given: bytes = b"", check: bool = True) -> str:
        words = (*words, *_FORMAT) if given else words
        run = subprocess.run(
            words,
            input=given,
            env={**os.environ, **self._environment},
            capture_output=True,
            check=check,
            timeout=120,
        )
        return run.stdout.decode()


@contextlib.contextmanager
def pulse(folder: Path, cards: Sequence[str]) -> Iterator[Pulse]:
    """A server that runs during the block. The test is skipped where it cannot run, or where
    PortAudio is not installed.
    """
    try:
        portaudio()
    except (DeviceError, ImportError) as error:
        pytest.skip(str(error))
    home = folder / "pulse"
    home.mkdir()
    (home / ".asoundrc").write_text("pcm.!default pulse\nctl.!default pulse\n")
    made = Pulse(home, cards)
    server = made.serve()
    try:
        ends = time.monotonic() + 30
        while not made.answers():
            if server.poll() is not None or time.monotonic() > ends:
                pytest.skip("PulseAudio does not run here")
            time.sleep(0.1)
        yield made
    finally:
        server.terminate()
        server.wait(10)


def lags(
    given: Sound, came: Sound, piece_s: float = 3.0, longest_s: float = 4.0
) -> list[tuple[float, float]]:
    """By how many seconds a sound comes after another, for each piece of it; and how much alike
    both are then (1: the same). They are compared by their spectra every 10 ms, which coding and
    stretching leave alike.
    """
    first, second = _spectra(given), _spectra(came)
    piece, most = round(piece_s / _HOP_S), round(longest_s / _HOP_S)
    found = []
    for at in range(0, min(len(first), len(second)) - piece - most, piece):
        one = first[at : at + piece] - first[at : at + piece].mean(0)
        alike = []
        for late in range(most):
            other = second[at + late : at + late + piece]
            other = other - other.mean(0)
            power = float(np.sqrt((one**2).sum() * (other**2).sum()))
            alike.append(float((one * other).sum()) / max(power, 1e-9))
        best = int(np.argmax(alike))
        found.append((best * _HOP_S, alike[best]))
    return found


_HOP_S = 0.01


def _spectra(pcm: Sound) -> npt.NDArray[np.float64]:
    """Roots of magnitudes `[n, bins]` below 4 kHz, in windows of 32 ms."""
    windows = np.lib.stride_tricks.sliding_window_view(pcm, 512)[:: round(RATE * _HOP_S)]
    return np.asarray(np.sqrt(np.abs(np.fft.rfft(windows * np.hanning(512), axis=1))[:, 2:128]))
