from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from facewire.codec.errors import ConfigError, RateError, UnsupportedError
from facewire.codec.motion.profiles import MotionSettings
from facewire.codec.packet import Flags, Kind, Packet
from facewire.codec.stream import AudioParameters, StreamHeader
from facewire.sender.config import EncoderConfig
from facewire.sender.rate.control import MIN_PICTURE, RateControl

SILENT = StreamHeader("avfr-s", bytes(32))
SPEAKING = StreamHeader("avfr-s", bytes(32), audio=AudioParameters())
TEN = Fraction(10)


def test_without_a_rate_there_is_always_room() -> None:
    rate = RateControl(EncoderConfig(), SILENT, TEN)
    assert rate.per_second is None
    assert rate.left(TEN) == float("inf")


def test_bpp_and_kbps_say_the_same() -> None:
    by_kbps = RateControl(EncoderConfig(kbps=50), SPEAKING, TEN)
    by_bpp = RateControl(EncoderConfig(bpp=50_000 / 25 / 65_536), SPEAKING, TEN)
    assert by_kbps.left(TEN) == pytest.approx(by_bpp.left(TEN))
    assert by_kbps.left(TEN) == pytest.approx(62_500, rel=0.01)


def test_what_is_sent_is_counted_with_its_headers() -> None:
    rate = RateControl(EncoderConfig(kbps=50), SPEAKING, TEN)
    before = rate.left(TEN)
    rate.count([Packet(Kind.MOTION, Flags.NONE, 0, 0, 0, bytes(100))] * 3)
    assert before - rate.left(TEN) == pytest.approx(3 * 112)
    rate.reset()
    assert rate.left(TEN) == pytest.approx(before)


@pytest.mark.parametrize(
    ("settings", "duration", "most"),
    [
        ({}, TEN, 603),  # twelve pictures of 60,000 bytes
        ({"references": 1}, TEN, 64),
        ({}, Fraction(600), 603),
        ({"keyframe_interval": 5.0}, TEN, 1188),
        ({"plan_ahead_s": 0}, TEN, 259),  # 25 datagrams
        ({}, None, 254),
    ],
)
def test_a_rate_that_nothing_can_use_is_said_at_once(
    settings: dict[str, Any],
    duration: Fraction | None,
    most: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("WARNING", logger="facewire"):
        RateControl(EncoderConfig(kbps=0.97 * most, **settings), SPEAKING, duration)
        assert not caplog.messages
        RateControl(EncoderConfig(kbps=2000, **settings), SPEAKING, duration)
    (message,) = caplog.messages
    assert message.startswith("2000 kbit/s cannot be used up")
    found = re.search(r"at most about (\d+)", message)
    assert found
    assert int(found[1]) == pytest.approx(most, rel=0.01)


@pytest.mark.parametrize("profile", ["fp16", "entropy"])
@pytest.mark.parametrize("header", [SILENT, SPEAKING])
@pytest.mark.parametrize("interval", ["auto", 2.0])
@pytest.mark.parametrize("duration", [Fraction(4, 25), TEN, Fraction(600), None])
def test_the_floor_in_the_sentence_is_enough_and_tight(
    profile: str, header: StreamHeader, interval: object, duration: Fraction | None
) -> None:
    settings: dict[str, object] = {"profile": profile, "keyframe_interval": interval}
    with pytest.raises(RateError) as caught:
        RateControl(EncoderConfig(kbps=0.001, **settings), header, duration)  # type: ignore[arg-type]
    found = re.search(r"at least ([\d.]+) kbps", str(caught.value))
    assert found
    floor = float(found[1])
    assert floor == pytest.approx(caught.value.least_kbps, abs=0.11)
    RateControl(EncoderConfig(kbps=floor, **settings), header, duration)  # type: ignore[arg-type]
    with pytest.raises(RateError):
        RateControl(EncoderConfig(kbps=floor - 0.2, **settings), header, duration)  # type: ignore[arg-type]


@pytest.mark.parametrize("room", [2000, 5000, 20_000])
def test_a_picture_of_that_size_fills_the_room(room: int) -> None:
    rate = RateControl(EncoderConfig(), SPEAKING, TEN)
    size = rate.picture_bytes(room, 300)
    assert MIN_PICTURE < size < room - 300
    small = rate.overhead(300)
    assert room - size >= small
    assert room - size - small < 30 * (room / 1000)


@pytest.mark.parametrize(
    "settings",
    [
        {"bpp": 0.02, "kbps": 30},
        {"bpp": 0},
        {"kbps": -1},
        {"kbps": float("nan")},
        {"kbps": 0},
        {"kbps": float("inf")},
        {"kbps": 1e9},
        {"bpp": -0.01},
        {"bpp": 1e6},
        {"bpp": -float("inf")},
        {"audio_kbps": 0.1},
        {"audio_kbps": 1000},
        {"keyframe_interval": "often"},
        {"keyframe_interval": 0},
        {"keyframe_bytes": 10},
        {"references": 0},
        {"references": 5},
        {"plan_ahead_s": -1},
        {"plan_ahead_s": 100},
        {"size": 255},
        {"size": 4096},
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        EncoderConfig(**settings)  # type: ignore[arg-type]


def test_room_is_kept_for_the_gaze() -> None:
    header = replace(SILENT, profile="entropy", tables=3)
    plain = replace(SILENT, profile="entropy")
    with_gaze, without = (RateControl(EncoderConfig(kbps=50), h, TEN) for h in (header, plain))
    assert with_gaze.motion == without.motion
    more = with_gaze.expected_motion(250) - without.expected_motion(250)
    assert 2 <= 8 * more / 250 <= 3


def test_unknown_profile() -> None:
    with pytest.raises(UnsupportedError, match="fp16"):
        EncoderConfig(profile="telepathy")


def test_the_fewer_bits_the_coarser_the_motion() -> None:
    """Finest where nothing is set or there is plenty; explicit settings stay."""

    def step(header: StreamHeader = SILENT, **settings: Any) -> int:
        config = EncoderConfig(audio_kbps=None if header is SILENT else 10, **settings)
        return RateControl(config, header, TEN).motion.step

    assert step() == step(kbps=40) == step(bpp=0.005) == 3
    assert 5 <= step(bpp=0.003) <= 8
    assert step(bpp=0.0015) == 10
    assert step(SPEAKING, kbps=40) == 3
    assert step(SPEAKING, kbps=15) > step(kbps=15)
    assert step(kbps=5, motion=MotionSettings(step=1)) == 1


def test_a_thousandth_of_a_bit_is_enough_for_a_face() -> None:
    with pytest.raises(RateError) as caught:
        RateControl(EncoderConfig(bpp=0.0005, audio_kbps=None), SILENT, TEN)
    assert caught.value.least_kbps < 0.0012 * 65.536 * 25
