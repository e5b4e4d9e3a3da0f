"""`DecoderConfig`: the settings of a receiver."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ..codec.errors import ConfigError
from ..codec.identity import Identity

__all__ = ["Backend", "DecoderConfig", "Precision"]


Backend = Literal["openvino", "torch"]


Precision = Literal["auto", "bf16", "int8", "float32"]


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """Settings of a `Decoder`; all have a default.

    Attributes:
        backend: what runs the generator: "openvino" (fast, no torch needed) or "torch".
        precision: arithmetic of the generator. "auto" is the fastest that can be had and keeps
            float32's picture, int8 only by a clear lead (a short self-test, once a process).
        threads: CPU threads of the generator; 0 lets the backend choose.
        lookahead_ms: sound after a frame's time that the generator hears, 0 to 100. The paper
            uses 100; calls use 0 to 40. A frame waits for it, see `Decoder.delay_ms`.
        weights: folder with the model's card, in place of the shipped weights that the stream
            names. Its hash must still be the stream's.
        identity: what the network learned of the person (`facewire enroll`), where it comes
            beside the stream, or is kept from an earlier one. One in the stream needs no setting.
        badge: draw the corner badge on every frame. Off here, since an application has its own
            place for it; on in decoded files.
        reorder_window: packets that may wait for a missing one before it counts as lost.
        references: keyframes kept, 1 to 16; a sender uses 4, and one more is on its way.
        max_wait_ms: longest that a frame waits for sound that does not come, in media time.
        max_pause_ms: a longer jump of a time stamp is believed only when a second packet confirms
            it: datagrams may be damaged.
        max_concealed: most frames made up for one gap; after them the picture stands.

    Raises:
        ConfigError: a value out of its range.
    """

    backend: Backend = "openvino"
    precision: Precision = "auto"
    threads: int = 0
    lookahead_ms: int = 100
    weights: Path | None = None
    identity: Identity | None = None
    badge: bool = False
    reorder_window: int = 8
    references: int = 6
    max_wait_ms: int = 400
    max_pause_ms: int = 5000
    max_concealed: int = 250

    def __post_init__(self) -> None:
        for name, known in (("backend", get_args(Backend)), ("precision", get_args(Precision))):
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"{name} is one of {', '.join(known)}, not {getattr(self, name)!r}"
                )
        for name, low, high in (
            ("threads", 0, 1024),
            ("lookahead_ms", 0, 100),
            ("reorder_window", 0, 512),
            ("references", 1, 16),
            ("max_wait_ms", 0, 10_000),
            ("max_pause_ms", 0, 10_000_000),
            ("max_concealed", 0, 10_000),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"{name} must lie between {low} and {high}, not {value}")
