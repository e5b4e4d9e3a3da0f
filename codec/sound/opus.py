"""Opus through PyAV: sound to packets and back, aligned without a pre-skip.

An Opus encoder looks ahead and is late by 6.5 ms. `OpusEncoder` drops that much from the beginning
of the sound. So packet n decodes to exactly the sound from n to n + 1 packet lengths. A receiver
needs no pre-skip and can join at any packet, and a lost packet does not shift the others.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, cast

import av
import numpy as np
import numpy.typing as npt
from av.audio.codeccontext import AudioCodecContext

from ..errors import ConfigError, MediaError, StreamError, TruncatedError, UnsupportedError

__all__ = [
    "FRAME_MS",
    "MAX_OPUS",
    "SAMPLE_RATE",
    "OpusDecoder",
    "OpusEncoder",
    "check_sound",
    "packet_samples",
    "without_sound",
]

SAMPLE_RATE = 16000
"""Hz of the sound on both sides."""
MAX_OPUS = 1275
"""Largest Opus frame in bytes (RFC 6716, 3.2.1)."""
_OPUS_RATE = 48000  # what libopus decodes to
_STEP = _OPUS_RATE // SAMPLE_RATE
FRAME_MS = (10, 20, 40, 60, 80, 120)
"""Possible lengths of a packet; the last two hold several Opus frames (RFC 6716, 3.2)."""

Array = npt.NDArray[np.float32]


class OpusEncoder:
    """Codes sound as Opus packets of equal length.

    Args:
        bitrate: target in bits a second, 500..512000; speech is wideband from 10000 on.
        frame_ms: length of a packet, one of `FRAME_MS`.
        sample_rate: 16000.

    Attributes:
        delay: samples by which the encoder looks ahead; they are dropped from the beginning.

    Raises:
        ConfigError: a setting that Opus does not allow.
        UnsupportedError: PyAV was built without libopus.
    """

    def __init__(self, bitrate: int, frame_ms: int = 40, sample_rate: int = SAMPLE_RATE) -> None:
        if frame_ms not in FRAME_MS:
            raise ConfigError(f"Opus packets last {FRAME_MS} ms, not {frame_ms}")
        if not 500 <= bitrate <= 512000:
            raise ConfigError(f"Opus takes 500 to 512000 bit/s, not {bitrate}")
        if sample_rate != SAMPLE_RATE:
            raise ConfigError(f"sound is coded at {SAMPLE_RATE} Hz, not {sample_rate}; resample it")
        self._bitrate = bitrate
        self._frame_ms = frame_ms
        self._size = frame_ms * SAMPLE_RATE // 1000
        self.reset()

    def reset(self) -> None:
        """Begin a new stream with the next sound."""
        self._context = _create("libopus", "w")
        self._context.sample_rate = SAMPLE_RATE
        self._context.layout = "mono"
        self._context.format = "flt"
        self._context.bit_rate = self._bitrate
        self._context.options = {
            "frame_duration": str(self._frame_ms),
            "application": "voip",
            "vbr": "on",
        }
        self._context.open()
        self.delay = _lookahead(self._context.extradata)
        self._drop = self.delay
        self._rest = np.zeros(0, np.float32)
        self._taken = 0
        self._made = 0

    def encode(self, pcm: Array) -> list[bytes]:
        """Take sound; return the packets that it completes.

        Args:
            pcm: float32 mono `[n]`, any n, on [-1, 1]; larger values are clipped.

        Raises:
            MediaError: the sound has another shape, or samples that are not finite.
        """
        samples = check_sound(pcm)
        self._taken += len(samples)
        skipped = min(self._drop, len(samples))
        self._drop -= skipped
        self._rest = np.concatenate([self._rest, np.clip(samples[skipped:], -1, 1)])
        return self._code_whole_frames()

    def flush(self) -> list[bytes]:
        """Code the rest, filled up with silence, and begin a new stream.

        All packets together last as long as the sound, rounded up to whole packets.
        """
        missing = -(-self._taken // self._size) - self._made
        tail = np.zeros(max(missing, 0) * self._size, np.float32)
        tail[: len(self._rest)] = self._rest
        self._rest = tail
        packets = self._code_whole_frames()
        self.reset()
        return packets

    def _code_whole_frames(self) -> list[bytes]:
        packets: list[bytes] = []
        while len(self._rest) >= self._size:
            piece, self._rest = self._rest[: self._size], self._rest[self._size :]
            frame = av.AudioFrame.from_ndarray(piece[np.newaxis], format="flt", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            frame.pts = self._made * self._size
            frame.time_base = Fraction(1, SAMPLE_RATE)
            packets += [bytes(packet) for packet in self._context.encode(frame)]
            self._made += 1
        return packets


class OpusDecoder:
    """Decodes Opus packets to sound.

    Attributes:
        delay: 5, the samples at 16 kHz by which the decoded sound is late. They come from the low
            pass on the way from Opus's 48 kHz to 16 kHz, and last a third of a millisecond.
    """

    delay = 5

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin a new stream with the next packet."""
        self._context = _create("libopus", "r")
        self._context.sample_rate = _OPUS_RATE
        self._context.layout = "mono"
        self._context.open()
        self._low_pass = _Decimator()
        self._last = b""

    def decode(self, data: bytes | None) -> Array:
        """Decode one packet.

        Args:
            data: an Opus packet, or None if it was lost. Opus then continues the sound, fading it
                out, for the duration of the packet before.

        Returns:
            float32 mono `[n]` at 16 kHz, at most 120 ms; empty for a loss before the first packet.

        Raises:
            StreamError: it is not an Opus packet. The decoder can be used further.
        """
        if data is None:
            if not self._last:
                return np.zeros(0, np.float32)
            data = without_sound(self._last)
        else:
            packet_samples(data)  # raises if it is not an Opus packet
        try:
            frames = self._context.decode(av.Packet(data))
        except av.error.FFmpegError as error:
            raise StreamError(f"a sound packet cannot be decoded: {error}") from error
        self._last = data
        if not frames:
            return np.zeros(0, np.float32)
        samples = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
        if samples.dtype == np.int16:
            samples = samples.astype(np.float32) / 32768
        return self._low_pass.push(samples.astype(np.float32))


