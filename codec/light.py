"""Light in packets: by how much frames are brighter or darker than the keyframe that shows them.

A LIGHT packet holds the light of several frames, each in two bytes:

    0       stride    u8, ticks from one entry to the next, at least 1
    1..     entries   1 to 64 of them: gain u8 in 64ths, offset i8 in steps of two levels

(Its kind is 13 because datagrams of calls carry kinds modulo 8, where 5 is free.)

The packet's reference is the keyframe that the frames are animated from, and its pts is the time of
the first entry.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .counters import WRAP
from .errors import ConfigError, StreamError
from .packet import Flags, Kind, Packet

__all__ = ["HOLD_S", "MAX_LIGHTS", "MAX_STRIDE", "NEUTRAL", "Light", "LightGroup"]

MAX_LIGHTS = 64
"""Entries of a packet, at most."""
MAX_STRIDE = 255
"""Ticks from one entry to the next, at most."""
HOLD_S = 1
"""Seconds that an entry holds, at most, if no other follows."""
_GAIN, _OFFSET = 64, 2


@dataclass(frozen=True, slots=True)
class Light:
    """How a frame is lit: each of R, G and B becomes `gain` times what it is in the light of the
    keyframe, plus `offset`.

    Attributes:
        gain: 0 to 255 / 64.
        offset: levels of 255, -256 to 254.
    """

    gain: float
    offset: float

    def rounded(self) -> Light:
        """The nearest light that a packet can carry."""
        gain = min(max(round(self.gain * _GAIN), 0), 255)
        offset = min(max(round(self.offset / _OFFSET), -128), 127)
        return Light(gain / _GAIN, float(offset * _OFFSET))

    def towards(self, other: Light, part: float) -> Light:
        """The light between this one (part 0) and another (part 1)."""
        return Light(
            self.gain + (other.gain - self.gain) * part,
            self.offset + (other.offset - self.offset) * part,
        )

    def on(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """A picture in this light, uint8 of the same shape."""
        levels = self.gain * np.arange(256) + self.offset
        table = np.clip(np.round(levels), 0, 255).astype(np.uint8)
        return np.asarray(np.take(table, picture), np.uint8)


NEUTRAL = Light(1.0, 0.0)
"""The light of the keyframe itself."""


@dataclass(frozen=True, slots=True)
class LightGroup:
    """The lights of one packet.

    Attributes:
        reference: id of the keyframe.
        pts: time of the first one in ticks, modulo 65536.
        stride: ticks from one to the next.
        lights: in the order of time, rounded.
    """

    reference: int
    pts: int
    stride: int
    lights: tuple[Light, ...]

    def to_packet(self) -> Packet:
        """A packet that is not numbered yet.

        Raises:
            ConfigError: too many lights or none, a stride out of range, or lights not `rounded`.
        """
        fits = 1 <= len(self.lights) <= MAX_LIGHTS and 1 <= self.stride <= MAX_STRIDE
        if not fits or any(light != light.rounded() for light in self.lights):
            raise ConfigError(
                f"{len(self.lights)} lights, {self.stride} ticks apart, do not fit into a packet"
            )
        entries = b"".join(
            bytes((round(light.gain * _GAIN), round(light.offset / _OFFSET) & 0xFF))
            for light in self.lights
        )
        data = bytes((self.stride,)) + entries
        return Packet(Kind.LIGHT, Flags.INTRA, self.reference, 0, self.pts % WRAP, data)

    @classmethod
    def from_packet(cls, packet: Packet) -> LightGroup:
        """Read a LIGHT packet.

        Raises:
            StreamError: another kind of packet, or a payload of the wrong length or stride.
        """
        data = packet.payload
        count, odd = divmod(len(data) - 1, 2)
        if packet.kind != Kind.LIGHT or odd or not 1 <= count <= MAX_LIGHTS or not data[0]:
            raise StreamError(f"{len(data)} bytes of a {packet.kind.name} packet are no lights")
        gains = [byte / _GAIN for byte in data[1::2]]
        offsets = [float((byte ^ 0x80) - 0x80) * _OFFSET for byte in data[2::2]]
        lights = tuple(map(Light, gains, offsets))
        return cls(packet.reference, packet.pts, data[0], lights)
