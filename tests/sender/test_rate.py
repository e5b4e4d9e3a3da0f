from __future__ import annotations

import re
from fractions import Fraction

import pytest

from facewire.codec.errors import ConfigError, UnsupportedError
from facewire.codec.stream import AudioParameters, StreamHeader
from facewire.sender.config import EncoderConfig
from facewire.sender.rate import MIN_PICTURE, plan_keyframes

SILENT = StreamHeader("avfr-s", bytes(32))
SPEAKING = StreamHeader("avfr-s", bytes(32), audio=AudioParameters())
TEN = Fraction(10)


def test_without_a_rate_the_picture_has_its_bytes() -> None:
    budget = plan_keyframes(EncoderConfig(keyframe_bytes=2500), SILENT, TEN)
    assert budget.picture_bytes(120, 300) == 2500


def test_bpp_and_kbps_say_the_same() -> None:
    by_kbps = plan_keyframes(EncoderConfig(kbps=50), SPEAKING, TEN)
    by_bpp = plan_keyframes(EncoderConfig(bpp=50_000 / 25 / 65_536), SPEAKING, TEN)
    assert by_kbps.whole is not None
    assert by_bpp.whole is not None
    assert abs(by_kbps.whole - by_bpp.whole) <= 1


@pytest.mark.parametrize("header", [SILENT, SPEAKING])
@pytest.mark.parametrize("interval", ["auto", 2.0])
@pytest.mark.parametrize("duration", [Fraction(4, 25), TEN, Fraction(600), None])
def test_the_floor_in_the_sentence_is_enough_and_tight(
    header: StreamHeader, interval: object, duration: Fraction | None
) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_keyframes(EncoderConfig(kbps=1, keyframe_interval=interval), header, duration)  # type: ignore[arg-type]
    found = re.search(r"at least ([\d.]+) kbps", str(caught.value))
    assert found
    floor = float(found[1])
    size = len(header.to_payload())
    config = EncoderConfig(kbps=floor, keyframe_interval=interval)  # type: ignore[arg-type]
    assert plan_keyframes(config, header, duration).picture_bytes(size, 320) >= MIN_PICTURE
    with pytest.raises(ConfigError):
        plan_keyframes(
            EncoderConfig(kbps=floor - 0.2, keyframe_interval=interval),  # type: ignore[arg-type]
            header,
            duration,
        )


def test_keyframes_share_the_rate() -> None:
    one = plan_keyframes(EncoderConfig(kbps=60, keyframe_interval="auto"), SILENT, TEN)
    five = plan_keyframes(EncoderConfig(kbps=60, keyframe_interval=2), SILENT, TEN)
    assert one.whole is not None
    assert five.whole is not None
    assert 4.9 < one.whole / five.whole < 5.1


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
        {"size": 255},
        {"size": 4096},
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        EncoderConfig(**settings)  # type: ignore[arg-type]


def test_unknown_profile() -> None:
    with pytest.raises(UnsupportedError, match="fp16"):
        EncoderConfig(profile="telepathy")
