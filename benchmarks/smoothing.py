"""What smoothing in the sender gains and costs, with the profiles `fp16` and `entropy`.

    python benchmarks/smoothing.py --held-out CACHE

Each prepared clip is coded from its first frame, with a second of frames in each packet, from the
tracker's landmarks with and without smoothing. The 146 landmarks are rebuilt from what arrives and
compared with the tracker's, in pixels of a picture of 256: jitter (acceleration) while the head is
still, and errors and delays of the openings of mouth and lids. Of every n-th clip, some runs of
successive frames are rendered and compared with the input.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from facewire.codec.motion.frame import MotionFrame
from facewire.codec.motion.profiles import MotionSettings, motion_reader, motion_writer
from facewire.eval.metrics.base import Pair
from facewire.eval.metrics.temporal import Flicker
from facewire.models.face.keypoints import MeshKeypoints
from facewire.models.face.landmarks import PointRebuilder
from facewire.models.face.mesh import POINTS, REGIONS, select_points
from facewire.models.face.table import FaceTable
from facewire.models.mel import SAMPLE_RATE, mel_window
from facewire.models.training.cache import CachedClip, read_cache
from facewire.models.training.evaluate import Figures
from facewire.models.weights import load_card
from facewire.receiver.generators.load import load_generator
from facewire.receiver.generators.protocol import Generator
from facewire.sender.tracking.smoothing import FaceSmoother

Points = npt.NDArray[np.float32]
TOGETHER, RUNS, RUN = 25, 3, 6
STILL = 0.15  # pixels a frame: speed of the head's centre, averaged over nine frames
MOVING = 0.5  # pixels: standard deviation from which a delay can be measured
OPENINGS = {"mouth": ((13, 14),), "lids": ((159, 145), (386, 374))}
_AT = {index: position for position, index in enumerate(POINTS)}


@dataclass
class Way:
    """A setting, and its results."""

    name: str
    strength: float
    settings: MotionSettings | None
    found: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    figures: Figures = field(default_factory=Figures)

    def smooth(self, seen: Points, fps: float) -> Points:
        """Landmarks that keypoints are computed from, `[T, 478, 2]`."""
        if not self.strength:
            return seen
        smoother = FaceSmoother(self.strength, seen[0])
        return np.stack([seen[0], *(smoother.push(frame, 1 / fps) for frame in seen[1:])])

    def code(self, frames: list[MotionFrame]) -> list[MotionFrame]:
        """The motion that arrives; the first frame is the keyframe."""
        if self.settings is None:
            self.found["bits a frame"].append(960.0)
            return [MotionFrame.from_fp16(frame.to_fp16()) for frame in frames]
        writer, reader = motion_writer("entropy", self.settings), motion_reader("entropy")
        arrived, size = [frames[0]], 0
        for start in range(1, len(frames), TOGETHER):
            some = frames[start : start + TOGETHER]
            reference = start - 1 if start > 1 else None
            payload = writer.encode(some, start, 0, frames[0], reference=reference)
            size += len(payload)
            arrived += [frame for _, frame in reader.decode(payload, start, 0, frames[0])]
        self.found["bits a frame"].append(8 * size / (len(frames) - 1))
        return arrived

    def row(self) -> dict[str, float]:
        """Means over the clips, and over the rendered frames."""
        means = {name: float(np.mean(values)) for name, values in self.found.items()}
        return means | self.figures.means()


def measure(way: Way, rebuilt: Points, truth: Points, fps: float) -> None:
    """Compare landmarks that arrive with the tracker's, both `[T, P, 2]` in pixels."""
    shake = np.linalg.norm(np.diff(rebuilt, 2, axis=0), axis=-1).mean(-1)
    still = _still(truth)[1:-1]
    if still.any():
        way.found["jitter where still, px"].append(float(shake[still].mean()))
    for name, pairs in OPENINGS.items():
        wanted, made = _openings(truth, pairs), _openings(rebuilt, pairs)
        way.found[f"{name} off, px"].append(float(np.abs(made - wanted).mean()))
        _late(way, name, wanted, made, fps)
    _late(way, "head", _head(truth), _head(rebuilt), fps)


def _openings(points: Points, pairs: tuple[tuple[int, int], ...]) -> Points:
    gaps = [points[:, _AT[a]] - points[:, _AT[b]] for a, b in pairs]
    return np.asarray(np.linalg.norm(gaps, axis=-1).T, np.float32)


def _head(points: Points) -> Points:
    return np.asarray(points[:, [_AT[i] for i in REGIONS[0]]].mean(1), np.float32)


