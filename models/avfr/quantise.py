"""int8 for the decoder's convolutions: `frame_int8`, from `frame` and real inputs of it.

Post-training quantisation by NNCF. Everything that says where a pixel comes from stays in float:
dense motion, drawings, warps, and the sound, which costs nothing. Only convolutions of the decoder
change, and so only their inputs and weights are rounded.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...codec.errors import MissingExtraError

__all__ = ["quantised"]

_DECODER = re.compile(r"__module\.generator\.(enter|fuse|up|blocks|head)\.")


def quantised(graph: Any, samples: Iterable[Mapping[str, npt.NDArray[np.float32]]]) -> Any:
    """A copy of `frame` with the decoder's convolutions in int8.

    Args:
        graph: `frame` as an `openvino.Model` (`export.openvino_graphs`).
        samples: inputs of it by name (`training.calibration`), a hundred or so.

    Raises:
        MissingExtraError: without the extra `[train]`.
    """
    try:
        import nncf
    except ImportError as error:
        raise MissingExtraError("quantising to int8", "train") from error
    nncf.set_log_level(logging.ERROR)  # it names hundreds of nodes that stay as they are
    given = list(samples)
    kept = [
        node.get_friendly_name()
        for node in graph.get_ordered_ops()
        if node.get_type_name() not in ("Constant", "Parameter", "Result")
        and not (node.get_type_name() == "Convolution" and _DECODER.match(node.get_friendly_name()))
    ]
    return nncf.quantize(
        graph.clone(),
        nncf.Dataset(given),
        preset=nncf.QuantizationPreset.MIXED,  # activations are leaky: hardly anything below 0
        subset_size=len(given),
        ignored_scope=nncf.IgnoredScope(names=kept, validate=False),
    )
