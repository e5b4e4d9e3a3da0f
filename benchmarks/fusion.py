"""The fusion network on held-out people: the base alone, the generated picture alone, and both.

    python benchmarks/fusion.py --held-out SAMPLES [--weights DIR] [--layers N …] [--vgg-every N]

SAMPLES is what `facewire train --network fusion --held-out VIDEOS` prepares. Then the same with
generated pictures that are wrong: of another time of the clip, and of another person.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from facewire.models.fusion.evaluate import COLUMNS, Judges, measure
from facewire.models.fusion.samples import Samples, read_samples
from facewire.models.weights import fusion_card
from facewire.receiver.generators.fusion import Fusion

FIGURES = ("lpips", "face_lpips", "lpips_vgg", "dists", "psnr", "flicker")


def at_another_time(samples: Sequence[Samples]) -> list[Samples]:
    """The generated pictures of a pair show another pair of the same clip."""
    return [_with(piece, piece, np.roll(np.arange(len(piece.points)), 3)) for piece in samples]


def of_a_stranger(samples: Sequence[Samples]) -> list[Samples]:
    """The generated pictures show the next clip's person."""
    others = [*samples[1:], samples[0]]
    return [
        _with(piece, other, np.arange(len(piece.points)))
        for piece, other in zip(samples, others, strict=True)
    ]


def _with(piece: Samples, other: Samples, order: np.ndarray) -> Samples:
    pictures = np.array(piece.pictures)
    pictures[:, 1] = other.pictures[order, 1]
    return replace(piece, pictures=pictures, points=other.points[order])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--held-out", type=Path, required=True, metavar="SAMPLES")
    parser.add_argument("--weights", default="fusion", metavar="DIR")
    parser.add_argument("--layers", type=int, nargs="*", default=[0, 1, 2, 3])
    parser.add_argument("--columns", nargs="*", default=COLUMNS)
    parser.add_argument("--vgg-every", type=int, default=6)
    args = parser.parse_args()
    torch.set_num_threads(1)
    fusion = Fusion(fusion_card(args.weights), threads=1)
    samples = read_samples(args.held_out)
    cases = {"as it should be": (samples, args.columns, Judges(args.vgg_every))}
    for name, wrong in (("another time", at_another_time), ("a stranger", of_a_stranger)):
        cases[name] = (wrong(samples), ["made", "fused"], Judges())
    print("| generated | base | bpp | shown |" + " | ".join(FIGURES) + " |")
    for case, (pieces, columns, judges) in cases.items():
        for layer in args.layers:
            bits = float(np.mean([piece.bpp[layer] for piece in pieces]))
            found = measure(
                pieces,
                lambda made, base, points, age: fusion.fuse(made, base, points, age=int(age)),
                [layer],
                judges,
                columns=columns,
            )[0]
            about = f"CRF {pieces[0].crf[layer]:.0f}, {pieces[0].side[layer]} px | {bits:.4f}"
            for name, row in found.items():
                cells = (f"{row[f]:.4f}" if row.get(f, 9) < 1 else f"{row.get(f, 0):.2f}"
                         for f in FIGURES)  # fmt: skip
                print(f"| {case} | {about} | {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
