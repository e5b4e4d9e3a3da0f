"""Measures the fusion network: the base alone, the generated picture alone, and both fused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ..judges.perceptual import load_dists, load_lpips
from ..training.evaluate import face_box
from .network import Fusion
from .samples import Samples

__all__ = ["COLUMNS", "Fuse", "Judges", "measure", "torch_fuse"]

_LEAST_SIDE = 64  # AlexNet's features need some pixels
Frame = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]
COLUMNS = ("base", "made", "fused")
Fuse = Callable[[Frame, Frame, Array, int], Frame]
"""Of a generated picture, the base, the landmarks that were drawn, and the base's age: the fused
picture.
"""


@dataclass(frozen=True)
class Judges:
    """The measures by which pictures are judged.

    Attributes:
        vgg_every: 1 if LPIPS-VGG and DISTS measure every frame, 2 for every second one, and so
            on; 0 for none.
    """

    vgg_every: int = 0


def torch_fuse(network: Fusion) -> Fuse:
    """Make a function of pictures from a network in torch."""

    @torch.no_grad()
    def fuse(made: Frame, base: Frame, points: Array, age: int) -> Frame:
        pictures = _tensor(np.stack([made, base]))
        drawn = network.draw(torch.from_numpy(points)[None])
        found = network(pictures[:1], pictures[1:], drawn, torch.tensor([float(age)]))
        rounded = found[0].clamp(0, 1).mul(255).round().byte()
        return np.asarray(rounded.permute(1, 2, 0).numpy())

    return fuse


def measure(
    samples: Sequence[Samples],
    fuse: Fuse,
    layers: Sequence[int],
    judges: Judges | None = None,
    *,
    columns: Sequence[str] = COLUMNS,
) -> list[dict[str, dict[str, float]]]:
    """Mean figures over the second frames of all pairs. Each clip has the same weight.

    Args:
        samples: pieces, each with the same base layers.
        fuse: see `Fuse`.
        layers: the numbers of the base layers.
        judges: see `Judges`.
        columns: which of `COLUMNS` are measured.

    Returns:
        For each layer and column: `lpips`, `face_lpips`, `psnr` in dB,
        `flicker` in levels of 255 (mean absolute error of the change within a pair), and, if
        asked for, `lpips_vgg` and `dists`.
    """
    judge = _Judge(judges or Judges())
    return [_measure_layer(samples, fuse, layer, judge, columns) for layer in layers]


def _measure_layer(
    samples: Sequence[Samples], fuse: Fuse, layer: int, judge: _Judge, columns: Sequence[str]
) -> dict[str, dict[str, float]]:
    clips: dict[str, list[dict[str, float]]] = defaultdict(list)
    for piece in samples:
        found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for number, pictures in enumerate(np.asarray(piece.pictures)):
            truth, made, base = pictures[0], pictures[1], pictures[2 + layer]
            box = face_box(piece.points[number, 1], truth.shape[1])
            for name in columns:
                shown = base if name == "base" else made
                if name == "fused":
                    about = piece.points[number], piece.age[layer, number]
                    shown = np.stack([fuse(*x) for x in zip(made, base, *about, strict=True)])
                for figure, value in judge.look(shown, truth, box, number).items():
                    found[name][figure].append(value)
        for name, figures in found.items():
            clips[name].append({key: float(np.mean(values)) for key, values in figures.items()})
    return {
        name: {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        for name, rows in clips.items()
    }


class _Judge:
    def __init__(self, judges: Judges) -> None:
        self._alex = load_lpips("alex")
        self._every = judges.vgg_every
        self._vgg = load_lpips("vgg") if self._every else None
        self._dists = load_dists() if self._every else None

    @torch.no_grad()
    def look(
        self, shown: Frame, truth: Frame, box: tuple[int, int, int, int], number: int
    ) -> dict[str, float]:
        """Figures of a pair of frames, uint8 `[2, H, W, 3]`; the second is judged by itself."""
        x0, y0, x1, y1 = box
        pair = _tensor(np.stack([shown[1], truth[1]]))
        face = pair[..., y0:y1, x0:x1]
        if min(face.shape[-2:]) < _LEAST_SIDE:
            face = F.interpolate(face, size=(_LEAST_SIDE, _LEAST_SIDE), mode="bilinear")
        error = shown.astype(np.float64) - truth
        figures = {
            "lpips": float(self._alex(pair[:1], pair[1:])),
            "face_lpips": float(self._alex(face[:1], face[1:])),
            "psnr": float(10 * np.log10(255**2 / max(float((error[1] ** 2).mean()), 0.01))),
            "flicker": float(np.abs(error[1] - error[0]).mean()),
        }
        if self._vgg is not None and self._dists is not None and number % self._every == 0:
            figures["lpips_vgg"] = float(self._vgg(pair[:1], pair[1:]))
            figures["dists"] = float(self._dists(pair[:1], pair[1:]))
        return figures


def _tensor(frames: Frame) -> Tensor:
    """uint8 `[N, H, W, 3]` → float `[N, 3, H, W]` on [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 255
