"""Photographs that speak, through the whole encoder and decoder."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facewire.codec.errors import ConfigError, MediaError, NoFaceError
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.packet import Kind, Packet
from facewire.codec.picture.still import decode_picture
from facewire.receiver.talking.mouth import MouthPredictor
from facewire.sender.config import EncoderConfig
from facewire.sender.encoder import Encoder
from facewire.sender.observed import ObservedFrame
from facewire.sender.performing.performer import LAG
from facewire.sender.photo import Portrait
from tests.call.sides import voice

from .conftest import Frame
from .test_portrait import header, keyframes

RATE, BLOCK = 16_000, 640
UPPER_LIP, LOWER_LIP, NOSE = 5, 6, 0  # keypoints


@pytest.fixture(scope="module")
def mouths() -> MouthPredictor:
    return MouthPredictor(lookahead_ms=100)


def make(frame: Frame, mouths: MouthPredictor, consent: str | None = None, **more: Any) -> Encoder:
    portrait = Portrait(frame, consent, "me.png")
    config = EncoderConfig(portrait=portrait, driver="sound", profile="fp16", **more)
    live = more.get("plan_ahead_s") == 0
    duration = None if live else 3
    return Encoder(config, fps=25, duration_s=duration, mouths=mouths, session=lambda: 7)


def encode(encoder: Encoder, frame: Frame, sound: np.ndarray, count: int = 75) -> list[Packet]:
    """Sound is a quarter of a second ahead of the frames, as in files."""
    heard, packets = 0, list[Packet]()
    with encoder:
        for number in range(count):
            until = round((number / 25 + 0.25) * RATE)
            packets += encoder.encode(frame, sound[heard:until])
            heard = until
        return packets + encoder.flush()


def motion(packets: list[Packet]) -> np.ndarray:
    """Keypoints of each frame, `[T, 10, 2]`."""
    found = (MotionFrame.from_fp16(p.payload) for p in packets if p.kind == Kind.MOTION)
    return np.stack([each.value for each in found])


def test_a_file(frames: list[Frame], mouths: MouthPredictor) -> None:
    packets = encode(make(frames[0], mouths), frames[30], voice(0, 4 * RATE))
    about = header(packets)
    assert about.performed
    assert about.portrait == ""
    assert about.keeps_badge
    sent = keyframes(packets)
    assert len(sent) == 1  # whatever the frames show, and however the head moves
    shown = decode_picture(sent[0].picture)
    assert np.abs(shown.astype(int) - frames[0]).mean() < 12
    values = motion(packets)
    assert len(values) == 75
    assert np.ptp(values[:, NOSE], axis=0).max() > 0.01
    assert sum(packet.kind == Kind.AUDIO for packet in packets) >= 25


def test_the_mouth_follows_the_sound(frames: list[Frame], mouths: MouthPredictor) -> None:
    gaps = []
    for sound in (voice(0, 4 * RATE), np.zeros(4 * RATE, np.float32)):
        values = motion(encode(make(frames[0], mouths), frames[0], sound))
        gaps.append(values[:, LOWER_LIP, 1] - values[:, UPPER_LIP, 1])
    assert gaps[0].std() > 4 * gaps[1].std()


def test_seeds(frames: list[Frame], mouths: MouthPredictor) -> None:
    sound = voice(0, 2 * RATE)
    one, same, other = (
        motion(encode(make(frames[0], mouths, seed=seed), frames[0], sound, 25))
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_consent_travels(frames: list[Frame], mouths: MouthPredictor) -> None:
    made = make(frames[0], mouths, consent="Ada Lovelace, 2026-11-29")
    packets = encode(made, frames[0], voice(0, RATE), 5)
    assert header(packets).portrait == "Ada Lovelace, 2026-11-29"


def test_a_call_by_the_clock(frames: list[Frame], mouths: MouthPredictor) -> None:
    """In two threads, as `CallWorkers` does it: one looks, the other takes the sound."""
    packets, sound, seen = list[Packet](), voice(0, 3 * RATE), list[ObservedFrame]()
    with make(frames[0], mouths, plan_ahead_s=0, kbps=60.0) as encoder:
        encoder.prepare()
        assert encoder.shown is not None
        assert encoder.shown.shape == (256, 256, 3)
        packets += encoder.encode(now=5.0)
        for number in range(50):
            now = 5.0 + 0.04 * (number + 1)
            packets += encoder.encode(pcm=sound[number * BLOCK : (number + 1) * BLOCK], now=now)
            look = encoder.look(frames[0], now)
            if look is not None:
                seen.append(look)
                packets += encoder.encode(frame=look, now=now)
    assert header(packets).performed
    times = [one.pts / 25 for one in seen]
    assert len(times) >= 45
    assert times[-1] == pytest.approx(2.0 - float(LAG), abs=0.01)
    values = motion(packets)
    gap = values[:, LOWER_LIP, 1] - values[:, UPPER_LIP, 1]
    assert gap.std() > 0.003


def test_a_new_stream_begins_anew(frames: list[Frame], mouths: MouthPredictor) -> None:
    sound = voice(0, RATE)[:BLOCK]
    with make(frames[0], mouths, plan_ahead_s=0) as encoder:
        first = [bytes(p) for n in range(3) for p in encoder.encode(frames[0], sound)]
        encoder.reset()
        again = [bytes(p) for n in range(3) for p in encoder.encode(frames[0], sound)]
    assert first == again


def test_profile_pose(frames: list[Frame], mouths: MouthPredictor) -> None:
    config = EncoderConfig(portrait=Portrait(frames[0]), driver="sound", profile="pose")
    encoder = Encoder(config, fps=25, duration_s=1, mouths=mouths)
    packets = encode(encoder, frames[0], voice(0, 2 * RATE), 25)
    assert header(packets).profile == "pose"
    assert header(packets).performed


def test_photographs_that_cannot_speak(frames: list[Frame], mouths: MouthPredictor) -> None:
    two = np.concatenate([frames[0], frames[0]], 1)
    with pytest.raises(MediaError, match="2 faces"), make(two, mouths) as encoder:
        encoder.prepare()
    grey = np.full_like(frames[0], 90)
    with pytest.raises(NoFaceError, match=r"me\.png"), make(grey, mouths) as encoder:
        encoder.encode(grey, np.zeros(BLOCK, np.float32))


def test_settings_that_contradict_each_other(frames: list[Frame]) -> None:
    portrait = Portrait(frames[0])
    with pytest.raises(ConfigError, match="give a portrait"):
        EncoderConfig(driver="sound")
    with pytest.raises(ConfigError, match="rate of the sound"):
        EncoderConfig(driver="sound", portrait=portrait, audio_kbps=None)
    with pytest.raises(ConfigError, match="'camera' or 'sound'"):
        EncoderConfig(driver="wind")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="a seed is"):
        EncoderConfig(seed=-1)
    with pytest.raises(ConfigError, match="MouthPredictor"):
        Encoder(EncoderConfig(driver="sound", portrait=portrait))
