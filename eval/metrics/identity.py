"""Is it still the same person? Distances of dlib's face embeddings (extra `[eval]`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...codec.errors import MissingExtraError, WeightsError
from ...models.third_party import find_asset
from ...sender.tracking.tracker import Face
from .base import Frame, MeanMetric, Pair

__all__ = ["DlibEmbedder", "Embedder", "Embedding", "IdentityDistance"]

Embedding = npt.NDArray[np.float32]
Embedder = Callable[[Frame, Face], Embedding]

# The mesh's counterparts of dlib's five points, in its order: the subject's left eye (outer and
# inner corner), the right eye (likewise), the base of the nose.
_FIVE_POINTS = (263, 362, 33, 133, 2)
_WEIGHTS = "dlib_face_recognition_resnet_model_v1.dat"


class DlibEmbedder:
    """dlib's ResNet v1: a face as 128 numbers; pictures of one person lie near each other.

    The face is turned upright and scaled to 150x150 by five points, which here come from
    MediaPipe's mesh: within 3 % of the eyes' distance of those of dlib's own finder.

    Args:
        weights: path of the network; by default found as `models.third_party` says.

    Raises:
        MissingExtraError: dlib is not installed.
        WeightsError: the network is not here, or is not one.
    """

    def __init__(self, weights: Path | None = None) -> None:
        try:
            import dlib
        except ImportError as error:
            raise MissingExtraError("the identity distance", "eval") from error
        self._dlib: Any = dlib
        path = weights or find_asset(_WEIGHTS)
        try:
            self._network = dlib.face_recognition_model_v1(str(path))
        except RuntimeError as error:
            raise WeightsError(f"{path} is not dlib's face network: {error}") from error

    def __call__(self, frame: Frame, face: Face) -> Embedding:
        """Picture uint8 `[H, W, 3]` and the face tracked in it → float32 `[128]`."""
        corners = np.rint(face.landmarks[list(_FIVE_POINTS)] - 0.5).astype(int)  # pixel centres
        points = [self._dlib.point(x, y) for x, y in corners.tolist()]
        height, width = frame.shape[:2]
        found = self._dlib.full_object_detection(
            self._dlib.rectangle(0, 0, width - 1, height - 1), points
        )
        chip = self._dlib.get_face_chip(np.ascontiguousarray(frame), found, 150, 0.25)
        return np.array(self._network.compute_face_descriptor(chip), np.float32)


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
            self._truth[pair.index] = self._embed(pair.truth, pair.faces[0])
        first = self._truth[pair.index].astype(np.float64)
        second = self._embed(pair.frame, pair.faces[1]).astype(np.float64)
        distance = float(np.linalg.norm(first - second))
        norms = float(np.linalg.norm(first) * np.linalg.norm(second))
        self.add(distance)
        self._cosine.add(float(first @ second) / norms if norms else float("nan"))

    def cosine(self) -> float:
        """Mean cosine of the angle between the two embeddings; higher is better."""
        return self._cosine.compute()
