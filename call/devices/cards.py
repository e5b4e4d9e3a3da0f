"""`SoundCards`: microphone and loudspeaker by sounddevice, also when they are unplugged and come
back.

Many sound cards run at 44.1 or 48 kHz only, so PyAV's resampler converts from and to 16 kHz. Input
and output are two streams, because a single one for both broke in tests with PulseAudio. PortAudio
sees a new card only when it starts again, which ends all of its streams. While one card works and
another is missing, a second process therefore looks which cards there are (`CardList`), and
PortAudio starts again only when that process sees a card that was not there before.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from ...codec.sound.opus import SAMPLE_RATE
from .card_list import CardList, Named, named, portaudio
from .ports import DeviceEvent, Sound
from .resampling import Resampler

__all__ = ["SoundCards"]

_BLOCK_S = 0.04  # with 20 ms, PulseAudio on a busy machine made pauses of a second
_AHEAD = SAMPLE_RATE * 8 // 100  # samples that wait for the loudspeaker
_MOST_S = 1.0  # of recorded sound that waits; older is dropped
_SILENT_S = 3.0  # without a call of PortAudio, a card counts as unplugged
_AGAIN_S = 2.0  # between attempts to open a card that is missing
_LOOK_S = 10.0  # between two looks at the cards that there are, while one of them works
_RATES = (16000, 48000, 44100)  # the first that the card takes


class SoundCards:
    """A microphone and a loudspeaker, or one of them.

    Args:
        microphone: number or part of the name; None takes the system's.
        loudspeaker: the same for the loudspeaker.
        hears: whether a microphone is wanted. Without it none is opened, and no sound comes.
        plays: the same for the loudspeaker.
        module: `sounddevice`; tests give one of their own.
        looks: tells which cards there are now, without disturbing those that are open; None from it
            means that this is not known. The default asks a second process.

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
        hears: bool = True,
        plays: bool = True,
        module: Any = None,
        looks: Callable[[], frozenset[Named] | None] | None = None,
    ) -> None:
        self._sd = module or portaudio()
        self._looks = looks or CardList().look
        self.silent = 0
        self._lock = threading.Lock()
        self._events: deque[DeviceEvent] = deque(maxlen=32)
        self._level = 0.0
        self._recorded: deque[Sound] = deque()
        self._waiting: deque[Sound] = deque()
        self._ahead = 0
        self._cards: dict[str, _Card] = {}
        if hears:
            self._cards["microphone"] = _Card("microphone", microphone)
        if plays:
            self._cards["loudspeaker"] = _Card("loudspeaker", loudspeaker)
        self._closing = threading.Event()
        self._known = self._listed()  # the cards of the last look
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
        card = self._cards.get("loudspeaker")
        if card is None or card.stream is None:
            return 0
        with self._lock:
            return max(0, _AHEAD - self._ahead)

    def play(self, pcm: Sound) -> None:
        """Play sound after what waits already."""
        card = self._cards.get("loudspeaker")
        with self._lock:
            if len(pcm) and card is not None and card.stream is not None:
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
                if "device -1" not in str(error):  # PortAudio's words for: there is none
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
        tried = looked = time.monotonic()
        while not self._closing.wait(0.25):
            now = time.monotonic()
            for card in self._cards.values():
                if card.stream is not None and now - card.called > _SILENT_S:
                    card.shut()
                    self._lost(card)
            missing = [card for card in self._cards.values() if card.stream is None]
            if not missing or now - tried <= _AGAIN_S:
                continue
            tried = now
            if len(missing) == len(self._cards):
                self._begin_anew()
                continue
            for card in missing:  # the list of cards may be right, as where one was in use
                self._open(card)
            missing = [card for card in missing if card.stream is None]
            if missing and now - looked > _LOOK_S:
                looked = now
                self._look(missing)

    def _lost(self, card: _Card) -> None:
        """Say that a card was unplugged. Any card that is there at the next look may replace it, so
        PortAudio then starts again once.
        """
        if card.records:
            self._level = 0.0
        self._known = frozenset(one for one in self._known if one.kind != card.kind)
        self._say(card, False, f"the {card.kind} was unplugged")

    def _look(self, missing: list[_Card]) -> None:
        """Let PortAudio look for cards again, but only if a card that may be a missing one was
        plugged in: the cards that work fall silent for a moment.
        """
        there = self._looks()
        if there is None or self._closing.is_set():
            return
        came, self._known = there - self._known, there
        if any(card.may_be(one) for card in missing for one in came):
            self._begin_anew()
            self._known |= there  # should this process not see all of them, once was enough

    def _begin_anew(self) -> None:
        """Let PortAudio look for cards again; every stream ends and is opened anew."""
        for card in self._cards.values():
            card.shut()
        self._level = 0.0
        self._sd._terminate()
        self._sd._initialize()
        self._known = self._listed()
        for card in self._cards.values():
            self._open(card)

    def _listed(self) -> frozenset[Named]:
        """The cards that PortAudio saw when it started."""
        try:
            return named(self._sd.query_devices())
        except (self._sd.PortAudioError, OSError):
            return frozenset()

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

    def may_be(self, one: Named) -> bool:
        """Whether a card that was plugged in may be this one, by its kind and its name."""
        words = self.device.lower().split() if isinstance(self.device, str) else []
        return one.kind == self.kind and all(word in one.name.lower() for word in words)

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
