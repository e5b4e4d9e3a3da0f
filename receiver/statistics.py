"""`Statistics`: what a decoder counts, and what it wants from the sender."""

from __future__ import annotations

import logging
from dataclasses import dataclass

__all__ = ["Statistics"]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Statistics:
    """Counts since the decoder was made; `Decoder.reset` does not clear them.

    Attributes:
        frames: pictures that were given out, including concealed ones.
        concealed: pictures that the receiver made up.
        skipped: frames that were not rendered, because more became due in one call than
            `DecoderConfig.max_renders`, or because they came too late (`Decoder.decode`).
        concealed_audio: Opus packets that the receiver made up.
        damaged: packets whose content could not be used, of any kind that carries content.
        late: packets that came after their place had been given up, and frames older than the
            newest one.
        duplicates: packets that had come before.
        stray: packets whose number fits neither the stream nor, as it turned out, a sender that
            began to count anew.
        lost: sequence numbers that never came.
        missing_reference: frames' packets whose keyframe is not known (any more) or that depend
            on a frame that never came, and keyframes that depend on a keyframe that never came.
        keyframes: keyframes that were taken into use.
        based: pictures that were made with the base layer.
        streams: streams that were followed; each change of stream adds one, and so does a sender
            that begins to count anew.
        ignored_streams: STREAM packets that named another stream and were not followed, because
            they were old copies or came less than a second after the last change.
        wants_keyframe: the sender should send a keyframe now; cleared when one arrives.
        wants_refresh: the sender should code the next motion without reference to earlier motion
            (`Encoder.request_refresh`); cleared when that arrives.
        wants_identity: the stream names an identity that has not arrived; until then the face is
            shown without it.
        wants_base: a part of the base layer never came, and more of it waits; cleared when it, or
            another chain, is shown.
        wants_prepare: the packets ask for a network that is not loaded, and `decode` may not load
            it; `Decoder.prepare()` does.
    """

    frames: int = 0
    concealed: int = 0
    skipped: int = 0
    concealed_audio: int = 0
    damaged: int = 0
    late: int = 0
    duplicates: int = 0
    stray: int = 0
    lost: int = 0
    missing_reference: int = 0
    keyframes: int = 0
    based: int = 0
    streams: int = 0
    ignored_streams: int = 0
    wants_keyframe: bool = False
    wants_refresh: bool = False
    wants_identity: bool = False
    wants_base: bool = False
    wants_prepare: bool = False

    def ask_for_keyframe(self, reason: str) -> None:
        """Set `wants_keyframe`, and log the reason if it was not set before."""
        if not self.wants_keyframe:
            _log.info("a keyframe is needed: %s", reason)
        self.wants_keyframe = True
