"""One clip, measured: how far its decoded frames are from the true ones.

Frames are read once, in order, and forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from ..codec.errors import ConfigError, MediaError
from ..models.judges.inception import Features
from ..sender.tracking.tracker import Face, Tracker
from .clips import Clip, Frame
from .metrics import apb2face, faces
from .metrics.base import BOXES, Box, Mean, MeanInParts, Metric, Pair
from .metrics.fidelity import ms_ssim, psnr, ssim
from .metrics.identity import IdentityDistance, PortraitDistance
from .metrics.perceptual import picture_distance
from .metrics.sync import MouthAudioCorrelation
from .metrics.syncnet import SyncScore
from .metrics.temporal import Flicker, Jitter
from .suite import Suite
from .truth import FeatureBatches, Truth, milliseconds

__all__ = ["Figures", "PersonShown", "boxes_of", "measure"]

_MARGINS = {"face": 0.0, "mouth": 0.2, "eyes": 0.2}
"""How much wider than its landmarks a box is on each side."""
_SMALLEST = 32
_FIRST_S = 10.0
_IN_PARTS = "lpips", "face_lpips", "psnr"
"""These are also measured of the first `_FIRST_S` seconds and of the rest."""
_OF_THE_DRIVER = (
    *("mouth_opening", "eye_opening", "eye_asymmetry", "mouth_correlation", "gaze_error"),
    *("pose_error", "blink_error", "dr", "ape", "abe", "lip_sync_correlation", "sync_c"),
)
"""What a portrait has in common with its driver; pictures and landmarks are another person's."""


@dataclass(frozen=True)
class PersonShown:
    """Whom decoded frames show, where it is not the person in the clip.

    Attributes:
        portrait: uint8 RGB `[H, W, 3]`.
        face: the face in it; None if the tracker of the truth finds none.
    """

    portrait: Frame
    face: Face | None


@dataclass(frozen=True)
class Figures:
    """What was measured of the decoded frames of a clip.

    Attributes:
        values: figure by metric; what could not be measured is not in it.
        counts: how many frames were looked at: `frames` (all), `faces` (true frames with a face),
            `pictures` (each `every`-th), `vgg` (each `vgg_every`-th), `inception`.
        features: float32 `[n, 2048]`, Inception features of the decoded frames.
        decode_seconds: CPU time of decoding.
    """

    values: dict[str, float]
    counts: dict[str, int]
    features: Features
    decode_seconds: float = 0.0

    def save(self, path: Path) -> None:
        """Write them as `.npz`, without pickles."""
        about = {"values": self.values, "counts": self.counts, "decode": self.decode_seconds}
        np.savez(path, about=np.array(json.dumps(about)), features=self.features)

    @classmethod
    def load(cls, path: Path) -> Figures:
        """The inverse of `save`."""
        with np.load(path, allow_pickle=False) as data:
            about = json.loads(str(data["about"]))
            return cls(about["values"], about["counts"], data["features"], about["decode"])


