"""Sound cards: a PortAudio of our own for what goes wrong, and PulseAudio's null sink for sound."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facewire.call.devices import cards as module
from facewire.call.devices.card_list import CardList, Named, list_cards, portaudio
from facewire.call.devices.cards import SoundCards
from facewire.call.devices.resampling import Resampler
from facewire.codec.errors import DeviceError

from ..pulse import needs_pulse, pulse


class FakeStream:
    def __init__(self, owner: FakeAudio, **settings: Any) -> None:
        if settings["kind"] not in owner.there or settings["samplerate"] not in owner.rates:
            raise owner.PortAudioError("Error querying device -1")
        self.settings = settings
        self.callback = settings["callback"]
        self.closed = False
        owner.streams.append(self)

    def start(self) -> None:
        pass

    def close(self, ignore_errors: bool = True) -> None:
        self.closed = True


class FakeAudio:
    """As the module `sounddevice`.

    Args:
        there: the kinds of streams for which there is a card.
        rates: that it takes.
    """

    class PortAudioError(Exception):
        pass

    def __init__(
        self, *, there: tuple[str, ...] = ("in", "out"), rates: tuple[int, ...] = (48000,)
    ) -> None:
        self.there, self.rates = there, rates
        self.streams: list[FakeStream] = []
        self.begun = 0

    def InputStream(self, **settings: Any) -> FakeStream:
        return FakeStream(self, kind="in", **settings)

    def OutputStream(self, **settings: Any) -> FakeStream:
        return FakeStream(self, kind="out", **settings)

    def _terminate(self) -> None:
        pass

    def _initialize(self) -> None:
        self.begun += 1

    def query_devices(self) -> list[dict[str, Any]]:
        return [
            {
                "name": "both",
                "max_input_channels": 2 * ("in" in self.there),
                "max_output_channels": 2 * ("out" in self.there),
            },
            {"name": "none", "max_input_channels": 0, "max_output_channels": 0},
        ]


def tick(audio: FakeAudio, recorded: float = 0.0) -> Any:
    """What PortAudio's thread does each 40 ms; what was played."""
    played = None
    for stream in [s for s in audio.streams if not s.closed]:
        frames = stream.settings["blocksize"]
        data = np.full((frames, 1), recorded, np.float32)
        stream.callback(data, frames, None, None)
        if stream.settings["kind"] == "out":
            played = data[:, 0]
    return played


def until(what: Callable[[], object]) -> None:
    for _ in range(1000):
        if what():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def test_a_card_of_48_khz_hears_and_plays() -> None:
    audio = FakeAudio()
    cards = SoundCards(module=audio)
    assert [event.works for event in cards.events()] == [True, True]
    for _ in range(25):
        tick(audio, 0.5)
    heard = cards.listen(0.0)
    assert abs(len(heard) - 16000) < 400
    assert abs(heard[4000:12000] - 0.5).max() < 0.01
    assert 0.85 < cards.level <= 1
    assert len(cards.listen(0.0)) == 0
    wanted = cards.wants(0.0)
    assert 0 < wanted < 2000
    cards.play(np.full(wanted, 0.25, np.float32))
    played = np.concatenate([tick(audio) for _ in range(2)])
    assert abs(played[300:1500] - 0.25).max() < 0.05
    cards.close()
    assert all(stream.closed for stream in audio.streams)


def test_nothing_to_play_is_silence_and_counted() -> None:
    audio = FakeAudio(rates=(16000,))
    cards = SoundCards(module=audio)
    assert not tick(audio).any()
    assert cards.silent == 640
    cards.close()


def test_recorded_sound_that_nobody_takes_is_bounded() -> None:
    audio = FakeAudio(rates=(16000,))
    cards = SoundCards(module=audio)
    for _ in range(500):
        tick(audio)
    assert len(cards.listen(0.0)) <= 17000
    cards.close()


def test_unplugged_and_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SILENT_S", 0.3)
    monkeypatch.setattr(module, "_AGAIN_S", 0.1)
    audio = FakeAudio()
    cards = SoundCards(module=audio)
    assert [event.works for event in cards.events()] == [True, True]
    audio.there = ()
    events: list[Any] = []
    until(lambda: events.extend(cards.events()) or len(events) >= 2)
    assert {event.device for event in events} == {"microphone", "loudspeaker"}
    assert not any(event.works for event in events)
    assert cards.wants(0.0) == 0
    cards.play(np.zeros(10, np.float32))  # goes nowhere
    audio.there = ("in", "out")
    events.clear()
    until(lambda: events.extend(cards.events()) or len(events) >= 2)
    assert all(event.works for event in events[:2])
    assert audio.begun >= 1
    cards.close()


