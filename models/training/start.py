"""A network that begins with the weights of another one, of the same shape or with fewer blocks."""

from __future__ import annotations

import re

import torch

from ...codec.errors import ConfigError
from ..avfr.config import AvfrConfig
from ..avfr.model import Avfr

__all__ = ["begin_from"]

_BLOCK = re.compile(r"generator\.(encoder\.)?blocks\.\d+\.\d+\.")


def begin_from(source: Avfr, network: AvfrConfig, seed: int = 0) -> Avfr:
    """A network of the given configuration with the weights of `source`, and its face table.

    Blocks that `source` does not have stay as initialised: without effect. So `l` begun from `s`
    makes the same pictures as `s` until it is trained.

    Args:
        source: is not changed.
        network: the configuration to begin with.
        seed: of the new blocks.

    Raises:
        ConfigError: tensors that do not fit; says which.
    """
    torch.manual_seed(seed)
    model = Avfr(network, source.face)
    own, given = model.state_dict(), source.state_dict()
    reasons = [f"has no {name}" for name in own if name not in given and not _BLOCK.match(name)]
    for name, value in given.items():
        if name not in own:
            reasons.append(f"has {name}, which the new network lacks")
        elif own[name].shape != value.shape:
            shapes = (" x ".join(map(str, tensor.shape)) for tensor in (value, own[name]))
            reasons.append("has {} of {}, the new network of {}".format(name, *shapes))
    if reasons:
        more = f" (and {len(reasons) - 1} more do not fit)" if len(reasons) > 1 else ""
        raise ConfigError(
            f"{source.config.model_id} cannot begin {network.model_id}: it {reasons[0]}{more}. "
            "Only `blocks` may differ, and only grow; to imitate it, give it as --teacher"
        )
    model.load_state_dict(given, strict=False)
    return model