def measure(
    clip: Clip,
    truth: Truth,
    decoded: Iterable[Frame],
    suite: Suite,
    shown: PersonShown | None = None,
) -> Figures:
    """Measure decoded frames against a clip.

    Args:
        clip: the true frames and the sound.
        truth: of `measure_truth`, with the same suite.
        decoded: uint8 RGB `[H, W, 3]`, one for each frame of the clip; read once.
        suite: networks and sampling.
        shown: of a portrait: only what it has in common with the clip is measured, and its
            identity.

    Raises:
        MediaError: another number or another size of frames than the clip has.
        ConfigError: the truth is of another clip.
    """
    if len(truth.faces) != clip.frames:
        raise ConfigError(f"{clip.name} has {clip.frames} frames, its truth {len(truth.faces)}")
    metrics, batches = _Metrics(clip, truth, suite, shown), FeatureBatches(suite)
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
            found = tracker.track(frame, milliseconds(clip.fps, index))
            face, true_face = (found[0] if found else None), truth.faces[index]
            boxes = boxes_of(true_face, frame.shape)
            metrics.update(
                Pair(index, np.asarray(true_frames[index]), frame, true_face, face, boxes)
            )
            batches.update(index, frame)
            count += 1
    if count != clip.frames:
        raise MediaError(f"{clip.name}: {count} frames came back of {clip.frames}")
    features = batches.compute()
    counts = {
        "frames": count,
        "faces": sum(face is not None for face in truth.faces),
        "pictures": -(-count // suite.every),
        "vgg": -(-count // suite.vgg_every),
        "inception": len(features),
    }
    return Figures(metrics.compute(), counts, features)


class _Metrics:
    """All metrics of one clip, in three groups by how often they look."""

    def __init__(
        self, clip: Clip, truth: Truth, suite: Suite, shown: PersonShown | None = None
    ) -> None:
        self._more: dict[str, Callable[[], float]] = {}  # second figures of metrics
        each: dict[str, Metric] = {
            "lmd": Mean(faces.landmark_distance, "face"),
            "lmd_mouth": Mean(faces.landmark_distance, "mouth"),
            "lmd_eyes": Mean(faces.landmark_distance, "eyes"),
            "mouth_opening": Mean(faces.opening_error, "mouth"),
            "eye_opening": Mean(faces.opening_error, "eyes"),
            "eye_asymmetry": Mean(faces.asymmetry_error),
            "mouth_correlation": faces.OpeningCorrelation("mouth"),
            "gaze_error": Mean(faces.gaze_error),
            "pose_error": Mean(faces.pose_error),
            "blink_error": Mean(faces.blink_error),
            "dr": Mean(apb2face.detection_rate),
            "ale": Mean(apb2face.landmark_error),
            "ape": Mean(apb2face.pose_error),
            "abe": Mean(faces.opening_error, "eyes"),
            "flicker": Flicker(),
            "jitter": Jitter(),
        }
        pictures: dict[str, Metric] = {"ms_ssim": Mean(ms_ssim)}
        costly: dict[str, Metric] = {}
        networks: list[tuple[nn.Module | None, str, dict[str, Metric], tuple[str, ...]]] = [
            (suite.alex, "lpips", pictures, BOXES),
            (suite.vgg, "lpips_vgg", costly, BOXES[:2]),
            (suite.dists, "dists", costly, BOXES[:2]),
        ]
        border = round(_FIRST_S * clip.fps)
        for box in BOXES:
            prefix = "" if box == "whole" else f"{box}_"
            each[f"{prefix}psnr"] = MeanInParts(border, psnr, box)
            pictures[f"{prefix}ssim"] = Mean(ssim, box)
            for network, name, group, boxes in networks:
                if network is not None and box in boxes:
                    group[prefix + name] = MeanInParts(border, picture_distance, network, box)
        if suite.embed is not None:
            costly["aed"] = identity = IdentityDistance(suite.embed, dict(truth.embeddings))
            self._more["identity_cosine"] = identity.cosine
        pcm = clip.pcm()
        if len(pcm):
            each["lip_sync_correlation"] = heard = MouthAudioCorrelation(pcm, clip.fps)
            self._more["lip_sync_correlation_truth"] = heard.reference
        if suite.syncnet is not None and len(pcm):
            each["sync_c"] = sync = SyncScore(suite.syncnet, pcm, clip.fps)
            self._more["sync_d"] = sync.distance
        if shown is not None:
            each = {name: metric for name, metric in each.items() if name in _OF_THE_DRIVER}
            pictures, costly = {}, {}
            self._more.pop("identity_cosine", None)
            if suite.embed is not None and shown.face is not None:
                own = suite.embed(shown.portrait, shown.face.landmarks)
                costly["portrait_identity"] = PortraitDistance(suite.embed, own)
        for name in _IN_PARTS:
            metric = each.get(name) or pictures.get(name)
            if isinstance(metric, MeanInParts):
                self._more |= {f"first_{name}": metric.first, f"later_{name}": metric.later}
        self._groups = ((1, each), (suite.every, pictures), (suite.vgg_every, costly))

    def update(self, pair: Pair) -> None:
        for every, group in self._groups:
            if pair.index % every == 0:
                for metric in group.values():
                    metric.update(pair)

    def compute(self) -> dict[str, float]:
        values = {name: m.compute() for _, group in self._groups for name, m in group.items()}
        values |= {name: compute() for name, compute in self._more.items()}
        return {name: float(value) for name, value in values.items() if np.isfinite(value)}


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
    for part, margin in _MARGINS.items():
        marks = face.landmarks[list(faces.PARTS[part])]
        low, high = marks.min(0), marks.max(0)
        grow = margin * (high - low)
        low, high = np.clip(low - grow, 0, limit), np.clip(high + grow, 0, limit)
        size = np.minimum(np.maximum(np.ceil(high - low), _SMALLEST), limit).astype(int)
        corner = np.clip(np.rint((low + high - size) / 2).astype(int), 0, limit - size)
        x, y, w, h = (int(value) for value in (*corner, *size))
        boxes[part] = (x, y, x + w, y + h)
    return boxes
