"""One clip, measured: what is true of it, and how far decoded frames are from that.

Frames are read once, in order, and forgotten. What is kept of a clip is its landmarks and
Inception features: about 6 KB a frame, of which a 256x256 picture has 197.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..codec.errors import ConfigError, MediaError
from ..models.face.mesh import LEFT_EYE, MOUTH, RIGHT_EYE
from ..sender.tracking.tracker import Face, Tracker
from .clips import Clip
from .metrics.apb2face import (
    AverageBlinkError,
    AverageLandmarkError,
    AveragePoseError,
    DetectionRate,
)
from .metrics.base import BOXES, Box, Frame, Metric, Pair
from .metrics.distribution import FEATURES
from .metrics.faces import BlinkError, LandmarkDistance, OpeningCorrelation, OpeningError, PoseError
from .metrics.fidelity import MsSsim, Psnr, Ssim
from .metrics.identity import Embedding, IdentityDistance
from .metrics.perceptual import PairDistance
from .metrics.sync import MouthAudioCorrelation
from .metrics.syncnet import SyncScore
from .metrics.temporal import Flicker, Jitter
from .suite import Suite

__all__ = ["Figures", "Suite", "Truth", "boxes_of", "measure", "measure_truth"]

Features = npt.NDArray[np.float32]

_BATCH = 8
# Landmarks of each box, and how much wider than they it is on each side.
_PARTS = {
    "face": (tuple(range(468)), 0.0),
    "mouth": (MOUTH, 0.2),
    "eyes": ((*RIGHT_EYE, *LEFT_EYE), 0.2),
}
_SMALLEST = 32


@dataclass(frozen=True)
class Truth:
    """What a clip's own frames show.

    Attributes:
        faces: of each frame; None where the tracker finds none.
        features: float32 `[n, 2048]`, Inception features of each `every`-th frame; empty without
            that network.
        embeddings: float32 `[128]`, identity of each `vgg_every`-th frame with a face, by its
            number.
    """

    faces: list[Face | None]
    features: Features
    embeddings: dict[int, Embedding] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """As `.npz`, without pickles; the faces' depth is not kept."""
        seen = np.array([face is not None for face in self.faces])
        known = [face for face in self.faces if face is not None]
        unknown = np.full((4, 4), np.nan, np.float32)
        poses = [unknown if face.pose is None else face.pose for face in known]
        with path.open("wb") as file:
            np.savez(
                file,
                seen=seen,
                landmarks=np.array([face.landmarks for face in known], np.float32),
                blink=np.array([face.blink for face in known], np.float64),
                pose=np.array(poses, np.float32),
                features=self.features,
                embedded=np.array(list(self.embeddings), np.int64),
                embeddings=np.array(list(self.embeddings.values()), np.float32),
            )

    @classmethod
    def load(cls, path: Path) -> Truth:
        """Inverse of `save`."""
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


@dataclass(frozen=True)
class Figures:
    """What decoded frames of a clip came to.

    Attributes:
        values: metric → figure; what could not be measured is not in it.
        counts: how many frames were looked at: `frames` (all), `faces` (true frames with a face),
            `pictures` (each `every`-th), `vgg` (each `vgg_every`-th), `inception`.
        features: float32 `[n, 2048]`, Inception features of the decoded frames.
    """

    values: dict[str, float]
    counts: dict[str, int]
    features: Features

    def save(self, path: Path) -> None:
        """As `.npz`, without pickles."""
        about = json.dumps({"values": self.values, "counts": self.counts})
        with path.open("wb") as file:
            np.savez(file, about=np.array(about), features=self.features)

    @classmethod
    def load(cls, path: Path) -> Figures:
        """Inverse of `save`."""
        with np.load(path, allow_pickle=False) as data:
            about = json.loads(str(data["about"]))
            return cls(about["values"], about["counts"], data["features"])


class _Pooling:
    """Gathers Inception features in batches."""

    def __init__(self, suite: Suite) -> None:
        self._network, self._every = suite.inception, suite.every
        self._waiting: list[Frame] = []
        self._features: list[Features] = []

    def update(self, index: int, frame: Frame) -> None:
        """Take the frame where its turn is."""
        if self._network is None or index % self._every:
            return
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
        empty = np.zeros((0, FEATURES), np.float32)
        return np.concatenate(self._features) if self._features else empty


def measure_truth(clip: Clip, suite: Suite) -> Truth:
    """Track, embed and pool the clip's own frames, once a clip.

    Raises:
        MissingExtraError: OpenCV is not installed.
        WeightsError: the tracker's model is not here.
    """
    pooling = _Pooling(suite)
    faces: list[Face | None] = []
    embeddings = {}
    with Tracker(details=True) as tracker:
        for index, frame in enumerate(clip.rgb()):
            picture = np.asarray(frame)
            found = tracker.track(picture, _milliseconds(clip.fps, index))
            faces.append(replace(found[0], depth=None) if found else None)
            pooling.update(index, picture)
            if found and suite.embed is not None and index % suite.vgg_every == 0:
                embeddings[index] = suite.embed(picture, found[0])
    return Truth(faces, pooling.compute(), embeddings)


