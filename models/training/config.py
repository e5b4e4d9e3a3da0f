"""Settings of one training run; saved with every checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...codec.errors import ConfigError
from .data import Augmentation

__all__ = ["LossWeights", "Progress", "TrainConfig"]

Progress = Callable[[int, int, str], None]
"""Called after each step with what is done, how much there is in all, and the newest figures."""


@dataclass(frozen=True)
class LossWeights:
    """Weights of equation 4's terms (and of ours); 0 leaves a term out.

    Attributes:
        pixel: L1 with its gradients, mouth and eyes weighted.
        warped: the same of the moved source alone: teaches the flow directly.
        perceptual: LPIPS-type distance of pretrained features.
        face: the same on the face's crop.
        regions: how far mouth, eyes and face outweigh the rest in `pixel` and `warped`: 1 as
            `losses.region_weights` says, 0 not at all.
        distillation: distance to a teacher's picture and flow, where `fit` is given one.
        adversarial, matching: hinge GAN and feature matching.
        keypoints: detector against the mesh's closed form.
        equivariance: value and jacobian of the unsupervised detector.
    """

    pixel: float = 10.0
    warped: float = 2.0
    perceptual: float = 2.0
    face: float = 2.0
    regions: float = 1.0
    distillation: float = 0.0
    adversarial: float = 0.0
    matching: float = 10.0
    keypoints: float = 10.0
    equivariance: float = 10.0


@dataclass(frozen=True)
class TrainConfig:
    """One run.

    Attributes:
        steps: optimiser steps in all.
        batch: sources a step and device; each with `drivings` driving frames.
        learning_rate: Adam's, falling to a twentieth along a cosine.
        warmup: steps from 0 to the full rate.
        adversarial_from: step at which the discriminator joins.
        perceptual_net: `alex` (cheap) or `vgg`.
        ema: decay of the averaged weights, which are what is saved for use.
        seed: of the weights, the samples and their changes.
        person_cap_s, person_least_s: no person counts for more seconds than the one, or for
            fewer than the other (which lets a pair of stills weigh something).
        precision: `32`, or `bf16` for mixed precision.
        threads: CPU threads of torch, 0 for its own choice.
        accelerator, devices, strategy: Lightning Fabric's; by default all GPUs, else the CPU.
        workers: processes that prepare samples.
        evaluate_every, picture_every, checkpoint_every: in steps.
        minutes: stop after this time, 0 for no limit.
    """

    steps: int = 20_000
    batch: int = 4
    drivings: int = 3
    learning_rate: float = 4e-4
    warmup: int = 200
    adversarial_from: int = 0
    perceptual_net: str = "alex"
    ema: float = 0.999
    seed: int = 0
    person_cap_s: float = 60.0
    person_least_s: float = 0.0
    precision: str = "32"
    threads: int = 0
    accelerator: str = "auto"
    devices: int | str = "auto"
    strategy: str = "auto"
    workers: int = 0
    evaluate_every: int = 500
    picture_every: int = 500
    checkpoint_every: int = 250
    minutes: float = 0.0
    size: int = 256
    losses: LossWeights = field(default_factory=LossWeights)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.drivings) < 1:
            raise ConfigError("steps, batch and drivings must be at least 1")
        if not 0 < self.learning_rate < 1 or not 0 <= self.ema < 1:
            raise ConfigError("learning_rate must be in (0, 1) and ema in [0, 1)")
        if not 0 <= self.person_least_s <= self.person_cap_s:
            raise ConfigError(
                f"a person's least seconds lie between 0 and the most, {self.person_cap_s:g}, "
                f"and are not {self.person_least_s:g}"
            )
        if self.precision not in ("32", "bf16"):
            raise ConfigError("precision is `32` or `bf16`")
        if self.perceptual_net not in ("alex", "vgg"):
            raise ConfigError("perceptual_net is `alex` or `vgg`")
