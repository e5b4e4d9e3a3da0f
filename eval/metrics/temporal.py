"""What moves that should not: flicker of the picture, jitter of the face."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .base import Frame, MeanMetric, Pair

__all__ = ["Flicker", "Jitter"]


class Flicker(MeanMetric):
    """Error of the change from frame to frame, in grey levels of 255; lower is better.

    Mean absolute difference between the decoded and the true frame difference, over pixels,
    channels and successive frames. A still error does not count, one that comes and goes does.
    The form is that of tOF and tLP (Chu et al., TecoGAN, ACM TOG 2020, arXiv 1811.09393), which
    compare the optical flow and the LPIPS of successive frames; on pixels it is cheap enough for
    every frame.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: tuple[Frame, Frame] | None = None

    def update(self, pair: Pair) -> None:
        """Compare the change since the last pair."""
        if self._last is not None:
            truth, frame = (
                now.astype(np.int16) - before
                for now, before in zip((pair.truth, pair.frame), self._last, strict=True)
            )
            self.add(float(np.abs(truth - frame).mean()))
        self._last = pair.truth.copy(), pair.frame.copy()


class Jitter(MeanMetric):
    """Shake of the face that the truth does not have, in pixels; lower is better.

    Mean norm of the difference between the decoded and the true landmarks' second differences
    over three frames in a row: the acceleration error of Kanazawa et al. (CVPR 2019, arXiv
    1812.01601), here of mesh points in the picture and per frame². Steady offsets and steady
    drifts do not count. The tracker's own noise is in it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._errors: list[npt.NDArray[np.float32]] = []

    def update(self, pair: Pair) -> None:
        """Compare with the two pairs before; a frame without face begins anew."""
        if pair.faces is None:
            self._errors.clear()
            return
        self._errors.append(pair.faces[1].landmarks - pair.faces[0].landmarks)
        if len(self._errors) == 3:
            first, second, third = self._errors
            self.add(float(np.linalg.norm(third - 2 * second + first, axis=-1).mean()))
            del self._errors[0]
