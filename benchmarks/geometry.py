"""What the discriminator does for the paper's geometry predictor (APB2Face, section 4).

    python -m benchmarks.geometry --cache CACHE --judged DIR --alone DIR

The paper says that its discriminator takes the L1 error of generated landmarks from 1.500 ± 0.064
to 0.666 ± 0.034 pixels. Both weights here were trained by `facewire train --network
apb2face-geometry --set variant=paper`, one with `--set adversarial=0`. For each person it prints
the error of the held-out talks (`split_by_time`) in pixels of 256x256, in the prepared crops, which
are wider than the paper's:

- `L1`: mean absolute difference of a coordinate, of all 106 landmarks;
- `mouth`: mean distance of the 20 landmarks of the mouth.

`mean face` stands beside them: the person's mean landmarks in the talks that were learned from,
all the time. The last row gives the mean over people and its standard deviation. With `--learned`
all of this is of the talks that were learned from, as the paper's figure may be.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facewire.models.apb2face.landmarks import select_106
from facewire.models.apb2face.paper_evaluate import landmark_figures, predicted
from facewire.models.apb2face.paper_frames import PaperFrames, paper_frames, split_by_time
from facewire.models.apb2face.store import load_paper
from facewire.models.apb2face.talks import Talk, read_talks

from .puppets import whole_angles

FIGURES = {"l1_px": "L1", "mouth_px": "mouth"}
Predict = Callable[[PaperFrames], tuple[Tensor, Tensor]]


def by_person(talks: Sequence[Talk]) -> dict[str, list[Talk]]:
    """The talks of each person."""
    found: dict[str, list[Talk]] = defaultdict(list)
    for talk in talks:
        found[talk.identity].append(talk)
    return dict(sorted(found.items()))


def mean_face(talks: Sequence[Talk]) -> Predict:
    """Says the mean landmarks of some talks, whatever it hears."""
    mean = np.concatenate([select_106(talk.landmarks) for talk in talks]).mean(0)

    def predict(frames: PaperFrames) -> tuple[Tensor, Tensor]:
        true = torch.from_numpy(frames.landmarks)
        return torch.from_numpy(mean).expand_as(true), true

    return predict


def network(folder: Path) -> Predict:
    """Says what the predictor in a folder says."""
    loaded = load_paper(folder)
    return lambda frames: predicted(loaded, frames)


def figures(ways: dict[str, Predict], frames: PaperFrames) -> list[float]:
    """Each of `FIGURES` of each way, in this order."""
    found = [landmark_figures(*predict(frames)) for predict in ways.values()]
    return [way[name] for way in found for name in FIGURES]


def table(rows: dict[str, list[float]], ways: Sequence[str]) -> str:
    """All people, their mean and its standard deviation, as Markdown."""
    names = [f"{way}: {label}" for way in ways for label in FIGURES.values()]
    lines = [f"| person | {' | '.join(names)} |", f"|---{'|---' * len(names)}|"]
    for name, values in rows.items():
        lines.append(f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} |")
    every = np.array(list(rows.values()))
    ends = zip(every.mean(0), every.std(0), strict=True)
    lines.append(f"| mean | {' | '.join(f'{mean:.3f} ± {std:.3f}' for mean, std in ends)} |")
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--judged", type=Path, required=True, help="weights, with discriminator")
    parser.add_argument("--alone", type=Path, required=True, help="weights, without")
    parser.add_argument("--learned", action="store_true", help="measure what was learned from")
    args = parser.parse_args()
    torch.set_num_threads(1)
    angles = whole_angles()
    first, last = (by_person(talks) for talks in split_by_time(read_talks(args.cache)))
    ways = {"alone": network(args.alone), "judged": network(args.judged)}
    rows = {}
    for name, talks in (first if args.learned else last).items():
        frames = paper_frames(talks, angles)
        rows[name] = figures({"mean face": mean_face(first[name])} | ways, frames)
    print(table(rows, ["mean face", *ways]))


if __name__ == "__main__":
    main()
