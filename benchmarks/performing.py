"""What `sender/performing/` has learned from people: how heads sway, lids fall and lips move.

    python -m benchmarks.performing DATA/train --people DATA/manifest.csv --cache CACHE

It tracks the longer clips of a folder, at most half a minute of each person, and prints the numbers
that stand in `sway.py`, `blinks.py` and `lips.py`. A head sways as that of the calmest quarter of
the people. What was tracked is kept in the cache, so that a second run takes seconds.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facewire.models.face.head import HeadCoordinates, mouth_opening
from facewire.models.face.mesh import openings, select_points
from facewire.models.face.observation import Observation
from facewire.models.third_party import find_asset
from facewire.receiver.talking.mouth import MouthPredictor
from facewire.sender.performing.blinks import EVERY_S
from facewire.sender.performing.lips import Lips
from facewire.sender.performing.sway import AXES, STEP_S, Sway
from facewire.sender.reenactment.head import HeadFinder
from facewire.sender.tracking.capture import SAMPLE_RATE, Capture
from facewire.sender.tracking.tracker import Tracker

FPS = 25
LEAST_S, MOST_S = 6.0, 30.0  # of a clip, and of a person
LAGS = np.array([1, 2, 3, 5, 8, 12, 25, 50, 75])  # frames
CALM = 0.25  # quantile of the people
SHUT, OVER, LONGEST = 0.4, 0.2, 15  # of a blink: how far lids fall, its ends, and its frames
BEFORE, AFTER = 3, 10  # frames of a blink's course about its deepest
NAMES = ("yaw", "pitch", "roll", "x", "y", "size")

Array = npt.NDArray[np.float64]


@dataclass
class Clip:
    """A tracked clip: the person, landmarks with depth `[T, 478, 3]`, and its sound."""

    person: str
    landmarks: npt.NDArray[np.float32]
    sound: npt.NDArray[np.float32]


def track(folder: Path, people: Path, cache: Path) -> list[Clip]:
    """The clips, tracked now or before; those with sound first."""
    with people.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if float(row["seconds"]) >= LEAST_S]
    rows = [row for row in rows if (folder / row["file"]).exists()]
    rows.sort(key=lambda row: (row["audio"] != "1", -float(row["seconds"]), row["file"]))
    used: dict[str, float] = defaultdict(float)
    clips = []
    for row in rows:
        if used[row["identity"]] >= MOST_S:
            continue
        used[row["identity"]] += float(row["seconds"])
        target = cache / f"{Path(row['file']).stem}.npz"
        if not target.exists():
            _track(folder / row["file"], target)
        with np.load(target) as kept:
            if kept["faces"].all() and abs(float(kept["fps"]) - FPS) < 0.1:
                sound = kept["sound"].astype(np.float32)
                clips.append(Clip(row["identity"], kept["landmarks"], sound))
    return clips


def _track(path: Path, target: Path) -> None:
    capture, landmarks, faces = Capture(path), [], []
    with Tracker() as tracker:
        for frame, seconds in capture.frames():
            if seconds >= MOST_S:
                break
            found = tracker.track(frame, round(seconds * 1000))
            faces.append(bool(found))
            mesh = np.zeros((478, 3), np.float32)
            if found and found[0].depth is not None:
                mesh = np.concatenate([found[0].landmarks, found[0].depth[:, None]], 1)
            landmarks.append(mesh * (2 / len(frame)) - (1, 1, 0))
    sound = np.concatenate([np.zeros(0, np.float32), *capture.sound()])
    target.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        target,
        landmarks=np.array(landmarks, np.float32),
        faces=np.array(faces),
        fps=float(capture.info.timing.fps),
        sound=sound.astype(np.float16),
    )


# -- heads


def places(clip: Clip, heads: HeadFinder) -> Array:
    """Yaw, pitch, roll in degrees, x, y in cm and the logarithm of the size: `[T, 6]`."""
    flip, rows = np.diag([1.0, -1.0, -1.0]), []
    for mesh in clip.landmarks:
        picture = np.zeros((1, 1, 3), np.uint8)
        head = heads.find(Observation(picture, mesh[:, :2], depth=mesh[:, 2]))
        turn = flip @ head.rotation @ flip
        yaw, pitch = math.atan2(turn[0, 2], turn[2, 2]), math.asin(-turn[1, 2].clip(-1, 1))
        angles = np.degrees([yaw, pitch, math.atan2(turn[1, 0], turn[1, 1])])
        rows.append([*angles, *(head.centre / head.size), math.log(head.size)])
    return np.array(rows)


def structure(numbers: list[Array]) -> Array:
    """Half the mean square by which numbers `[T, n]` change within each lag: `[lags, n]`."""
    found = np.full((len(LAGS), numbers[0].shape[1]), np.nan)
    for row, lag in enumerate(LAGS):
        moved = [each[lag:] - each[:-lag] for each in numbers if lag < len(each) // 2]
        if moved:
            found[row] = (np.concatenate(moved) ** 2).mean(0) / 2
    return found


def fit_axis(measured: Array) -> tuple[float, float, float]:
    """Spread, slow and smooth time of a filtered Ornstein-Uhlenbeck process, from `structure`'s
    root `[lags]`. A tracker that shakes adds the same to every lag; so much is left out.
    """
    lags, best = LAGS / FPS, (math.inf, 0.0, 0.0, 0.0)
    for noise in np.linspace(0, 0.9, 10):
        still = measured**2 - noise * measured[0] ** 2
        for slow in np.geomspace(0.2, 3, 28):
            for smooth in np.geomspace(0.06, 0.3, 20):
                if smooth > 0.8 * slow:
                    continue
                fall = slow * np.exp(-lags / slow) - smooth * np.exp(-lags / smooth)
                shape = 1 - fall / (slow - smooth)
                square = float(np.exp(np.mean(np.log(still / shape))))
                error = float((np.log(square * shape / still) ** 2).sum())
                best = min(best, (error, math.sqrt(square), slow, smooth))
    return best[1:]


def heads_report(clips: list[Clip]) -> None:
    heads = HeadFinder.load(find_asset("face_landmarker.task"))
    people: dict[str, list[Array]] = defaultdict(list)
    for clip in clips:
        people[clip.person].append(places(clip, heads))
    each = np.sqrt(np.stack([structure(numbers) for numbers in people.values()]))
    calm = np.nanquantile(each, CALM, 0)
    print(f"heads: {len(people)} people, {len(clips)} clips, {_minutes(clips):.1f} minutes")
    for at, name in enumerate(NAMES):
        spread, slow, smooth = fit_axis(calm[:, at])
        print(f"  Axis({spread:.2g}, {slow:.2f}, {smooth:.2f}),  # {name}")
    made = Sway(np.random.default_rng(0))
    rows = []
    for step in range(FPS * 600):
        one = made.at(step / FPS)
        angles = np.degrees([one.yaw, one.pitch, one.roll])
        rows.append([*angles, one.x, one.y, math.log(one.nearer)])
    ours = np.sqrt(structure([np.array(rows)]))
    print("change within 0.12 s, 0.32 s, 1 s, 3 s: calm quarter, half, ours")
    for at, name in enumerate(NAMES):
        lines = (calm[:, at], np.nanquantile(each, 0.5, 0)[:, at], ours[:, at])
        print(f"  {name:6}", "  ".join(str(line[[2, 4, 6, 8]].round(4)) for line in lines))
    print(f"  steps of {STEP_S} s; axes that ship: {AXES}")


# -- lids


def blinks_of(eyes: Array) -> tuple[list[int], Array]:
    """Frames at which lids are deepest, and how far they are shut, 0 to 1, in all frames `[T]`."""
    half = FPS
    usual = [np.quantile(eyes[max(0, t - half) : t + half], 0.8) for t in range(len(eyes))]
    shut = 1 - eyes / np.array(usual)
    found, at = [], 1
    while at < len(shut) - 1:
        if shut[at] <= SHUT or shut[at] < shut[at - 1]:
            at += 1
            continue
        first = last = at
        while first > 0 and shut[first] > OVER:
            first -= 1
        while last < len(shut) - 1 and shut[last] > OVER:
            last += 1
        if last - first <= LONGEST:
            found.append(first + int(np.argmax(shut[first : last + 1])))
        at = last + 1
    return found, shut


def fit_pauses(whole: Array, cut: Array) -> tuple[float, float]:
    """Median and spread of the logarithm of log-normal pauses, by maximum likelihood: those that
    were seen whole, and those that a clip's end cut off.
    """
    best = (-math.inf, 0.0, 0.0)
    for median in np.arange(0.8, 6, 0.05):
        for spread in np.arange(0.3, 1.6, 0.05):
            logs = (np.log(whole) - math.log(median)) / spread
            likely = float((-(logs**2) / 2 - math.log(spread)).sum())
            for seconds in cut:
                far = (math.log(max(seconds, 0.01)) - math.log(median)) / spread / math.sqrt(2)
                likely += math.log(max(math.erfc(far) / 2, 1e-12))
            best = max(best, (likely, float(median), float(spread)))
    return best[1:]


def lids_report(clips: list[Clip]) -> None:
    whole, cut, courses = list[float](), list[float](), list[Array]()
    rates: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for clip in clips:
        found, shut = blinks_of(openings(clip.landmarks[..., :2])[:, 0])
        whole += (np.diff(found) / FPS).tolist()
        cut.append((len(shut) - (found[-1] if found else 0)) / FPS)
        inside = [at for at in found if at >= BEFORE and at + AFTER < len(shut)]
        courses += [shut[at - BEFORE : at + AFTER + 1] for at in inside]
        rates[clip.person][0] += len(found)
        rates[clip.person][1] += len(shut) / FPS / 60
    each = [count / minutes for count, minutes in rates.values()]
    total = sum(count for count, _ in rates.values())
    print(f"lids: {total:.0f} blinks, {total / _minutes(clips):.1f} a minute; quartiles of people")
    print(f"  {np.quantile(each, [0.25, 0.5, 0.75]).round(1)}; from blink to blink, log-normal:")
    print("  median {:.2f} s, spread {:.2f}".format(*fit_pauses(np.array(whole), np.array(cut))))
    course = np.median(courses, 0)
    course = course - np.linspace(course[0], course[-1], len(course))
    # Landmarks of lids that touch still lie apart: the deepest blinks are those of shut eyes.
    deepest = np.array([each[BEFORE] for each in courses])
    course *= np.median(deepest) / np.quantile(deepest, 0.95) / course.max()
    print(f"  course every {EVERY_S} s: {' '.join(f'{value:.2f}' for value in course)}")


# -- lips


def lips_report(clips: list[Clip]) -> None:
    """How the mouth of each clip's first frame moves with its sound, against how it did move."""
    predictor, figures = MouthPredictor(lookahead_ms=100), []
    for clip in clips:
        if len(clip.sound) < SAMPLE_RATE:
            continue
        flat = clip.landmarks[..., :2]
        lips, head = Lips(flat[0], predictor), HeadCoordinates(select_points(flat[0]))
        neutral = predictor.neutral(head.mouth(select_points(flat[0])))
        guessed, shown, heard = [], [], 0
        for frame in range(len(flat)):
            end = min(len(clip.sound), round((frame / FPS + 0.25) * SAMPLE_RATE))
            if end > heard:
                lips.hear(clip.sound[heard:end], heard / SAMPLE_RATE, anew=not heard)
                heard = end
            guessed.append(neutral + predictor.movement(frame / FPS))
            shown.append(head.mouth(select_points(lips.moved(flat[0], frame / FPS))))
        true = mouth_opening(head.mouth(select_points(flat)))
        known, made = mouth_opening(np.array(guessed)), mouth_opening(np.array(shown))
        figures.append([np.corrcoef(true, made)[0, 1], true.std() / known.std(), true.std()])
        figures[-1] += [made.std(), true.mean(), made.mean()]
    print(f"lips: {len(figures)} clips with sound; opening, in distances of the eyes' corners")
    alike, more, *spreads = np.array(figures).T
    print(f"  correlation, true and shown: mean {alike.mean():.3f}, {alike.min():.2f} to ", end="")
    print(f"{alike.max():.2f}; true spread over the predicted one: median {np.median(more):.2f}")
    names = ("spread, true", "shown", "mean, true", "shown")
    medians = (f"{name} {np.median(n):.3f}" for name, n in zip(names, spreads, strict=True))
    print(f"  medians: {', '.join(medians)}")


def _minutes(clips: list[Clip]) -> float:
    return sum(len(clip.landmarks) for clip in clips) / FPS / 60


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path, help="folder of clips")
    parser.add_argument("--people", type=Path, required=True, help="CSV: file, identity, seconds")
    parser.add_argument("--cache", type=Path, required=True, help="where tracks are kept")
    args = parser.parse_args()
    clips = track(args.clips, args.people, args.cache)
    heads_report(clips)
    lids_report(clips)
    lips_report(clips)


if __name__ == "__main__":
    main()
