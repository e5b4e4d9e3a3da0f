"""Sound files of every kind, read as a video of a photograph."""

from __future__ import annotations

import logging
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from facewire.codec.errors import ConfigError, MediaError, NotAVideoError
from facewire.sender.performing.voice import Voice
from facewire.sender.photo import Portrait

PORTRAIT = Portrait(np.full((80, 100, 3), 90, np.uint8))


def write(path: Path, rate: int, seconds: float, channels: int = 1, level: float = 0.5) -> Path:
    """A tone of 200 Hz, as a WAV file."""
    time = np.arange(round(rate * seconds)) / rate
    tone = (32_000 * level * np.sin(2 * np.pi * 200 * time)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(np.repeat(tone[:, None], channels, 1).tobytes())
    return path


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16_000, 1), (44_100, 2), (96_000, 2)])
def test_any_rate_and_channels(tmp_path: Path, rate: int, channels: int) -> None:
    voice = Voice(write(tmp_path / "a.wav", rate, 1.03, channels), PORTRAIT)
    assert (voice.info.width, voice.info.height) == (100, 80)
    assert voice.info.timing.frames == 26
    assert voice.info.timing.duration_s == Fraction(26, 25)
    pcm = np.concatenate(list(voice.sound()))
    assert len(pcm) == pytest.approx(1.03 * 16_000, abs=200)
    assert np.abs(pcm).max() == pytest.approx(0.5, rel=0.05)
    frames = list(voice.frames())
    assert [seconds for _, seconds in frames] == [Fraction(n, 25) for n in range(26)]
    assert all(frame is PORTRAIT.picture for frame, _ in frames)


def test_channels_that_cancel_each_other_out_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "a.wav", 16_000, 4, 2)
    pcm = np.frombuffer(path.read_bytes()[44:], "<i2").reshape(-1, 2).copy()
    pcm[3 * 16_000 :, 1] *= -1
    path.write_bytes(path.read_bytes()[:44] + pcm.tobytes())
    voice = Voice(path, PORTRAIT)
    sound = np.concatenate(list(voice.sound()))
    assert np.abs(sound[-8000:-2000]).max() == pytest.approx(0.5, rel=0.05)
    assert caplog.text.count("from 3.0 s on, the channels of its sound cancel each other out") == 1


def test_a_blink_of_sound(tmp_path: Path) -> None:
    assert Voice(write(tmp_path / "a.wav", 16_000, 0.001), PORTRAIT).info.timing.frames == 1


def test_the_sound_of_a_video(clip: Path) -> None:
    assert Voice(clip, PORTRAIT).info.timing.frames == pytest.approx(75, abs=3)


def test_compressed_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libopus", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.float32), "flt", "mono")
        frame.sample_rate = 48_000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    assert Voice(path, PORTRAIT).info.timing.frames == pytest.approx(25, abs=1)


def test_silence_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        voice = Voice(write(tmp_path / "still.wav", 16_000, 1, level=0), PORTRAIT)
    assert "silent from beginning to end: the mouth will rest" in caplog.text
    assert voice.info.timing.frames == 25


def test_what_is_no_sound(tmp_path: Path, video: Callable[..., Path]) -> None:
    with pytest.raises(MediaError, match="has no sound"):
        Voice(video(), PORTRAIT)
    text = tmp_path / "notes.txt"
    text.write_text("la la la")
    with pytest.raises(MediaError, match="cannot be read as sound"):
        Voice(text, PORTRAIT)
    with pytest.raises(NotAVideoError, match="no such file"):
        Voice(tmp_path / "none.wav", PORTRAIT)
    with pytest.raises(MediaError, match="is empty"):
        Voice(write(tmp_path / "nothing.wav", 16_000, 0), PORTRAIT)
    with pytest.raises(ConfigError, match="there is no track 2"):
        Voice(write(tmp_path / "one.wav", 16_000, 1), PORTRAIT, 2)


def test_damage_is_said_once(clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "damaged.mka"
    with av.open(str(clip)) as old, av.open(str(path), "w", format="matroska") as new:
        stream = new.add_stream_from_template(old.streams.audio[0])
        for number, packet in enumerate(old.demux(audio=0)):
            if packet.size:
                part = av.Packet(bytes(packet) if number % 10 != 9 else b"\xff" * packet.size)
                part.pts, part.dts, part.time_base = packet.pts, packet.dts, packet.time_base
                part.is_keyframe, part.stream = True, stream
                new.mux(part)
    with caplog.at_level(logging.WARNING):
        voice = Voice(path, PORTRAIT)
        assert list(voice.sound())
    assert caplog.text.count("packets of its sound cannot be decoded") == 1
