"""`DecoderConfig`: the settings of a receiver."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ..codec.errors import ConfigError
from ..codec.identity import Identity
from ..codec.motion.entropy import MAX_FRAMES

__all__ = ["Backend", "DecoderConfig", "Precision"]
Backend = Literal["openvino", "torch"]
Precision = Literal["auto", "bf16", "int8", "float32"]


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """Settings of a `Decoder`; each has a default.

    Attributes:
        backend: library that runs the generator: "openvino" (fast, needs no torch) or "torch".
        precision: arithmetic of the generator. "auto" takes the fastest that keeps the picture of
            float32, and int8 only if it is clearly faster. A self-test of a few seconds decides;
            its result is kept in the cache folder.
        threads: CPU threads of the generator; 0 lets the backend choose, but takes one for the
            smallest network where `live` is set.
        parallel: how many pictures the generator may be asked for at the same time, each from a
            thread of its own. More than 1 raises the throughput of files and the delay of each
            picture. Backend "openvino" only; `threads` is then not used.
        lookahead_ms: how much sound after a frame's time the generator hears, 0 to 100. The paper
            uses 100; calls use 0 to 40. A frame waits for this sound, see `Decoder.delay_ms`.
        weights: folder of a network that takes the place of the shipped ones. Its hash must be
            the one that the stream names.
        identity: what the network learned of the person (`facewire enroll`), if it comes beside
            the stream or was kept from an earlier one. An identity in the stream needs no setting.
        live: for a call whose pictures are made in a thread of their own. Keyframes are prepared by
            `Decoder.work_ahead`, or when the first picture needs them, and not when they come. The
            smallest shipped network is loaded as well, so that `Decoder.lighten` can change to it
            where the computer does not keep up.
        badge: draw the corner badge on every frame. Off by default, since an application may
            have its own place for it; on in decoded files. It is drawn in any case where the
            stream shows somebody else's portrait, or a photograph that a program moves
            (`StreamHeader.keeps_badge`).
        reorder_window: how many later packets may come before a missing one counts as lost, where
            the decoder is given no clock.
        reorder_ms: how long a missing packet is waited for, where it is given one.
        references: number of keyframes that are kept, 1 to 16. A sender uses 4, and one more may
            be on its way.
        max_wait_ms: longest time that a frame waits for missing sound: by the clock, or without
            one in media time.
        max_pause_ms: a time stamp that jumps further than this is believed only when a second
            packet confirms it, because datagrams may be damaged.
        max_concealed: most frames that are made up for one gap; after them the picture stands.
        max_renders: most pictures that one call of `decode` or `flush` renders, 1 to 100,000. If
            more are due, the oldest are skipped and counted. The default is what one packet
            can hold, so that no frame of a stream that arrives whole is skipped.

    Raises:
        ConfigError: a value out of its range.
    """

    backend: Backend = "openvino"
    precision: Precision = "auto"
    threads: int = 0
    parallel: int = 1
    lookahead_ms: int = 100
    weights: Path | None = None
    identity: Identity | None = None
    live: bool = False
    badge: bool = False
    reorder_window: int = 8
    reorder_ms: int = 60
    references: int = 6
    max_wait_ms: int = 400
    max_pause_ms: int = 5000
    max_concealed: int = 250
    max_renders: int = MAX_FRAMES

    def __post_init__(self) -> None:
        for name, known in (("backend", get_args(Backend)), ("precision", get_args(Precision))):
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}"
                )
        for name, low, high in (
            ("threads", 0, 1024),
            ("parallel", 1, 256),
            ("lookahead_ms", 0, 100),
            ("reorder_window", 0, 512),
            ("reorder_ms", 0, 10_000),
            ("references", 1, 16),
            ("max_wait_ms", 0, 10_000),
            ("max_pause_ms", 0, 10_000_000),
            ("max_concealed", 0, 10_000),
            ("max_renders", 1, 100_000),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"{name} must lie between {low} and {high}, not {value}")
