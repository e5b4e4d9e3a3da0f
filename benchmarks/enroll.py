"""What an identity improves: figures without and with it, on footage that it was not made from.

    python benchmarks/enroll.py --halves val/v0007.mp4 val/v0014.mp4
    python benchmarks/enroll.py --adapt t0054.mp4 t0060.mp4 --test t0055.mp4 t0057.mp4

With `--halves`, each video shows another person; the identity is learned from its first half and
measured on the second. With `--adapt` and `--test`, all videos show one person. The keyframe is the
first measured picture, coded with 3 kB. The output is rows of a Markdown table. LPIPS-Alex is one
of the losses; LPIPS-VGG and dlib's distance are not.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch

from facewire.cli.enroll import prepared
from facewire.codec.errors import TrainingError
from facewire.codec.identity import Identity
from facewire.models.avfr.model import Avfr
from facewire.models.judges.identity import DlibEmbedder
from facewire.models.judges.perceptual import load_lpips
from facewire.models.training.cache import CachedClip
from facewire.models.training.enroll import EnrollConfig, as_received, enroll, part
from facewire.models.training.evaluate import animate_clip, face_box, to_tensor
from facewire.models.weights import Card, changed_tensors, load_card
from facewire.sender.tracking.tracker import Face

HEAD = (
    "| person | learned from, measured on, s | steps; CPU s | kB | face LPIPS-Alex "
    "| face LPIPS-VGG | face PSNR, dB | identity (dlib) |\n|---|---|---|---|---|---|---|---|"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--halves", type=Path, nargs="+", default=[])
    parser.add_argument("--adapt", type=Path, nargs="+", default=[])
    parser.add_argument("--test", type=Path, nargs="+", default=[])
    parser.add_argument("--weights", default="s")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--learning-rate", type=float, default=EnrollConfig.learning_rate)
    parser.add_argument("--frames", type=int, default=40, help="measured of each person")
    args = parser.parse_args()
    card = load_card(args.weights)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    settings = EnrollConfig(
        minutes=args.minutes,
        steps=args.steps,
        learning_rate=args.learning_rate,
        min_seconds=2,
    )
    size = int(card.config["size"])
    print(HEAD, flush=True)
    for path in args.halves:
        (clip,) = prepared([path], size)
        half = len(clip.kept) // 2
        test = [part(clip, half, len(clip.kept))]
        report(path.stem, card, settings, [part(clip, 0, half)], test, args.frames)
    if args.adapt:
        name = f"{args.adapt[0].stem} and others"
        adapt, test = prepared(args.adapt, size), prepared(args.test, size)
        report(name, card, settings, adapt, test, args.frames)
    return 0


def seconds(clips: list[CachedClip]) -> float:
    step = [np.diff(clip.kept).mean() / clip.fps for clip in clips]
    return sum(len(clip.usable) * length for clip, length in zip(clips, step, strict=True))


def report(
    name: str,
    card: Card,
    settings: EnrollConfig,
    adapt: list[CachedClip],
    test: list[CachedClip],
    frames: int,
) -> None:
    lengths = f"{seconds(adapt):.0f}, {seconds(test):.0f}"
    test = [as_received(clip) for clip in test]
    started = time.process_time()
    try:
        done = enroll(card, adapt, settings)
    except TrainingError as error:
        print(f"| {name} | {lengths} | {error} |", flush=True)
        return
    used = time.process_time() - started
    before, after = (figures(card, who, test, frames) for who in (None, done.identity))
    row = [name, lengths, f"{done.steps}; {used:.0f}", f"{done.identity.file_bytes / 1000:.0f}"]
    for first, second, digits in zip(before, after, (4, 4, 2, 3), strict=True):
        row.append(f"{first:.{digits}f} → {second:.{digits}f}")
    print("| " + " | ".join(row) + " |", flush=True)


def figures(
    card: Card, identity: Identity | None, clips: list[CachedClip], frames: int
) -> list[float]:
    """Mean face LPIPS-Alex, LPIPS-VGG, PSNR and dlib's distance."""
    model = Avfr.from_pretrained(card.folder)
    changes = changed_tensors(card, identity) if identity else {}
    model.load_state_dict({n: torch.from_numpy(v) for n, v in changes.items()}, strict=False)
    alex, vgg, embed = load_lpips("alex"), load_lpips("vgg"), DlibEmbedder()
    rows: list[list[float]] = []
    for clip in clips:
        count = min(len(clip.usable) - 1, -(-frames // len(clips)))
        chosen = clip.usable[np.linspace(1, len(clip.usable) - 1, count).astype(int)]
        made, _ = animate_clip(model, clip, [int(i) for i in chosen], torch.device("cpu"))
        for position, frame in zip(chosen, made, strict=True):
            truth, marks = np.array(clip.frames[position]), clip.landmarks[clip.kept[position]]
            x0, y0, x1, y1 = face_box(marks, len(frame))
            pair = to_tensor(np.stack([frame, truth]))[..., y0:y1, x0:x1]
            face = Face((marks + 1) / 2 * len(frame))
            embeddings = [embed(picture, face.landmarks) for picture in (frame, truth)]
            mse = float(((pair[0] - pair[1]) ** 2).mean())
            with torch.no_grad():
                distances = [float(net(pair[:1], pair[1:])) for net in (alex, vgg)]
            identical = float(np.linalg.norm(embeddings[0] - embeddings[1]))
            rows.append([*distances, -10 * np.log10(max(mse, 1e-6)), identical])
    return [float(value) for value in np.mean(rows, 0)]


if __name__ == "__main__":
    raise SystemExit(main())