class _Decimator:
    """From 48 kHz to 16 kHz, by a windowed sinc as long as a delay of five samples allows.

    A short filter suffices, since sound that was coded at 16 kHz has nothing above 8 kHz.
    """

    def __init__(self) -> None:
        reach = OpusDecoder.delay * _STEP
        at = np.arange(-reach, reach + 1) / _STEP
        taps = np.sinc(at) * np.kaiser(2 * reach + 1, 5.0)
        self._taps = (taps / taps.sum()).astype(np.float32)
        self._history = np.zeros(2 * reach, np.float32)

    def push(self, samples: Array) -> Array:
        """float32 `[3 n]` → `[n]`."""
        padded = np.concatenate([self._history, samples])
        self._history = padded[len(samples) :]
        return np.convolve(padded, self._taps, "valid")[::_STEP].astype(np.float32)


def check_sound(pcm: Array) -> Array:
    """The sound as float32 `[n]`.

    Raises:
        MediaError: it has another shape, or samples that are not finite.
    """
    samples = np.asarray(pcm, dtype=np.float32)
    if samples.ndim != 1:
        raise MediaError(f"sound is mono float32 [n], not of shape {list(samples.shape)}")
    if not np.isfinite(samples).all():
        raise MediaError("the sound has samples that are not finite numbers")
    return samples


def packet_samples(data: bytes) -> int:
    """Length of an Opus packet in samples at 16 kHz, from its first bytes (RFC 6716, 3.1).

    Raises:
        TruncatedError: the packet is empty, or ends before its count of frames.
        StreamError: it lasts more than 120 ms, or has more than `MAX_OPUS` bytes a frame.
    """
    config, count = _shape(data)
    if config < 12:
        length = (160, 320, 640, 960)[config % 4]
    elif config < 16:
        length = (160, 320)[config % 2]
    else:
        length = (40, 80, 160, 320)[config % 4]
    if count == 0 or count * length > 1920 or len(data) > MAX_OPUS * count + 256:
        raise StreamError(f"{len(data)} bytes of sound with {count} frames are not an Opus packet")
    return count * length


def _shape(data: bytes) -> tuple[int, int]:
    """Configuration (0..31) and number of frames of an Opus packet."""
    if not data:
        raise TruncatedError("an empty sound packet")
    code = data[0] & 3
    if code < 3:
        return data[0] >> 3, 1 if code == 0 else 2
    if len(data) < 2:
        raise TruncatedError("a sound packet ends before its count of frames")
    return data[0] >> 3, data[1] & 63


def without_sound(like: bytes) -> bytes:
    """A packet of two bytes that lasts as long as another one, but whose frames are empty: they
    were lost, or not sent because there is silence (RFC 6716, 3.2.1).
    """
    _, count = _shape(like)
    return bytes([like[0] | 3, count])


def _lookahead(extradata: bytes | None) -> int:
    """Encoder delay in samples at 16 kHz: the pre-skip of the OpusHead (RFC 7845, 5.1)."""
    if not extradata or len(extradata) < 12:
        return SAMPLE_RATE * 13 // 2000
    return int.from_bytes(extradata[10:12], "little") // _STEP


def _create(name: str, mode: Literal["r", "w"]) -> AudioCodecContext:
    try:
        return cast(AudioCodecContext, av.CodecContext.create(name, mode))
    except av.codec.codec.UnknownCodecError:
        raise UnsupportedError("this build of PyAV has no libopus, which sound needs") from None
