"""`CallConfig`: the settings of one side of a call."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from ..codec.errors import ConfigError
from ..receiver.config import DecoderConfig
from ..sender.config import EncoderConfig
from .rate_estimate import MAX_KBPS, MIN_KBPS

__all__ = ["CallConfig"]

_REORDER_MS = 200
"""How long a gap is waited for: until the copy of what was lost may have come with the next
datagram, which leaves up to 120 ms later."""


def _call_decoder() -> DecoderConfig:
    return DecoderConfig(lookahead_ms=0, max_wait_ms=0, reorder_ms=_REORDER_MS, live=True)


@dataclass(frozen=True, slots=True)
class CallConfig:
    """Settings of a `CallSession`.

    Attributes:
        kbps: the most that this side sends, 6 to 64, in 1000 bits a second. Sound, pictures, the
            reports and all headers count, also those of the network. Below this limit, the
            estimate of the line decides.
        fps: pictures a second that are sent, at most.
        overhead_bytes: what the network adds to each datagram, which the rate includes: 50 for
            SRTP over UDP and IPv4.
        sound: whether sound is sent.
        reliable: whether the network has a channel beside the datagrams that loses nothing. The
            first picture then leaves by `CallSession.reliably`, and only by it.
        encoder: how pictures and sound are coded; the session sets its rate.
        decoder: how the peer's stream is decoded. By default, a picture does not wait for later
            sound.

    Raises:
        ConfigError: a value out of range.
    """

    kbps: float = 16.0
    fps: Fraction = Fraction(25)
    overhead_bytes: int = 50
    sound: bool = True
    reliable: bool = False
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    decoder: DecoderConfig = field(default_factory=_call_decoder)

    def __post_init__(self) -> None:
        if not MIN_KBPS <= self.kbps <= MAX_KBPS:
            raise ConfigError(
                f"a call takes {MIN_KBPS:g} to {MAX_KBPS:g} kbit/s, not {self.kbps:g}"
            )
        if not 1 <= self.fps <= 60:
            raise ConfigError(f"a call has 1 to 60 pictures a second, not {float(self.fps):g}")
        if not 0 <= self.overhead_bytes <= 200:
            raise ConfigError(
                f"a network adds 0 to 200 bytes to a datagram, not {self.overhead_bytes}"
            )
        if self.encoder.kbps is not None or self.encoder.bpp is not None:
            raise ConfigError("a call sets the encoder's rate itself: leave kbps and bpp out")
