"""`SoundCoder`: sound to AUDIO packets, whose length and rate may change between two of them.

In a call with a clock, silence is not sent, as with Opus's DTX (which PyAV cannot switch on, so
that it is decided here): the first packet of a silence, and one about every 400 ms of it, has two
bytes, and the others are left out (docs/wire-format.md).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ...codec.counters import WRAP
from ...codec.packet import Flags, Kind, Packet
from ...codec.sound.opus import SAMPLE_RATE, OpusEncoder, check_sound, without_sound
from .clock import TICK, SoundClock

__all__ = ["SoundCoder"]

_MS = SAMPLE_RATE // 1000
_REMIND = 400 * _MS  # samples from one packet of silence to the next
_MUTED = 250 * _MS  # samples without sound after which it is taken to be switched off
_TRAIL = 400 * _MS  # samples after the last loud ones that are sent though they are quiet
_KEPT = 120 * _MS  # samples before the next packet that a new encoder may be given
_LOUD, _FAINT = 0.01, 0.001  # root mean square that is never, or always, silence
_ABOVE = 2.0  # times the level of the room's noise
_RISE = 1.02  # growth of what is taken for that level, in 20 ms

Sound = npt.NDArray[np.float32]


class SoundCoder:
    """Codes the sound of one stream. Its packets are not numbered yet.

    Args:
        bitrate: bits a second.
        packet_ms: length of a packet.
        clocked: whether there is a clock: pts then count 20 ms, and silence is not sent. Without,
            they count packets.
    """

    def __init__(self, bitrate: int, packet_ms: int, *, clocked: bool) -> None:
        self._settings = self._wanted = (bitrate, packet_ms)
        self._clock = SoundClock() if clocked else None
        self._tick = TICK if clocked else packet_ms * _MS
        self._noise = 1.0  # level of the room
        self._last = b""  # packet that was coded last
        self._at = self._kept_from = self._told = 0
        self._pcm: Sound = np.zeros(0, np.float32)
        self._begin(0)

    @property
    def seconds(self) -> Fraction:
        """Where the sound ends, from time 0."""
        return Fraction(self._end, SAMPLE_RATE)

    def change(self, bitrate: int, packet_ms: int) -> None:
        """Use another rate and length from the next packet on. Without a clock, the length must
        stay.
        """
        self._wanted = (bitrate, packet_ms)

    def push(self, pcm: Sound, end: Fraction | None = None) -> list[Packet]:
        """Take sound and give the packets that are complete.

        Args:
            pcm: float32 mono `[n]` at 16 kHz.
            end: seconds to which its end belongs, where there is a clock.

        Raises:
            MediaError: it is not such sound.
        """
        samples, packets = check_sound(pcm), list[Packet]()
        if self._clock is not None and end is not None:
            fitted = self._clock.fit(samples, end)
            samples = fitted.pcm
            if fitted.begins is not None:
                packets = self.flush()
                self._begin(fitted.begins)
        self._pcm = np.concatenate([self._pcm, samples])
        packets += self._emit(self._opus.encode(samples))
        if self._wanted != self._settings:
            packets += self._renew()
        return packets

    def wait(self, end: Fraction) -> list[Packet]:
        """Time has come to `end` (seconds) without sound. Where it is switched off, what waited is
        sent, and then now and then a packet that says that there is silence.
        """
        if self._clock is None or self._clock.lateness(end) < _MUTED:
            return []
        packets = self.flush()
        at = max(self._at, self._told + _REMIND)
        if self._last and at + self._size <= round(end * SAMPLE_RATE):
            packets.append(self._packet(at, without_sound(self._last)))
            self._told, self._at = at, at + self._size
        self._clock.stop(self._at)
        return packets

    def flush(self) -> list[Packet]:
        """Give the packets that still wait, filled up with silence."""
        return self._emit(self._opus.flush())

    def _begin(self, at: int) -> None:
        """The sound begins anew at a sample."""
        self._settings = self._wanted
        self._opus = OpusEncoder(*self._settings)
        self._size = self._settings[1] * _MS
        self._skip = 0  # packets of the encoder that are not sent
        self._at = at  # where its next packet begins
        self._pcm = np.zeros(0, np.float32)
        self._kept_from = at
        self._told = at - _REMIND  # where a packet last said that there is silence
        self._trail = _TRAIL

    @property
    def _end(self) -> int:
        return self._kept_from + len(self._pcm)

    def _renew(self) -> list[Packet]:
        """Go on with the settings that are wanted. The new encoder is given the sound before its
        first packet too, so that it knows what it continues.
        """
        self._settings = self._wanted
        self._opus = OpusEncoder(*self._settings)
        self._size, self._skip = self._settings[1] * _MS, 1
        self._at -= self._size
        missing = max(0, self._kept_from - self._at)
        known = self._pcm[max(0, self._at - self._kept_from) :]
        return self._emit(self._opus.encode(np.concatenate([np.zeros(missing, np.float32), known])))

    def _emit(self, coded: list[bytes]) -> list[Packet]:
        """The packets to be sent of those that the encoder made."""
        packets: list[Packet] = []
        for data in coded:
            begin, self._at = self._at, self._at + self._size
            if self._skip:
                self._skip -= 1
                continue
            self._last = data
            if self._clock is None or self._heard(begin):
                packets.append(self._packet(begin, data))
                self._told = self._at - _REMIND
            elif begin >= self._told + _REMIND:
                packets.append(self._packet(begin, without_sound(data)))
                self._told = begin
        drop = max(0, self._at - _KEPT - self._kept_from)
        self._pcm, self._kept_from = self._pcm[drop:], self._kept_from + drop
        return packets

    def _heard(self, begin: int) -> bool:
        """Whether the packet from there on is to be sent: it is not quiet, or was not lately."""
        start = max(0, begin - self._kept_from)
        piece = self._pcm[start : start + self._size]
        level = float(np.sqrt(np.mean(np.square(piece)))) if len(piece) else 0.0
        self._noise = min(max(level, 1e-6), self._noise * _RISE ** (self._size / TICK))
        loud = level > min(max(_ABOVE * self._noise, _FAINT), _LOUD)
        self._trail = _TRAIL if loud else max(0, self._trail - self._size)
        return loud or self._trail > 0

    def _packet(self, begin: int, data: bytes) -> Packet:
        return Packet(Kind.AUDIO, Flags.INTRA, 0, 0, begin // self._tick % WRAP, data)
