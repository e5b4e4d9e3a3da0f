"""Starts a network from the weights of another one that has as many blocks or fewer."""

from __future__ import annotations

import re

import torch

from ...codec.errors import ConfigError
from ..avfr.config import AvfrConfig
from ..avfr.model import Avfr

__all__ = ["begin_from"]

_BLOCK = re.compile(r"generator\.(encoder\.)?blocks\.\d+\.\d+\.")


def begin_from(source: Avfr, network: AvfrConfig, seed: int = 0) -> Avfr:
    """Make a network with the weights and the face table of another one.

    Blocks that `source` does not have keep their initial weights, which have no effect. So `l` that
    starts from `s` makes the same pictures as `s` until it is trained.

    Args:
        source: the other network; it is not changed.
        network: configuration of the new one.
        seed: of the new blocks.

    Raises:
        ConfigError: tensors do not fit; the message names one.
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
            f"{source.config.model_id} cannot start {network.model_id}: it {reasons[0]}{more}. "
            "Only `blocks` may differ, and may only grow; --teacher imitates any network"
        )
    model.load_state_dict(given, strict=False)
    return model
