"""Configurations of AVFR-GAN: the sizes `paper`, `l`, `s` and `xs` are the same code."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from ...codec.errors import ConfigError
from ..face.mesh import IRISES, POINTS

__all__ = ["SIZES", "AvfrConfig"]

KeypointMode = Literal["mesh", "detector", "unsupervised"]


@dataclass(frozen=True)
class AvfrConfig:
    """Shape of one AVFR-GAN.

    Attributes:
        name: of the size; streams name the network `avfr-` + name.
        size: pictures are `size` x `size`.
        keypoints: number of keypoints, K.
        keypoint_mode: where keypoints come from. `mesh`: a formula on the tracker's landmarks.
            `detector`: a network with 5 input channels that learns from the mesh.
            `unsupervised`: the same network, trained by equivariance and reconstruction alone, as
            in the paper; it excludes `landmark_prior`.
        structural_prior, audio_prior, identity_aware: the rows of the paper's table 3.
        landmark_prior: draw the rebuilt driving landmarks as a condition, and add their motion to
            the fields of the dense motion (not in the paper; docs/networks.md).
        gaze: the network also gets the centres of both irises (`models.face.gaze`), after the
            other points, and draws and moves them too.
        detector_base, detector_max, detector_levels: hourglass of the keypoint detector.
        motion_size: side of the pictures that the dense motion network sees.
        motion_base, motion_max, motion_levels: hourglass of the dense motion network.
        motion_kernel: side of the kernels of its heads.
        stem_stride: stride of the identity encoder's first step, 1, 2 or 4.
        channels: channels of the identity encoder's features, fine to coarse; the last number is
            the c of Enc_motion.
        blocks: number of residual blocks at each of these scales, in encoder and decoder.
        spade_hidden: hidden channels of SPADE's modulation; 0 for a direct 1x1 modulation.
        normalise: whether SPADE normalises before it modulates (instance norm, no parameters).
        audio_channels, audio_size: channels and side at which Enc_aud is computed.
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
            raise ConfigError(f"size {self.size} is not divisible by the scales of the network")
        if self.keypoint_mode == "unsupervised" and self.landmark_prior:
            raise ConfigError(
                "unsupervised keypoints tell nothing about landmarks: set landmark_prior=false too"
            )
        if self.gaze and not self.landmark_prior:
            raise ConfigError(
                "gaze is drawn between the corners of the eyes, so it needs landmark_prior=true"
            )
        if self.gaze and self.keypoint_mode != "mesh":
            raise ConfigError("gaze is measured on the mesh, so it needs keypoint_mode=mesh")
        if self.motion_size % 2**self.motion_levels:
            raise ConfigError("motion_size must be divisible by 2 ** motion_levels")

    @property
    def model_id(self) -> str:
        """The name that a stream carries."""
        return f"avfr-{self.name}"

    @property
    def points(self) -> int:
        """Number of points of a face that the network takes."""
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
"""Known sizes.

Detector and dense motion of `paper` are those of FOMM (docs/networks.md). `l` is `s` with more
blocks; new blocks change nothing at first, so `l` can start from the weights of `s`.
"""