def test_no_card() -> None:
    cards = SoundCards(module=FakeAudio(there=()))
    events = cards.events()
    assert [event.works for event in events] == [False, False]
    assert events[0].sentence == "there is no microphone that can be used: no card was found"
    cards.close()


@pytest.mark.parametrize(
    ("wanted", "kinds"),
    [
        ({"hears": False}, ["out"]),
        ({"plays": False}, ["in"]),
        ({"hears": False, "plays": False}, []),
    ],
)
def test_a_card_that_is_not_wanted_is_not_opened(
    monkeypatch: pytest.MonkeyPatch, wanted: dict[str, bool], kinds: list[str]
) -> None:
    """Not at the start, and not when cards are opened again."""
    monkeypatch.setattr(module, "_SILENT_S", 0.1)
    monkeypatch.setattr(module, "_AGAIN_S", 0.05)
    audio = FakeAudio()
    cards = SoundCards(module=audio, **wanted)
    if kinds:
        until(lambda: audio.begun > 0)  # it was silent, and is opened again
    assert {stream.settings["kind"] for stream in audio.streams} == set(kinds)
    assert {event.device[:3] for event in cards.events()} == {
        {"in": "mic", "out": "lou"}[kind] for kind in kinds
    }
    if "in" not in kinds:
        assert len(cards.listen(0.0)) == 0
    if "out" not in kinds:
        assert cards.wants(0.0) == 0
        cards.play(np.zeros(10, np.float32))
    cards.close()


class Looks:
    """What another process sees of a `FakeAudio`'s cards."""

    def __init__(self, audio: FakeAudio, *also: Named) -> None:
        self._audio, self._also, self.count = audio, also, 0

    def __call__(self) -> frozenset[Named] | None:
        self.count += 1
        kinds = {"in": "microphone", "out": "loudspeaker"}
        there = {Named(kinds[kind], "both") for kind in self._audio.there}
        return frozenset(there | set(self._also))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_S", 0.05)
    monkeypatch.setattr(module, "_LOOK_S", 0.1)


def playing(audio: FakeAudio, what: Callable[[], object]) -> None:
    """Wait for something while sound goes on."""
    until(lambda: (tick(audio), what())[1])


@pytest.mark.usefixtures("quick")
def test_a_missing_card_does_not_disturb_the_one_that_works() -> None:
    audio = FakeAudio(there=("out",))
    other = Named("microphone", "another one")  # as a card that another program has in use
    looks = Looks(audio)
    cards = SoundCards(module=audio, looks=looks)
    missing = [event.sentence for event in cards.events() if not event.works]
    assert len(missing) == 1
    assert "there is no microphone" in missing[0]
    playing(audio, lambda: looks.count >= 3)
    assert audio.begun == 0
    assert [stream.closed for stream in audio.streams] == [False]
    assert cards.events() == []
    cards.close()

    looks = Looks(audio, other)
    cards = SoundCards("usb", module=audio, looks=looks)  # it is no card of that name
    playing(audio, lambda: looks.count >= 3)
    assert audio.begun == 0
    cards.close()

    looks = Looks(audio, other)
    cards = SoundCards(module=audio, looks=looks)  # it may be, but cannot be opened: once is enough
    playing(audio, lambda: looks.count >= 4)
    assert audio.begun == 1
    cards.close()


@pytest.mark.usefixtures("quick")
def test_a_card_that_is_plugged_in_is_found_beside_one_that_works() -> None:
    """PortAudio does not see it until it starts again; here a fake does that."""
    audio = FakeAudio(there=("out",))
    looks = Looks(audio, Named("microphone", "usb headset"))

    def initialize() -> None:
        audio.begun += 1
        audio.there = ("in", "out")

    audio._initialize = initialize  # type: ignore[method-assign]
    cards = SoundCards("USB", module=audio, looks=looks)
    cards.events()
    events: list[Any] = []
    playing(audio, lambda: events.extend(cards.events()) or events)
    assert [(event.device, event.works) for event in events] == [("microphone", True)]
    assert audio.begun == 1
    cards.close()


