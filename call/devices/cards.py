"""`SoundCards`: microphone and loudspeaker by sounddevice, also when they are unplugged and come
back.

Many sound cards run at 44.1 or 48 kHz only, so PyAV's resampler converts from and to 16 kHz. Input
and output are two streams, because a single one for both broke in tests with PulseAudio. PortAudio
sees a new card only when it starts again, which ends all of its streams; so both are opened again
together.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

import numpy as np

from ...codec.errors import DeviceError, MissingExtraError
from ...codec.sound.opus import SAMPLE_RATE
from .ports import DeviceEvent, Sound
from .resampling import Resampler

__all__ = ["SoundCards", "list_cards", "portaudio"]

_BLOCK_S = 0.04  # with 20 ms, PulseAudio on a busy machine made pauses of a second
_AHEAD = SAMPLE_RATE * 8 // 100  # samples that wait for the loudspeaker
_MOST_S = 1.0  # of recorded sound that waits; older is dropped
_SILENT_S = 3.0  # without a call of PortAudio, a card counts as unplugged
_AGAIN_S = 2.0
_RATES = (16000, 48000, 44100)  # the first that the card takes


def portaudio() -> Any:
    """Import the module `sounddevice`.

    Raises:
        MissingExtraError: it is not installed.
        DeviceError: PortAudio, which it needs, is not installed.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise MissingExtraError("sound in a call", "call") from error
    except OSError as error:
        raise DeviceError(
            "there is no sound without the library PortAudio: install libportaudio2 (Debian, "
            "Ubuntu), or portaudio (Fedora, Arch, Homebrew)"
        ) from error
    return sounddevice


class SoundCards:
    """A microphone and a loudspeaker.

    Args:
        microphone: number or part of the name; None takes the system's.
        loudspeaker: the same for the loudspeaker.
        module: `sounddevice`; tests give one of their own.

    Attributes:
        silent: how many samples of silence the loudspeaker got because there was no sound.

    Raises:
        MissingExtraError, DeviceError: as `portaudio`. A card that is missing raises nothing.
    """

    def __init__(
        self,
        microphone: int | str | None = None,
        loudspeaker: int | str | None = None,
        *,
        module: Any = None,
    ) -> None:
        self._sd = module or portaudio()
        self.silent = 0
        self._lock = threading.Lock()
        self._events: deque[DeviceEvent] = deque(maxlen=32)
        self._level = 0.0
        self._recorded: deque[Sound] = deque()
        self._waiting: deque[Sound] = deque()
        self._ahead = 0
        self._cards = {
            "microphone": _Card("microphone", microphone),
            "loudspeaker": _Card("loudspeaker", loudspeaker),
        }
        self._closing = threading.Event()
        for card in self._cards.values():
            self._open(card)
        self._thread = threading.Thread(target=self._watch, name="facewire-sound", daemon=True)
        self._thread.start()

    @property
    def level(self) -> float:
        """How loud the microphone is now: 0 below -60 dBFS, 1 at 0 dBFS."""
        return self._level

    def listen(self, now: float) -> Sound:
        """What was recorded since the last call."""
        with self._lock:
            parts = list(self._recorded)
            self._recorded.clear()
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def wants(self, now: float) -> int:
        """How many samples the loudspeaker lacks; 0 without a loudspeaker."""
        if self._cards["loudspeaker"].stream is None:
            return 0
        with self._lock:
            return max(0, _AHEAD - self._ahead)

    def play(self, pcm: Sound) -> None:
        """Play sound after what waits already."""
        card = self._cards["loudspeaker"]
        with self._lock:
            if len(pcm) and card.stream is not None:
                self._waiting.append(card.resampler.push(pcm))
                self._ahead += len(pcm)

    def events(self) -> list[DeviceEvent]:
        """What happened since the last call."""
        with self._lock:
            found = list(self._events)
            self._events.clear()
        return found

    def close(self) -> None:
        """Give both cards back."""
        self._closing.set()
        if self._thread is not threading.current_thread():
            self._thread.join(3.0)
        for card in self._cards.values():
            card.shut()

    # -- streams

    def _open(self, card: _Card) -> None:
        """Open a card at a rate that it supports; an event tells whether that worked."""
        reason = "no card was found"
        for rate in _RATES:
            try:
                card.open(self._sd, rate, self._heard if card.records else self._asked)
            except (self._sd.PortAudioError, ValueError, OSError) as error:
                reason = str(error).partition("[")[0].strip() or reason
                card.shut()
                continue
            self._say(card, True, f"the {card.kind} works")
            return
        self._say(card, False, f"there is no {card.kind} that can be used: {reason}")

    def _heard(self, data: Any, frames: int, at: Any, status: Any) -> None:
        """PortAudio's thread: recorded sound, float32 `[frames, 1]`."""
        card = self._cards["microphone"]
        card.called = time.monotonic()
        pcm = card.resampler.push(np.array(data[:, 0], np.float32))
        loud = float(np.sqrt(np.mean(np.square(data)))) if frames else 0.0
        self._level = min(1.0, max(0.0, 1 + np.log10(max(loud, 1e-6)) / 3))
        with self._lock:
            self._recorded.append(pcm)
            while len(self._recorded) * _BLOCK_S > _MOST_S:
                self._recorded.popleft()

    def _asked(self, out: Any, frames: int, at: Any, status: Any) -> None:
        """PortAudio's thread: fill float32 `[frames, 1]`."""
        card = self._cards["loudspeaker"]
        card.called = time.monotonic()
        filled = 0
        with self._lock:
            while filled < frames and self._waiting:
                piece = self._waiting.popleft()
                part = piece[: frames - filled]
                if len(part) < len(piece):
                    self._waiting.appendleft(piece[len(part) :])
                out[filled : filled + len(part), 0] = part
                filled += len(part)
            left = sum(len(piece) for piece in self._waiting)
            self._ahead = round(left * SAMPLE_RATE / card.rate)
        out[filled:] = 0
        self.silent += round((frames - filled) * SAMPLE_RATE / card.rate)

    def _watch(self) -> None:
        """Notice cards that were unplugged, and try to find them again."""
        tried = time.monotonic()
        while not self._closing.wait(0.25):
            now = time.monotonic()
            for card in self._cards.values():
                if card.stream is not None and now - card.called > _SILENT_S:
                    card.shut()
                    self._say(card, False, f"the {card.kind} was unplugged")
            missing = [card for card in self._cards.values() if card.stream is None]
            if missing and now - tried > _AGAIN_S:
                tried = now
                self._begin_anew()

    def _begin_anew(self) -> None:
        """Let PortAudio look for cards again; every stream ends and is opened anew."""
        for card in self._cards.values():
            card.shut()
        self._level = 0.0
        self._sd._terminate()
        self._sd._initialize()
        for card in self._cards.values():
            self._open(card)

    def _say(self, card: _Card, works: bool, sentence: str) -> None:
        if card.works != works:
            card.works = works
            with self._lock:
                self._events.append(DeviceEvent(card.kind, works, sentence))


