"""Generators that run: OpenVINO (default, no torch) and torch.

A generator computes what depends on the keyframe alone once (`set_source`), and then one picture
a frame (`render`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from ..codec.errors import ConfigError, MissingExtraError
from ..codec.motion import MotionFrame
from ..models.landmarks import PointRebuilder
from ..models.mel import MEL_BANDS, MEL_STEPS, SILENCE
from ..models.weights.graph import load_graph

if TYPE_CHECKING:
    from ..models.weights import Card
    from .output import Backend

__all__ = [
    "Generator",
    "OpenVinoGenerator",
    "Source",
    "TorchGenerator",
    "load_generator",
]

Frame = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Source:
    """A keyframe made ready: its numbers and points, and what the runtime computed of it."""

    numbers: Array
    points: Array
    features: Any


class Generator(Protocol):
    """Animates a keyframe; one object serves one stream at a time."""

    def set_source(self, rgb: Frame, motion: MotionFrame, points: Array) -> Source:
        """Make a keyframe ready, once.

        Args:
            rgb: uint8 `[256, 256, 3]`.
            motion: of the keyframe itself.
            points: float32 `[P, 2]` on [-1, 1], the keyframe's landmarks (`models.shape`).
        """

    def render(self, source: Source, motion: MotionFrame, mel: Array | None) -> Frame:
        """One frame.

        Args:
            motion: of the frame to show.
            mel: float32 `[80, 20]` (`models.mel`), None for silence.

        Returns:
            uint8 RGB `[256, 256, 3]`.
        """


def load_generator(
    card: Card,
    backend: Backend = "openvino",
    threads: int | None = None,
    changes: Mapping[str, Array] | None = None,
) -> Generator:
    """The generator of a card.

    Args:
        card: of `models.weights`.
        backend: `openvino` or `torch`.
        threads: CPU threads, None for the runtime's own choice.
        changes: tensors of the decoder by name that take the place of the stored ones
            (`models.weights.changed_tensors`).

    Raises:
        ConfigError: an unknown backend.
        MissingExtraError: `torch` without the extra `[torch]`.
        WeightsError: the exported files are missing or damaged.
    """
    if backend == "openvino":
        return OpenVinoGenerator(card, threads, changes)
    if backend == "torch":
        return TorchGenerator(card, threads, changes)
    raise ConfigError(f"the backend is `openvino` or `torch`, not {backend!r}")


def _picture(rgb: Frame, size: int) -> Array:
    """uint8 `[size, size, 3]` → float32 `[1, 3, size, size]` on [0, 1]."""
    if rgb.shape != (size, size, 3) or rgb.dtype != np.uint8:
        raise ConfigError(f"this network's pictures are uint8 [{size}, {size}, 3], not {rgb.shape}")
    return np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255)


def _frame(image: Array) -> Frame:
    """float32 `[3, H, W]` on [0, 1] → uint8 `[H, W, 3]`."""
    rounded = (image * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return np.ascontiguousarray(rounded.transpose(1, 2, 0))


def _mel(mel: Array | None) -> Array:
    if mel is None:
        return np.full((1, 1, MEL_BANDS, MEL_STEPS), SILENCE, np.float32)
    return np.ascontiguousarray(mel, np.float32)[None, None]


class OpenVinoGenerator:
    """Runs the exported graphs (`models.weights.graph`) on the CPU.

    OpenVINO chooses the precision: bf16 where the processor multiplies in it, float32 elsewhere.
    """

    def __init__(
        self,
        card: Card,
        threads: int | None = None,
        changes: Mapping[str, Array] | None = None,
    ) -> None:
        import openvino as ov

        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        core = ov.Core()
        self._source, frame = (
            core.compile_model(load_graph(card, part, adapted), "CPU", settings)
            for part, adapted in (("source", None), ("frame", changes))
        )
        self._request = frame.create_infer_request()
        self._rebuild = PointRebuilder(card.face_table()).rebuild
        self._size = int(card.config["size"])

    def set_source(self, rgb: Frame, motion: MotionFrame, points: Array) -> Source:
        """See `Generator.set_source`."""
        picture = _picture(rgb, self._size)
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

    def render(self, source: Source, motion: MotionFrame, mel: Array | None) -> Frame:
        """See `Generator.render`."""
        moved = self._rebuild(source.numbers, source.points, motion.to_array())
        inputs = {
            **source.features,
            "value": motion.value[None],
            "jacobian": motion.jacobian[None],
            "points": moved[None],
            "mel": _mel(mel),
        }
        # Shared memory both ways: the inputs outlive the call and the output is copied below.
        result = self._request.infer(inputs, share_inputs=True, share_outputs=True)
        return _frame(result["frame"][0])


class TorchGenerator:
    """Runs the network itself, on a GPU where there is one (extra `[torch]`)."""

    def __init__(
        self,
        card: Card,
        threads: int | None = None,
        changes: Mapping[str, Array] | None = None,
    ) -> None:
        try:
            import torch

            from ..models.avfr.model import Avfr, numbers_to_motion
        except ImportError as error:
            raise MissingExtraError("the torch backend", "torch") from error
        if threads:
            torch.set_num_threads(threads)
        self._torch, self._to_motion = torch, numbers_to_motion
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = Avfr.from_pretrained(card.folder)
        adapted = {name: torch.from_numpy(value) for name, value in (changes or {}).items()}
        model.load_state_dict(adapted, strict=False)
        self._generator = model.generator.to(self._device).eval()
        self._rebuild = PointRebuilder(model.face).rebuild
        self._size = model.config.size

    def _motion(self, numbers: Array, points: Array) -> Any:
        move = self._torch.from_numpy
        return self._to_motion(
            move(numbers[None]).to(self._device), move(points[None]).to(self._device)
        )

    def set_source(self, rgb: Frame, motion: MotionFrame, points: Array) -> Source:
        """See `Generator.set_source`."""
        points = np.ascontiguousarray(points, np.float32)
        with self._torch.inference_mode():
            picture = self._torch.from_numpy(_picture(rgb, self._size)).to(self._device)
            still = self._motion(motion.to_array(), points)
            features = self._generator.encode_source(picture, still["points"])
        return Source(motion.to_array(), points, (picture, still, features))

    def render(self, source: Source, motion: MotionFrame, mel: Array | None) -> Frame:
        """See `Generator.render`."""
        picture, still, features = source.features
        numbers = motion.to_array()
        driving = self._motion(numbers, self._rebuild(source.numbers, source.points, numbers))
        with self._torch.inference_mode():
            sound = self._torch.from_numpy(_mel(mel)).to(self._device)
            image = self._generator(picture, features, still, driving, sound)["image"]
            return _frame(image[0].float().clamp(0, 1).cpu().numpy())
