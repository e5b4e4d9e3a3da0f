"""`Statistics`: what a decoder counts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Statistics"]


@dataclass(slots=True)
class Statistics:
    """Counts since the decoder was made; `reset()` does not clear them.

    Attributes:
        frames: pictures given, concealed ones too.
        concealed: pictures made up.
        concealed_audio: Opus packets made up.
        damaged: STREAM, IDENTITY, KEYFRAME, MOTION and AUDIO packets whose content could not be
            used.
        late: packets that came after their place had been given up.
        duplicates: packets that had come before.
        lost: sequence numbers that never came.
        missing_reference: motion packets whose keyframe is not (or no longer) known, or that
            stand on a frame which never came.
        keyframes: keyframes put to use.
        wants_keyframe: the sender should send a keyframe now; cleared when one arrives.
        wants_refresh: the sender should code the next motion without an earlier one
            (`Encoder.request_refresh`); cleared when that arrives.
        wants_identity: the stream names an identity that has not come (yet); the face is shown
            without it.
    """

    frames: int = 0
    concealed: int = 0
    concealed_audio: int = 0
    damaged: int = 0
    late: int = 0
    duplicates: int = 0
    lost: int = 0
    missing_reference: int = 0
    keyframes: int = 0
    wants_keyframe: bool = False
    wants_refresh: bool = False
    wants_identity: bool = False
