"""Bits of the gaze in profile `entropy`, and how far it is off when it arrives.

    python benchmarks/gaze_bits.py --held-out CACHE

Each prepared clip is coded from its first frame, smoothed as a sender does it, with a second of
frames in each packet: once without gaze and once with it. The difference is what the gaze costs.
The error is `gaze_error` of codec-eval (the distance over the width of an eye), of frames whose
eyes are open; beside it stands that of eyes that keep looking as they do in the first frame.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facewire.codec.motion.entropy import MotionDecoder, MotionEncoder
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.motion.tables import GAZE_TABLES_VERSION, TABLES_VERSION, load_tables
from facewire.models.face.gaze import gaze_of
from facewire.models.face.mesh import openings
from facewire.models.face.table import FaceTable
from facewire.models.training.fit_gaze import gazing
from facewire.models.weights import load_card
from facewire.sender.tracking.smoothing import FaceSmoother

Points = npt.NDArray[np.float32]
TOGETHER = 25
SHUT = 0.1


def sent(landmarks: Points, fps: float, table: FaceTable) -> list[MotionFrame]:
    """The motion of a clip as it is sent: smoothed, but for its gaze; the first is the keyframe."""
    smoother = FaceSmoother(1.0, landmarks[0])
    steady = [landmarks[0], *(smoother.push(frame, 1 / fps) for frame in landmarks[1:])]
    raw, smooth = gazing(landmarks, table), gazing(np.stack(steady), table)
    return [replace(one, gaze=other.gaze) for one, other in zip(smooth, raw, strict=True)]


def coded(frames: list[MotionFrame], step: int, version: int) -> tuple[int, list[MotionFrame]]:
    """Bytes of all payloads, and the frames that arrive; the first frame is the keyframe."""
    tables = load_tables(version)
    encoder, decoder = MotionEncoder(step, tables=tables), MotionDecoder(tables)
    size, arrived = 0, [frames[0]]
    for start in range(1, len(frames), TOGETHER):
        some = frames[start : start + TOGETHER]
        reference = start - 1 if start > 1 else None
        payload = encoder.encode(some, start, 0, frames[0], reference=reference)
        size += len(payload)
        arrived += [frame for _, frame in decoder.decode(payload, start, 0, frames[0])]
    return size, arrived


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--held-out", type=Path, required=True, metavar="CACHE")
    parser.add_argument("--network", default="s", metavar="SIZE|DIR")
    parser.add_argument("--steps", type=int, nargs="+", default=[3, 4, 6, 8, 10])
    args = parser.parse_args()
    table = load_card(args.network).face_table()
    clips = []
    for path in sorted(args.held_out.glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            seen, fps = file["landmarks"][file["faces"] > 0], float(file["fps"])
        clips.append((seen, sent(seen, fps, table)))
    print(
        "| step | bits a frame without gaze | with gaze | of the gaze | the most of a clip | "
        "error | error of eyes that stay |"
    )
    print("|---|---|---|---|---|---|---|")
    for step in args.steps:
        plain, more, counts, errors, stays = [], [], [], [], []
        for seen, frames in clips:
            size, _ = coded(frames, step, TABLES_VERSION)
            with_gaze, arrived = coded(frames, step, GAZE_TABLES_VERSION)
            plain.append(8 * size)
            more.append(8 * with_gaze)
            counts.append(len(frames) - 1)
            truth, shown = gaze_of(seen), np.stack([frame.gaze for frame in arrived])
            opened = openings(seen)[:, 0] >= SHUT
            errors.append(np.linalg.norm(truth - shown, axis=-1)[opened] / 2)
            stays.append(np.linalg.norm(truth - truth[0], axis=-1)[opened] / 2)
        each = (np.array(more) - np.array(plain)) / np.array(counts)
        total = sum(counts)
        print(
            f"| {step} | {sum(plain) / total:.2f} | {sum(more) / total:.2f} | "
            f"{(sum(more) - sum(plain)) / total:.2f} | {each.max():.2f} | "
            f"{np.concatenate(errors).mean():.4f} | {np.concatenate(stays).mean():.4f} |"
        )


if __name__ == "__main__":
    main()
