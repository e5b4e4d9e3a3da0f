"""Whom a call talks to that has a window (Xvfb), sound cards (PulseAudio) and an echo canceller."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from facewire.sender.tracking.capture import Capture

from .displays import needs_display, xvfb
from .programs import LINK
from .pulse import needs_pulse, pulse
from .watching import (
    asked_nobody_but,
    end_all,
    needs_strace,
    server_port,
    sockets_of_this_machine,
    wait_for,
    watched,
)

for _module in ("aiortc", "aiohttp", "cryptography"):
    pytest.importorskip(_module)
cv2 = pytest.importorskip("cv2")

JACK = re.compile(r"/dev/shm/jack_\w+")
"""PortAudio looks there for JACK, another server of sound."""

pytestmark = [pytest.mark.slow, *needs_display, needs_pulse, needs_strace]


def test_a_window_and_sound_cards_phone_nobody(
    frames: list[npt.NDArray[np.uint8]], clip: Path, tmp_path: Path
) -> None:
    """With the real networks, no name is looked up, and beside the link's server, only the display
    and servers of sound on this machine are connected to. The other side, a film, has none of them.

    A photograph speaks in place of a camera. Echo is cancelled where `livekit` is installed.
    """
    photo = tmp_path / "me.png"
    cv2.imwrite(str(photo), frames[0][..., ::-1])
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    said = [log.with_suffix(".out") for log in logs]
    words = ["call", "--network", "xs"]
    with xvfb() as display, pulse(tmp_path, ["ear", "mouth"]) as cards:
        variables = {**cards.variables("ear", "mouth"), "DISPLAY": display}
        live = ["--yes", "--speak", str(photo)]
        processes = [watched(logs[0], "facewire", *words, *live, variables=variables)]
        try:
            link = wait_for(processes, lambda: LINK.search(said[0].read_text()))[0]
            film = ["--in", str(clip), "--out", str(tmp_path / "two.mp4"), link]
            processes.append(watched(logs[1], "facewire", *words, *film))
            codes = [process.wait(300) for process in processes]
        finally:
            end_all(processes)
    texts = [path.read_text() for path in said]
    assert codes == [0, 0], texts
    assert all("the picture is signed" in text for text in texts)
    assert Capture(tmp_path / "two.mp4").info.timing.frames > 1
    cancels = importlib.util.find_spec("livekit") is not None
    print("echo was cancelled" if cancels else "livekit is not here: no echo was cancelled")
    assert ("use headphones" in texts[0]) != cancels
    for log in logs:
        asked_nobody_but(log, server_port(link))
    reached = sockets_of_this_machine(logs[0])
    assert {display_socket(display), str(cards.socket)} <= reached  # else the test sees nothing
    others = reached - {display_socket(display), str(cards.socket)}
    assert all(JACK.fullmatch(path) for path in others), others
    assert sockets_of_this_machine(logs[1]) == set()


def display_socket(display: str) -> str:
    return f"@/tmp/.X11-unix/X{display[1:]}"  # Linux: an abstract one
