"""Short controlled training runs that differ in one thing each, for the tables of the docs.

    python benchmarks/recipe.py --train CACHE --held-out CACHE --out runs/recipe

Rows of the group `from scratch` train a new network for `--steps`. Rows of `go on` take the network
of the base row and train it for another half of that, each in its own way. `ablation` is table 3 of
the paper, with its keypoints and without landmarks. Rows that exist are not trained again.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from facewire.models.avfr.config import SIZES
from facewire.models.avfr.model import Avfr
from facewire.models.face.table import FaceTable
from facewire.models.training.cache import read_cache
from facewire.models.training.config import LossWeights, TrainConfig
from facewire.models.training.data import Augmentation
from facewire.models.training.evaluate import evaluate
from facewire.models.training.fit_face import fit_face_table
from facewire.models.training.loop import fit

FIGURES = ("face_lpips", "lpips", "face_psnr", "mouth_psnr", "eyes_psnr")


@dataclass(frozen=True)
class Row:
    """A run, by what differs from the base."""

    name: str
    what: str
    group: str
    network: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    augmentation: dict[str, Any] = field(default_factory=dict)
    size: str = "s"
    stills: bool = False
    teacher: bool = False


SCRATCH, GO_ON, ABLATION = "from scratch", "go on", "ablation"
UNSUPERVISED = {"keypoint_mode": "unsupervised", "landmark_prior": False, "detector_max": 256}
NONE = {"structural_prior": False, "audio_prior": False, "identity_aware": False}

ROWS = [
    Row("base", "as `facewire train` does it", SCRATCH),
    Row("no-landmarks", "rebuilt landmarks neither drawn nor a field of motion", SCRATCH,
        network={"landmark_prior": False}),
    Row("no-audio", "no sound, no attention", SCRATCH, network={"audio_prior": False}),
    Row("no-skips", "no warped identity features in the decoder", SCRATCH,
        network={"identity_aware": False}),
    Row("no-warped-loss", "no loss on the merely moved source", SCRATCH, losses={"warped": 0.0}),
    Row("xs", "size xs", SCRATCH, size="xs"),
    Row("xs-distilled", "size xs, imitating the base", SCRATCH, size="xs", teacher=True,
        losses={"distillation": 10.0}),
    Row("on", "nothing changed", GO_ON),
    Row("no-ema", "the last weights in place of their average", GO_ON, training={"ema": 0.0}),
    Row("no-regions", "mouth, eyes and face weigh like the rest", GO_ON, losses={"regions": 0.0}),
    Row("no-perceptual", "no perceptual loss", GO_ON, losses={"perceptual": 0.0, "face": 0.0}),
    Row("vgg", "perceptual loss of VGG16 in place of AlexNet", GO_ON,
        training={"perceptual_net": "vgg"}),
    Row("adversarial", "GAN (hinge, weight 0.1) with feature matching", GO_ON,
        losses={"adversarial": 0.1}),
    Row("near", "driving frames within a second of the source", GO_ON,
        augmentation={"within_s": 1.0}),
    Row("any-frame", "driving frames not chosen for other eyes and mouths", GO_ON,
        augmentation={"expressive": 0.0}),
    Row("no-change", "no mirror, zoom, shift and colour", GO_ON,
        augmentation={"mirror": 0.0, "scale": 0.0, "shift": 0.0, "colour": 0.0, "gamma": 0.0}),
    Row("clean", "keyframes not through the still codec", GO_ON, augmentation={"coded": 0.0}),
    Row("stills", "with pairs of stills (neutral, smiling), 4 s a person", GO_ON, stills=True,
        training={"person_least_s": 4.0}),
    Row("none", "none of the paper's three", ABLATION, network=UNSUPERVISED | NONE),
    Row("structural", "structural prior alone", ABLATION,
        network=UNSUPERVISED | NONE | {"structural_prior": True}),
    Row("audio", "audio prior alone", ABLATION,
        network=UNSUPERVISED | NONE | {"audio_prior": True}),
    Row("identity", "identity-aware generator alone", ABLATION,
        network=UNSUPERVISED | NONE | {"identity_aware": True}),
    Row("all", "all three: the paper's network", ABLATION, network=UNSUPERVISED),
]  # fmt: skip


class Bench:
    """Trains rows, and keeps their figures in a table."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.train, self.held_out = read_cache(args.train), read_cache(args.held_out)
        self.stills = read_cache(args.stills) if args.stills else []
        self.face: FaceTable = fit_face_table(c.landmarks[c.faces > 0] for c in self.train)
        self.table = args.out / "recipe.csv"

    def done(self) -> set[tuple[str, str]]:
        """Rows and seeds that the table holds."""
        if not self.table.exists():
            return set()
        with self.table.open(newline="") as file:
            return {(line["row"], line["seed"]) for line in csv.DictReader(file)}

    def run(self, row: Row, seed: int) -> None:
        """Train a row, and write its line."""
        args = self.args
        settings = TrainConfig(
            steps=args.steps if row.group != GO_ON else args.steps // 2,
            learning_rate=args.learning_rate if row.group != GO_ON else args.learning_rate / 2,
            warmup=50, batch=args.batch, threads=args.threads, precision="bf16", seed=seed,
            size=args.size, evaluate_every=10**9, picture_every=10**9, checkpoint_every=10**9,
            losses=LossWeights(**row.losses), augmentation=Augmentation(**row.augmentation),
        )  # fmt: skip
        network = SIZES[row.size].with_changes(size=args.size, **row.network)
        base = args.out / f"base-{seed}"
        start = Avfr.from_pretrained(base).train() if row.group == GO_ON else None
        model = fit(
            network,
            replace(settings, **row.training),
            [*self.train, *(self.stills if row.stills else [])],
            [],
            args.out / f"{row.name}-{seed}",
            face=self.face,
            start_from=start.requires_grad_(True) if start else None,
            teacher=Avfr.from_pretrained(base) if row.teacher else None,
        )
        self.write(row, seed, evaluate(model, self.held_out))

    def write(self, row: Row, seed: int, figures: dict[str, float]) -> None:
        """Write a line with the figures of the network and of the frozen keyframe."""
        fresh = not self.table.exists()
        line = {"group": row.group, "row": row.name, "what": row.what, "seed": seed}
        line |= {name: round(figures[f"net_{name}"], 4) for name in FIGURES}
        line |= {f"frozen_{name}": round(figures[f"frozen_{name}"], 4) for name in FIGURES}
        with self.table.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(line))
            if fresh:
                writer.writeheader()
            writer.writerow(line)

    def markdown(self) -> Iterator[str]:
        """The table for the docs, averaged over seeds."""
        with self.table.open(newline="") as file:
            lines = list(csv.DictReader(file))
        yield "| group | row | " + " | ".join(FIGURES) + " | seeds |"
        yield "|---|---|" + "---|" * (len(FIGURES) + 1)
        for row in ROWS:
            found = [line for line in lines if line["row"] == row.name]
            if found:
                means = [sum(float(line[n]) for line in found) / len(found) for n in FIGURES]
                values = " | ".join(f"{m:.4f}" if m < 1 else f"{m:.2f}" for m in means)
                yield f"| {row.group} | {row.name}: {row.what} | {values} | {len(found)} |"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--train", type=Path, required=True, metavar="CACHE", help="prepared training clips")
    add("--held-out", type=Path, required=True, metavar="CACHE", help="prepared other people")
    add("--stills", type=Path, metavar="CACHE", help="prepared pairs of stills; else no such row")
    add("--out", type=Path, required=True)
    add("--steps", type=int, default=500)
    add("--size", type=int, default=128, help="side of the pictures (default: %(default)s)")
    add("--batch", type=int, default=4)
    add("--learning-rate", type=float, default=1e-3)
    add("--threads", type=int, default=1)
    add("--seeds", type=int, nargs="+", default=[0])
    add("--rows", nargs="+", metavar="NAME", help=", ".join(row.name for row in ROWS))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    bench = Bench(args)
    for seed in args.seeds:
        for row in ROWS:
            wanted = args.rows is None or row.name in args.rows
            possible = bool(bench.stills) or not row.stills
            if wanted and possible and (row.name, str(seed)) not in bench.done():
                bench.run(row, seed)
    print("\n".join(bench.markdown()))


if __name__ == "__main__":
    main()
