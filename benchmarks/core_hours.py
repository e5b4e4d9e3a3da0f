"""How good each weights of a network were that shipped once, by one measure, for the curve of LPIPS
against core hours in `docs/training.md`.

    python benchmarks/core_hours.py --held-out CACHE FOLDER…

Each folder holds a `model.safetensors`, for example from `git show COMMIT:models/weights/s/…`. Six
frames of each clip are made from its first picture, which is coded with 3 kB, and from motion that
is not quantised (`models/training/evaluate.py`). The result is written to the standard output as
CSV.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from facewire.models.avfr.model import Avfr
from facewire.models.training.cache import read_cache
from facewire.models.training.enroll import as_received
from facewire.models.training.evaluate import evaluate

COLUMNS = "lpips", "face_lpips", "face_psnr", "mouth_psnr", "eyes_psnr"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--held-out", type=Path, required=True, help="prepared clips")
    args = parser.parse_args()
    torch.set_num_threads(1)
    clips = [as_received(clip) for clip in read_cache(args.held_out)]
    print(",".join(["weights", *COLUMNS]))
    for folder in args.folders:
        found = evaluate(Avfr.from_pretrained(folder), clips)
        print(
            ",".join([folder.name, *(f"{found[f'net_{name}']:.4f}" for name in COLUMNS)]),
            flush=True,
        )


if __name__ == "__main__":
    main()
