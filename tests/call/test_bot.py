"""`examples/call_bot.py` holds a call with another side, over loopback and a real server."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from facewire.call.abilities import Abilities
from facewire.call.config import CallConfig
from facewire.call.devices.files import FileSink
from facewire.call.line.line import LineState
from facewire.call.line.line_thread import LineSettings, LineThread
from facewire.call.session import CallSession
from facewire.call.signing import PublicKey, SigningKey
from facewire.call.workers import CallWorkers
from facewire.models.weights import shipped
from facewire.receiver.decoder import Decoder
from facewire.sender.encoder import Encoder
from facewire.sender.tracking.capture import Capture

from .sides import BLOCK, NoGenerator, SwayingFace, picture, voice

for _module in ("aiortc", "aiohttp", "cryptography", "cv2"):
    pytest.importorskip(_module)

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "call_bot.py"


def bot() -> ModuleType:
    spec = importlib.util.spec_from_file_location("call_bot", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def small(card: Path) -> CallSession:
    """A session without networks."""
    config = CallConfig(kbps=40, reliable=True)
    coding = replace(config.encoder, model=str(card), crop=False)
    encoder = Encoder(coding, fps=config.fps, tracker=SwayingFace())
    decoder = Decoder(config.decoder, generator=NoGenerator())
    return CallSession(config, now=time.monotonic(), encoder=encoder, decoder=decoder)


def test_the_bot_holds_a_call(
    card: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, key, seen = bot(), SigningKey(), tmp_path / "seen.mp4"
    monkeypatch.setattr(module, "make_session", lambda: small(card))
    monkeypatch.setattr(CallSession, "prepare", lambda self: None)
    loaded = list[str]()
    monkeypatch.setattr(Decoder, "prepare", lambda self, network: loaded.append(network))
    monkeypatch.setattr(module.FileSource, "ended", False)  # we leave
    sinks: list[FileSink] = []
    monkeypatch.setattr(module, "FileSink", lambda path: sinks.append(FileSink(path)) or sinks[0])
    own, counts = Abilities.here("s", key.public), list[int]()
    with CallWorkers(small(card)) as workers:
        line = LineThread(
            LineSettings(host="127.0.0.1"),
            abilities=bytes(own),
            check=lambda data, ends: workers.bind(key, PublicKey(Abilities.parse(data).key), ends),
        )
        line.start()
        assert line.link is not None
        link = str(line.link)
        other = threading.Thread(target=lambda: counts.append(module.answer(link, clip, seen)))
        other.start()
        started, turn, ends = False, 0, time.monotonic() + 90
        try:
            while workers.statistics.shown <= 3 or not sinks or sinks[0].pictures <= 3:
                now = time.monotonic()
                assert now < ends, workers.statistics
                assert line.state is not LineState.ENDED, line.error
                for datagram in line.receive():
                    workers.receive(datagram, now)
                if line.state is LineState.CONNECTED and not started:
                    workers.start(line.send)
                    started = True
                if started:
                    workers.see(picture(), now)
                    workers.hear(voice(turn * BLOCK, BLOCK), now)
                    workers.sound(BLOCK, now)
                    turn += 1
                line.wait(0.02)
            workers.leave(time.monotonic())
            other.join(60)
            assert not other.is_alive()
        finally:
            line.close()
    assert workers.statistics.proven
    assert workers.statistics.unproven == 0
    assert counts[0] > 3
    assert sorted(loaded) == shipped()  # the other side may send for any of them
    film = Capture(seen)
    assert film.info.timing.frames > 3
    assert film.info.has_sound


@pytest.mark.parametrize(
    ("words", "sentence"), [([], "usage"), (["nonsense", "a.mp4", "b.mp4"], "not a link")]
)
def test_what_is_said_of_wrong_words(words: list[str], sentence: str) -> None:
    run = subprocess.run(
        [sys.executable, str(EXAMPLE), *words], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr
