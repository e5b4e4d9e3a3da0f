"""What the mouth predictor gains by learning one person from the beginning of that person's talk.

    python benchmarks/mouth_person.py --talks CACHE [--weights DIR] [--people NAME …]

CACHE holds talks as `facewire train` prepares them. Of each person with 45 seconds and more, the
first 20 and 40 seconds are learned from, in closed form as in `models/apb2face/person.py`. What
comes after the 40 seconds is measured. Name people whom the network was not trained on.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from facewire.models.apb2face.habits import heard
from facewire.models.apb2face.person import PersonFit
from facewire.models.apb2face.sound import LOOKAHEADS
from facewire.models.apb2face.store import load_mouth
from facewire.models.apb2face.talks import Talk, read_talks
from facewire.models.face.head import mouth_opening
from facewire.models.weights import geometry_card

Array = np.ndarray
LEAST_S, LEARNED_S, TESTED_FROM = 45, (0, 20, 40), 1000


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--talks", type=Path, required=True, metavar="CACHE")
    parser.add_argument("--weights", default="apb2face-geometry", metavar="DIR")
    parser.add_argument("--people", nargs="*", metavar="NAME")
    args = parser.parse_args()
    torch.set_num_threads(1)
    network = load_mouth(geometry_card(args.weights).folder)
    of: dict[str, list[Talk]] = defaultdict(list)
    for talk in read_talks(args.talks):
        if not args.people or talk.identity in args.people:
            of[talk.identity].append(talk)
    rows: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    count = 0
    for talks in of.values():
        if sum(len(talk.landmarks) for talk in talks) < LEAST_S * 25:
            continue
        count += 1
        mouths = np.concatenate([talk.mouth() for talk in talks])
        states, movements = heard(network, talks)
        for output, ms in enumerate(LOOKAHEADS):
            for seconds in LEARNED_S:
                fit = PersonFit(network.config.channels)
                for n in range(25 * seconds):
                    fit.update(states[output, n], mouths[n], movements[output, n])
                average = mouths[:TESTED_FROM].mean(0)
                made = average + movements[output, TESTED_FROM:]
                made += np.stack([fit.correction(s) for s in states[output, TESTED_FROM:]])
                true = mouths[TESTED_FROM:]
                r = np.corrcoef(mouth_opening(made), mouth_opening(true))[0, 1]
                rows[ms, seconds].append((r, np.linalg.norm(made - true, axis=-1).mean()))
    print(f"{count} people\n| look-ahead, ms | learned from, s | r | error / eye distance |")
    for (ms, seconds), values in rows.items():
        r, error = np.mean(values, 0)
        print(f"| {ms} | {seconds} | {r:.3f} | {error:.4f} |")


if __name__ == "__main__":
    main()
