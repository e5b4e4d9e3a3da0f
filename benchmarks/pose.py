"""Profile `pose` on clips: what it costs, and how well head, eyes and mouth follow.

    python benchmarks/pose.py DATA/val/v0003.mp4 DATA/val/v0010.mp4 --seconds 4

Each clip is coded by `codec-eval`'s codec `facewire-pose` at its own floor, and decoded; a tracker
finds head pose, eyes and mouth in the true and in the decoded pictures (`eval/metrics/faces.py`).
Beside the error of the mouth's opening stand those of a mouth that never moves (the keyframe's) and
of one that is always as open as it is on average in the clip.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from facewire.codec.file.container import Reader, record_overhead
from facewire.codec.packet import HEADER_BYTES, Kind
from facewire.eval.clips import Clip, prepare_clip
from facewire.eval.codecs.registry import make_codecs
from facewire.eval.metrics.base import Pair
from facewire.eval.metrics.faces import (
    OpeningCorrelation,
    blink_error,
    opening_error,
    openings,
    pose_error,
)
from facewire.eval.truth import milliseconds
from facewire.sender.tracking.tracker import Tracker

FLOOR = 100.0  # bits a second: less than any stream takes


def picture_kbps(path: Path, seconds: float) -> tuple[float, float]:
    """Kbit/s of everything but sound after the first keyframe, and MOTION's bits a frame."""
    size = motion = 0
    begun = False
    with path.open("rb") as file:
        for packet in Reader(file):
            whole = HEADER_BYTES + len(packet.payload)
            whole += record_overhead(whole)
            begun |= packet.kind == Kind.MOTION
            if begun and packet.kind != Kind.AUDIO:
                size += whole
            motion += len(packet.payload) * (packet.kind == Kind.MOTION)
    return 8 * size / seconds / 1000, 8 * motion


def measure(clip: Clip, name: str, folder: Path) -> list[float]:
    """The row of one clip."""
    (codec,) = make_codecs([name])
    encoded = codec.encode(clip, FLOOR, folder / f"{clip.name}.fwire", folder)
    pairs = []
    with Tracker(details=True) as truths, Tracker(details=True) as found:
        for index, frame in enumerate(codec.decode(clip, encoded, folder)):
            true, made = np.ascontiguousarray(clip.rgb()[index]), np.ascontiguousarray(frame)
            at = milliseconds(clip.fps, index)
            faces = [next(iter(t.track(p, at)), None) for t, p in ((truths, true), (found, made))]
            pairs.append(Pair(index, true, made, *faces))
    mouth = OpeningCorrelation()
    for pair in pairs:
        mouth.update(pair)
    true = np.array([float(openings(p.faces[0].landmarks, "mouth")[0]) for p in pairs if p.faces])
    kbps, motion = picture_kbps(encoded.path, clip.seconds)
    return [
        kbps,
        motion / clip.frames,
        float(np.nanmean([pose_error(pair) for pair in pairs])),
        float(np.nanmean([opening_error(pair, "eyes") for pair in pairs])),
        float(np.nanmean([blink_error(pair) for pair in pairs])),
        mouth.compute(),
        float(np.nanmean([opening_error(pair) for pair in pairs])),
        float(np.abs(true - true[0]).mean()),
        float(np.abs(true - true.mean()).mean()),
    ]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path, nargs="+", help="crops of 256x256 with sound")
    parser.add_argument("--codec", default="facewire-pose", help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=None, help="of each clip, at most")
    args = parser.parse_args()
    print(
        "| clip | picture, kbit/s | bits a frame | head, ° | eyes open | blink "
        "| mouth: correlation | error | frozen | mean |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for video in args.clips:
            clip = prepare_clip(video, Path(folder) / video.stem, seconds=args.seconds)
            rows.append(measure(clip, args.codec, Path(folder)))
            print(
                f"| {video.stem} | " + " | ".join(f"{n:.3g}" for n in rows[-1]) + " |", flush=True
            )
    print("| mean | " + " | ".join(f"{n:.3g}" for n in np.nanmean(rows, 0)) + " |")


if __name__ == "__main__":
    main()
