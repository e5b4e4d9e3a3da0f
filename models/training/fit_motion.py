"""Fits the tables of profile `entropy`, transform and symbol frequencies, on prepared clips.

    python -m facewire.models.training.fit_motion CACHE OUT.npz --metric METRIC.npz

The metric (`fit_metric.py`) tells how much errors of the motion harm the picture. Multiplied with
its square root, errors in all directions harm alike, so that one quantiser step suits all
components; principal components then concentrate the motion in few of them. Each clip is coded as
a sender would code it, from a keyframe at its beginning and from others within it, with several
quantiser steps, and the symbols are counted. Symbols that never occurred get a small share from the
same context of all components.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ...codec.motion.entropy import FrameEncoder, MotionEncoder
from ...codec.motion.frame import MotionFrame
from ...codec.motion.range_coder import FREQUENCY_BITS
from ...codec.motion.tables import ACTIVITY, CLASSES, ESCAPE, MotionTables
from ..face.keypoints import MeshKeypoints
from ..face.table import FaceTable
from .cache import CachedClip, read_cache
from .fit_face import fit_face_table

__all__ = ["fit_motion_tables", "fit_symbols", "motion_of"]

COMPONENTS = 48
"""Components of the tables that facewire brings; chosen on `val` (docs/rate.md)."""
_STEPS = (2, 4, 6)
_CONTEXTS = len(ACTIVITY) + 1
_TOTAL = 1 << FREQUENCY_BITS
_INTRA_EVERY = 50
_UNIT = 66.6  # geometric mean of the weights of a change by 1: a step is then about a pixel
Frames = list[MotionFrame]
F = TypeVar("F")
Metric = npt.NDArray[np.float64]


def motion_of(clip: CachedClip, table: FaceTable, start: int = 0) -> Frames:
    """Motion of a clip from its `start`-th frame with a face, which becomes the keyframe."""
    seen = clip.landmarks[clip.faces > 0][start:]
    keypoints = MeshKeypoints(table)
    return [keypoints.keyframe(seen[0]), *(keypoints.motion(frame) for frame in seen[1:])]


def fit_motion_tables(sequences: Sequence[Frames], components: int, metric: Metric) -> MotionTables:
    """Fit tables on sequences of motion; the first frame of each is its keyframe.

    Args:
        sequences: motion of many people.
        components: how many components the transform keeps.
        metric: float64 `[60, 60]`, positive definite; its scale does not matter.
    """
    transform = _transform(sequences, components, metric)
    return fit_symbols(*transform, sequences, _STEPS, MotionEncoder, lambda frames: frames[0])


def fit_symbols(
    forward: npt.NDArray[np.float32],
    back: npt.NDArray[np.float32],
    sequences: Sequence[Sequence[F]],
    steps: Iterable[int],
    encoder: type[FrameEncoder[F]],
    keyframe: Callable[[Sequence[F]], MotionFrame],
) -> MotionTables:
    """Tables with a transform, and the frequencies of the symbols that it makes of sequences.

    Args:
        forward, back: the transform and its inverse, `[C, N]`.
        sequences: of many people.
        steps: sizes of the quantiser step with which each sequence is coded.
        encoder: of the frames.
        keyframe: of a sequence.
    """
    count = len(forward)
    counter = _Counter(count)
    uniform = MotionTables.from_frequencies(
        forward,
        back,
        _frequencies(np.ones((count, _CONTEXTS, 2 * ESCAPE))),
        _frequencies(np.ones((count, CLASSES))),
    )
    for step in steps:
        coder = encoder(step, tables=uniform)
        for frames in sequences:
            key, state = keyframe(frames), None
            for index, frame in enumerate(frames):
                if index % _INTRA_EVERY == _INTRA_EVERY - 1:
                    coder.write(counter.reading(uniform), frame, key, None)
                state = coder.write(counter.reading(uniform), frame, key, state)
    shared = counter.difference.sum(0, keepdims=True)
    shared = shared / np.maximum(shared.sum(-1, keepdims=True), 1)
    return MotionTables.from_frequencies(
        forward,
        back,
        _frequencies(counter.difference + 8 * shared + 0.02),
        _frequencies(counter.intra + 0.5),
    )


def _transform(
    sequences: Iterable[Frames], components: int, metric: Metric
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The transform (root of the metric, then principal components) and its inverse, `[C, 60]`."""
    values, vectors = np.linalg.eigh(metric)
    values = values * (_UNIT**2 / np.exp(np.log(values).mean()))
    root = (vectors * np.sqrt(values)) @ vectors.T
    gram = np.zeros_like(root)
    for frames in sequences:
        numbers = np.stack([frame.to_array().reshape(-1) for frame in frames]).astype(np.float64)
        moved = (numbers[1:] - numbers[0]) @ root
        gram += moved.T @ moved
    _, vectors = np.linalg.eigh(gram)
    basis = vectors[:, ::-1][:, :components].T
    # The sign of a component is arbitrary; choose it so that a fit can be repeated.
    basis = basis * np.sign(basis[np.arange(components), np.abs(basis).argmax(1)])[:, None]
    return (basis @ root).astype(np.float32), (basis @ np.linalg.inv(root)).astype(np.float32)


