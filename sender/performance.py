"""`Performance`: stands where `Sight` does in a stream whose face is moved by sound. It looks at no
frame: a frame only says that there is one.

sound → Performer ─→ ObservedFrame
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial

import numpy as np
import numpy.typing as npt

from ..codec.errors import ConfigError
from ..models.third_party import find_asset
from .config import EncoderConfig
from .observed import ObservedFrame
from .performing.lips import Mouths
from .performing.performer import Performer
from .photo import Portrait
from .reenactment.head import HeadFinder
from .reenactment.sitter import Sitter
from .tracking.trackers import LateTracker

__all__ = ["Performance"]

Frame = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]


class Performance:
    """The frames of one stream.

    Args:
        config: of the stream.
        time_base: seconds in a tick of `pts`.
        mouths: tells how a mouth moves with sound.

    Attributes:
        portrait: the picture that is sent, uint8 RGB `[size, size, 3]`; None before `prepare`.

    Raises:
        ConfigError: there is no portrait, or nothing that tells it.
    """

    def __init__(self, config: EncoderConfig, time_base: Fraction, mouths: Mouths | None) -> None:
        if config.portrait is None or mouths is None:
            raise ConfigError("a portrait that sound moves needs `mouths`, as a MouthPredictor")
        self._config, self._time_base = config, time_base
        self._portrait: Portrait = config.portrait
        self._mouths: Mouths = mouths
        self._performer: Performer | None = None
        self.portrait: Frame | None = None

    def prepare(self) -> None:
        """Find the face; see `Encoder.prepare`."""
        self._perform()

    def _perform(self) -> Performer:
        if self._performer is None:
            heads = HeadFinder.load(find_asset("face_landmarker.task"))
            still = partial(LateTracker, self._config.tracker, still=True)
            sitter = Sitter.find(self._portrait, still, heads, self._config.size)
            self.portrait = sitter.view.seen.picture
            self._performer = Performer(sitter, self._mouths, self._config.seed)
        return self._performer

    def reset(self) -> None:
        """Another stream."""
        if self._performer is not None:
            self._performer.reset()

    def hear(self, pcm: Sound, end: Fraction | None) -> None:
        """Take the next piece of sound; see `Performer.hear`."""
        self._perform().hear(pcm, None if end is None else float(end))

    def observe(self, frame: Frame, pts: int) -> ObservedFrame:
        """The portrait as it is at a time.

        Raises:
            WeightsError, NoFaceError, MediaError: see `Encoder.prepare`.
        """
        return ObservedFrame(pts, self._perform().view(float(pts * self._time_base)))

    def shown(self, observed: Sequence[ObservedFrame]) -> Sequence[ObservedFrame]:
        """The same frames."""
        return observed

    def close(self) -> None:
        """There is nothing to free."""
