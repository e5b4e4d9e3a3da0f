"""Makes the graph `frame_int8`: the graph `frame` with the decoder's convolutions in int8.

NNCF quantises it after training, with ranges measured on real inputs. Only the inputs and weights
of the decoder's convolutions are rounded. All that decides where a pixel comes from stays in
floating point (dense motion, drawings, warps), and so does the sound, which costs next to nothing.
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
    """Copy the graph `frame` with the decoder's convolutions in int8.

    Args:
        graph: `frame` as an `openvino.Model` (`export.openvino_graphs`).
        samples: about a hundred of its inputs, by name (`training.calibration`).

    Raises:
        MissingExtraError: the extra `[train]` is not installed.
    """
    try:
        import nncf
    except ImportError as error:
        raise MissingExtraError("quantising to int8", "train") from error
    nncf.set_log_level(logging.ERROR)  # else it lists hundreds of nodes that stay unchanged
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
        preset=nncf.QuantizationPreset.MIXED,  # leaky activations have few values below 0
        subset_size=len(given),
        ignored_scope=nncf.IgnoredScope(names=kept, validate=False),
    )
