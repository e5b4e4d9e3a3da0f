"""LIGHT packets: every light that they can carry, and payloads that are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.codec.errors import ConfigError, StreamError
from facewire.codec.light import MAX_LIGHTS, NEUTRAL, Light, LightGroup
from facewire.codec.packet import Flags, Kind, Packet

LIGHTS = st.builds(
    lambda gain, offset: Light(gain / 64, float(2 * offset)),
    st.integers(0, 255),
    st.integers(-128, 127),
)


@given(
    st.lists(LIGHTS, min_size=1, max_size=MAX_LIGHTS),
    st.integers(0, 15),
    st.integers(0, 65535),
    st.integers(1, 255),
)
def test_round_trip(lights: list[Light], reference: int, pts: int, stride: int) -> None:
    group = LightGroup(reference, pts, stride, tuple(lights))
    packet = Packet.parse(bytes(group.to_packet()))
    assert packet.kind == Kind.LIGHT
    assert LightGroup.from_packet(packet) == group
    for length in range(len(packet.payload)):
        cut = Packet(packet.kind, packet.flags, reference, 0, pts, packet.payload[:length])
        if length % 2 == 0 or length == 1:
            with pytest.raises(StreamError):
                LightGroup.from_packet(cut)
        else:
            assert LightGroup.from_packet(cut).lights == group.lights[: length // 2]


def test_bytes_are_as_documented() -> None:
    group = LightGroup(5, 70_000, 2, (NEUTRAL, Light(0.5, -10)))
    packet = group.to_packet()
    assert packet.payload == bytes.fromhex("02 40 00 20 fb")
    assert (packet.kind, packet.reference, packet.pts) == (13, 5, 70_000 % 65536)


@pytest.mark.parametrize("payload", [b"", b"\1", b"\1@", b"\0@\0", b"\1" + b"@\0" * 65])
def test_what_is_no_light(payload: bytes) -> None:
    with pytest.raises(StreamError):
        LightGroup.from_packet(Packet(Kind.LIGHT, Flags.INTRA, 0, 0, 0, payload))
    with pytest.raises(StreamError):
        LightGroup.from_packet(Packet(Kind.MOTION, Flags.INTRA, 0, 0, 0, b"\1@\0"))


@pytest.mark.parametrize(
    ("stride", "lights"),
    [(0, [NEUTRAL]), (256, [NEUTRAL]), (1, []), (1, [NEUTRAL] * 65), (1, [Light(0.501, 0)])],
)
def test_what_does_not_fit(stride: int, lights: list[Light]) -> None:
    with pytest.raises(ConfigError):
        LightGroup(0, 0, stride, tuple(lights)).to_packet()


@given(st.floats(-10, 10), st.floats(-1000, 1000))
def test_rounding_stays_in_range(gain: float, offset: float) -> None:
    light = Light(gain, offset).rounded()
    assert light == light.rounded()
    LightGroup(0, 0, 1, (light,)).to_packet()
    if 0 <= gain <= 3.9 and -256 <= offset <= 254:
        assert abs(light.gain - gain) <= 1 / 128
        assert abs(light.offset - offset) <= 1


def test_light_on_a_picture() -> None:
    picture = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert (NEUTRAL.on(picture) == picture).all()
    assert not Light(0, 0).on(picture).any()
    assert (Light(2, -20).on(picture).ravel() == np.clip(2 * np.arange(256) - 20, 0, 255)).all()
    between = NEUTRAL.towards(Light(0, 100), 0.25)
    assert (between.gain, between.offset) == (0.75, 25)
