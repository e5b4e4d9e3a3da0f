"""The generator on OpenVINO: the default, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...codec.motion.frame import MotionFrame
from ...models.face.landmarks import PointRebuilder
from ...models.weights.runtime_graphs import load_graph
from .protocol import Array, Frame, Source, from_picture, mel_or_silence, to_picture

if TYPE_CHECKING:
    from ...models.weights import Card
    from ..config import Precision

__all__ = ["OpenVinoGenerator"]

_HINTS = {"bf16": "bf16", "float32": "f32"}


class OpenVinoGenerator:
    """Runs the exported graphs (`models.weights.graph`) on the CPU.

    Args:
        card: of the network.
        threads: CPU threads, None for OpenVINO's own choice.
        precision: `bf16`, `int8` (the decoder's convolutions; all else as OpenVINO likes best) or
            `float32`. Coordinates are float32 in each.
        changes: tensors by name that take the place of the stored ones; not in int8.

    Raises:
        WeightsError: the exported files are missing or damaged, or changes do not fit them.
    """

    def __init__(
        self,
        card: Card,
        threads: int | None = None,
        precision: Precision = "float32",
        changes: Mapping[str, Array] | None = None,
    ) -> None:
        import openvino as ov

        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if precision in _HINTS:
            settings["INFERENCE_PRECISION_HINT"] = _HINTS[precision]
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        core = ov.Core()
        self._source, frame = (
            core.compile_model(load_graph(card, part, changed), "CPU", settings)
            for part, changed in (
                ("source", None),
                ("frame_int8" if precision == "int8" else "frame", changes),
            )
        )
        self._request = frame.create_infer_request()
        self._rebuild = PointRebuilder(card.face_table()).rebuild
        self._size = int(card.config["size"])

    def set_source(self, rgb: Frame, motion: MotionFrame, points: Array) -> Source:
        """See `Generator.set_source`."""
        picture = from_picture(rgb, self._size)
        points = np.ascontiguousarray(points, np.float32)
        found = self._source({"picture": picture, "source_points": points[None]})
        names = [port.get_any_name() for port in self._source.outputs]
        fixed = {name: np.array(found[name]) for name in names}
        fixed |= {
            "picture": picture,
            "source_points": points[None],
            "source_value": motion.value[None],
            "source_jacobian": motion.jacobian[None],
        }
        return Source(motion.to_array(), points, fixed)

    def points(self, source: Source, motion: MotionFrame) -> Array:
        """See `Generator.points`."""
        return self._rebuild(source.numbers, source.points, motion.to_array())

    def render(self, source: Source, motion: MotionFrame, mel: Array | None) -> Frame:
        """See `Generator.render`."""
        moved = self.points(source, motion)
        inputs = {
            **source.features,
            "value": motion.value[None],
            "jacobian": motion.jacobian[None],
            "points": moved[None],
            "mel": mel_or_silence(mel),
        }
        # Shared memory both ways: the inputs outlive the call and the output is copied below.
        result = self._request.infer(inputs, share_inputs=True, share_outputs=True)
        return to_picture(result["frame"][0])