class _Counter:
    """Counts how often each symbol of each table occurs."""

    def __init__(self, components: int) -> None:
        self.difference = np.zeros((components, _CONTEXTS, 2 * ESCAPE))
        self.intra = np.zeros((components, CLASSES))
        self._places: dict[int, npt.NDArray[np.float64]] = {}

    def reading(self, tables: MotionTables) -> _Counter:
        """Remember which table each list of frequencies belongs to."""
        if not self._places:
            for index, rows in enumerate(tables.difference):
                for context, row in enumerate(rows):
                    self._places[id(row)] = self.difference[index, context]
                self._places[id(tables.intra[index])] = self.intra[index]
        return self

    def encode(self, cumulative: Sequence[int], symbol: int) -> None:
        """Count a symbol, as `SymbolEncoder.encode` codes it."""
        self._places[id(cumulative)][symbol] += 1

    def encode_bits(self, value: int, bits: int) -> None:
        """Ignore bits that no table codes."""


def _frequencies(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Integers in the given proportions, each at least 1, whose sum is 2 ** 14."""
    size = counts.shape[-1]
    share = counts / counts.sum(-1, keepdims=True)
    whole = 1 + np.floor(share * (_TOTAL - size)).astype(np.int64)
    largest = np.expand_dims(counts.argmax(-1), -1)
    rest = _TOTAL - whole.sum(-1, keepdims=True)
    np.put_along_axis(whole, largest, np.take_along_axis(whole, largest, -1) + rest, -1)
    return np.asarray(whole, np.int64)


def _sequences(clips: Sequence[CachedClip], table: FaceTable) -> Iterator[Frames]:
    for clip in clips:
        usable = int((clip.faces > 0).sum())
        for start in {0, usable // 2}:
            if usable - start > 2:
                yield motion_of(clip, table, start)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cache", type=Path, help="prepared training clips")
    parser.add_argument("out", type=Path, help="codec/motion/tables_N.npz")
    parser.add_argument("--every", type=int, default=1, help="use every N-th clip")
    parser.add_argument("--components", type=int, default=COMPONENTS)
    parser.add_argument("--metric", type=Path, required=True, help="output of `fit_metric`")
    args = parser.parse_args()
    clips = read_cache(args.cache)[:: args.every]
    table = fit_face_table(clip.landmarks[clip.faces > 0] for clip in clips)
    with np.load(args.metric) as file:
        metric = file["metric"]
    fit_motion_tables(list(_sequences(clips, table)), args.components, metric).save(args.out)
    print(f"{args.out}: {len(clips)} clips")


if __name__ == "__main__":
    main()
