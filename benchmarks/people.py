"""A picture to look at: people, animated from a keyframe to frames that differ most from it.

    python benchmarks/people.py --held-out CACHE --weights s --people 10 --worst 3 --out people.png
    python benchmarks/people.py --data val/ --weights runs/first --out people.png

Each person has a row. It begins with the keyframe, coded with 3 kB. Then come the driving frame and
the output for the three frames whose mouth, eyes and pose differ most from the keyframe's. The
people with the worst mean face LPIPS-Alex over `--frames` come first, named as such; the others are
spread over the rest of that order. Their figures are printed, with PSNR of mouth and eyes.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw, ImageFont

from facewire.models.avfr.model import Avfr
from facewire.models.face.mesh import openings, select_points
from facewire.models.training.cache import CachedClip, read_cache
from facewire.models.training.enroll import as_received
from facewire.models.training.evaluate import animate_clip, evaluate, shown
from facewire.models.training.prepare import prepare
from facewire.sender.tracking.footage import TrackedFootage

PARTS = ("mouth", "eyes", "pose")
FIGURES = ("face_lpips", "lpips", "face_psnr", "mouth_psnr", "eyes_psnr")
_LINE = 28  # pixels of text above a row

Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Person:
    """A clip with a coded keyframe, and its figures by name."""

    clip: CachedClip
    figures: dict[str, float]


def one_each(clips: list[CachedClip]) -> list[CachedClip]:
    """For each person the first clip that has a frame for each part."""
    first: dict[str, CachedClip] = {}
    for clip in clips:
        if len(clip.usable) > len(PARTS):
            first.setdefault(clip.identity, clip)
    return list(first.values())


def chosen_frames(clip: CachedClip) -> list[int]:
    """Positions in `kept` of the frames whose mouth, eyes and pose differ most from the keyframe's.

    They are half a second apart if the clip is long enough.
    """
    usable = clip.usable
    times = clip.kept[usable] / clip.fps
    landmarks = clip.landmarks[clip.kept[usable]]
    eyes, mouth = np.abs(openings(landmarks) - openings(landmarks[0])).T
    points = select_points(landmarks)
    points = points - points.mean(1, keepdims=True)  # turned and tilted, not moved
    pose = np.linalg.norm(points - points[0], axis=-1).mean(-1)
    found: list[int] = []
    for difference in (mouth, eyes, pose):
        for other in found:
            difference[np.abs(times - times[other]) < 0.5] = -1
        difference[[0, *found]] = -2
        found.append(int(difference.argmax()))
    return [int(usable[index]) for index in found]


def ordered(people: list[Person], count: int, worst: int) -> list[Person]:
    """The people with the worst face LPIPS, then others, spread evenly over the rest."""
    ranked = sorted(people, key=lambda person: -person.figures["face_lpips"])
    rest = ranked[worst:]
    others = max(0, min(count - worst, len(rest)))
    places = np.linspace(0, len(rest) - 1, others).astype(int)
    return ranked[:worst] + [rest[place] for place in places]


def text(words: str, width: int) -> Frames:
    """A line of text, uint8 `[28, width, 3]`."""
    line = Image.new("RGB", (width, _LINE), "white")
    ImageDraw.Draw(line).text((6, 3), words, "black", ImageFont.load_default(18))
    return np.asarray(line)


def row(model: Avfr, person: Person, words: str) -> Frames:
    """Row of a person: keyframe, then driving frame and output for each part, below a text."""
    clip, side = person.clip, model.config.size
    chosen = chosen_frames(clip)
    made, _ = animate_clip(model, clip, chosen, torch.device("cpu"))
    cells = [shown(clip, int(clip.usable[0]), side)]
    heads = [text(words, side)]
    for part, position, frame in zip(PARTS, chosen, made, strict=True):
        cells += [shown(clip, position, side), frame]
        heads.append(text(f"{part}, frame {clip.kept[position]}: input, output", 2 * side))
    return np.concatenate([np.concatenate(heads, 1), np.concatenate(cells, 1)])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--data", type=Path, metavar="DIR", help="videos; prepared first")
    where.add_argument("--held-out", type=Path, metavar="CACHE", help="prepared clips")
    parser.add_argument("--weights", default="s", metavar="SIZE|DIR")
    parser.add_argument("--people", type=int, default=10, help="rows")
    parser.add_argument("--worst", type=int, default=3, help="rows that are the worst of all")
    parser.add_argument("--frames", type=int, default=6, help="measured of each person")
    parser.add_argument("--out", type=Path, required=True, metavar="PNG")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = Avfr.from_pretrained(args.weights)
    with tempfile.TemporaryDirectory() as scratch:
        cache = args.held_out or Path(scratch)
        if args.data is not None:
            for _, _, problem in prepare(args.data, cache, TrackedFootage, size=model.config.size):
                if problem:
                    print(f"left out: {problem}")
        draw(model, one_each(read_cache(cache)), args)


def draw(model: Avfr, clips: list[CachedClip], args: argparse.Namespace) -> None:
    """Measure everybody, print a table of the rows, and write the picture."""
    people = []
    for clip in map(as_received, clips):
        found = evaluate(model, [clip], frames_per_clip=args.frames)
        people.append(Person(clip, {name: found[f"net_{name}"] for name in FIGURES}))
    rows = []
    print("| person | " + " | ".join(FIGURES) + " |\n|" + "---|" * (len(FIGURES) + 1))
    for index, person in enumerate(ordered(people, args.people, args.worst)):
        place = f" (worst {index + 1} of {len(people)})" if index < args.worst else ""
        figures = " | ".join(f"{value:.3f}" for value in person.figures.values())
        print(f"| {person.clip.name}{place} | {figures} |", flush=True)
        rows.append(row(model, person, f"{person.clip.name}{place}"))
    Image.fromarray(np.concatenate(rows)).save(args.out)
    print(args.out)


if __name__ == "__main__":
    main()
