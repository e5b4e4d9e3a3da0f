"""`Objective`: the losses of generator, detector and discriminator in one optimiser step."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..avfr.discriminator import Discriminator
from ..avfr.geometry import Drawing
from ..avfr.losses import (
    RandomSpline,
    discriminator_loss,
    equivariance_loss,
    feature_matching_loss,
    generator_adversarial_loss,
    region_weights,
    weighted_l1,
)
from ..avfr.model import Avfr
from ..avfr.perceptual import Lpips
from .config import LossWeights
from .likeness import Likeness

__all__ = ["Objective", "face_crop"]

Batch = dict[str, Tensor]


def _half(x: Tensor) -> Tensor:
    return F.avg_pool2d(x.float(), 2)


def face_crop(picture: Tensor, points: Tensor, side: int = 128) -> Tensor:
    """Crop faces around their points: `[B, 3, H, W]`, `[B, P, 2]` → `[B, 3, side, side]`."""
    low, high = points.amin(1), points.amax(1)
    centre, half = (low + high) / 2, (high - low).amax(1, keepdim=True) * 0.55
    line = (torch.arange(side, device=points.device) * 2 + 1) / side - 1
    z = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)
    flow = z[None] * half[:, None, None] + centre[:, None, None]
    return F.grid_sample(picture, flow, padding_mode="border", align_corners=False)


def _flicker(image: Tensor, target: Tensor, follows: Tensor) -> Tensor:
    """Error of the change from the first driving frame to the second, where it follows it.

    Args:
        image, target: `[B * N, 3, H, W]`, the N driving frames of a source after one another.
        follows: bool `[B]`.
    """
    wrong = (image - target).reshape(len(follows), -1, *image.shape[1:])
    error = (wrong[:, 1] - wrong[:, 0]).abs().mean((1, 2, 3))
    mean: Tensor = (error * follows).sum() / follows.sum().clamp_min(1)
    return mean


class Objective(nn.Module):
    """The loss that a network is trained with (AVFR-GAN equation 4, and more terms).

    It is a module so that the discriminator and the frozen features move to a device with it.
    """

    def __init__(
        self,
        weights: LossWeights,
        perceptual_net: str,
        adversarial: bool,
        teacher: Avfr | None = None,
        gaze: bool = False,
        likeness_net: str = "",
    ) -> None:
        super().__init__()
        self.weights = weights
        self.likeness = Likeness(Path(likeness_net)) if weights.likeness > 0 else None
        self.perceptual: Lpips | None = None
        if weights.perceptual > 0 or weights.face > 0:
            self.perceptual = Lpips("vgg" if perceptual_net == "vgg" else "alex")
        self.drawing = Drawing(gaze)
        self.discriminator = Discriminator(self.drawing.channels) if adversarial else None
        self.teacher = teacher.eval().requires_grad_(False) if teacher is not None else None

    def losses(
        self, model: Avfr, batch: Batch, adversarial: bool
    ) -> tuple[dict[str, Tensor], Batch]:
        """Weighted terms of the generator's loss by name, and what the model returned."""
        w = self.weights
        result = model(batch)
        image, target = result["image"].float(), result["target"]
        points = batch["true_points"].flatten(0, 1)
        weight = region_weights(points, image.shape[-1], w.regions)
        terms = {
            "pixel": w.pixel * weighted_l1(image, target, weight),
            # The flow is smooth: half the resolution trains it as well, at a quarter of the cost.
            "warped": w.warped * weighted_l1(*map(_half, (result["warped"], target, weight))),
        }
        if self.perceptual is not None:
            if w.perceptual > 0:
                terms["perceptual"] = w.perceptual * self.perceptual(image, target).mean()
            if w.face > 0:
                crops = face_crop(image, points), face_crop(target, points)
                terms["face"] = w.face * self.perceptual(*crops).mean()
        if w.flicker > 0 and "follows" in batch:
            terms["flicker"] = w.flicker * _flicker(image, target, batch["follows"])
        if self.likeness is not None:
            terms["likeness"] = w.likeness * self.likeness(image, target, points).mean()
        if self.teacher is not None:
            with torch.no_grad():
                wanted = self.teacher(batch)
            picture = weighted_l1(image, wanted["image"].float(), weight)
            flow = F.l1_loss(result["flow"], wanted["flow"])
            terms["distillation"] = w.distillation * (picture + flow)
        if model.detector is not None:
            terms |= self._keypoint_terms(model, batch, result)
        if adversarial and self.discriminator is not None:
            lines = self.drawing(points, image.shape[-1])
            scores, fake = self.discriminator(torch.cat([image, lines], 1))
            with torch.no_grad():
                _, real = self.discriminator(torch.cat([target, lines], 1))
            terms["adversarial"] = w.adversarial * generator_adversarial_loss(scores)
            terms["matching"] = w.adversarial * w.matching * feature_matching_loss(real, fake)
        return terms, result

    def _keypoint_terms(self, model: Avfr, batch: Batch, result: Batch) -> dict[str, Tensor]:
        w = self.weights
        if model.config.keypoint_mode == "detector":
            wanted = torch.cat([batch["source"], batch["driving"].flatten(0, 1)])
            found = torch.cat([result["detected_source"], result["detected_driving"]])
            return {"keypoints": w.keypoints * F.smooth_l1_loss(found, wanted, beta=0.05)}
        if model.detector is None:
            return {}
        inputs = result["detected_inputs"]
        spline = RandomSpline(len(inputs), inputs)
        value, jacobian = model.detector(spline.picture(inputs))
        terms = equivariance_loss(
            result["detected_value"], result["detected_jacobian"], value, jacobian, spline
        )
        return {"equivariance": w.equivariance * (terms[0] + terms[1])}

    def discriminate(self, batch: Batch, image: Tensor, target: Tensor) -> Tensor:
        """The loss of the discriminator; no gradient reaches the generator."""
        if self.discriminator is None:
            raise ValueError("this objective has no discriminator")
        lines = self.drawing(batch["true_points"].flatten(0, 1), image.shape[-1])
        fake, _ = self.discriminator(torch.cat([image.detach().float(), lines], 1))
        real, _ = self.discriminator(torch.cat([target, lines], 1))
        return discriminator_loss(real, fake)
