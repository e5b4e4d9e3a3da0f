"""facewire's tracker against MediaPipe's: landmarks and CPU time, over whole clips.

    python benchmarks/tracker.py CLIP.mp4...

Both track each clip in one process, frame by frame in turn, so that a busy machine slows both.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import av
import numpy as np

from facewire.sender.tracking.mediapipe_tracker import MediaPipeTracker
from facewire.sender.tracking.tracker import Tracker


def compare(path: Path) -> tuple[float, float, int, float, float]:
    """Mean and largest distance in pixels, frames with another number of faces, CPU seconds of
    the own tracker and of MediaPipe's.
    """
    own, theirs = Tracker(), MediaPipeTracker()
    distances, miscounted, seconds = [], 0, [0.0, 0.0]
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            picture = frame.to_ndarray(format="rgb24")
            found = []
            for index, tracker in enumerate((own, theirs)):
                begin = time.process_time()
                found.append(tracker.track(picture))
                seconds[index] += time.process_time() - begin
            miscounted += len(found[0]) != len(found[1])
            for a, b in zip(*found, strict=False):
                distances.append(np.linalg.norm(a.landmarks - b.landmarks, axis=1))
    theirs.close()
    table = np.array(distances)
    return float(table.mean()), float(table.max()), miscounted, seconds[0], seconds[1]


def main() -> None:
    results = []
    for path in map(Path, sys.argv[1:]):
        results.append(compare(path))
        mean, worst, miscounted, own, theirs = results[-1]
        print(
            f"{path.stem}: {mean:.4f} px in the mean, {worst:.3f} at worst, {miscounted} frames "
            f"miscounted, CPU {own:.2f} of {theirs:.2f} s ({own / theirs:.2f})",
            flush=True,
        )
    table = np.array(results)
    print(
        f"all: {table[:, 0].mean():.4f} px, {table[:, 1].max():.3f} at worst, CPU time "
        f"{table[:, 3].sum() / table[:, 4].sum():.2f} of MediaPipe's"
    )


if __name__ == "__main__":
    main()
