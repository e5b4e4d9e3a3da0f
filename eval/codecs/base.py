"""`Codec`: what is asked of everything that is compared. One small file makes one more."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..clips import Clip

__all__ = ["PARTS", "Codec", "Encoded", "Knob"]

Frame = npt.NDArray[np.uint8]

PARTS = ("keyframe", "motion", "inter", "container")
"""What the picture's bits are for. `inter`: frames that a classic codec predicts."""


@dataclass(frozen=True, slots=True)
class Knob:
    """The one setting that is searched until the bits match.

    Attributes:
        name: as the codec calls it.
        low, high: its range.
        step: smallest change that does anything.
        start: first guess, where a guess from the target is impossible.
        slope: change of ln(bits) per unit; a guess, mended after two points. None: the setting is
            itself a rate in bit/s, and bits grow as it does.
        tries: most codings that a search may take.
    """

    name: str
    low: float
    high: float
    step: float
    start: float = 0.0
    slope: float | None = None
    tries: int = 8


@dataclass(frozen=True, slots=True)
class Encoded:
    """One coded clip.

    Attributes:
        path: the stream.
        bits: of the picture, by part; keys are of `PARTS`.
        setting: of the knob.
        command: what a person types to get the same.
        seconds: that encoding took, on one thread.
        notes: what a reader of the figures should know.
    """

    path: Path
    bits: dict[str, int]
    setting: float
    command: str
    seconds: float
    notes: tuple[str, ...] = field(default=())

    @property
    def total(self) -> int:
        """Bits of the picture, everything in."""
        return sum(self.bits.values())

    def to_json(self) -> str:
        """All but the folder."""
        return json.dumps({**asdict(self), "path": self.path.name})

    @classmethod
    def from_json(cls, text: str, folder: Path) -> Encoded:
        """Inverse of `to_json`.

        Raises:
            ValueError, KeyError, TypeError: not such a text.
        """
        about = json.loads(text)
        about["path"] = folder / about["path"]
        about["notes"] = tuple(about["notes"])
        made = cls(**about)
        if not math.isfinite(made.setting) or {type(n) for n in made.bits.values()} - {int}:
            raise ValueError("settings and bits are numbers")
        return made


class Codec(ABC):
    """One codec with its settings; holds no state between calls.

    Attributes:
        name: as in `--codecs`.
        about: one line for the report.
        knob: what sets the rate.
        suffix: of its streams.
    """

    name: str
    about: str = ""
    knob: Knob
    suffix: str = ".bin"

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Names and versions of the programs and nets that it runs.

        Raises:
            EvaluationError, MissingExtraError, WeightsError: it cannot run here; the sentence
                names what to install.
        """

    def identity(self) -> str:
        """Everything that its streams depend on beside the clip and the knob."""
        return json.dumps([self.name, self.versions()], sort_keys=True)

    @abstractmethod
    def encode(self, clip: Clip, setting: float, out: Path, scratch: Path) -> Encoded:
        """Code a clip into the file `out`.

        Args:
            clip: what is coded; only its raw frames and its sound are used.
            setting: of the knob.
            out: the stream to be written.
            scratch: a folder for whatever is needed on the way, shared by all calls for a clip.

        Raises:
            EvaluationError: the program failed; its last words are in the message.
        """

    @abstractmethod
    def decode(self, clip: Clip, encoded: Encoded, scratch: Path) -> Iterator[Frame]:
        """Decoded frames, uint8 RGB `[H, W, 3]`, one for each frame of the clip."""