def measure(clip: Clip, truth: Truth, decoded: Iterable[Frame], suite: Suite) -> Figures:
    """Measure decoded frames against a clip.

    Args:
        clip: the true frames and the sound.
        truth: of `measure_truth`, with the same suite.
        decoded: uint8 RGB `[H, W, 3]`, one for each frame of the clip; read once.
        suite: networks and sampling.

    Raises:
        MediaError: another number or another size of frames than the clip has.
        ConfigError: the truth is of another clip.
    """
    if len(truth.faces) != clip.frames:
        raise ConfigError(f"{clip.name} has {clip.frames} frames, its truth {len(truth.faces)}")
    metrics = _Metrics(clip, truth, suite)
    pooling = _Pooling(suite)
    true_frames, count = clip.rgb(), 0
    with Tracker(details=True) as tracker:
        for index, frame in enumerate(decoded):
            if index >= clip.frames:
                raise MediaError(f"{clip.name}: more frames came back than the {clip.frames} sent")
            if frame.shape != true_frames.shape[1:]:
                raise MediaError(
                    f"{clip.name}: frames of shape {frame.shape} came back, not "
                    f"{true_frames.shape[1:]}"
                )
            found = tracker.track(frame, _milliseconds(clip.fps, index))
            face, true_face = (found[0] if found else None), truth.faces[index]
            picture = np.asarray(true_frames[index])
            boxes = boxes_of(true_face, frame.shape)
            metrics.update(Pair(index, picture, frame, true_face, face, boxes))
            pooling.update(index, frame)
            count += 1
    if count != clip.frames:
        raise MediaError(f"{clip.name}: {count} frames came back of {clip.frames}")
    features = pooling.compute()
    counts = {
        "frames": count,
        "faces": sum(face is not None for face in truth.faces),
        "pictures": -(-count // suite.every),
        "vgg": -(-count // suite.vgg_every),
        "inception": len(features),
    }
    return Figures(metrics.compute(), counts, features)


class _Metrics:
    """All metrics of one run, by how often they look."""

    def __init__(self, clip: Clip, truth: Truth, suite: Suite) -> None:
        self._suite = suite
        self._each: dict[str, Metric] = {
            "lmd": LandmarkDistance("face"),
            "lmd_mouth": LandmarkDistance("mouth"),
            "lmd_eyes": LandmarkDistance("eyes"),
            "mouth_opening": OpeningError("mouth"),
            "eye_opening": OpeningError("eyes"),
            "mouth_correlation": OpeningCorrelation("mouth"),
            "pose_error": PoseError(),
            "blink_error": BlinkError(),
            "dr": DetectionRate(),
            "ale": AverageLandmarkError(),
            "ape": AveragePoseError(),
            "abe": AverageBlinkError(),
            "flicker": Flicker(),
            "jitter": Jitter(),
        }
        self._pictures: dict[str, Metric] = {"ms_ssim": MsSsim()} if suite.similarity else {}
        self._costly: dict[str, Metric] = {}
        for box in BOXES:
            prefix = "" if box == "whole" else f"{box}_"
            self._each[f"{prefix}psnr"] = Psnr(box)
            if suite.similarity:
                self._pictures[f"{prefix}ssim"] = Ssim(box)
            if suite.alex is not None:
                self._pictures[f"{prefix}lpips"] = PairDistance(suite.alex, box)
            if box in ("whole", "face"):
                if suite.vgg is not None:
                    self._costly[f"{prefix}lpips_vgg"] = PairDistance(suite.vgg, box)
                if suite.dists is not None:
                    self._costly[f"{prefix}dists"] = PairDistance(suite.dists, box)
        self._identity: IdentityDistance | None = None
        if suite.embed is not None:
            self._identity = IdentityDistance(suite.embed, dict(truth.embeddings))
            self._costly["aed"] = self._identity
        pcm = clip.pcm()
        self._heard = MouthAudioCorrelation(pcm, clip.fps) if len(pcm) else None
        if self._heard is not None:
            self._each["lip_sync_correlation"] = self._heard
        self._sync: SyncScore | None = None
        if suite.syncnet is not None and len(pcm):
            self._sync = SyncScore(suite.syncnet, pcm, clip.fps)
            self._each["sync_c"] = self._sync

    def update(self, pair: Pair) -> None:
        for metric in self._each.values():
            metric.update(pair)
        if pair.index % self._suite.every == 0:
            for metric in self._pictures.values():
                metric.update(pair)
        if pair.index % self._suite.vgg_every == 0:
            for metric in self._costly.values():
                metric.update(pair)

    def compute(self) -> dict[str, float]:
        every = {**self._each, **self._pictures, **self._costly}
        values = {name: metric.compute() for name, metric in every.items()}
        if self._identity is not None:
            values["identity_cosine"] = self._identity.cosine()
        if self._heard is not None:
            values["lip_sync_correlation_truth"] = self._heard.reference()
        if self._sync is not None:
            values["sync_d"] = self._sync.distance()
        return {name: float(value) for name, value in values.items() if np.isfinite(value)}


def _milliseconds(fps: Fraction, index: int) -> int:
    return round(1000 * index / fps)


def boxes_of(face: Face | None, shape: tuple[int, ...]) -> dict[str, Box]:
    """Each of `BOXES` in a picture of a shape; without a face `whole` alone.

    A box encloses its landmarks, mouth and eyes with a fifth of its size more on each side. It is
    at least 32 pixels wide and high, as far as the picture is, and lies inside the picture.
    """
    height, width = shape[:2]
    boxes: dict[str, Box] = {"whole": (0, 0, width, height)}
    if face is None:
        return boxes
    limit = np.array([width, height])
    for part, (points, margin) in _PARTS.items():
        marks = face.landmarks[list(points)]
        low, high = marks.min(0), marks.max(0)
        grow = margin * (high - low)
        low, high = np.clip(low - grow, 0, limit), np.clip(high + grow, 0, limit)
        size = np.minimum(np.maximum(np.ceil(high - low), _SMALLEST), limit).astype(int)
        corner = np.clip(np.rint((low + high - size) / 2).astype(int), 0, limit - size)
        x, y, w, h = (int(value) for value in (*corner, *size))
        boxes[part] = (x, y, x + w, y + h)
    return boxes