class _Card:
    """One of the two streams."""

    def __init__(self, kind: str, device: int | str | None) -> None:
        self.kind, self.device = kind, device
        self.records = kind == "microphone"
        self.stream: Any = None
        self.works: bool | None = None
        self.rate = SAMPLE_RATE
        self.called = 0.0
        self.resampler = Resampler(SAMPLE_RATE, SAMPLE_RATE)

    def open(self, module: Any, rate: int, callback: Any) -> None:
        """Open and start the stream; raises what PortAudio raises."""
        rates = (rate, SAMPLE_RATE) if self.records else (SAMPLE_RATE, rate)
        self.resampler, self.rate = Resampler(*rates), rate
        kind = module.InputStream if self.records else module.OutputStream
        self.stream = kind(
            samplerate=rate,
            blocksize=round(rate * _BLOCK_S),
            device=self.device,
            channels=1,
            dtype="float32",
            latency="high",
            callback=callback,
        )
        self.called = time.monotonic()
        self.stream.start()

    def shut(self) -> None:
        """Close the stream, whatever state the card is in."""
        stream, self.stream = self.stream, None
        if stream is not None:
            try:
                stream.close(ignore_errors=True)
            except Exception:  # an unplugged card may raise anything; it is gone
                self.called = 0.0


def list_cards(module: Any = None) -> list[str]:
    """Names of microphones and loudspeakers, one in a line. Raises what `portaudio` raises."""
    sd = module or portaudio()
    lines = []
    for number, card in enumerate(sd.query_devices()):
        kinds = [
            kind
            for kind, key in (("microphone", "input"), ("loudspeaker", "output"))
            if card[f"max_{key}_channels"] > 0
        ]
        if kinds:
            lines.append(f"{number}: {card['name']} ({', '.join(kinds)})")
    return lines
