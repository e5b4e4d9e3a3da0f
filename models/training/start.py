"""Starts a network from the weights of another one, which may have fewer blocks and no gaze."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from ...codec.errors import ConfigError
from ..avfr.config import AvfrConfig
from ..avfr.model import Avfr
from ..face.mesh import CHANNELS

__all__ = ["begin_from"]

_BLOCK = re.compile(r"generator\.(encoder\.)?blocks\.\d+\.\d+\.")


def begin_from(source: Avfr, network: AvfrConfig, seed: int = 0) -> Avfr:
    """Make a network with the weights and the face table of another one.

    Blocks that `source` does not have keep their initial weights, which have no effect. So `l` that
    starts from `s` makes the same pictures as `s` until it is trained. Where only the new network
    knows the gaze, the drawn irises have no effect on what it paints at first; the flow follows
    them from the beginning.

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
    if network.gaze and not source.config.gaze:
        lines = len(CHANNELS)
        given = {
            name: _with_irises(value, own[name].shape, lines) if name in own else value
            for name, value in given.items()
        }
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
            "Only `blocks` may grow and `gaze` be added; --teacher imitates any network"
        )
    model.load_state_dict(given, strict=False)
    return model


def _with_irises(value: Tensor, wanted: torch.Size, lines: int) -> Tensor:
    """Give a convolution the inputs for drawn irises, with weights of 0.

    Drawings are the last inputs: one drawing, or the driving face's before the source's. The irises
    are the last channel of each, after `lines` channels.
    """
    if value.dim() != 4 or len(wanted) != 4:
        return value
    more = wanted[1] - value.shape[1]
    none = torch.zeros_like(value[:, :1])
    if more == 1:
        return torch.cat([value, none], 1)
    if more == 2:
        return torch.cat([value[:, :-lines], none, value[:, -lines:], none], 1)
    return value
