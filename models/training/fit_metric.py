"""Measures how much errors of the motion harm the picture, for the transform of `entropy`.

    python -m facewire.models.training.fit_metric CACHE METRIC.npz --minutes 15

Each of the 60 numbers is changed a little, and the frame is rendered again. The change of the
picture is measured in the face, at the mouth and at the eyes, relative to the error that the
picture has there anyway. To second order, an error e of the numbers then costs eᵀMe, where M is the
mean over frames of many people.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from ...codec.whole_file import whole_file
from ..avfr.model import Avfr, numbers_to_motion
from ..face.gaze import with_irises
from ..face.keypoints import MeshKeypoints
from ..face.landmarks import PointRebuilder
from ..face.mesh import select_points
from ..mel import SAMPLE_RATE, mel_window
from ..weights import load_card
from .cache import CachedClip, read_cache
from .evaluate import boxes_of, shown, to_tensor

__all__ = ["measure", "motion_metric"]

Metric = npt.NDArray[np.float64]
Grams = dict[str, Metric]

WEIGHTS = {"face": 1.0, "mouth": 2.0, "eyes": 0.5}
"""Weights of the places; chosen on `val` (docs/rate.md)."""
_MOVED = np.tile(np.array([0.004, 0.004, *4 * [0.008]], np.float32), 10)
_LEAST = 20.0 / 255**2  # mean squared error below which no difference is seen
_SHRINK = 0.05  # shrinks the products of two numbers towards 0, since frames are few
_BATCH = 20


def motion_metric(samples: list[Grams]) -> Metric:
    """Mean of the results of `measure` on many frames, float64 `[60, 60]`."""
    mean = np.zeros((60, 60))
    for grams in samples:
        for name, weight in WEIGHTS.items():
            mean += weight / len(samples) * grams[name]
    return np.asarray((1 - _SHRINK) * mean + _SHRINK * np.diag(np.diag(mean)), np.float64)


@torch.no_grad()
def measure(model: Avfr, clip: CachedClip, rng: np.random.Generator) -> Grams | None:
    """Measure one random frame of a clip, animated from its first frame.

    Returns:
        For each place, float64 `[60, 60]`: the mean product of the changes of the picture for
        changes of 1 in two numbers, divided by the mean squared error of the place. None if the
        clip has no such frame.
    """
    if len(clip.usable) < 2:
        return None
    first, position = int(clip.usable[0]), int(rng.choice(clip.usable[1:]))
    side, device = model.config.size, next(model.parameters()).device
    keypoints, rebuilder = MeshKeypoints(model.face), PointRebuilder(model.face)
    before, landmarks = (clip.landmarks[clip.kept[at]] for at in (first, position))
    still = keypoints.keyframe(before).to_array()
    numbers = keypoints.motion(landmarks).to_array()
    points = select_points(before)

    def drawn(points: npt.NDArray[np.float32]) -> Tensor:
        """What the network takes of faces; the eyes look straight on."""
        middle = np.zeros((*points.shape[:-2], 2), np.float32)
        return torch.tensor(with_irises(points, middle) if model.config.gaze else points)

    picture = to_tensor(shown(clip, first, side)[None]).to(device)
    source = numbers_to_motion(torch.tensor(still)[None], drawn(points)[None])
    source = {name: value.to(device) for name, value in source.items()}
    features = model.generator.encode_source(picture, source["points"])
    frame = int(clip.kept[position])
    mel = torch.from_numpy(mel_window(clip.mel, round(frame * SAMPLE_RATE / clip.fps)))[None, None]

    def render(values: npt.NDArray[np.float32]) -> Tensor:
        rebuilt = np.stack([rebuilder.rebuild(still, points, each) for each in values])
        driving = numbers_to_motion(torch.from_numpy(values), drawn(rebuilt))
        count = len(values)
        many = [each.expand(count, *each.shape[1:]) for each in (picture, mel.to(device))]
        made: Tensor = model.generator(
            many[0],
            [each.expand(count, *each.shape[1:]) for each in features],
            {name: each.expand(count, *each.shape[1:]) for name, each in source.items()},
            {name: each.to(device) for name, each in driving.items()},
            many[1],
        )["image"]
        return made

    base = render(numbers[None])[0]
    error = base - to_tensor(shown(clip, position, side)[None]).to(device)[0]
    moved = numbers[None] + np.diag(_MOVED).reshape(60, 10, 6)
    scale = torch.from_numpy(_MOVED).to(device)[:, None, None, None]
    changes = torch.cat([render(some) - base for some in np.split(moved, 60 // _BATCH)]) / scale
    found = {}
    for name, places in boxes_of(landmarks, side).items():
        rows = _cut(changes, places).double()
        lost = float((_cut(error[None], places) ** 2).mean())
        found[name] = (rows @ rows.T / rows.shape[1] / max(lost, _LEAST)).cpu().numpy()
    return found


def _cut(pictures: Tensor, places: list[tuple[int, int, int, int]]) -> Tensor:
    """All pixels of some boxes, `[N, pixels]`."""
    parts = [pictures[..., y0:y1, x0:x1].flatten(1) for x0, y0, x1, y1 in places]
    return torch.cat(parts, 1)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cache", type=Path, help="prepared training clips")
    parser.add_argument("out", type=Path, help="METRIC.npz")
    parser.add_argument("--network", default="s", metavar="SIZE|DIR")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = Avfr.from_pretrained(load_card(args.network).folder)
    model.eval()
    rng = np.random.default_rng(args.seed)
    clips = read_cache(args.cache)
    samples: list[Grams] = []
    end = time.monotonic() + 60 * args.minutes
    for index in tqdm(rng.permutation(len(clips)), unit="clip"):
        found = measure(model, clips[index], rng)
        samples += [found] if found else []
        if time.monotonic() > end:
            break
    with whole_file(args.out, overwrite=True) as file:
        np.savez_compressed(file, metric=motion_metric(samples), frames=len(samples))
    print(f"{args.out}: {len(samples)} frames")


if __name__ == "__main__":
    main()
