"""Two networks on held-out people: is one of them better by the whole table?

Each network animates the keyframe of prepared clips (`models.training.cache`), as a receiver would
with exact motion. No stream is planned, so that two networks are told apart in minutes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..codec.errors import TrainingError
from ..models.avfr.model import Avfr
from ..models.judges.identity import Embedding
from ..models.training.cache import CachedClip
from ..models.training.enroll import as_received
from ..models.training.evaluate import animate_clip, shown
from ..sender.tracking.tracker import Face, Tracker
from .clips import Frame
from .measure import boxes_of
from .metrics import faces
from .metrics.base import Mean, Metric, Pair
from .metrics.catalogue import METRICS
from .metrics.fidelity import psnr
from .metrics.identity import IdentityDistance
from .metrics.perceptual import picture_distance
from .metrics.temporal import Flicker
from .statistics.intervals import Difference, mean, paired_difference
from .suite import Suite

__all__ = ["Comparison", "Line", "compare_networks", "measure_network"]

Progress = Callable[[int, int], None]
ClipFigures = dict[str, dict[str, float]]
"""Figure by clip, by metric."""


def measure_network(
    model: Avfr,
    clips: Sequence[CachedClip],
    suite: Suite,
    *,
    moments: int = 6,
    coded: bool = True,
    progress: Progress = lambda done, total: None,
) -> ClipFigures:
    """Measure what a network makes of the first usable picture of each clip.

    Args:
        model: the network.
        clips: prepared clips of people that it has not learned from.
        suite: networks that measure. What is missing there is left out.
        moments: places in each clip, evenly spread. At each of them two successive kept frames
            are made, since flicker needs two; the costly metrics look at the first one.
        coded: whether the keyframe is coded with about 3 kB first, as it arrives in a call.
        progress: called with the number of clips done, and of all.

    Returns:
        Figure by clip, by metric of `eval.metrics.catalogue`. What could not be measured in a clip
        is not in it.

    Raises:
        TrainingError: no clip has three pictures of a face.
    """
    clips = [clip for clip in clips if len(clip.usable) > 2]
    if not clips:
        raise TrainingError("no held-out clip has three pictures of a face: nothing to measure on")
    found: ClipFigures = defaultdict(dict)
    with Tracker(details=True, still=True) as tracker:
        for done, clip in enumerate(clips):
            for name, value in _measure_clip(model, clip, suite, tracker, moments, coded).items():
                if np.isfinite(value):
                    found[name][clip.name] = value
            progress(done + 1, len(clips))
    return dict(found)


def _measure_clip(
    model: Avfr, clip: CachedClip, suite: Suite, tracker: Tracker, moments: int, coded: bool
) -> dict[str, float]:
    places = np.unique(np.linspace(1, len(clip.usable) - 2, moments).astype(int))
    chosen = [int(i) for place in places for i in clip.usable[place : place + 2]]
    keyframe = as_received(clip) if coded else clip
    made, _ = animate_clip(model, keyframe, chosen, next(model.parameters()).device)
    each, costly = _metrics(suite)
    flickers = []
    for index, (position, frame) in enumerate(zip(chosen, made, strict=True)):
        truth = shown(clip, position, len(frame))
        true_face, face = (_face(tracker, picture) for picture in (truth, frame))
        pair = Pair(index, truth, frame, true_face, face, boxes_of(true_face, frame.shape))
        if index % 2 == 0:
            flickers.append(Flicker())
        flickers[-1].update(pair)
        for metric in (*each.values(), *(costly.values() if index % 2 == 0 else ())):
            metric.update(pair)
    values = {name: metric.compute() for name, metric in {**each, **costly}.items()}
    return {**values, "flicker": mean([flicker.compute() for flicker in flickers])}


def _face(tracker: Tracker, picture: Frame) -> Face | None:
    return next(iter(tracker.track(np.ascontiguousarray(picture))), None)


def _metrics(suite: Suite) -> tuple[dict[str, Metric], dict[str, Metric]]:
    """What looks at all frames, and what costs more."""
    each: dict[str, Metric] = {
        "psnr": Mean(psnr, "whole"),
        "face_psnr": Mean(psnr, "face"),
        "lmd_mouth": Mean(faces.landmark_distance, "mouth"),
        "lmd_eyes": Mean(faces.landmark_distance, "eyes"),
        "eye_opening": Mean(faces.opening_error, "eyes"),
        "eye_asymmetry": Mean(faces.asymmetry_error),
        "gaze_error": Mean(faces.gaze_error),
        "blink_error": Mean(faces.blink_error),
        "pose_error": Mean(faces.pose_error),
    }
    costly: dict[str, Metric] = {}
    if suite.alex is not None:
        each["lpips"] = Mean(picture_distance, suite.alex)
        each["face_lpips"] = Mean(picture_distance, suite.alex, "face")
    if suite.vgg is not None:
        costly["lpips_vgg"] = Mean(picture_distance, suite.vgg)
    if suite.dists is not None:
        costly["dists"] = Mean(picture_distance, suite.dists)
    if suite.embed is not None:
        truth: dict[int, Embedding] = {}
        costly["aed"] = IdentityDistance(suite.embed, truth)
    return each, costly


@dataclass(frozen=True, slots=True)
class Line:
    """One metric of two networks.

    Attributes:
        metric: its name in the catalogue.
        new, old: means over clips.
        difference: of the clips that both have, new less old.
    """

    metric: str
    new: float
    old: float
    difference: Difference

    @property
    def side(self) -> int:
        """1 if the new network is clearly better, -1 if it is clearly worse, else 0."""
        if not self.difference.clear:
            return 0
        higher = bool(METRICS[self.metric].higher_is_better)
        return 1 if (self.difference.mean > 0) == higher else -1


@dataclass(frozen=True, slots=True)
class Comparison:
    """The whole table of two networks, in the catalogue's order."""

    lines: tuple[Line, ...]

    @property
    def better(self) -> bool:
        """Whether something is clearly better, and nothing is clearly worse."""
        return any(line.side > 0 for line in self.lines) and not self.worse

    @property
    def worse(self) -> tuple[str, ...]:
        """Metrics that are clearly worse."""
        return tuple(line.metric for line in self.lines if line.side < 0)

    def text(self, new: str, old: str) -> str:
        """The table and a sentence that says which network is better.

        Args:
            new, old: names of the networks.
        """
        rows = [["", new, old, "difference", "95 % interval", ""]]
        for line in self.lines:
            about, found = METRICS[line.metric], line.difference
            ends = "" if found.ci is None else f"{found.ci[0]:+.4f} to {found.ci[1]:+.4f}"
            label = f"{about.label} {about.arrow}".strip()
            rows.append(
                [label, f"{line.new:.4f}", f"{line.old:.4f}", f"{found.mean:+.4f}", ends]
                + [{1: "better", 0: "", -1: "worse"}[line.side]]
            )
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, self._sentence(new, old)])

    def _sentence(self, new: str, old: str) -> str:
        if self.better:
            return f"{new} is better than {old}: clearly in some figures, and clearly worse in none"
        if self.worse:
            worse = ", ".join(METRICS[name].label for name in self.worse)
            return f"{new} is not better than {old} by the whole table: it is worse in {worse}"
        return f"{new} and {old} cannot be told apart on these clips"


def compare_networks(new: ClipFigures, old: ClipFigures) -> Comparison:
    """Compare two networks that were measured on the same clips.

    A difference counts where its 95 % bootstrap interval, clip by clip, does not hold 0. Below five
    clips none does.
    """
    lines = []
    for name in METRICS:
        first: Mapping[str, float] = new.get(name, {})
        second: Mapping[str, float] = old.get(name, {})
        difference = paired_difference(first, second)
        if difference is not None:
            means = mean(list(first.values())), mean(list(second.values()))
            lines.append(Line(name, *means, difference))
    return Comparison(tuple(lines))
