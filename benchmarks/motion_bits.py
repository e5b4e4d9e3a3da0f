"""Bits of the motion, and how the picture suffers from saving them: `entropy` beside `fp16`.

    python benchmarks/motion_bits.py --held-out CACHE

Each prepared clip is coded from its first frame, smoothed as a sender does it, with a second of
frames in each packet. Some frames are rendered from the decoded motion and a keyframe that is not
coded, and compared with the input. The first row is FP16 without smoothing.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facewire.codec.motion.frame import MotionFrame
from facewire.codec.motion.profiles import MotionSettings, motion_reader, motion_writer
from facewire.models.face.keypoints import MeshKeypoints
from facewire.models.face.mesh import select_points
from facewire.models.face.table import FaceTable
from facewire.models.mel import SAMPLE_RATE, mel_window
from facewire.models.training.cache import CachedClip, read_cache
from facewire.models.training.evaluate import Figures
from facewire.models.training.fit_motion import motion_of
from facewire.models.weights import load_card
from facewire.receiver.generators.load import load_generator
from facewire.receiver.generators.protocol import Generator
from facewire.sender.tracking.smoothing import FaceSmoother

TOGETHER = 25


@dataclass
class Way:
    """A setting, and its results."""

    name: str
    settings: MotionSettings | None
    figures: Figures = field(default_factory=Figures)
    bits: list[float] = field(default_factory=list)
    pixels: list[float] = field(default_factory=list)

    def code(self, frames: list[MotionFrame]) -> list[MotionFrame]:
        """The motion that arrives; the first frame is the keyframe."""
        if self.settings is None:
            self.bits += [960.0] * (len(frames) - 1)
            return [MotionFrame.from_fp16(frame.to_fp16()) for frame in frames]
        writer, reader = motion_writer("entropy", self.settings), motion_reader("entropy")
        arrived = [frames[0]]
        for start in range(1, len(frames), TOGETHER):
            some = frames[start : start + TOGETHER]
            reference = start - 1 if start > 1 else None
            payload = writer.encode(some, start, 0, frames[0], reference=reference)
            self.bits += [8 * len(payload) / len(some)] * len(some)
            arrived += [frame for _, frame in reader.decode(payload, start, 0, frames[0])]
        errors = [np.abs(a.value - b.value) for a, b in zip(arrived, frames, strict=True)]
        self.pixels.append(128 * float(np.mean(errors)))
        return arrived


def smoothed(clip: CachedClip, table: FaceTable, first: int, strength: float) -> list[MotionFrame]:
    """The motion that is sent; the first frame with a face is the keyframe."""
    seen = clip.landmarks[clip.faces > 0][first:]
    smoother, keypoints = FaceSmoother(strength, seen[0]), MeshKeypoints(table)
    later = [keypoints.motion(smoother.push(frame, 1 / clip.fps)) for frame in seen[1:]]
    return [keypoints.keyframe(seen[0]), *later]


def show(
    generator: Generator, clip: CachedClip, table: FaceTable, ways: list[Way], args: Any
) -> None:
    """Render the same frames of a clip with every setting."""
    place = {int(frame): index for index, frame in enumerate(clip.kept)}
    faces = np.flatnonzero(clip.faces > 0)
    first = next(i for i, frame in enumerate(faces) if int(frame) in place)
    frames, times = motion_of(clip, table, first), faces[first:]
    seen = [i for i in range(1, len(times)) if int(times[i]) in place]
    chosen = [seen[i] for i in np.linspace(0, len(seen) - 1, args.frames).astype(int)]
    sent = smoothed(clip, table, first, args.smoothing) if args.smoothing else frames
    rgb = np.ascontiguousarray(clip.frames[place[int(times[0])]])
    source = generator.set_source(rgb, frames[0], select_points(clip.landmarks[times[0]]))
    for way in ways:
        arrived = way.code(sent if way.settings else frames)
        for index in chosen:
            at = int(times[index])
            mel = mel_window(clip.mel, round(at * SAMPLE_RATE / clip.fps))
            picture = generator.render(source, arrived[index], mel)
            way.figures.add(picture, np.asarray(clip.frames[place[at]]), clip.landmarks[at])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--held-out", type=Path, required=True, metavar="CACHE")
    parser.add_argument("--network", default="s", metavar="SIZE|DIR")
    parser.add_argument("--steps", type=int, nargs="+", default=[0, 2, 4, 6, 8, 10])
    parser.add_argument("--smoothing", type=float, default=1.0, help="strength; 0 is none")
    parser.add_argument("--frames", type=int, default=8, help="rendered of each clip")
    parser.add_argument("--dead-zones", type=float, nargs="+", default=[0.6])
    args = parser.parse_args()
    torch.set_num_threads(1)
    card = load_card(args.network)
    generator, table = load_generator(card, threads=1), card.face_table()
    ways = [Way("fp16", None)] + [
        Way(f"entropy, step {step}, dead zone {zone:g}", MotionSettings(step, zone))
        for step in args.steps
        for zone in args.dead_zones
    ]
    for clip in read_cache(args.held_out):
        show(generator, clip, table, ways, args)
    names = list(ways[0].figures.means())
    print("| motion | bits a frame | keypoints off, px | " + " | ".join(names) + " |")
    print("|---|---|---|" + "---|" * len(names))
    for way in ways:
        values = " | ".join(
            f"{v:.4f}" if v < 1 else f"{v:.2f}" for v in way.figures.means().values()
        )
        off = f"{np.mean(way.pixels):.2f}" if way.pixels else "–"
        print(f"| {way.name} | {np.mean(way.bits):.1f} | {off} | {values} |")


if __name__ == "__main__":
    main()
