"""Is it still the same person? Distances of dlib's face embeddings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...models.judges.identity import Embedding, Landmarks
from .base import Frame, MeanMetric, Pair

__all__ = ["Embedder", "IdentityDistance", "PortraitDistance"]

Embedder = Callable[[Frame, Landmarks], Embedding]


class IdentityDistance(MeanMetric):
    """AED: mean Euclidean distance of the true and the decoded face's embeddings.

    Siarohin et al., "First order motion model", NeurIPS 2019, section 4; AVFR-GAN likewise, both
    by OpenFace. Here the embedding is dlib's, whose distances are on another scale: below 0.6 it
    is one person. Pairs of which one frame shows no face are left out. An embedding takes tens
    of milliseconds: give it every n-th pair.

    Args:
        embed: makes an embedding of a face in a picture.
        truth: embeddings of true frames by index; new ones are added, so that one dictionary
            for all codecs of a clip embeds each true frame once.
    """

    def __init__(self, embed: Embedder, truth: dict[int, Embedding] | None = None) -> None:
        super().__init__()
        self._embed = embed
        self._truth = {} if truth is None else truth
        self._cosine = MeanMetric()

    def update(self, pair: Pair) -> None:
        """Compare the faces of both frames."""
        if pair.faces is None:
            return
        if pair.index not in self._truth:
            self._truth[pair.index] = self._embed(pair.truth, pair.faces[0].landmarks)
        first = self._truth[pair.index].astype(np.float64)
        second = self._embed(pair.frame, pair.faces[1].landmarks).astype(np.float64)
        distance = float(np.linalg.norm(first - second))
        norms = float(np.linalg.norm(first) * np.linalg.norm(second))
        self.add(distance)
        self._cosine.add(float(first @ second) / norms if norms else float("nan"))

    def cosine(self) -> float:
        """Mean cosine of the angle between the two embeddings; higher is better."""
        return self._cosine.compute()


class PortraitDistance(MeanMetric):
    """Mean distance of the decoded faces' embeddings to that of a portrait that they should show.

    AVFR-GAN's table 1 for cross-identity reenactment; distances are dlib's, see
    `IdentityDistance`.

    Args:
        embed: makes an embedding of a face in a picture.
        portrait: the portrait's embedding, float32 `[128]`.
    """

    def __init__(self, embed: Embedder, portrait: Embedding) -> None:
        super().__init__()
        self._embed, self._portrait = embed, portrait

    def update(self, pair: Pair) -> None:
        """Compare the decoded face with the portrait."""
        if pair.face is not None:
            found = self._embed(pair.frame, pair.face.landmarks)
            self.add(float(np.linalg.norm(found - self._portrait)))