@pytest.mark.usefixtures("quick")
def test_a_card_that_comes_back_needs_no_new_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it has the same place as before, it is opened while the other one goes on."""
    monkeypatch.setattr(module, "_SILENT_S", 1.0)
    audio = FakeAudio()
    cards = SoundCards(module=audio, looks=lambda: None)
    cards.events()
    audio.there = ("out",)
    events: list[Any] = []

    def go_on() -> object:
        for stream in audio.streams:
            if stream.settings["kind"] == "out" and not stream.closed:
                frames = stream.settings["blocksize"]
                stream.callback(np.zeros((frames, 1), np.float32), frames, None, None)
        events.extend(cards.events())
        return events

    until(go_on)
    assert [event.sentence for event in events] == ["the microphone was unplugged"]
    assert cards.level == 0
    time.sleep(0.3)
    events.clear()
    audio.there = ("in", "out")
    until(go_on)
    assert [event.sentence for event in events] == ["the microphone works"]
    assert audio.begun == 0
    assert [s.settings["kind"] for s in audio.streams if not s.closed] == ["out", "in"]
    cards.close()


def test_another_process_lists_the_cards(tmp_path: Path) -> None:
    card = "{'name': 'usb', 'max_input_channels': 1, 'max_output_channels': 0}"
    command = [sys.executable, "-c", f"import json; print(json.dumps([{card}]))"]
    assert CardList(command).look() == {Named("microphone", "usb")}
    for broken in ("print('[1]')", "print('{')", "raise SystemExit(1)"):
        assert CardList([sys.executable, "-c", broken]).look() is None
    assert CardList([str(tmp_path / "missing")]).look() is None
    try:
        portaudio()
    except (DeviceError, ImportError):
        assert CardList().look() is None
    else:
        assert CardList().look() is not None


def test_no_portaudio(tmp_path: Path) -> None:
    """In a process of its own, in which loading the library fails as it does without it."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from facewire.call.devices.card_list import portaudio\n"
        "from facewire.codec.errors import DeviceError\n"
        "try: portaudio()\n"
        "except DeviceError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "libportaudio2" in run.stdout


def test_listing() -> None:
    assert list_cards(FakeAudio()) == ["0: both (microphone, loudspeaker)"]


@pytest.mark.parametrize(("given", "wanted"), [(48000, 16000), (44100, 16000), (16000, 48000)])
def test_resampling(given: int, wanted: int) -> None:
    resampler = Resampler(given, wanted)
    tone = np.sin(2 * np.pi * 440 * np.arange(given) / given).astype(np.float32)
    out = np.concatenate([resampler.push(piece) for piece in np.array_split(tone, 50)])
    assert abs(len(out) - wanted) < wanted // 50
    middle = out[wanted // 4 : wanted // 2]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert abs(np.argmax(spectrum) * wanted / len(middle) - 440) < 5


LOOP = """
import time, numpy as np
from facewire.call.devices.cards import SoundCards
cards = SoundCards()
print([event.sentence for event in cards.events()])
heard, n, ends = [], 0, time.monotonic() + 4
while time.monotonic() < ends:
    wanted = cards.wants(0.0)
    if wanted:
        cards.play((0.3 * np.sin(2 * np.pi * 440 * (n + np.arange(wanted)) / 16000)).astype("f4"))
        n += wanted
    heard.append(cards.listen(0.0))
    time.sleep(0.005)
cards.close()
heard = np.concatenate(heard)
tail = heard[len(heard) // 2 :]
spectrum = np.abs(np.fft.rfft(tail * np.hanning(len(tail))))
print(len(heard), round(float(np.argmax(spectrum) * 16000 / max(1, len(tail)))), cards.silent)
"""


@needs_pulse
def test_a_null_sink_of_pulseaudio(tmp_path: Path) -> None:
    """What is played is heard again: the card's own sound is the microphone."""
    with pulse(tmp_path, ["card"]) as server:
        run = subprocess.run(
            [sys.executable, "-c", LOOP],
            capture_output=True,
            text=True,
            env={**os.environ, **server.variables("card", "card")},
            timeout=60,
            check=True,
        )
    lines = run.stdout.splitlines()
    assert "the microphone works" in lines[0]
    samples, pitch, _ = map(int, lines[1].split())
    assert samples > 24000
    assert abs(pitch - 440) < 5
