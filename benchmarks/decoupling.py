"""What each signal of a reenactor changes: the decoupling pictures (figure 4 of both papers).

    python -m benchmarks.decoupling --cache CACHE --person id005 --out sheet.jpg
                                    (--one V1/id005 --geometry DIR | --many V2)

In each row one thing changes from left to right, and the rest is held: yaw, pitch, roll, blinks,
or the sound. Pose and blinks are held at the median of the pictures that were learned from, and go
from their 5th to their 95th percentile; the blinks from 0.05 on, which is shut. The sound is held
at a held-out moment. In its own row, it is that of moments at which the true mouth is ever wider
open: a network that listens opens the mouth from left to right.

Beside the sheet, a table says how far yaw, pitch and roll (degrees), the eyes and the mouth (height
over width) range over each row, as the face tracker finds them in the made pictures, and how far
the signal itself ranges. With perfect decoupling all but one figure of a row are 0.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from facewire.eval.metrics.faces import openings
from facewire.models.apb2face.features import HeadAngles
from facewire.models.apb2face.landmarks import blinks
from facewire.models.apb2face.shots import Shot, split_shots, spread
from facewire.models.training.cache import read_cache
from facewire.sender.tracking.tracker import Tracker

from .people import text
from .puppets import V2, Drawer, Landmarks, Puppet, Signals, whole_angles
from .reenactors import people_of

Frame = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]

CELLS = 7
CELL = 160
SHUT = 0.05
POSE = ("yaw", "pitch", "roll")
MEASURED = (*POSE, "eyes", "mouth")
_LEARNED = 200  # pictures whose signals give median and range


@dataclass(frozen=True)
class Row:
    """One signal that changes.

    Attributes:
        name: of it.
        values: what it is from left to right, in degrees or height over width; for the sound, how
            wide open the true mouth is.
        signals: all of them, from left to right.
    """

    name: str
    values: Array
    signals: list[Signals]


def sweep(low: float, high: float) -> Array:
    """Values from one to the other, evenly apart."""
    return np.linspace(low, high, CELLS).astype(np.float32)


def decoupled(known: Sequence[Signals], spoken: Sequence[Signals], mouths: Array) -> list[Row]:
    """The rows of a sheet.

    Args:
        known: signals of pictures that were learned from.
        spoken: signals of `CELLS` held-out moments, the mouth being ever wider open.
        mouths: how wide.
    """
    poses, eyes = np.stack([s.pose for s in known]), np.stack([s.blink for s in known])
    held = Signals(spoken[CELLS // 2].sound, np.median(poses, 0), np.median(eyes, 0))
    rows = []
    for axis, name in enumerate(POSE):
        angles = sweep(*np.percentile(poses[:, axis], (5, 95)))
        turned = [_with_angle(held.pose, axis, angle) for angle in angles]
        rows.append(Row(name, np.degrees(angles), [replace(held, pose=pose) for pose in turned]))
    opened = sweep(SHUT, float(np.percentile(eyes, 95)))
    lids = [replace(held, blink=np.full(2, value, np.float32)) for value in opened]
    rows.append(Row("eyes", opened, lids))
    rows.append(Row("sound", mouths, [replace(held, sound=s.sound) for s in spoken]))
    return rows


def _with_angle(pose: Array, axis: int, angle: float) -> Array:
    turned = pose.copy()
    turned[axis] = angle
    return turned


def ever_wider(shots: Sequence[Shot]) -> tuple[list[Shot], Array]:
    """`CELLS` of some pictures, from the one whose mouth is most shut on; and how wide it is."""
    wide = np.array([openings(s.clip.landmarks[s.frame], "mouth")[0] for s in shots], np.float32)
    order = np.argsort(wide, kind="stable")
    chosen = spread(list(order), CELLS)
    return [shots[n] for n in chosen], wide[chosen]


def ranges(pictures: Sequence[Frame], tracker: Tracker, angles: HeadAngles) -> Array:
    """How far each of `MEASURED` ranges over pictures, float32 `[5]`; NaN without two faces."""
    found = []
    for picture in pictures:
        for face in tracker.track(picture)[:1]:
            pose = np.degrees(angles.angles(face.landmarks))
            eyes, mouth = blinks(face.landmarks).mean(), openings(face.landmarks, "mouth")[0]
            found.append([*pose, eyes, mouth])
    if len(found) < 2:
        return np.full(len(MEASURED), np.nan, np.float32)
    return np.ptp(np.array(found, np.float32), axis=0)


def draw(rows: Sequence[Row], pictures: Sequence[Sequence[Frame]]) -> Frame:
    """The sheet: each row below a line of text, uint8 `[H, W, 3]`."""
    parts = []
    for row, cells in zip(rows, pictures, strict=True):
        low, high = row.values[[0, -1]]
        unit = "°" if row.name in POSE else ""
        what = "sound; the true mouth" if row.name == "sound" else row.name
        words = f"only {what}: {low:.2f}{unit} to {high:.2f}{unit}"
        small = [np.asarray(Image.fromarray(cell).resize((CELL, CELL))) for cell in cells]
        parts += [text(words, CELL * len(cells)), np.concatenate(small, 1)]
    return np.concatenate(parts)


def puppet_of(args: argparse.Namespace, reference: Shot) -> Puppet:
    """The network that is asked for."""
    if args.many is not None:
        return V2(args.many, reference)
    return Landmarks(Drawer(args.one), args.geometry)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--person", required=True)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--one", type=Path, help="the person's APB2Face weights")
    which.add_argument("--many", type=Path, help="weights of APB2FaceV2")
    parser.add_argument("--geometry", type=Path, help="the paper's predictor, with --one")
    parser.add_argument("--out", type=Path, required=True, metavar="PICTURE")
    args = parser.parse_args()
    if args.one is not None and args.geometry is None:
        parser.error("--one also needs --geometry: APB2Face takes signals through its predictor")
    torch.set_num_threads(1)
    person = people_of(args.cache, 10**6).get(args.person)
    if person is None:
        parser.error(f"{args.person} has no held-out pictures in {args.cache}")
    puppet = puppet_of(args, person.reference)
    learned = split_shots(read_cache(args.cache))[0][args.person]
    moments, mouths = ever_wider(person.shots)
    known, spoken = (
        [puppet.signals(shot) for shot in shots] for shots in (spread(learned, _LEARNED), moments)
    )
    rows = decoupled(known, spoken, mouths)
    pictures = [[puppet.make(signals) for signals in row.signals] for row in rows]
    Image.fromarray(draw(rows, pictures)).save(args.out)
    print(f"{args.out}\n| only | signal ranges | {' | '.join(MEASURED)} |\n|{'---|' * 7}")
    angles = whole_angles()
    with Tracker(still=True) as tracker:
        for row, cells in zip(rows, pictures, strict=True):
            figures = " | ".join(f"{value:.2f}" for value in ranges(cells, tracker, angles))
            print(f"| {row.name} | {np.ptp(row.values):.2f} | {figures} |")


if __name__ == "__main__":
    main()
