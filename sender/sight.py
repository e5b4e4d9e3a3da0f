"""`Sight`: what is shown of each frame: the person whom the tracker follows, or a portrait that
moves as that person does.

frame → track → follow → crop → smooth ─┬─────────────→ ObservedFrame
                                        └→ Reenactment ─┘
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
import numpy.typing as npt

from ..models.face.gaze import GazeFollower
from ..models.third_party import find_asset
from .config import EncoderConfig
from .observed import ObservedFrame, View
from .photo import Portrait
from .reenactment.head import HeadFinder
from .reenactment.owner import Owner, load_embedder
from .reenactment.reenactment import Reenactment
from .reenactment.sitter import Sitter
from .tracking.finder import FaceTracker
from .tracking.observer import Observer
from .tracking.smoothing import Smoothing
from .tracking.trackers import LateTracker

__all__ = ["Sight"]

Frame = npt.NDArray[np.uint8]


class Sight:
    """Looks at the frames of one stream.

    Args:
        config: of the stream.
        fps: its nominal frames a second.
        time_base: seconds in a tick of `pts`.
        live: whether each frame is shown at once, as in a call.
        tracker: used instead of the one that `config` names. It is not closed.

    Attributes:
        portrait: the picture that is sent in place of the person's, uint8 RGB `[size, size, 3]`;
            None if there is none, and before `prepare`.
    """

    def __init__(
        self,
        config: EncoderConfig,
        fps: Fraction,
        time_base: Fraction,
        *,
        live: bool,
        tracker: FaceTracker | None = None,
    ) -> None:
        self._config = config
        self._time_base, self._step = time_base, 1 / fps
        self._live = live
        self._late = LateTracker(config.tracker) if tracker is None else None
        self._observer = Observer(
            tracker or self._late or LateTracker(config.tracker),
            config.size,
            self._still if self._late else None,
            crop=config.crop,
            face=config.face,
            spread=live,
        )
        self._smoothing = Smoothing(config.smoothing_strength)
        self._gaze = GazeFollower()
        self._reenactment: Reenactment | None = None
        self.portrait: Frame | None = None
        self._last: int | None = None  # time of the frame that was tracked last

    @property
    def _still(self) -> partial[LateTracker]:
        """Makes a tracker that looks at each picture for itself."""
        return partial(LateTracker, self._config.tracker, still=True)

    def prepare(self) -> None:
        """Load what the first frame needs; see `Encoder.prepare`."""
        if self._late is not None:
            self._late.open()
        if self._config.portrait is not None and self._reenactment is None:
            self._reenactment = self._sit(self._config.portrait)

    def _sit(self, portrait: Portrait) -> Reenactment:
        """Find the face of a portrait."""
        embed = load_embedder() if portrait.consent is None else None
        heads = HeadFinder.load(find_asset("face_landmarker.task"))
        sitter = Sitter.find(portrait, self._still, heads, self._config.size)
        self.portrait = sitter.view.seen.picture
        owner = None if embed is None else Owner(sitter.view.seen, embed, portrait.name)
        return Reenactment(sitter, heads, owner)

    def reset(self) -> None:
        """Forget the person, before another stream."""
        self._observer.reset()
        if self._reenactment is not None:
            self._reenactment.reset()
        self._smoothing.reset()
        self._gaze.reset()
        self._last = None

    def observe(self, frame: Frame, pts: int) -> ObservedFrame:
        """Track a frame. Whether one can join there is not decided yet, unless the person or the
        scene is a new one. Of a file, a portrait takes the person's place only in `shown`.

        Raises:
            ConfigError: the frame is not as `Encoder.encode` wants it.
            WeightsError, MissingExtraError, NoFaceError, MediaError, ConsentError: see `prepare`.
        """
        if self._config.portrait is not None and self._reenactment is None:
            self.prepare()
        portrait, last = self._reenactment, self._last
        step = self._step if last is None else (pts - last) * self._time_base
        time_ms = round(pts * self._time_base * 1000)
        seen, changed = self._observer.observe(frame, float(step), time_ms)
        self._last = pts
        if seen is None and portrait is not None:
            return ObservedFrame(pts, None)
        if seen is None:
            unseen = self._observer.unseen(frame, time_ms)
            return ObservedFrame(pts, None if unseen is None else View.of(unseen, faceless=True))
        if changed:
            self._gaze.reset()
        steady = self._smoothing.push(seen, anew=changed)
        view = View.of(replace(steady, steady_gaze=self._gaze.push(seen.landmarks)))
        if portrait is None or not self._live:
            return ObservedFrame(pts, view, join=changed, anew=changed)
        return portrait.show([ObservedFrame(pts, view, anew=changed)], live=True)[0]

    def shown(self, observed: Sequence[ObservedFrame]) -> Sequence[ObservedFrame]:
        """Frames of a stretch of a file; if there is a portrait, it is in place of the person."""
        if self._reenactment is None:
            return observed
        return self._reenactment.show(observed, live=False)

    def close(self) -> None:
        """Free the tracker, unless the caller gave it."""
        self._observer.close()
        if self._late is not None:
            self._late.close()