def _late(way: Way, name: str, wanted: Points, made: Points, fps: float) -> None:
    """Delay by least squares: made(t) = wanted(t - delay), to first order."""
    if wanted.std() > MOVING:
        speed = np.gradient(wanted, axis=0)
        delay = float(-((made - wanted) * speed).sum() / (speed**2).sum())
        way.found[f"{name} late, ms"].append(1000 * delay / fps)


def _still(points: Points) -> npt.NDArray[np.bool_]:
    head = np.pad(_head(points), ((4, 4), (0, 0)), "edge")
    mean = np.stack([np.convolve(axis, np.full(9, 1 / 9), "valid") for axis in head.T], -1)
    speed = np.linalg.norm(np.gradient(mean, axis=0), axis=-1)
    return np.asarray(speed < STILL)


def render(
    generator: Generator, clip: CachedClip, first: int, arrived: list[MotionFrame], way: Way
) -> None:
    """Render runs of successive frames; `arrived` begins with frame `first`, the keyframe."""
    points = select_points(clip.landmarks[first])
    source = generator.set_source(np.ascontiguousarray(clip.frames[first]), arrived[0], points)
    flicker = Flicker()
    for start in np.linspace(1, len(arrived) - RUN, RUNS).astype(int):
        run = Flicker()
        for index in range(start, start + RUN):
            at = first + index
            mel = mel_window(clip.mel, round(at * SAMPLE_RATE / clip.fps))
            picture = generator.render(source, arrived[index], mel)
            truth = np.asarray(clip.frames[at])
            run.update(Pair(index, truth, picture))
            way.figures.add(picture, truth, clip.landmarks[at])
        flicker.add(run.compute())
    way.found["flicker, levels"].append(flicker.compute())


def take(clip: CachedClip, ways: list[Way], table: FaceTable, generator: Generator | None) -> None:
    """Measure a clip with every setting; pictures too if there is a generator."""
    last = int(np.flatnonzero(clip.faces > 0)[-1]) + 1
    first = int(np.flatnonzero(clip.faces[:last] == 0)[-1]) + 1 if 0 in clip.faces[:last] else 0
    seen = clip.landmarks[first:last]
    if len(seen) < 2 * RUN * RUNS:
        return
    for way in ways:
        smooth, keypoints = way.smooth(seen, clip.fps), MeshKeypoints(table)
        key = keypoints.keyframe(smooth[0])
        arrived = way.code([key, *(keypoints.motion(frame) for frame in smooth[1:])])
        numbers = np.stack([frame.to_array() for frame in arrived])
        shape = select_points(seen[:1])
        rebuilt = PointRebuilder(table).rebuild(
            np.broadcast_to(numbers[:1], numbers.shape),
            np.broadcast_to(shape, (len(numbers), *shape.shape[1:])),
            numbers,
        )
        measure(way, 128 * rebuilt[1:], 128 * select_points(seen[1:]), clip.fps)
        if generator is not None:
            render(generator, clip, first, arrived, way)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--held-out", type=Path, required=True, metavar="CACHE")
    parser.add_argument("--network", default="s", metavar="SIZE|DIR")
    parser.add_argument("--strengths", type=float, nargs="+", default=[0, 0.5, 1, 2])
    parser.add_argument("--steps", type=int, nargs="+", default=[4])
    parser.add_argument("--dead-zones", type=float, nargs="+", default=[0.6])
    parser.add_argument("--pictures", type=int, default=3, metavar="N", help="of every N-th clip")
    args = parser.parse_args()
    torch.set_num_threads(1)
    card = load_card(args.network)
    generator, table = load_generator(card, threads=1), card.face_table()
    codings: dict[str, MotionSettings | None] = {"`fp16`": None} | {
        f"`entropy`, step {step}, dead zone {zone:g}": MotionSettings(step, zone)
        for step in args.steps
        for zone in args.dead_zones
    }
    ways = [
        Way(f"{name} | {strength:g}", strength, settings)
        for name, settings in codings.items()
        for strength in args.strengths
    ]
    for index, clip in enumerate(read_cache(args.held_out)):
        take(clip, ways, table, None if index % args.pictures else generator)
    names = list(ways[0].row())
    print("| motion | smoothing | " + " | ".join(names) + " |")
    print("|---" * (2 + len(names)) + "|")
    for way in ways:
        values = " | ".join(f"{v:.4f}" if v < 1 else f"{v:.2f}" for v in way.row().values())
        print(f"| {way.name} | {values} |")


if __name__ == "__main__":
    main()
