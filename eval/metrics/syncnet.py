"""Do lips and sound belong together? LSE-C and LSE-D of SyncNet, where its weights are at hand."""

from __future__ import annotations

from collections import deque
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from ...codec.sound.opus import SAMPLE_RATE
from ...models.judges.syncnet import CEPSTRA, FRAMES, STEPS, SyncNet, face_crop, mfcc
from .base import Pair

__all__ = ["MAX_OFFSET", "SyncScore"]

FRAME_RATE = 25
MAX_OFFSET = 15
"""Offsets that are tried, in frames to either side."""


class SyncScore:
    """LSE-C and LSE-D: SyncNet's confidence and distance of a decoded video and its sound.

    Prajwal et al., "A lip sync expert is all you need", ACM MM 2020, section 4; AVFR-GAN's
    "Sync" is the confidence. Distances of each 0.2 s of face to the sound at each offset of up
    to 15 frames are averaged over time; the least is the distance, the median minus the least the
    confidence. Frames are taken at 25 a second, as the network was trained; where a frame shows
    no face the windows that hold it are left out.

    Args:
        network: from `load_syncnet`.
        pcm: the sound, float32 mono `[n]`, 16 kHz, from the video's time 0.
        fps: frames a second of the video.
        every: look at each n-th window only.
    """

    def __init__(
        self,
        network: SyncNet,
        pcm: npt.NDArray[np.float32],
        fps: Fraction = Fraction(FRAME_RATE),
        *,
        every: int = 1,
    ) -> None:
        self._network, self._fps, self._every = network, fps, every
        self._sound = self._embed_sound(pcm)
        self._crops: deque[Tensor | None] = deque(maxlen=FRAMES)
        self._taken = 0
        self._sum, self._count = torch.zeros(2 * MAX_OFFSET + 1, dtype=torch.float64), 0

    def _embed_sound(self, pcm: npt.NDArray[np.float32]) -> Tensor:
        """Sound of each window of five frames, `[windows + 2 · 15, 1024]`; zeros around."""
        windows = max(0, len(pcm) * FRAME_RATE // SAMPLE_RATE - FRAMES)
        steps = torch.from_numpy(mfcc(pcm)) if windows else torch.zeros(CEPSTRA, 0)
        starts = range(0, windows * 4, 4)
        result = [torch.zeros(0, 1024)]
        with torch.inference_mode():
            for first in range(0, windows, 64):
                batch = [steps[None, :, s : s + STEPS] for s in starts[first : first + 64]]
                result.append(self._network.sound(torch.stack(batch)))
        return functional.pad(torch.cat(result), (0, 0, MAX_OFFSET, MAX_OFFSET))

    def update(self, pair: Pair) -> None:
        """Take the decoded frame, as often as 25 frames a second ask for it."""
        crop = None
        while self._taken * self._fps < (pair.index + Fraction(1, 2)) * FRAME_RATE:
            if crop is None and pair.face is not None:
                crop = face_crop(pair.frame, pair.face.landmarks)
            self._crops.append(crop)
            self._taken += 1
            self._window(self._taken - FRAMES)

    def _window(self, start: int) -> None:
        crops = [crop for crop in self._crops if crop is not None]
        windows = len(self._sound) - 2 * MAX_OFFSET
        if not 0 <= start < windows or start % self._every or len(crops) < FRAMES:
            return
        with torch.inference_mode():
            face = self._network.face(torch.stack(crops, 1)[None])
        self.add(face, self._sound[start : start + 2 * MAX_OFFSET + 1])

    def add(self, face: Tensor, sounds: Tensor) -> None:
        """Count one window: face `[1, 1024]`, sound at all offsets `[31, 1024]`."""
        self._sum += functional.pairwise_distance(face, sounds).double()
        self._count += 1

    def _distances(self) -> Tensor:
        mean = self._sum / self._count if self._count else self._sum * float("nan")
        return torch.as_tensor(mean)

    def compute(self) -> float:
        """LSE-C, the confidence: higher is better."""
        mean = self._distances()
        return float(mean.median() - mean.min())

    def distance(self) -> float:
        """LSE-D, the distance at the best offset: lower is better."""
        return float(self._distances().min())

    def offset(self) -> int | None:
        """Frames by which the sound comes late (negative: early) at the best match."""
        return int(self._distances().argmin()) - MAX_OFFSET if self._count else None
