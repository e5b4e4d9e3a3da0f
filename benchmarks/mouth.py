"""How well the receiver's mouth predictor moves the mouths of people whom it never saw.

    python benchmarks/mouth.py --data VIDEOS [--tracked CACHE] [--weights DIR] [--talks CACHE …]
                               [--learn]

VIDEOS shows one talking person each; landmarks that `facewire train` prepared of them are taken
from --tracked. The sound goes through Opus at 10 kbit/s, and reaches the
predictor as in a call: up to the look-ahead after each frame. The keyframe is the first frame. For
each look-ahead it prints the means over the clips:

- `r`: correlation of the mouth's opening with the truth,
- `px`: mean distance of the 40 points of the mouth, in pixels of a crop of 256x256.

Rows beside the predictor: the same with silence in place of the sound; the average mouth as it is
guessed from the keyframe (`mean`); the keyframe's mouth all the time (`keyframe`); the last mouth
held for a second (`held`), and that one moved on as the predictor says that it moves (`moves on`).
With CACHE, talks of other people as `facewire train` prepares them, a ridge regression on stacked
log-mel stands beside it. With --learn, the predictor learns from all frames before each one.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facewire.codec.errors import FacewireError
from facewire.codec.sound.opus import OpusDecoder, OpusEncoder
from facewire.models.apb2face.sound import LOOKAHEADS, STEPS
from facewire.models.face.head import HeadCoordinates, mouth_opening
from facewire.models.face.mesh import MOUTH, select_points
from facewire.models.mel import SAMPLE_RATE
from facewire.models.training.prepare import find_clips
from facewire.models.weights import geometry_card
from facewire.receiver.talking.mouth import MouthPredictor
from facewire.sender.tracking.footage import TrackedFootage

Array = np.ndarray
BITRATE, PIECE_MS = 10_000, 20
WORN = 10  # frames left out at the beginning, before there is any sound to hear
RIDGE = 3000.0


@dataclass(frozen=True)
class Clip:
    """One person talking.

    Attributes:
        name: of the file.
        landmarks: of each frame that shows the face, `[T, 478, 2]` on [-1, 1].
        points: those in `POINTS`, `[T, P, 2]`.
        seconds: of each frame.
        pcm: the sound after Opus.
        voice: the sound as it was recorded.
    """

    name: str
    landmarks: Array
    points: Array
    seconds: Array
    pcm: Array
    voice: Array


def read_clip(path: Path, tracked: Path | None = None, least: int = 50) -> Clip | None:
    """The frames in which the face is seen; None without sound, or with too few of them."""
    marks, seconds = [], []
    try:
        footage = TrackedFootage(path, 64)
        pcm = np.concatenate([np.zeros(0, np.float32), *footage.sound()])
        if np.abs(pcm).max(initial=0) < 1e-3:
            return None
        for at, landmarks in _landmarks(path, footage, tracked):
            if landmarks is not None:
                marks.append(landmarks)
                seconds.append(at)
    except FacewireError as error:
        print(f"left out: {path.name}: {error}")
        return None
    if len(marks) < least:
        return None
    every = np.stack(marks)
    points = np.stack([select_points(landmarks) for landmarks in marks])
    return Clip(path.stem, every, points, np.array(seconds), through_opus(pcm), pcm)


def _landmarks(
    path: Path, footage: TrackedFootage, tracked: Path | None
) -> Iterator[tuple[float, Array | None]]:
    """Seconds and landmarks of each frame, from the cache or by tracking."""
    if tracked is None:
        for at, seen in footage.frames():
            yield at, None if seen is None else seen.landmarks
        return
    with np.load(tracked / f"{path.stem}.npz", allow_pickle=False) as file:
        landmarks, faces = file["landmarks"], file["faces"]
    for n, (marks, face) in enumerate(zip(landmarks, faces, strict=True)):
        yield n / footage.fps, marks if face else None


def through_opus(pcm: Array) -> Array:
    """Sound as a receiver has it."""
    encoder, decoder = OpusEncoder(BITRATE, PIECE_MS), OpusDecoder()
    piece = SAMPLE_RATE * PIECE_MS // 1000
    padded = np.pad(pcm, (0, -len(pcm) % piece + piece)).astype(np.float32)
    packets = [
        p for i in range(0, len(padded), piece) for p in encoder.encode(padded[i : i + piece])
    ]
    decoded = [decoder.decode(packet) for packet in packets]
    return np.concatenate(decoded)[: len(pcm)]


def movements(
    predictor: MouthPredictor, clip: Clip, pcm: Array, mouths: Array | None = None
) -> Array:
    """Movement of each frame `[T, 40, 2]`, heard as in a call.

    With `mouths` the predictor learns each one after it was asked for it.
    """
    predictor.reset()
    heard, out = 0, []
    for n, seconds in enumerate(clip.seconds):
        until = min(len(pcm), round((seconds + predictor.lookahead_ms / 1000) * SAMPLE_RATE))
        if until > heard:
            predictor.hear(pcm[heard:until], heard / SAMPLE_RATE)
            heard = until
        out.append(predictor.movement(seconds))
        if mouths is not None:
            predictor.learn(mouths[n], seconds)
    return np.stack(out)


def figures(head: HeadCoordinates, clip: Clip, mouths: Array) -> tuple[float, float]:
    """Correlation of the opening, and error in pixels."""
    true = head.mouth(clip.points)
    truth, made = mouth_opening(true)[WORN:], mouth_opening(mouths)[WORN:]
    r = float(np.corrcoef(truth, made)[0, 1]) if made.std() > 1e-6 else 0.0
    placed = head.placed(clip.points, mouths) - clip.points
    distance = np.linalg.norm(placed, axis=-1)[WORN:]
    return r, float(distance.sum(1).mean() / len(MOUTH)) * 128


def evaluate(
    clips: Sequence[Clip], predictor: MouthPredictor, *, learn: bool
) -> dict[str, list[tuple[float, float]]]:
    """Figures of each clip, for each row of the table."""
    rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    spent, count = 0.0, 0
    for clip in clips:
        head = HeadCoordinates(clip.points[0])
        true = head.mouth(clip.points)
        neutral = predictor.neutral(true[0])
        start = time.process_time()
        moved = movements(predictor, clip, clip.pcm)
        spent, count = spent + time.process_time() - start, count + len(moved)
        silent = movements(predictor, clip, np.zeros_like(clip.pcm))
        last = np.arange(len(true)) // 25 * 25
        made = {
            "predicted": neutral + moved,
            "silence-fed": neutral + silent,
            "mean": np.repeat(neutral[None], len(true), 0),
            "keyframe": np.repeat(true[:1], len(true), 0),
            "held up to 1 s": true[last],
            "moves on up to 1 s": true[last] + moved - moved[last],
        }
        if learn:
            learned = movements(predictor, clip, clip.pcm, true)
            made["predicted, learning"] = neutral + learned
            made["moves on, learning"] = true[last] + learned - learned[last]
        for name, mouths in made.items():
            rows[name].append(figures(head, clip, mouths))
    print(f"\nsound and movement take {1000 * spent / count:.2f} ms of CPU time a frame")
    return rows


def ridge(cache: Sequence[Path], output: int) -> Callable[[Array], Array]:
    """A ridge regression from the windows of frames to the movement of the mouth."""
    from facewire.models.apb2face.mouth_evaluate import causal_windows
    from facewire.models.apb2face.people import fit_tables, samples_of
    from facewire.models.apb2face.talks import read_talks

    talks = [talk for folder in cache for talk in read_talks(folder)]
    samples = samples_of(talks)
    level = fit_tables(talks, samples, 1).level
    end = STEPS - (LOOKAHEADS[-1] - LOOKAHEADS[output]) // 10
    size = 20 * (end // 2) + 1
    gram, moment = np.zeros((size, size)), np.zeros((size, 80))
    for sample in samples:
        windows = causal_windows(sample.mel, len(sample.movement), level)
        x = _stacked(windows, end)
        gram += x.T @ x
        moment += x.T @ (sample.movement * np.mean([s.spread for s in samples]))
    fit = np.linalg.solve(gram + RIDGE * np.diag(np.append(np.ones(size - 1), 0)), moment)

    def predict(windows: Array) -> Array:
        return (_stacked(windows, end) @ fit).reshape(-1, 40, 2)

    return predict


def _stacked(windows: Array, end: int) -> Array:
    used = windows[:, end % 2 : end].reshape(len(windows), end // 2, 2, 20, 4).mean((2, 4))
    flat = used.reshape(len(windows), -1).astype(np.float64) / 0.3
    return np.concatenate([flat, np.ones((len(flat), 1))], 1)


def ridge_figures(
    clips: Sequence[Clip], predictor: MouthPredictor, cache: Sequence[Path], output: int
) -> list[tuple[float, float]]:
    """Figures of the ridge regression."""
    from facewire.models.apb2face.mouth_evaluate import causal_windows
    from facewire.models.mel import log_mel

    predict, found = ridge(cache, output), []
    level = geometry_card(predictor.card.folder).tensors("level")["level"]
    for clip in clips:
        head = HeadCoordinates(clip.points[0])
        windows = causal_windows(log_mel(clip.pcm), len(clip.points), level)
        neutral = predictor.neutral(head.mouth(clip.points[0]))
        found.append(figures(head, clip, neutral + predict(windows)))
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="VIDEOS")
    parser.add_argument("--tracked", type=Path, metavar="CACHE")
    parser.add_argument("--weights", default="apb2face-geometry", metavar="DIR")
    parser.add_argument("--talks", type=Path, nargs="*", default=[], metavar="CACHE")
    parser.add_argument("--learn", action="store_true")
    args = parser.parse_args()
    clips = [c for path in find_clips(args.data) if (c := read_clip(path, args.tracked))]
    print(f"{len(clips)} clips with sound, {sum(len(c.points) for c in clips)} frames")
    for output, ms in enumerate(LOOKAHEADS):
        predictor = MouthPredictor(geometry_card(args.weights), lookahead_ms=ms)
        rows = evaluate(clips, predictor, learn=args.learn)
        if args.talks:
            rows["ridge on log-mel"] = ridge_figures(clips, predictor, args.talks, output)
        print(f"| look-ahead {ms} ms | r | px |\n|---|---|---|")
        for name, values in rows.items():
            r, px = np.mean(values, 0)
            print(f"| {name} | {r:.3f} | {px:.2f} |", flush=True)
        print("r of each clip: " + ", ".join(
            f"{c.name} {r:.2f}" for c, (r, _) in zip(clips, rows["predicted"], strict=True)
        ))  # fmt: skip


if __name__ == "__main__":
    main()
