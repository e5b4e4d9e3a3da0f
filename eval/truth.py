"""What is true of one clip: its tracked faces, identity embeddings and Inception features.

It is measured once for all codecs. What is kept is about 6 KB a frame, of which a 256x256 picture
has 197.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..models.judges.identity import Embedding
from ..models.judges.inception import FEATURES, Features
from ..sender.tracking.tracker import Face, Tracker
from .clips import Clip, Frame
from .suite import Suite

__all__ = ["FeatureBatches", "Truth", "measure_truth", "milliseconds"]

_BATCH = 8


@dataclass(frozen=True)
class Truth:
    """What a clip's own frames show.

    Attributes:
        faces: the face of each frame; None where the tracker finds none.
        features: float32 `[n, 2048]`, Inception features of each `every`-th frame; empty without
            that network.
        embeddings: float32 `[128]`, identity of each `vgg_every`-th frame with a face, by its
            number.
    """

    faces: list[Face | None]
    features: Features
    embeddings: dict[int, Embedding] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write it as `.npz`, without pickles; the faces' depth is not kept."""
        known = [face for face in self.faces if face is not None]
        unknown = np.full((4, 4), np.nan, np.float32)
        poses = [unknown if face.pose is None else face.pose for face in known]
        arrays: dict[str, npt.ArrayLike] = {
            "seen": [face is not None for face in self.faces],
            "landmarks": np.array([face.landmarks for face in known], np.float32),
            "blink": np.array([face.blink for face in known], np.float64),
            "pose": np.array(poses, np.float32),
            "features": self.features,
            "embedded": np.array(list(self.embeddings), np.int64),
            "embeddings": np.array(list(self.embeddings.values()), np.float32),
        }
        np.savez(path, **arrays)  # type: ignore[arg-type]  # numpy's flag, not an array

    @classmethod
    def load(cls, path: Path) -> Truth:
        """The inverse of `save`."""
        with np.load(path, allow_pickle=False) as data:
            rows = zip(data["landmarks"], data["blink"], data["pose"], strict=True)
            known = iter(
                [
                    Face(marks, (float(right), float(left)), None if np.isnan(pose).any() else pose)
                    for marks, (right, left), pose in rows
                ]
            )
            faces = [next(known) if seen else None for seen in data["seen"]]
            embeddings = dict(zip(data["embedded"].tolist(), data["embeddings"], strict=True))
            return cls(faces, data["features"], embeddings)


class FeatureBatches:
    """Inception features of each `every`-th frame, computed in batches.

    Args:
        suite: the network and how often it looks.
    """

    def __init__(self, suite: Suite) -> None:
        self._network, self._every = suite.inception, suite.every
        self._waiting: list[Frame] = []
        self._features: list[Features] = [np.zeros((0, FEATURES), np.float32)]

    def update(self, index: int, frame: Frame) -> None:
        """Take the frame where its turn is."""
        if self._network is not None and index % self._every == 0:
            self._waiting.append(np.array(frame))
            if len(self._waiting) == _BATCH:
                self._flush()

    def _flush(self) -> None:
        if self._network is not None and self._waiting:
            self._features.append(self._network(self._waiting))
            self._waiting.clear()

    def compute(self) -> Features:
        """Features `[n, 2048]` of all frames taken."""
        self._flush()
        return np.concatenate(self._features)


def measure_truth(clip: Clip, suite: Suite) -> Truth:
    """Track, embed and pool the clip's own frames.

    Args:
        clip: the clip.
        suite: networks and sampling.

    Raises:
        MissingExtraError: OpenCV is not installed.
        WeightsError: the tracker's model is not here.
    """
    batches, faces = FeatureBatches(suite), []
    embeddings: dict[int, Embedding] = {}
    with Tracker(details=True) as tracker:
        for index, frame in enumerate(clip.rgb()):
            picture = np.asarray(frame)
            found = tracker.track(picture, milliseconds(clip.fps, index))
            faces.append(replace(found[0], depth=None) if found else None)
            batches.update(index, picture)
            if found and suite.embed is not None and index % suite.vgg_every == 0:
                embeddings[index] = suite.embed(picture, found[0].landmarks)
    return Truth(faces, batches.compute(), embeddings)


def milliseconds(fps: Fraction, index: int) -> int:
    """Time stamp of a frame, as the tracker wants it."""
    return round(1000 * index / fps)
