"""The generator on OpenVINO: the default, which needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from ...codec.motion.frame import MotionFrame
from ...models.face.gaze import with_irises
from ...models.face.landmarks import PointRebuilder
from ...models.weights.runtime_graphs import load_graph
from .compiled import compiled
from .protocol import Array, Frame, Source, from_picture, mel_or_silence, to_picture

if TYPE_CHECKING:
    from ...models.weights import Card
    from ..config import Precision

__all__ = ["OpenVinoGenerator"]

_HINTS = {"bf16": "bf16", "float32": "f32"}


class OpenVinoGenerator:
    """Runs the exported graphs (`models.weights.runtime_graphs`) on the CPU.

    Args:
        card: the card of the network.
        threads: CPU threads; None lets OpenVINO choose.
        precision: `bf16`, `int8` (convolutions of the decoder; the rest in what OpenVINO prefers)
            or `float32`. Coordinates are float32 in each.
        changes: tensors by name that replace the stored ones; not in int8.
        parallel: how many threads may call `render` at the same time. With more than 1, each
            picture is made by one CPU thread, and `threads` is not used.

    Raises:
        WeightsError: the exported files are missing or damaged, or the changes do not fit them.
    """

    def __init__(
        self,
        card: Card,
        threads: int | None = None,
        precision: Precision = "float32",
        changes: Mapping[str, Array] | None = None,
        *,
        parallel: int = 1,
    ) -> None:
        import openvino as ov

        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if precision in _HINTS:
            settings["INFERENCE_PRECISION_HINT"] = _HINTS[precision]
        if threads and parallel == 1:
            settings["INFERENCE_NUM_THREADS"] = threads
        several: dict[str, Any] = {"NUM_STREAMS": parallel, "INFERENCE_NUM_THREADS": parallel}
        self._source = compiled(card, "source", settings)
        part = "frame_int8" if precision == "int8" else "frame"
        settings |= several if parallel > 1 else {}
        if changes:
            frame = ov.Core().compile_model(load_graph(card, part, changes), "CPU", settings)
        else:
            frame = compiled(card, part, settings)
        self._requests: SimpleQueue[Any] = SimpleQueue()  # those that are free
        for _ in range(parallel):
            self._requests.put(frame.create_infer_request())
        self._rebuild = PointRebuilder(card.face_table()).rebuild
        self._size, self._gaze = int(card.config["size"]), card.gaze

    def set_source(self, rgb: Frame, motion: MotionFrame, points: Array) -> Source:
        """See `Generator.set_source`."""
        picture = from_picture(rgb, self._size)
        points = np.ascontiguousarray(points, np.float32)
        drawn = self._drawn(points, motion)
        found = self._source({"picture": picture, "source_points": drawn})
        names = [port.get_any_name() for port in self._source.outputs]
        fixed = {name: np.array(found[name]) for name in names}
        fixed |= {
            "picture": picture,
            "source_points": drawn,
            "source_value": motion.value[None],
            "source_jacobian": motion.jacobian[None],
        }
        return Source(motion.to_array(), points, fixed)

    def points(self, source: Source, motion: MotionFrame) -> Array:
        """See `Generator.points`."""
        return self._rebuild(source.numbers, source.points, motion.to_array())

    def render(self, source: Source, motion: MotionFrame, mel: Array | None) -> Frame:
        """See `Generator.render`."""
        moved = self._drawn(self.points(source, motion), motion)
        inputs = {
            **source.features,
            "value": motion.value[None],
            "jacobian": motion.jacobian[None],
            "points": moved,
            "mel": mel_or_silence(mel),
        }
        request = self._requests.get()
        try:
            # Memory is shared both ways: inputs outlive the call, and the output is copied here.
            result = request.infer(inputs, share_inputs=True, share_outputs=True)
            return to_picture(result["frame"][0])
        finally:
            self._requests.put(request)

    def _drawn(self, points: Array, motion: MotionFrame) -> Array:
        """What the network takes of a face: its landmarks, and its irises if it shows the gaze."""
        return (with_irises(points, motion.gaze) if self._gaze else points)[None]
