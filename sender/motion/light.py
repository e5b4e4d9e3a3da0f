"""`LightMeter`: the light of the frames that are sent, and its packets."""

from __future__ import annotations

from ...codec.light import MAX_LIGHTS, MAX_STRIDE, NEUTRAL, Light, LightGroup
from ...codec.packet import Packet
from ..appearance import Appearance
from ..references.light import measure_light

__all__ = ["LightMeter"]

_COMES, _GOES = 6.0, 2.0  # levels from which on light is sent, and below which it is no longer
_STEADY = 1.5  # levels: less than that is noise, and the light stays as it was
_LEVELS = (32.0, 128.0, 224.0)  # at which two lights are compared


class LightMeter:
    """Measures the light of each frame against its reference.

    Packets are sent only while the light is not that of the reference, and once more when it is
    again.
    """

    def __init__(self) -> None:
        self._reference = -1
        self._last = NEUTRAL
        self._waiting: list[tuple[int, Light]] = []
        self._told = False  # whether the receiver was last told another light than the reference's

    def begin(self, reference: int) -> None:
        """Measure against another reference from now on. No frame may be waiting."""
        self._reference, self._last, self._told = reference, NEUTRAL, False
        self._waiting.clear()

    def push(self, reference: Appearance, look: Appearance | None, pts: int) -> None:
        """Take the next frame; `look` is what it looks like, None if that is not known."""
        if look is not None:
            least = _COMES if self._last == NEUTRAL else _GOES
            gain, offset = measure_light(reference, Appearance.stack([look]), least)
            light = Light(float(gain[0]), float(offset[0])).rounded()
            if light == NEUTRAL or _apart(light, self._last) > _STEADY:
                self._last = light
        self._waiting.append((pts, self._last))

    def packets(self, until: int | None) -> list[Packet]:
        """The packets for the frames before a time in ticks, or for all frames if it is None."""
        ready = [one for one in self._waiting if until is None or one[0] < until]
        del self._waiting[: len(ready)]
        if not ready or (not self._told and all(light == NEUTRAL for _, light in ready)):
            return []
        self._told = ready[-1][1] != NEUTRAL
        return [group.to_packet() for group in _groups(self._reference, ready)]


def _apart(one: Light, other: Light) -> float:
    """Levels by which two lights differ at most."""
    gain, offset = one.gain - other.gain, one.offset - other.offset
    return max(abs(gain * level + offset) for level in _LEVELS)


def _groups(reference: int, lights: list[tuple[int, Light]]) -> list[LightGroup]:
    """Put lights together that are equally far apart in time."""
    groups: list[LightGroup] = []
    while lights:
        start, stride = lights[0][0], 1
        if len(lights) > 1 and lights[1][0] - start <= MAX_STRIDE:
            stride = lights[1][0] - start
        count = 1
        while count < min(len(lights), MAX_LIGHTS) and lights[count][0] == start + count * stride:
            count += 1
        groups.append(
            LightGroup(reference, start, stride, tuple(light for _, light in lights[:count]))
        )
        lights = lights[count:]
    return groups
