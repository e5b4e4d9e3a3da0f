"""`Codec`: what is asked of everything that is compared."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from ..clips import Clip, Frame

__all__ = ["PARTS", "Codec", "Encoded", "Frame", "Knob", "Shown"]

PARTS = ("keyframe", "motion", "inter", "container")
"""What the picture's bits are for. `inter`: frames that a classic codec predicts."""


@dataclass(frozen=True, slots=True)
class Knob:
    """The one setting of a codec that is searched until the bits match.

    Attributes:
        name: as the codec calls it.
        low, high: its range.
        step: smallest change that does anything.
        start: first guess, where no guess can be made from the target.
        slope: expected change of ln(bits) per unit; two codings replace it by the true one. None:
            the setting is itself a rate in bit/s, and bits grow as it does.
        tries: number of codings that a search may take.
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
        bits: bits of the picture by part; keys are of `PARTS`.
        setting: setting of the knob.
        command: what a person types to get the same stream.
        cpu_seconds: CPU time that encoding took.
        notes: what a reader of the figures should know.
    """

    path: Path
    bits: dict[str, int]
    setting: float
    command: str
    cpu_seconds: float
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Bits of the whole picture."""
        return sum(self.bits.values())

    def to_json(self) -> str:
        """Everything but the folder of the stream."""
        return json.dumps({**asdict(self), "path": self.path.name})

    @classmethod
    def from_json(cls, text: bytes, folder: Path) -> Encoded:
        """The inverse of `to_json`, for a stream that lies in `folder`.

        Raises:
            ValueError: the text is not such a description.
        """
        about = msgspec.json.decode(text, type=dict[str, object])
        about["path"] = folder / str(about.get("path"))
        return msgspec.convert(about, cls)


@dataclass(frozen=True, slots=True)
class Shown:
    """The person that decoded frames show, where it is not the clip's own.

    Attributes:
        clip: footage of that person.
        frame: number of the frame in it that is the portrait.
    """

    clip: Clip
    frame: int


class Codec(ABC):
    """One codec with its settings; it holds no state between calls.

    Attributes:
        name: as in `--codecs`.
        about: one line for the report.
        knob: what sets the rate.
        suffix: suffix of its streams.
    """

    name: str
    about: str = ""
    knob: Knob
    suffix: str = ".bin"

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Names and versions of the programs and networks that the codec runs.

        Raises:
            EvaluationError, MissingExtraError, WeightsError: the codec cannot run here; the
                sentence names what to install.
        """

    def weights(self) -> dict[str, str]:
        """Hex SHA-256 of the networks that the codec runs, by name."""
        return {}

    def identity(self) -> str:
        """Everything that its streams depend on beside the clip and the knob."""
        return json.dumps([self.name, self.versions()], sort_keys=True)

    @abstractmethod
    def encode(self, clip: Clip, setting: float, out: Path, scratch: Path) -> Encoded:
        """Code a clip into the file `out`.

        Args:
            clip: what is coded; only its raw frames and its sound are used.
            setting: setting of the knob.
            out: the stream to be written.
            scratch: a folder for whatever is needed on the way, shared by all calls for a clip.

        Raises:
            EvaluationError: the program failed; the message has its last words.
        """

    @abstractmethod
    def decode(self, clip: Clip, encoded: Encoded, scratch: Path) -> Iterator[Frame]:
        """Decoded frames, uint8 RGB `[H, W, 3]`, one for each frame of the clip."""

    def person(self, clip: Clip) -> Shown | None:
        """Whom the decoded frames of a clip show; None: the person in the clip."""
        return None

    @abstractmethod
    def write_source(self, clip: Clip, folder: Path) -> Path:
        """Write the file that the printed command reads into a folder, where it is not there yet.

        Returns:
            The file; the command names it without its folder.
        """
