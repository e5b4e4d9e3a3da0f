"""Configurations of AVFR-GAN: `paper`, `s`, `xs` are the same code."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from ...codec.errors import ConfigError
from ..face.mesh import IRISES, POINTS

__all__ = ["SIZES", "AvfrConfig"]

KeypointMode = Literal["mesh", "detector", "unsupervised"]


@dataclass(frozen=True)
class AvfrConfig:
    """One AVFR-GAN.

    Attributes:
        name: model id in streams is `avfr-` + name.
        size: pictures are `size` x `size`.
        keypoints: K.
        keypoint_mode: `mesh` (closed form from the tracker), `detector` (5-channel network,
            supervised by the mesh), `unsupervised` (the same network, trained by equivariance
            and reconstruction alone, as in the paper; without `landmark_prior`).
        structural_prior, audio_prior, identity_aware: the rows of the paper's table 3.
        landmark_prior: draw the rebuilt driving landmarks as a condition, and offer their own
            motion as one more field of the dense motion (ours; docs/networks.md).
        gaze: the points are followed by the centres of both irises (`models.gaze`), which are
            drawn and moved as well.
        detector_base, detector_max, detector_levels: hourglass of the keypoint detector.
        motion_size: side of the dense motion network's pictures.
        motion_base, motion_max, motion_levels, motion_kernel: its hourglass, and its heads.
        stem_stride: 1, 2 or 4, the identity encoder's first step.
        channels: identity encoder's features, fine to coarse; the coarsest is Enc_motion's c.
        blocks: residual blocks at each of these scales, in encoder and decoder.
        spade_hidden: hidden channels of SPADE's modulation, 0 for a direct 1x1 modulation.
        normalise: parameter-free instance norm inside SPADE (off: modulation alone).
        audio_channels, audio_size: Enc_aud is computed at this side and upsampled.
    """

    name: str = "s"
    size: int = 256
    keypoints: int = 10
    keypoint_mode: KeypointMode = "mesh"
    structural_prior: bool = True
    audio_prior: bool = True
    identity_aware: bool = True
    landmark_prior: bool = True
    gaze: bool = False
    detector_base: int = 32
    detector_max: int = 1024
    detector_levels: int = 5
    motion_size: int = 32
    motion_base: int = 32
    motion_max: int = 192
    motion_levels: int = 3
    motion_kernel: int = 3
    stem_stride: int = 2
    channels: tuple[int, ...] = (24, 64, 128)
    blocks: tuple[int, ...] = (0, 2, 2)
    spade_hidden: int = 0
    normalise: bool = False
    audio_channels: int = 16
    audio_size: int = 16

    def __post_init__(self) -> None:
        if len(self.channels) != len(self.blocks) or not self.channels:
            raise ConfigError("`channels` and `blocks` must have one entry for each scale")
        coarsest = self.stem_stride * 2 ** (len(self.channels) - 1)
        if (
            self.stem_stride not in (1, 2, 4)
            or self.size % coarsest
            or self.size % self.motion_size
        ):
            raise ConfigError(f"size {self.size} does not divide into the network's scales")
        if self.keypoint_mode == "unsupervised" and self.landmark_prior:
            raise ConfigError(
                "unsupervised keypoints say nothing of landmarks: set landmark_prior=false too"
            )
        if self.gaze and not self.landmark_prior:
            raise ConfigError("gaze is drawn between the eyes' corners: it needs landmark_prior")
        if self.motion_size % 2**self.motion_levels:
            raise ConfigError("motion_size must divide by 2 ** motion_levels")

    @property
    def model_id(self) -> str:
        """The name that a stream carries."""
        return f"avfr-{self.name}"

    @property
    def points(self) -> int:
        """Number of points of a face that the network is given."""
        return len(POINTS) + (len(IRISES) if self.gaze else 0)

    @property
    def scales(self) -> tuple[int, ...]:
        """Sides of the feature maps, fine to coarse."""
        return tuple(self.size // (self.stem_stride * 2**i) for i in range(len(self.channels)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> AvfrConfig:
        """Inverse of `to_dict`. Raises `ConfigError` on unknown names."""
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise ConfigError(f"unknown settings of a network: {', '.join(sorted(unknown))}")
        tuples: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**tuples)

    def with_changes(self, **changes: Any) -> AvfrConfig:
        """A copy with some settings changed."""
        return replace(self, **changes)


SIZES: dict[str, AvfrConfig] = {
    "paper": AvfrConfig(
        name="paper",
        motion_size=64,
        motion_base=64,
        motion_max=1024,
        motion_levels=5,
        motion_kernel=7,
        stem_stride=1,
        channels=(64, 128, 256),
        blocks=(1, 2, 6),
        spade_hidden=64,
        normalise=True,
        audio_channels=256,
        audio_size=64,
    ),
    "s": AvfrConfig(name="s"),
    "xs": AvfrConfig(
        name="xs",
        motion_base=16,
        motion_max=96,
        stem_stride=4,
        channels=(48, 96),
        blocks=(1, 2),
        audio_channels=8,
    ),
    "l": AvfrConfig(name="l", blocks=(2, 5, 5)),
}
"""Known sizes; the paper's own detector and dense motion are FOMM's (networks.md, section 1).

`l` is `s` with more blocks: new ones begin as the identity, so it can start from `s`'s weights.
"""
