"""facewire with somebody else's portrait: cross-identity reenactment (AVFR-GAN, table 1).

Each clip drives the portrait of a person from another clip of the same folder. What comes out shows
that person, so it is measured against two: the driver's clip says how the head and the mouth should
move, and the portrait and its clip say whom one should see.
"""

from __future__ import annotations

import functools
import random
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ...codec.errors import EvaluationError, MediaError
from ...codec.whole_file import whole_path
from ...models.third_party import find_asset
from ...sender.config import EncoderConfig
from ...sender.photo import Portrait
from ...sender.reenactment.head import HeadFinder
from ...sender.reenactment.sitter import Sitter
from ...sender.tracking.tracker import Tracker
from ..clips import VIDEO_SUFFIXES, Clip, Frame, prepare_clip
from ..files import digest
from .base import Knob, Shown
from .facewire import FacewireCodec

__all__ = ["Cast", "PortraitCodec"]

_SEED = 18
_CONSENT = "a measurement by codec-eval"
_APART_S = 0.4  # seconds between two frames that may be portraits


@dataclass(frozen=True, slots=True)
class Cast:
    """Who may be shown.

    Attributes:
        folder: of videos, one person each.
        seconds: of each, at most; None: all of it.
    """

    folder: Path
    seconds: float | None = None

    def videos(self) -> list[Path]:
        """All of them, in the order of the pairs: each drives the portrait of the next one. The
        order is random, and always the same for the same names.
        """
        if not self.folder.is_dir():
            return []
        found = (p for p in self.folder.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES)
        videos = sorted(path for path in found if path.is_file())
        random.Random(_SEED).shuffle(videos)
        return videos


class PortraitCodec(FacewireCodec):
    """A portrait of another person in place of the clip's own; all bits but the motion's go into
    its picture.

    Args:
        name: as in `--codecs`.
        profile: of the motion.
        network: a shipped size, or a folder.
        cast: who may be shown; None if there is nobody.
    """

    def __init__(self, name: str, profile: str, network: str | Path, cast: Cast | None) -> None:
        super().__init__(name, profile, network)
        self.about += "; each clip drives the portrait of a person from another clip"
        self.knob = Knob("bytes of the portrait", 300, 60_000, 1, start=4000, slope=2e-4, tries=6)
        self._cast = cast

    def versions(self) -> dict[str, str]:
        """The pairs, too."""
        names = [path.name for path in self._cast.videos()] if self._cast else []
        return {**super().versions(), "references": "portrait", "pairs": digest([_SEED, *names])}

    def person(self, clip: Clip) -> Shown:
        """The first frame of the next clip that can be a portrait.

        Raises:
            EvaluationError: there is no other clip, or it has no such frame.
        """
        videos = self._cast.videos() if self._cast else []
        names = [path.name for path in videos]
        if self._cast is None or clip.name not in names or len(names) < 2:
            raise EvaluationError(
                f"{self.name} wants a folder of videos, one of each person, so that one can drive "
                "the portrait of another"
            )
        video = videos[(names.index(clip.name) + 1) % len(videos)]
        other = prepare_clip(video, clip.folder.parent, size=clip.width, seconds=self._cast.seconds)
        return Shown(other, _portrait_frame(other))

    def write_source(self, clip: Clip, folder: Path) -> Path:
        """The clip as a video, and the portrait beside it."""
        with whole_path(folder / "portrait.png", overwrite=True) as draft:
            done, data = cv2.imencode(".png", self._picture(clip)[..., ::-1])
            if not done:
                raise EvaluationError("the portrait cannot be written as PNG")
            draft.write_bytes(data.tobytes())
        return super().write_source(clip, folder)

    def _rated(
        self, clip: Clip, config: EncoderConfig, setting: float, sound: npt.NDArray[np.float32]
    ) -> EncoderConfig:
        """The portrait's bytes in place of a rate."""
        portrait = Portrait(self._picture(clip), _CONSENT)
        size = max(round(setting), 300)
        return replace(config, portrait=portrait, keyframe_bytes=size, references=1)

    def _command(self, config: EncoderConfig) -> str:
        command = ["facewire", "encode", "crop.mkv", f"out{self.suffix}", "--no-crop"]
        command += ["--profile", self.profile, "--references", "1"]
        command += ["--keyframe-bytes", str(config.keyframe_bytes)]
        command += ["--portrait", "portrait.png", "--portrait-consent", _CONSENT]
        command += ["--weights", self.network] if self.network != "s" else []
        return shlex.join(command)

    def _picture(self, clip: Clip) -> Frame:
        person = self.person(clip)
        return np.array(person.clip.rgb()[person.frame])


@functools.lru_cache(maxsize=64)
def _portrait_frame(clip: Clip) -> int:
    """Number of the first frame that can be a portrait.

    Raises:
        EvaluationError: there is none.
    """
    heads = HeadFinder.load(find_asset("face_landmarker.task"))
    for index in range(0, clip.frames, max(1, round(_APART_S * clip.fps))):
        try:
            picture = Portrait(np.array(clip.rgb()[index]), name=f"frame {index}")
            Sitter.find(picture, lambda: Tracker(still=True), heads, clip.width)
        except MediaError:
            continue
        return index
    raise EvaluationError(f"no frame of {clip.name} can be a portrait")
