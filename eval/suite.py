"""What is needed to measure: the networks, loaded once a process, and how often they look."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ..codec.errors import ConfigError, FacewireError
from ..models.judges.identity import DlibEmbedder
from ..models.judges.inception import Inception
from ..models.judges.perceptual import load_dists, load_lpips
from ..models.judges.syncnet import SyncNet, load_syncnet
from .metrics.identity import Embedder

__all__ = ["Suite"]

_VERSION = 5  # of what is measured; another one finds no old figures


class Suite:
    """Everything that measuring needs; networks are loaded once.

    Args:
        every: Inception, LPIPS-Alex, SSIM and MS-SSIM look at each n-th frame. What costs little
            (PSNR, landmarks, flicker and their like) looks at all frames.
        vgg_every: LPIPS-VGG, DISTS and identity, which cost more, look at each n-th frame.
        threads: CPU threads of torch, in the whole process.

    Attributes:
        missing: metric (its parts included) → why it is left out: a network that is not here, or a
            package that is not installed.

    Raises:
        ConfigError: an argument below 1.
    """

    def __init__(self, every: int = 5, vgg_every: int = 25, threads: int = 1) -> None:
        if min(every, vgg_every, threads) < 1:
            raise ConfigError(
                "pictures are compared on each 1st, 2nd, … frame, by a thread or more"
            )
        self.every, self.vgg_every, self.threads = every, vgg_every, threads
        torch.set_num_threads(threads)
        self.missing: dict[str, str] = {}
        self.inception: Inception | None = self._load(Inception, "fid", "kid")
        self.alex: nn.Module | None = self._load(lambda: load_lpips("alex"), "lpips")
        self.vgg: nn.Module | None = self._load(lambda: load_lpips("vgg"), "lpips_vgg")
        self.dists: nn.Module | None = self._load(load_dists, "dists")
        self.embed: Embedder | None = self._load(DlibEmbedder, "aed", "identity_cosine")
        self.syncnet: SyncNet | None = self._load(load_syncnet, "sync_c", "sync_d")

    @property
    def identity(self) -> str:
        """What its figures depend on, beside the frames."""
        return json.dumps([_VERSION, self.every, self.vgg_every, sorted(self.missing)])

    def _load(self, make: Callable[[], Any], *metrics: str) -> Any:
        try:
            return make()
        except FacewireError as error:
            self.missing |= dict.fromkeys(metrics, str(error))
            return None
