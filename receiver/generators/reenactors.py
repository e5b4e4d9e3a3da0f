"""APB2Face and APB2FaceV2 as generators: faces from landmarks, and from sound, pose and blinks.

Both rebuild a frame's landmarks from its motion, as every generator here. APB2Face draws them, and
its weights know the person. APB2FaceV2 takes head pose and blinks from them, the mouth from the
sound, and the person from the keyframe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ...codec.errors import ConfigError, MissingExtraError
from ...codec.motion.frame import MotionFrame
from ...models.apb2face.drawing import draw_landmarks
from ...models.apb2face.features import HeadAngles
from ...models.apb2face.landmarks import select_106
from ...models.apb2face.received import mesh_of
from ...models.apb2face_v2.inputs import blink_of, pose_of, sound_of
from ...models.face.canonical import CanonicalFace
from ...models.face.landmarks import PointRebuilder
from .compiled import compiled
from .precision import missing
from .protocol import Array, Frame, Source, from_picture, mel_or_silence, to_picture

if TYPE_CHECKING:
    from ...models.weights import Card
    from ..config import Backend, Precision
    from .protocol import Generator

__all__ = ["Part", "PersonReenactor", "SoundReenactor", "load_reenactor", "openvino_part"]

Part: TypeAlias = Callable[[Mapping[str, Array]], Array]
"""Runs a part of a network: its inputs by name, and its output."""
_HINTS = {"bf16": "bf16", "float32": "f32"}


class PersonReenactor:
    """APB2Face: draws the landmarks, and makes the person that it has learned of them.

    Args:
        card: of the network.
        frame: its only part.
    """

    def __init__(self, card: Card, frame: Part) -> None:
        self._frame = frame
        self._rebuild = PointRebuilder(card.face_table()).rebuild
        self._size = int(card.config["size"])

    def set_source(self, rgb: Frame, motion: MotionFrame, points: Array) -> Source:
        """See `Generator.set_source`; the picture itself is not used."""
        from_picture(rgb, self._size)  # refuses another size
        return Source(motion.to_array(), np.ascontiguousarray(points, np.float32), None)

    def points(self, source: Source, motion: MotionFrame) -> Array:
        """See `Generator.points`."""
        return self._rebuild(source.numbers, source.points, motion.to_array())

    def render(self, source: Source, motion: MotionFrame, mel: Array | None) -> Frame:
        """See `Generator.render`; the sound is not used."""
        marks = select_106(mesh_of(self.points(source, motion)))
        drawing = draw_landmarks(marks, self._size)[None, None]
        return to_picture(self._frame({"drawing": drawing})[0])


class SoundReenactor:
    """APB2FaceV2: the keyframe's face, moved by the sound and by the pose and blinks of the motion.

    Args:
        card: of the network.
        source, frame: its parts.
    """

    def __init__(self, card: Card, source: Part, frame: Part) -> None:
        self._source, self._frame = source, frame
        self._rebuild = PointRebuilder(card.face_table()).rebuild
        self._size = int(card.config["size"])
        tables = card.tensors("head_points", "head_weights")
        points, weights = (tables[n].astype(np.float64) for n in ("head_points", "head_weights"))
        self._angles = HeadAngles(CanonicalFace(points, weights, np.zeros((0, 3), np.int32)))

    def set_source(self, rgb: Frame, motion: MotionFrame, points: Array) -> Source:
        """See `Generator.set_source`."""
        features = self._source({"picture": from_picture(rgb, self._size)})
        return Source(motion.to_array(), np.ascontiguousarray(points, np.float32), features)

    def points(self, source: Source, motion: MotionFrame) -> Array:
        """See `Generator.points`."""
        return self._rebuild(source.numbers, source.points, motion.to_array())

    def render(self, source: Source, motion: MotionFrame, mel: Array | None) -> Frame:
        """See `Generator.render`."""
        points = self.points(source, motion)
        inputs = {
            "features": source.features,
            "sound": sound_of(mel_or_silence(mel)[0, 0])[None],
            "pose": pose_of(self._angles, points)[None],
            "blink": blink_of(points)[None],
        }
        return to_picture(self._frame(inputs)[0])


def load_reenactor(
    card: Card,
    backend: Backend = "openvino",
    threads: int | None = None,
    precision: Precision = "auto",
    *,
    parallel: int = 1,
) -> Generator:
    """The generator of a reenactor's card; see `load.load_generator`.

    Raises:
        ConfigError: an unknown backend, or a precision or `parallel` that it does not offer here.
        MissingExtraError: `torch` without the extra `[torch]`.
        WeightsError: the weights or the exported files are missing or damaged.
    """
    if backend == "openvino":
        if precision == "int8":
            raise ConfigError(f"{card.name} cannot run in int8: reenactors have no such graph")
        reason = missing(card, precision)
        if reason:
            raise ConfigError(f"{card.name} cannot run in {precision}: {reason}")

        def part(name: str) -> Part:
            return openvino_part(card, name, threads, precision, parallel=parallel)

    elif backend == "torch":
        if parallel > 1:
            raise ConfigError("the torch backend renders one picture at a time: set parallel to 1")
        if precision not in ("auto", "float32"):
            raise ConfigError(f"on torch, {card.name} runs in float32, not in {precision}")
        try:
            from .reenactors_torch import TorchParts
        except ImportError as error:
            raise MissingExtraError("the torch backend", "torch") from error
        part = TorchParts(card, threads).part
    else:
        raise ConfigError(f"the backend is `openvino` or `torch`, not {backend!r}")
    if card.config["name"] == "apb2face":
        return PersonReenactor(card, part("frame"))
    return SoundReenactor(card, part("source"), part("frame"))


def openvino_part(
    card: Card,
    name: str,
    threads: int | None = None,
    precision: Precision = "auto",
    *,
    parallel: int = 1,
) -> Part:
    """A part of a network on OpenVINO, which up to `parallel` threads may call at the same time.

    Raises:
        WeightsError: the exported files are missing or damaged.
    """
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if precision in _HINTS:
        settings["INFERENCE_PRECISION_HINT"] = _HINTS[precision]
    if parallel > 1:
        settings |= {"NUM_STREAMS": parallel, "INFERENCE_NUM_THREADS": parallel}
    elif threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    graph = compiled(card, name, settings)
    requests: SimpleQueue[Any] = SimpleQueue()  # those that are free
    for _ in range(parallel):
        requests.put(graph.create_infer_request())

    def run(inputs: Mapping[str, Array]) -> Array:
        request = requests.get()
        try:
            return np.array(request.infer(dict(inputs))[0])
        finally:
            requests.put(request)

    return run
