"""Settings of a training run; each run saves them in `settings.json`."""

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
    """Weights of the terms of the loss (AVFR-GAN equation 4, and more); 0 leaves a term out.

    Attributes:
        pixel: absolute difference of pictures and of their gradients, weighted by region.
        warped: the same for the source picture moved by the flow; it trains the flow directly.
        perceptual: distance of pretrained features (LPIPS).
        face: the same for a crop of the face.
        regions: how much more mouth, eyes and face count than the rest in `pixel` and `warped`,
            from 0 for all alike to 1 for the weights in `losses.region_weights`.
        flicker: absolute difference between the made and the true change from a driving frame to
            the next one, where a sample holds two in a row (`Augmentation.successive`).
        likeness: distance of the faces' embeddings by a network that tells people apart
            (`TrainConfig.likeness_net`).
        distillation: distance to the picture and the flow of a teacher, if `fit` is given one.
        adversarial: hinge loss of a GAN.
        matching: distance of the discriminator's features, in units of `adversarial`.
        keypoints: distance of the detector's keypoints to those computed from the mesh.
        equivariance: equivariance of the unsupervised detector.
    """

    pixel: float = 10.0
    warped: float = 2.0
    perceptual: float = 2.0
    face: float = 2.0
    regions: float = 1.0
    flicker: float = 0.0
    likeness: float = 0.0
    distillation: float = 0.0
    adversarial: float = 0.0
    matching: float = 10.0
    keypoints: float = 10.0
    equivariance: float = 10.0


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a run.

    Attributes:
        steps: optimiser steps in all.
        batch: source pictures for each step and device.
        drivings: driving frames for each source.
        learning_rate: of Adam; it falls to a twentieth along a cosine, which ends with `steps` or
            with `minutes`, whichever comes first.
        warmup: steps in which the learning rate rises from 0.
        adversarial_from: step from which the discriminator takes part.
        perceptual_net: `alex`, which is cheap, or `vgg`.
        likeness_net: path of the face recognition network of the likeness loss, as TorchScript
            (`models.training.likeness`); needed where that loss has a weight.
        ema: decay of the averaged weights; these are the ones that are saved for use.
        seed: of the weights, the samples and their augmentation.
        person_cap_s, person_least_s: each person counts for at most, and at least, so many
            seconds of footage. The latter gives a pair of stills some weight.
        precision: `32`, or `bf16` for mixed precision, or `auto`: `bf16` where the device has
            instructions for it.
        threads: CPU threads of torch; 0 leaves the choice to torch.
        accelerator, devices, strategy: of Lightning Fabric; by default all GPUs, or else the CPU.
        workers: processes that prepare samples.
        evaluate_every, picture_every, checkpoint_every: steps between two of each.
        checkpoint_minutes: the run is also saved when it was last saved so many minutes ago.
        minutes: end after so many minutes, those before a `resume` included; 0 for no limit.
        size: side of the pictures in pixels.
        losses: weights of the terms of the loss.
        augmentation: how samples are varied.
    """

    steps: int = 20_000
    batch: int = 4
    drivings: int = 3
    learning_rate: float = 4e-4
    warmup: int = 200
    adversarial_from: int = 0
    perceptual_net: str = "alex"
    likeness_net: str = ""
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
    checkpoint_minutes: float = 10.0
    minutes: float = 0.0
    size: int = 256
    losses: LossWeights = field(default_factory=LossWeights)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.drivings) < 1:
            raise ConfigError("steps, batch and drivings must be at least 1")
        if self.losses.flicker > 0 and self.drivings < 2:
            raise ConfigError(
                "the loss for flicker compares two driving frames: set drivings to 2 or more, or "
                "flicker to 0"
            )
        if not 0 < self.learning_rate < 1 or not 0 <= self.ema < 1:
            raise ConfigError("learning_rate must be in (0, 1) and ema in [0, 1)")
        if not 0 <= self.person_least_s <= self.person_cap_s:
            raise ConfigError(
                f"the least seconds that a person counts for must be 0 to {self.person_cap_s:g}, "
                f"not {self.person_least_s:g}"
            )
        if self.precision not in ("auto", "32", "bf16"):
            raise ConfigError("precision is `auto`, `32` or `bf16`")
        if self.perceptual_net not in ("alex", "vgg"):
            raise ConfigError("perceptual_net is `alex` or `vgg`")
        if self.losses.likeness > 0 and not self.likeness_net:
            raise ConfigError("the likeness loss needs a face recognition network: likeness_net")
